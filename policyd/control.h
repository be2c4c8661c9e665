/* policyd/control.h - the control API of policyd: what common/control serves, and the nouns `rules` and `explain`. On the
 * main worker's thread.
 *
 *     GET  /v1/rules      {"rules": [{"name", "order", "mode", "trouble", "stages", "origin": "file" or "live", "matches",
 *                         "when", "then"}]}
 *     POST /v1/explain    body: a request as Postfix sends it, NAME=VALUE lines, the kind and the stage (RCPT) may be left
 *                         out; {"verdict", "rule", "reply", "limits": [...], "trace": [a rule each]} */
#ifndef GATEHOUSE_POLICYD_CONTROL_H
#define GATEHOUSE_POLICYD_CONTROL_H

#include "common/run/daemon.h"
#include "policyd/server.h"

int policy_control_start(struct daemon *daemon, struct server *server); /* 0, -1: out of memory */
void policy_control_stop(struct policyd *policyd);
void policy_control_serve(struct http_call *call, void *daemon);

#endif
