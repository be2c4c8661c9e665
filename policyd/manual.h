/* policyd/manual.h - what -h and the manual pages say about policyd beside its parameters. */
#ifndef GATEHOUSE_POLICYD_MANUAL_H
#define GATEHOUSE_POLICYD_MANUAL_H

#include "common/config/usage.h"

extern const struct usage_program policyd_program;

#endif
