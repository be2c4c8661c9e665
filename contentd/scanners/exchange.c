/* contentd/scanners/exchange.c - see exchange.h. */
#include "contentd/scanners/exchange.h"

static uint64_t now_ms(const struct scan *scan)
{
    const struct clock *clock = worker_clock(scan->request.worker);

    return clock->now_ms(clock);
}

struct scan *exchange_start(const struct scan_request *request, size_t size,
                            const struct connection_protocol *protocol)
{
    struct scan *scan = arena_alloc(request->arena, size);

    if (scan == NULL)
        return NULL;
    scan->request = *request;
    scan->protocol = protocol;
    exchange_reset(scan);
    scan->start_ms = now_ms(scan);
    scan->connection = connection_start(&scan->request, protocol, scan);
    return scan->connection == NULL ? NULL : scan;
}

void exchange_reset(struct scan *scan)
{
    scan->finding = (struct finding){ .result = FINDING_NONE };
    edits_init(&scan->finding.edits);
    scan->has_seen_enough = false;
}

void exchange_more(struct scan *scan)
{
    connection_more(scan->connection);
}

void exchange_abandon(struct scan *scan)
{
    connection_abandon(&scan->connection);
}

static void trouble(struct scan *scan, struct slice error)
{
    exchange_reset(scan);
    scan->finding.result = FINDING_TROUBLE;
    scan->finding.error = arena_copy(scan->request.arena, error);
}

void exchange_done(void *owner, bool is_ok, struct slice error)
{
    struct scan *scan = owner;
    bool is_complete = connection_is_complete(scan->connection);

    scan->connection = NULL; /* gone after this call */
    if (!is_ok)
        trouble(scan, error);
    else if (scan->finding.result == FINDING_CLEAN && !is_complete && !scan->has_seen_enough)
        trouble(scan, SLICE("it called the message clean before it had all of it"));
    scan->finding.ms = now_ms(scan) - scan->start_ms;
    scan->request.done(scan->request.owner, scan->request.scanner, &scan->finding);
}
