/* common/base/hash.h - keyed hashes for tables whose keys come from the network (so nobody can aim for one bucket),
 * digests for names in the store, and random bytes. Thread-safe. */
#ifndef GATEHOUSE_BASE_HASH_H
#define GATEHOUSE_BASE_HASH_H

#include "common/base/slice.h"

/* SipHash-1-3 under a key drawn once per process. Never stored or sent. */
uint64_t hash_keyed(struct slice bytes);

/* The first 128 bits of SHA-256, as 32 hexadecimal digits and a NUL. The same on every host. */
#define HASH_HEX_LEN 32
void hash_hex128(struct slice bytes, char out[HASH_HEX_LEN + 1]);

/* Bytes from the kernel's generator; ends the process if there is none (no safe way to go on). */
void random_bytes(void *out, size_t len);

/* A short name for a decision that a person can read out: 6 letters and digits, no look-alikes, and a NUL. */
#define REFERENCE_LEN 6
void random_reference(char out[REFERENCE_LEN + 1]);
/* The same; of what is only explained the word below, for nothing is logged that a reference could lead to. */
#define REFERENCE_EXPLAINED "explain"
enum { REFERENCE_SIZE = sizeof REFERENCE_EXPLAINED };
void reference_make(char out[REFERENCE_SIZE], bool is_explained);

#endif
