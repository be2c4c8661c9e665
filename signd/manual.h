/* signd/manual.h - what -h and the manual pages say about signd beside its parameters. */
#ifndef GATEHOUSE_SIGND_MANUAL_H
#define GATEHOUSE_SIGND_MANUAL_H

#include "common/config/usage.h"

extern const struct usage_program signd_program;

#endif
