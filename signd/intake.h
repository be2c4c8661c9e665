/* signd/intake.h - what the milter hears, handed to the workers: the hooks of signd. */
#ifndef GATEHOUSE_SIGND_INTAKE_H
#define GATEHOUSE_SIGND_INTAKE_H

#include "common/milter/milter.h"

extern const struct milter_hooks intake_hooks;

#endif
