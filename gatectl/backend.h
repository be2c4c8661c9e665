/* gatectl/backend.h - the way to the state: the daemon's control socket by HTTP, or straight on Redis. Both answer the
 * same requests, those of common/control/control.h, in the same words. */
#ifndef GATEHOUSE_GATECTL_BACKEND_H
#define GATEHOUSE_GATECTL_BACKEND_H

#include "common/control/control.h"

struct settings;

struct ask {
    enum control_method method;
    const char *segments[CONTROL_SEGMENTS_MAX]; /* NULL past the last */
    struct control_param params[CONTROL_PARAMS_MAX]; /* name NULL past the last */
    struct slice body;
};

#define BACKEND_ERROR_MAX 300
enum backend_result {
    BACKEND_OK, /* an answer came, whatever its status */
    BACKEND_UNREACHABLE,
    BACKEND_BROKEN, /* what came is no answer */
};

struct backend {
    const struct backend_ops {
        enum backend_result (*ask)(struct backend *backend, const struct ask *ask, unsigned *status,
                                   json_t **answer, char error[BACKEND_ERROR_MAX]);
        void (*free)(struct backend *backend);
    } * ops;
};

/* *answer is the caller's with BACKEND_OK, `error` is set without. */
enum backend_result backend_ask(struct backend *backend, const struct ask *ask, unsigned *status,
                                json_t **answer, char error[BACKEND_ERROR_MAX]);
void backend_free(struct backend **backend); /* NULL-safe; clears *backend */

/* `where`: /path, unix:/path, inet:host:port, http://host:port, https://... NULL with *error set. */
struct backend *backend_http_new(const char *where, char error[BACKEND_ERROR_MAX]);

/* Straight on the store that the settings name; memory is refused, for it lives in the daemon. Waits until the
 * connection is there, 3 s at most. `settings` must outlive it. NULL with *error set. */
struct backend *backend_store_new(const struct settings *settings, const struct clock *clock,
                                  char error[BACKEND_ERROR_MAX]);

/* Straight on the directory of contentd's quarantine, which is locked meanwhile, and let go of now and then: a daemon that starts has
 * it within QUARANTINE_WAIT_MS. `settings` must outlive it. NULL with *error set. */
struct backend *backend_quarantine_new(const struct settings *settings, const struct clock *clock,
                                       char error[BACKEND_ERROR_MAX]);

/* The request of the control API that this asks for; `reply` is not set. Borrows from `ask`. */
struct control_request ask_request(const struct ask *ask);

/* Path and query of a request, percent-encoded: "/v1/live/list%3Ablock/.example.com?force=1". 0, or -1: buffer full. */
int ask_print_path(struct buf *out, const struct ask *ask);

#endif
