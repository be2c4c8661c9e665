/* common/net/dns_context.h - libunbound on a worker's loop: one resolving context with its cache, its sockets and what it
 * knows of the resolvers. The only user of libunbound, whose ways are dealt with here:
 * - answers from the cache come inside the call;
 * - a context is not complete before its first question, and completing two at once in two threads is a race;
 * - private zones and `.test` have built-in answers;
 * - a resolver that did not answer is shunned, for longer and longer, and failures are cached: the first is turned off,
 *   for the second there is a new context (dns.h);
 * - freeing a context ends its questions as failed, inside the call;
 * - ub_cancel() only hides the end of a question, which goes on. So nothing is cancelled: every question ends. */
#ifndef GATEHOUSE_NET_DNS_CONTEXT_H
#define GATEHOUSE_NET_DNS_CONTEXT_H

#include "common/net/dns_packet.h"
#include "common/net/dns_servers.h"

struct event_base;
struct dns_context; /* opaque */

struct dns_context_options {
    const struct dns_servers *servers; /* at least one; borrowed for the call */
    bool no_cache;
    uint64_t cache_size; /* bytes, for messages and records together */
    size_t in_flight_max; /* sockets; further questions wait for one */
};

/* `base` must outlive it; any thread, but then the thread of `base` only. Takes about a millisecond. NULL: out of
 * memory or descriptors. */
struct dns_context *dns_context_new(struct event_base *base,
                                    const struct dns_context_options *options);
/* Questions in flight end without their call. Not from inside one. NULL-safe; clears *context. */
void dns_context_free(struct dns_context **context);

/* A question in flight: zeroed but for `answered`, by whoever asks; it must stay until `answered` is called or the context
 * is freed. */
struct dns_context_question {
    /* `packet` is the answer, borrowed for the call; absent: the resolvers could not say, or are not there. */
    void (*answered)(struct dns_context_question *question, struct slice packet);
    struct dns_context *context; /* ours */
};

/* Asks for `name` in the form of dns_name_escape(). `answered` is called once, perhaps before this returns; about 6 s
 * later when nobody answers. -1: out of memory, it is not called. */
int dns_context_ask(struct dns_context *context, struct dns_context_question *question,
                    const char *name, enum dns_type type);

#endif
