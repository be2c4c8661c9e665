/* common/control/service.h - the control API of a daemon with rules: what control.h serves over the configuration in force,
 * the daemon's status, its rules, and explanations as JSON. On the main worker's thread.
 *
 *     GET  /v1/rules      {"rules": [{"name", "order", "mode", "trouble", "stages", "origin": "file" or "live", "matches",
 *                         "when", "then"}]} */
#ifndef GATEHOUSE_CONTROL_SERVICE_H
#define GATEHOUSE_CONTROL_SERVICE_H

#include "common/control/control.h"
#include "common/policy/rule_book.h"
#include "common/rules/trace.h"

/* What is in force, of a snapshot's data. */
struct control_in_force {
    const struct rule_book *book;
    const struct rules_schema *schema;
    const struct limit_set *limits; /* NULL: none */
    const struct classes *file_classes, *live_classes; /* NULL: none */
};

struct control_service_spec {
    const char *program; /* `gatehouse-policyd` */
    void (*in_force)(const void *data, struct control_in_force *out);
    void (*add_status)(void *context, const void *data, json_t *status); /* optional */
    /* Optional: a request for another noun than those of control.h and `rules`. False: not one of ours. */
    bool (*serve)(void *context, struct control_request *request);
};

struct control_service; /* opaque */

/* `store` is the main worker's; `context` is the spec's. NULL: out of memory. */
struct control_service *control_service_new(const struct control_service_spec *spec,
                                            struct daemon *daemon, struct store *store,
                                            void *context);
void control_service_free(struct control_service **service); /* NULL-safe; clears *service */
/* For the route /v1/ of the daemon's HTTP listener. */
void control_service_serve(struct control_service *service, struct http_call *call);

/* The rules of a trace, for the answer to `explain`: [{"rule", "order", "mode", "result", "action", "conditions": [{"text",
 * "depth", "result"}], "facts": [{"name", "state", "value"}]}]. */
json_t *control_trace(const struct trace *trace);

#endif
