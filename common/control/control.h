/* common/control/control.h - the control API, /v1/...: what gatectl and panels may ask of a daemon, as JSON. Generic over
 * daemons: live state, decision log, usage of limits; a daemon adds nouns of its own. Neither HTTP nor a socket is known
 * here: control_http.h brings requests from a daemon's listener, gatectl its own when it works straight on Redis.
 *
 *     GET    /v1/status                       {"store": {...}, ...}
 *     GET    /v1/live/KEY                     {"key": KEY, "fields": {NAME: TEXT}}
 *     PUT    /v1/live/KEY/FIELD[?force=1]     body: the text; {"key", "field", "existed"}
 *     DELETE /v1/live/KEY/FIELD               {"key", "field", "existed"}
 *     GET    /v1/limits                       {"limits": [...]}
 *     GET    /v1/usage[?value=V]              {"value": V, "limits": [{"limit", "used", "allowed", ...}]}
 *     POST   /v1/limits/NAME/reset?value=V    {"limit", "value", "removed"}
 *     GET    /v1/top[?limit=NAME&count=N]     {"rows": [{"limit", "subject", "used", "window_ms"}]}
 *     GET    /v1/transactions/QUEUE_ID        {"transactions": [{"key", "sender", "rule", "charges", "verdicts", ...}]}
 *     POST   /v1/explain                      of the running daemon alone: policyd/control.h, contentd/explain.h, signd/explain.h
 *     GET    /v1/log[?after=ID&find=TEXT&count=N]  {"lines": [{"id", "text"}]}
 *
 * KEY is a key of the live state without `gh:` (check.h), percent-encoded like every segment. Errors are {"error": TEXT}
 * with 400 (malformed), 404 (no such thing), 405, 409 (not declared in the configuration: `force=1` writes all the same),
 * 422 (refused by validation; "where" and "offset" say what is wrong), 501 (not known here), 503 (the store does not
 * answer). An answer that comes from a local copy because Redis is away has "degraded": true. */
#ifndef GATEHOUSE_CONTROL_CONTROL_H
#define GATEHOUSE_CONTROL_CONTROL_H

#include <jansson.h>

#include "common/limits/classes.h"
#include "common/limits/limit_config.h"
#include "common/live/check.h"
#include "common/store/store.h"

enum {
    CONTROL_SEGMENTS_MAX = 3, /* after /v1/: limits/NAME/reset */
    CONTROL_PARAMS_MAX = 12, /* one of each name */
    CONTROL_COUNT_MAX = 1000, /* rows or lines of one answer */
    CONTROL_COUNT_DEFAULT = 20,
    CONTROL_ANSWER_MAX = 64 << 20, /* bytes of state that one answer may need */
};

enum control_method { CONTROL_GET, CONTROL_PUT, CONTROL_POST, CONTROL_DELETE };

struct control_param {
    const char *name;
    struct slice value;
};

/* One request, decoded. Owned by whoever brings it and valid until `reply` has been called, exactly once, from inside
 * control_serve() or later from the loop; `reply` takes `answer` and may free the request. */
struct control_request {
    enum control_method method;
    struct slice segments[CONTROL_SEGMENTS_MAX];
    size_t segment_count;
    struct control_param params[CONTROL_PARAMS_MAX];
    size_t param_count;
    struct slice body;
    void (*reply)(struct control_request *request, unsigned status, json_t *answer);
};

/* The parameter names that the API knows, NULL-terminated. */
extern const char *const control_param_names[];
struct slice control_param(const struct control_request *request, const char *name); /* or absent */
/* Ends the request with {"error": ...}. */
void control_error(struct control_request *request, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* A JSON string of these bytes; what is not UTF-8 becomes U+FFFD. NULL: out of memory. */
json_t *control_text(struct slice bytes);

/* The configuration in force, as far as the API needs it. */
struct control_view {
    const struct limit_set *limits; /* NULL: none */
    const struct classes *file_classes, *live_classes; /* NULL: none */
    struct live_names names;
    /* The types of facts are not known here (gatectl): a subject is looked for under every letter it could have. */
    bool guesses_subjects;
    void *held; /* the daemon's reference, for release() */
};

/* What a daemon brings. All functions on the loop's thread; optional ones may be NULL. */
struct control_daemon {
    /* The view stays valid until release(): the configuration may be reloaded meanwhile. */
    void (*hold)(void *context, struct control_view *out);
    void (*release)(void *context, struct control_view *view); /* optional */
    void (*add_status)(void *context, json_t *status); /* optional */
    /* Optional: a request for another noun. False: not one of ours; true: it has been or will be replied to. */
    bool (*serve)(void *context, struct control_request *request);
    void *context;
};

struct control; /* opaque; one thread */

/* `store` and `clock` must outlive it; `daemon` is copied. NULL: out of memory. */
struct control *control_new(struct store *store, const struct clock *clock,
                            const struct control_daemon *daemon);
/* Requests that wait for the store are answered with 503 now. */
void control_abort(struct control *control);
/* The same, then the end. NULL-safe; clears *control. */
void control_free(struct control **control);

void control_serve(struct control *control, struct control_request *request);

#endif
