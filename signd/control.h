/* signd/control.h - what signd's control API serves beside common/control/service.h. On the main worker's thread. */
#ifndef GATEHOUSE_SIGND_CONTROL_H
#define GATEHOUSE_SIGND_CONTROL_H

#include "common/control/service.h"

extern const struct control_service_spec signd_control; /* its context: the main struct server */

#endif
