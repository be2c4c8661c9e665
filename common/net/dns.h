/* common/net/dns.h - DNS lookups on a worker's loop: through the site's resolvers, with a cache, without ever blocking.
 * One `struct dns` per worker; all functions on its thread. libunbound does the work (dns_context.h); this is what is
 * ours: deadlines, caps, equal questions asked once, and a resolver that was away and is back.
 *
 *     struct mx_check { struct dns_ask mx; ... };            // in the request's arena
 *     check->mx = (struct dns_ask){ .arena = arena, .done = mx_done };
 *     if (dns_ask(dns, &check->mx, domain, RR_MX))
 *         use(&check->mx.answer);                            // known at once: `done` is not called
 *
 * A lookup ends once: by dns_ask() returning true, by `done` straight from the loop (never from inside a function of this
 * module), or by dns_abandon(). */
#ifndef GATEHOUSE_NET_DNS_H
#define GATEHOUSE_NET_DNS_H

#include "common/base/buf.h"
#include "common/net/dns_packet.h"
#include "common/run/op.h"

struct dns; /* opaque */

struct dns_options {
    const struct slice *resolvers; /* ADDRESS or ADDRESS@PORT; copied */
    size_t resolver_count; /* 0: those of resolv_conf, 127.0.0.1 when it names none */
    const char *resolv_conf; /* NULL: /etc/resolv.conf; must outlive the dns */
    bool no_cache; /* every question goes out */
    uint64_t cache_size; /* bytes; 0: DNS_CACHE_SIZE */
    uint64_t timeout_ms; /* of each lookup; 0: DNS_TIMEOUT_MS */
    /* Questions on their way, each with its socket; while there are so many, all further lookups fail, what is in the
     * cache too; 0: DNS_IN_FLIGHT_MAX. */
    size_t in_flight_max;
};
#define DNS_CACHE_SIZE (UINT64_C(16) << 20)
#define DNS_TIMEOUT_MS UINT64_C(3000)
#define DNS_IN_FLIGHT_MAX ((size_t)1000)

/* `worker` must outlive it. Asks nobody yet. NULL, with one line in *error: a resolver that is no address, out of memory
 * or descriptors. */
struct dns *dns_new(struct worker *worker, const struct dns_options *options, struct buf *error);
/* After all its lookups have ended. NULL-safe; clears *dns. */
void dns_free(struct dns **dns);

struct dns_ask;
/* ask->answer is there. May free what holds the lookup, or ask again with it. */
typedef void dns_done(struct dns_ask *ask);

struct dns_ask {
    struct op op; /* first member; ours */
    struct arena *arena; /* for the answer; must live until the lookup has ended */
    dns_done *done;
    struct dns_answer answer; /* set when the lookup has ended */
    /* ours */
    struct dns_question *question;
    struct dns_ask *next, *previous; /* of those that asked the same */
};

/* Looks up `name` (borrowed for the call; see dns_packet.h) in class IN. The lookup must be zeroed but for `arena` and
 * `done`, or have ended. True: it has ended, ask->answer is set, `done` will not be called. A name that cannot exist is
 * DNS_NO_DOMAIN at once. */
bool dns_ask(struct dns *dns, struct dns_ask *ask, struct slice name, enum dns_type type);
/* Ends it without `done`; nothing happens when it has ended. Its answer still gets into the cache. */
void dns_abandon(struct dns_ask *ask);

struct dns_status_report {
    size_t in_flight; /* questions, also those nobody waits for any more */
    bool is_down; /* no resolver answers */
    /* When a resolver answered last, a probe or a question, on the worker's clock; 0: never. A lookup that takes too long
     * is followed by a probe at once, unless there was an answer meanwhile. */
    uint64_t answered_ms;
};
void dns_report(const struct dns *dns, struct dns_status_report *out);

#endif
