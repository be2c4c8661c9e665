/* policyd/control.h - the control API of policyd: what common/control serves for all daemons, and the noun `explain`. On
 * the main worker's thread.
 *
 *     POST /v1/explain    body: a request as Postfix sends it, NAME=VALUE lines, the kind and the stage (RCPT) may be left
 *                         out; {"verdict", "rule", "reply", "limits": [...], "trace": [a rule each]} */
#ifndef GATEHOUSE_POLICYD_CONTROL_H
#define GATEHOUSE_POLICYD_CONTROL_H

#include "common/control/service.h"
#include "policyd/server.h"

/* Its context is the main worker's struct server. */
extern const struct control_service_spec policyd_control;

#endif
