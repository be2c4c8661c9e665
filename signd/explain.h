/* signd/explain.h - what would become of a message, and why, decided by the code that decides messages and without any effect:
 * nothing is counted, logged or recorded. Keys and policies are asked of the DNS. On a thread of the explainer.
 *
 *     POST /v1/explain    body: common/message/described.h
 *         {"daemon": "signd", "mode", "direction", "direction_reason", "verdict": "accept" ..., "reply": "550 ..." or null,
 *          "rule", "reason", "late", "task": "sign", "verify" or "none", "task_by": "rule" or "direction",
 *          "stages": [{"stage", "trace"}],
 *          "signing" (task sign): {"result", "reason", "from", "from_fields", "looked": [{"domain", "why",
 *              "keys": [{"selector", "type", "bits", "state", "since", "signs", "problem"}]}],
 *              "signatures": [{"domain", "selector", "algorithm", "canonicalization", "headers": [name], "time", "expires"}]},
 *          "verification" (task verify): {"dkim", "signatures": [{"domain", "selector", "algorithm", "result", "reason",
 *              "bits", "testing", "length"}], "signatures_over", "spf": {"result", "domain", "source"},
 *              "dmarc": {"result", "domain", "published", "policy", "spf_aligned", "dkim_aligned",
 *                        "domains": [{"domain", "lookup", "organizational", "percent"}]}},
 *          "forged": N, "authentication_results": the field or null, "edits"}
 *     Signatures are made, and nowhere shown: what asks here must not be able to send in our name. */
#ifndef GATEHOUSE_SIGND_EXPLAIN_H
#define GATEHOUSE_SIGND_EXPLAIN_H

#include "common/control/explainer.h"

struct letter;

/* For explainer_new(); the context is the struct signd. */
void signd_explain(struct explaining *explaining);

/* explain_answer.c: of a letter that is decided. NULL: out of memory. */
json_t *explain_letter(struct letter *letter);

#endif
