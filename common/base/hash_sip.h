/* common/base/hash_sip.h - SipHash-1-3 under a given key: for hash.c and for its test vectors only. */
#ifndef GATEHOUSE_BASE_HASH_SIP_H
#define GATEHOUSE_BASE_HASH_SIP_H

#include "common/base/slice.h"

uint64_t hash_sip13(struct slice bytes, const uint64_t key[2]);

#endif
