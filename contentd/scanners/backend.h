/* contentd/scanners/backend.h - where one scanner is: its addresses, and which of them work. Shared by all workers: what
 * one learns about an address the others know; all functions from any thread.
 *
 * Each address has a breaker: after BACKEND_FAILURES_MOST failures in a row it is passed over, and after a back-off (1 s,
 * doubled up to 30 s) one scan tries it again. When all addresses are broken, waiting would turn away mail that a scanner
 * which has just come back could look at: so the one that is due first is tried all the same, but by one scan at a time, so
 * that an address that hangs holds up one message and not all; the others fail at once. */
#ifndef GATEHOUSE_CONTENTD_BACKEND_H
#define GATEHOUSE_CONTENTD_BACKEND_H

#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/slice.h"
#include "common/net/resolver.h"
#include "contentd/finding.h"

enum {
    BACKEND_ADDRESSES_MOST = 16,
    BACKEND_FAILURES_MOST = 3, /* in a row, then it is passed over */
    BACKEND_FRESH_MS = 30000, /* how long the addresses of a name are used without asking again */
};

enum backend_order {
    BACKEND_IN_ORDER, /* the first one that works; the others stand by */
    BACKEND_SPREAD, /* the one with the fewest scans under way */
};

struct backend; /* opaque */

/* `addresses`: `unix:/path`, `inet:host:port`, `inet:[::1]:port`, separated by commas or blanks; 1 to 16. `scanner` is
 * its name, the label of its metrics. NULL, with a constant text in *error, when one of them is wrong or memory is out. */
struct backend *backend_new(struct slice scanner, struct slice addresses, enum backend_order order,
                            const char **error);
void backend_free(struct backend **backend); /* nobody may use it any more; NULL-safe; clears it */

/* Takes the next of such addresses, whatever it is, off *rest. False: there is none any more. */
bool backend_next_address(struct slice *rest, struct slice *address);

size_t backend_count(const struct backend *backend); /* of its addresses */
const char *backend_text(const struct backend *backend, unsigned n); /* as configured */
/* `host:port`, for the Host field of HTTP and ICAP; `localhost` for a unix socket. */
const char *backend_host(const struct backend *backend, unsigned n);
bool backend_is_broken(const struct backend *backend, unsigned n); /* passed over at present */

/* ---- one scan takes an address, and gives it back with what came of it ---- */

enum backend_outcome {
    BACKEND_WORKED, /* a whole, well-formed answer */
    BACKEND_NO_CONNECTION, /* refused, no such host, no connection in time */
    BACKEND_NO_ANSWER, /* silent until the deadline */
    BACKEND_CLOSED, /* closed or broken before the answer was whole */
    BACKEND_GARBLED, /* not what the protocol knows, or the scanner says that it is in trouble */
    BACKEND_UNUSED, /* says nothing about it: the scan was given up by us */
};

/* The next address for a scan; bits of *tried are those that it has had already, and the one taken is added. -1: none is
 * left, or all are broken and somebody tries one of them already. Every number taken is given back once. */
int backend_take(const struct backend *backend, uint32_t *tried, uint64_t now_ms);
void backend_give_back(const struct backend *backend, unsigned n, enum backend_outcome outcome,
                       uint64_t now_ms);
/* Whether backend_take() may have another one for this scan. */
bool backend_has_more(const struct backend *backend, uint32_t tried);

/* What the scanner says of its state (ICAP's ISTag: program, signatures): true, and a line of log, when it is another
 * than that address told last. Cut to BACKEND_VERSION_MAX bytes. */
enum { BACKEND_VERSION_MAX = 64 };
bool backend_saw_version(const struct backend *backend, unsigned n, struct slice version);

/* ---- socket addresses of an address ---- */

struct backend_sockets {
    struct sockaddr_storage sockets[RESOLVER_ADDRESSES_MOST];
    socklen_t lengths[RESOLVER_ADDRESSES_MOST];
    size_t count;
};
/* The socket addresses known for address n. True: use them (none: its name is not known, and was asked for lately).
 * False: *name is to be looked up first and the answer handed to backend_resolved(), in any case: with an empty answer
 * when none came. */
bool backend_sockets(const struct backend *backend, unsigned n, uint64_t now_ms,
                     struct backend_sockets *out, const char **name);
void backend_resolved(const struct backend *backend, unsigned n,
                      const struct resolver_answer *answer, uint64_t now_ms);

/* ---- metrics ---- */

/* One scan has ended: gatehouse_scanner_requests_total{scanner,result}, gatehouse_scanner_seconds{scanner}. */
void backend_count_result(const struct backend *backend, enum finding_result result, uint64_t ms);

#endif
