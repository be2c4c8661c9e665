/* common/run/acceptor.h - accepts connections on one loop and hands each to the worker with the fewest (Postfix
 * keeps connections for long, so the kernel's hashing would balance badly). */
#ifndef GATEHOUSE_RUN_ACCEPTOR_H
#define GATEHOUSE_RUN_ACCEPTOR_H

#include "common/run/worker.h"

struct acceptor; /* opaque */

/* On the worker's thread: `fd` is non-blocking, close-on-exec, TCP_NODELAY and keepalive on TCP; it is the callee's to
 * close, followed by worker_connection_closed(). `listener` is the number given to acceptor_add(). */
typedef void accept_call(struct worker *worker, int fd, unsigned listener);

/* Lives on `home`'s loop, its thread alone; a loop of its own, so that nothing keeps clients waiting. `workers` is borrowed
 * and must outlive it. A connection beyond `max_connections` of all workers together, or one that would need what is kept for
 * work (descriptors.h), is closed at once and counted: a clear failure that Postfix retries is better than one that hangs. NULL: out of memory or descriptors. */
struct acceptor *acceptor_new(struct worker *home, struct worker *const *workers,
                              size_t worker_count, size_t max_connections, accept_call *accept);
int acceptor_add(struct acceptor *acceptor, int listen_fd, unsigned listener); /* fd is borrowed */
/* Accepts no more; what waits in the backlog stays there. */
void acceptor_stop(struct acceptor *acceptor);
void acceptor_free(struct acceptor **acceptor); /* NULL-safe; clears *acceptor */

#endif
