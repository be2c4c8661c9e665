/* contentd/explain.h - what would become of a message, and why, decided by the code that decides messages and without any effect:
 * nothing is delivered, kept, counted, logged, charged or recorded. On a thread of the explainer.
 *
 *     POST /v1/explain[?scan=1]   body: common/message/described.h; beside its names connections, connections.net,
 *                                 connections.all, and of each scanner NAME.result, NAME.score, NAME.virus: what it finds.
 *                                 Without `scan` no scanner is asked; of whom nothing is said finds nothing
 *         {"daemon": "contentd", "mode", "direction", "direction_reason", "verdict": "deliver" ... , "reply": "554 ..." or null, "late",
 *          "stages": [{"stage", "recipients" (from rcpt on), "trace"}],
 *          "scanners": [{"scanner", "kind", "addresses", "streams", "wanted", "source": "asked", "given" or "supposed",
 *                        "result", "score", "virus", "symbols", "error"}],
 *          "recipients": [{"recipient", "chain": {"name", "scanners", "key", "origin", "place", "until"}, "skipped",
 *                          "verdict", "by", "source", "reason", "score", "tagged", "redirect", "fate", "stage", "reply"}],
 *          "plan": {"action", "possible", "edits", "quarantine": [{"recipients", "edits"}], "outbox": [{..., "added"}], "unedited"}}
 *     A message that is refused before its header fields has neither scanners nor a plan. */
#ifndef GATEHOUSE_CONTENTD_EXPLAIN_H
#define GATEHOUSE_CONTENTD_EXPLAIN_H

#include "common/control/explainer.h"

/* For explainer_new(); the context is the struct contentd. */
void contentd_explain(struct explaining *explaining);

#endif
