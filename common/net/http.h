/* common/net/http.h - a small HTTP server for metrics and control (libevent's evhttp), on one worker's loop: bounded
 * headers and bodies, one request per connection, a cap on connections and on the life of each, so that a slow or
 * hostile client costs nobody else anything. Only http.c includes evhttp's headers. All functions on that worker's
 * thread. The process ignores SIGPIPE. */
#ifndef GATEHOUSE_NET_HTTP_H
#define GATEHOUSE_NET_HTTP_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/run/worker.h"

struct http_server; /* opaque */
struct http_call; /* one request; opaque */

enum http_method {
    HTTP_GET = 1,
    HTTP_POST = 2,
    HTTP_PUT = 4,
    HTTP_DELETE = 8
}; /* HEAD counts as GET */

/* In the methods of a route: nothing in its answers is worth reading for a web page of somebody else. All others are served over
 * TCP only to who asks for us by address or by this host's name (http_host.h), else 403. */
enum { HTTP_PUBLIC = 16 };

/* Must end in exactly one http_reply*() or http_error() on `call`, now or later from the loop; until then the call is
 * valid, also when the client has gone (the reply is dropped then). */
typedef void http_handler(struct http_call *call, void *arg);

struct http_route {
    unsigned methods; /* a set of enum http_method, perhaps HTTP_PUBLIC */
    const char *path; /* `/ready`; with a `/` at the end also everything below: `/v1/list/` */
    http_handler *handle;
};

struct http_options {
    size_t max_body; /* bytes; 0: 1 MiB */
    /* At the cap the oldest connection without a whole request gives way. 0: 64. */
    size_t max_connections;
    uint64_t request_ms; /* to send the request, from its first byte or the connect on; 0: 10 s */
    uint64_t reply_ms; /* for the handler (then 504) and for taking the answer, each; 0: 10 s */
};

/* NULL: out of memory. */
struct http_server *http_server_new(struct worker *worker, const struct http_options *options);
/* Calls that are not answered yet stay valid; their replies are dropped. NULL-safe; clears *server. */
void http_server_free(struct http_server **server);
/* The first route that fits the path serves it (405 when the method does not fit any). `routes` is borrowed. */
int http_server_add_routes(struct http_server *server, const struct http_route *routes,
                           size_t count, void *arg);
int http_server_listen(struct http_server *server, int listen_fd); /* fd is borrowed */

/* ---- the request; slices live as long as the call ---- */
enum http_method http_call_method(const struct http_call *call);
struct slice http_call_rest(const struct http_call *call); /* of the path, after the route's */
/* The n-th of the rest, split at raw `/` and decoded then; absent past the end. */
struct slice http_call_segment(const struct http_call *call, size_t n);
struct slice http_call_query(const struct http_call *call, const char *name); /* decoded; absent */
struct slice http_call_body(const struct http_call *call);

/* ---- the answer: ends the call ---- */
void http_reply(struct http_call *call, unsigned status, const char *content_type,
                struct slice body);
/* Takes `json`; NULL: 500. */
void http_reply_json(struct http_call *call, unsigned status, json_t *json);
void http_error(struct http_call *call, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4); /* {"error": "..."} */

#endif
