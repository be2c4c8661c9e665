/* policyd/control.h - the control API of policyd: what common/control serves, and the nouns `rules` and `explain`. On the
 * main worker's thread.
 *
 *     GET  /v1/rules      {"rules": [{"name", "order", "mode", "trouble", "stages", "when", "then", "live"}]}
 *     POST /v1/explain    body: a request as Postfix sends it, `name=value` lines; {"verdict", "reply", "rules": [...]} */
#ifndef GATEHOUSE_POLICYD_CONTROL_H
#define GATEHOUSE_POLICYD_CONTROL_H

#include "common/run/daemon.h"
#include "policyd/server.h"

int policy_control_start(struct daemon *daemon, struct server *server); /* 0, -1: out of memory */
void policy_control_stop(struct policyd *policyd);
void policy_control_serve(struct http_call *call, void *daemon);

#endif
