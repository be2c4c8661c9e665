/* contentd/scanners/exchange.h - a scan that is one connection: what the kinds have in common between scanner.h and
 * connection.h, so that each is a protocol and a parser.
 *
 *     struct clamd_scan { struct scan scan; ... };   // first member; from the request's arena, zeroed
 *     static struct scan *start(const struct scan_request *request)
 *     {
 *         return exchange_start(request, sizeof(struct clamd_scan), &clamd_protocol);
 *     }
 *     const struct scanner_kind clamd_kind = { ..., start, exchange_more, exchange_abandon };
 *
 * `input` fills scan.finding and returns CONNECTION_DONE; the rest (time-outs, trouble, how long it took, the one `done`)
 * happens here. On one worker's thread alone. */
#ifndef GATEHOUSE_CONTENTD_EXCHANGE_H
#define GATEHOUSE_CONTENTD_EXCHANGE_H

#include "contentd/scanners/connection.h"

struct scan {
    struct scan_request request; /* a copy */
    const struct connection_protocol *protocol;
    struct connection *connection;
    struct finding finding; /* filled by `input`; a failure replaces it */
    /* The protocol lets a scanner decide before it has all of the message (a milter's accept), and it has done so: CLEAN
     * counts then, too. Set by `input`. */
    bool has_seen_enough;
    uint64_t start_ms;
};

/* `protocol->done` is exchange_done(); the owner of begin, output and input is the scan. NULL: out of memory. */
struct scan *exchange_start(const struct scan_request *request, size_t size,
                            const struct connection_protocol *protocol);
/* For `begin`: what the attempt before has found is forgotten. */
void exchange_reset(struct scan *scan);
void exchange_more(struct scan *scan);
void exchange_abandon(struct scan *scan);
void exchange_done(void *owner, bool is_ok, struct slice error);

#endif
