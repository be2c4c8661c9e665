/* contentd/manual.h - what -h and the manual pages say about contentd beside its parameters. */
#ifndef GATEHOUSE_CONTENTD_MANUAL_H
#define GATEHOUSE_CONTENTD_MANUAL_H

#include "common/config/usage.h"

extern const struct usage_program contentd_program;

#endif
