/* common/control/explainer.h - POST /v1/explain of a milter: what would become of a message, decided by the code that decides
 * messages, without any effect. That code is a milter's: it runs on threads that wait for a worker's loop, so explaining does too.
 *
 * The body of the request is that of common/message/described.h; `scan=1` asks for what costs something (contentd: the
 * scanners are asked). */
#ifndef GATEHOUSE_CONTROL_EXPLAINER_H
#define GATEHOUSE_CONTROL_EXPLAINER_H

#include "common/control/control.h"
#include "common/message/direction.h"
#include "common/milter/milter.h"
#include "common/rules/trace.h"

enum {
    EXPLAIN_AT_ONCE_MAX = 4, /* further ones wait */
    EXPLAIN_BODY_MAX = 16 << 20, /* bytes of a request: daemon_spec.http_body_max */
    /* What scanners and look-ups may take of one message; below what the HTTP listener waits. */
    EXPLAIN_BUDGET_MS = 8000,
};

/* One request, on its thread. */
struct explaining {
    void *context; /* the daemon's */
    struct worker *worker; /* on whose loop jobs run: the main one */
    struct slice body;
    bool scans;
    /* Out: set by explaining_answer() or explaining_error(), once. */
    unsigned status;
    json_t *answer;
};
void explaining_answer(struct explaining *explaining, json_t *answer); /* takes it */
void explaining_error(struct explaining *explaining, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4);

struct explainer; /* opaque; its functions on the main worker's thread */

/* `run` is called on a thread, and must answer. NULL: out of memory. */
struct explainer *explainer_new(struct worker *main, void (*run)(struct explaining *explaining),
                                void *context);
/* Runs the main worker's loop until those under way have ended: in worker_stop, before what they need goes. NULL-safe; clears. */
void explainer_free(struct explainer **explainer);
/* For struct control_daemon: false when it is another noun. */
bool explainer_serve(struct explainer *explainer, struct control_request *request);

/* ---- parts of an answer; any thread; NULL: out of memory ---- */

/* How an answer begins: {"daemon", "mode": "enforce" or "shadow", "direction": "in" or "out", "direction_reason"}. */
json_t *explain_begin(const char *daemon, bool is_shadow, enum direction_reason why);
/* [{"edit": "add a header field", "name", "text", "index"}]: texts are cut to 1000 bytes, of a body there is "bytes" alone. */
json_t *explain_edits(const struct edits *edits);
/* "554 5.7.1 text", as a client is told; null when it is no refusal. */
json_t *explain_reply(const struct milter_reply *reply);
/* Of one stage: {"stage", "trace": [...]}, see service.h; `trace` NULL: no rule runs there. */
json_t *explain_stage(enum stage stage, const struct trace *trace);
/* [text, ...] */
json_t *explain_texts(const struct slice *texts, size_t count);

#endif
