/* contentd/scanners/backend.c - see backend.h. One lock for all addresses of a scanner: it is held for some comparisons,
 * twice in a scan. */
#include "contentd/scanners/backend.h"

#include <assert.h>
#include <pthread.h>

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "contentd/scanners/scanner_address.h"

enum {
    BACK_OFF_FIRST_MS = 1000,
    BACK_OFF_MOST_MS = 30000,
    STALE_MS = 5000, /* old addresses of a name serve so long before they are asked for again */
    UNKNOWN_MS = 1000, /* a name that nobody knows is asked for again after that */
};

enum { REQUESTS, SECONDS, FAILURES, BROKEN, METRICS };
static struct metric metrics[METRICS] = {
    [REQUESTS] = METRIC_BY("gatehouse_scanner_requests_total", METRIC_COUNTER,
                           "Scans by what came of them.", "scanner", "result"),
    [SECONDS] = METRIC_BY("gatehouse_scanner_seconds", METRIC_HISTOGRAM,
                          "How long scans took, from their start to their finding.", "scanner"),
    [FAILURES] = METRIC_BY(
        "gatehouse_scanner_failures_total", METRIC_COUNTER,
        "Attempts at an address of a scanner that brought no answer to rely on, by reason.",
        "scanner", "address", "reason"),
    [BROKEN] = METRIC_BY("gatehouse_scanner_address_broken", METRIC_GAUGE,
                         "1 while an address of a scanner is passed over because it failed.",
                         "scanner", "address"),
};

static const char *const outcome_words[BACKEND_UNUSED] = {
    [BACKEND_NO_CONNECTION] = "connect",
    [BACKEND_NO_ANSWER] = "timeout",
    [BACKEND_CLOSED] = "closed",
    [BACKEND_GARBLED] = "garbled",
};

struct address {
    struct scanner_address is;
    metric_id failed[BACKEND_UNUSED], broken;
    /* under the lock */
    unsigned failures; /* in a row */
    bool is_broken;
    uint64_t back_off_ms, retry_ms; /* while it is broken */
    unsigned under_way;
    struct backend_sockets sockets; /* of a name */
    uint64_t fresh_until_ms, asked_until_ms;
    char version[BACKEND_VERSION_MAX + 1]; /* empty: not told */
    struct log_change change;
};

struct backend {
    char scanner[64];
    enum backend_order order;
    size_t count;
    pthread_mutex_t *lock; /* apart, as `addresses` is: the rest never changes */
    struct address *addresses;
    metric_id results[FINDING_RESULTS], seconds;
};

/* ---- made and freed ---- */

static void count_with(struct backend *backend, struct slice scanner)
{
    metrics_register(metrics, METRICS);
    for (int i = 0; i < FINDING_RESULTS; i++)
        backend->results[i] = metric_series(
            &metrics[REQUESTS], (struct slice[]){ scanner, slice_of(finding_words[i]) });
    backend->seconds = metric_series(&metrics[SECONDS], &scanner);
    for (size_t n = 0; n < backend->count; n++) {
        struct address *address = &backend->addresses[n];
        struct slice labels[3] = { scanner, slice_of(address->is.text), { NULL, 0 } };
        address->broken = metric_series(&metrics[BROKEN], labels);
        for (int i = 0; i < BACKEND_UNUSED; i++) {
            labels[2] = slice_of(outcome_words[i]);
            if (labels[2].ptr != NULL)
                address->failed[i] = metric_series(&metrics[FAILURES], labels);
        }
    }
}

bool backend_next_address(struct slice *rest, struct slice *item)
{
    size_t end = 0;

    while (rest->len > 0 && (ascii_is_space(*rest->ptr) || *rest->ptr == ','))
        *rest = slice_skip(*rest, 1);
    while (end < rest->len && !ascii_is_space(rest->ptr[end]) && rest->ptr[end] != ',')
        end++;
    *item = slice_part(*rest, 0, end);
    *rest = slice_skip(*rest, end);
    return end > 0;
}

static bool addresses_parse(struct backend *backend, struct slice text, const char **error)
{
    struct slice item;

    while (backend_next_address(&text, &item)) {
        if (backend->count == BACKEND_ADDRESSES_MOST) {
            *error = "a scanner has at most 16 addresses";
            return false;
        }
        struct address *address = &backend->addresses[backend->count++];
        if (!scanner_address_parse(item, &address->is, error))
            return false;
        address->sockets.sockets[0] = address->is.socket;
        address->sockets.lengths[0] = address->is.length;
        address->sockets.count = address->is.name[0] == '\0' ? 1 : 0;
    }
    *error = "a scanner needs an address: unix:PATH or inet:HOST:PORT";
    return backend->count > 0;
}

struct backend *backend_new(struct slice scanner, struct slice addresses, enum backend_order order,
                            const char **error)
{
    struct backend *backend = calloc(1, sizeof(*backend));

    *error = "memory is out";
    if (backend == NULL)
        return NULL;
    backend->order = order;
    backend->lock = calloc(1, sizeof(*backend->lock));
    backend->addresses = calloc(BACKEND_ADDRESSES_MOST, sizeof(*backend->addresses));
    if (backend->lock == NULL || pthread_mutex_init(backend->lock, NULL) != 0) {
        free(backend->lock);
        backend->lock = NULL;
    }
    if (backend->lock == NULL || backend->addresses == NULL ||
        !addresses_parse(backend, addresses, error)) {
        backend_free(&backend);
        return NULL;
    }
    snprintf(backend->scanner, sizeof(backend->scanner), "%.*s", SLICE_ARG(scanner));
    count_with(backend, scanner);
    return backend;
}

void backend_free(struct backend **backend)
{
    struct backend *gone = *backend;

    *backend = NULL;
    if (gone == NULL)
        return;
    for (size_t n = 0; n < gone->count; n++)
        if (gone->addresses[n].is_broken)
            metric_change(gone->addresses[n].broken, -1);
    if (gone->lock != NULL)
        pthread_mutex_destroy(gone->lock);
    free(gone->lock);
    free(gone->addresses);
    free(gone);
}

static struct address *address_of(const struct backend *backend, unsigned n)
{
    assert(n < backend->count);
    return &backend->addresses[n];
}

size_t backend_count(const struct backend *backend)
{
    return backend->count;
}

const char *backend_text(const struct backend *backend, unsigned n)
{
    return address_of(backend, n)->is.text;
}

const char *backend_host(const struct backend *backend, unsigned n)
{
    return scanner_address_host(&address_of(backend, n)->is);
}

bool backend_is_broken(const struct backend *backend, unsigned n)
{
    pthread_mutex_lock(backend->lock);
    bool is_broken = address_of(backend, n)->is_broken;
    pthread_mutex_unlock(backend->lock);
    return is_broken;
}

/* ---- taking turns ---- */

static bool is_due(const struct address *address, uint64_t now_ms)
{
    return address->is_broken && now_ms >= address->retry_ms;
}

/* Whether `address` is to be taken rather than `best`. Broken ones only when they are due; one that is due goes first
 * where the load is spread, or no scan would ever find out that it works again. */
static bool is_better(const struct backend *backend, const struct address *address,
                      const struct address *best, uint64_t now_ms)
{
    if (address->is_broken && !is_due(address, now_ms))
        return false;
    if (best == NULL)
        return true;
    if (backend->order == BACKEND_IN_ORDER || best->is_broken)
        return false;
    return address->is_broken || address->under_way < best->under_way;
}

/* All that this scan has not had are broken and not due. */
static struct address *take_broken(const struct backend *backend, uint32_t tried)
{
    struct address *best = NULL;

    for (unsigned n = 0; n < backend->count; n++) {
        struct address *address = &backend->addresses[n];
        if ((tried & UINT32_C(1) << n) == 0 && address->under_way == 0 &&
            (best == NULL || address->retry_ms < best->retry_ms))
            best = address;
    }
    return best;
}

static struct address *take(const struct backend *backend, uint32_t tried, uint64_t now_ms)
{
    struct address *best = NULL;

    for (unsigned n = 0; n < backend->count; n++) {
        struct address *address = &backend->addresses[n];
        if ((tried & UINT32_C(1) << n) == 0 && is_better(backend, address, best, now_ms))
            best = address;
    }
    if (best == NULL)
        return take_broken(backend, tried);
    if (best->is_broken) { /* others leave it alone until this scan had its time */
        best->back_off_ms =
            best->back_off_ms < BACK_OFF_MOST_MS / 2 ? best->back_off_ms * 2 : BACK_OFF_MOST_MS;
        best->retry_ms = now_ms + best->back_off_ms;
    }
    return best;
}

int backend_take(const struct backend *backend, uint32_t *tried, uint64_t now_ms)
{
    int n = -1;

    pthread_mutex_lock(backend->lock);
    struct address *address = take(backend, *tried, now_ms);
    if (address != NULL) {
        n = (int)(address - backend->addresses);
        address->under_way++;
        *tried |= UINT32_C(1) << n;
    }
    pthread_mutex_unlock(backend->lock);
    return n;
}

bool backend_has_more(const struct backend *backend, uint32_t tried)
{
    return tried != (UINT32_C(1) << backend->count) - 1;
}

static void worked(struct address *address)
{
    address->failures = 0;
    if (address->is_broken) {
        address->is_broken = false;
        metric_change(address->broken, -1);
    }
}

static void failed(struct address *address, enum backend_outcome outcome, uint64_t now_ms)
{
    metric_add(address->failed[outcome], 1);
    if (address->failures < BACKEND_FAILURES_MOST)
        address->failures++;
    if (address->failures == BACKEND_FAILURES_MOST && !address->is_broken) {
        address->is_broken = true;
        address->back_off_ms = BACK_OFF_FIRST_MS;
        address->retry_ms = now_ms + BACK_OFF_FIRST_MS;
        metric_change(address->broken, 1);
    }
}

void backend_give_back(const struct backend *backend, unsigned n, enum backend_outcome outcome,
                       uint64_t now_ms)
{
    struct address *address = address_of(backend, n);

    pthread_mutex_lock(backend->lock);
    assert(address->under_way > 0);
    address->under_way--;
    if (outcome == BACKEND_WORKED)
        worked(address);
    else if (outcome != BACKEND_UNUSED)
        failed(address, outcome, now_ms);
    bool is_broken = address->is_broken;
    pthread_mutex_unlock(backend->lock);
    if (outcome == BACKEND_WORKED)
        log_once_per_change(&address->change, 0, LOG_LEVEL_INFO, "scanner %s: %s works again",
                            backend->scanner, address->is.text);
    else if (outcome != BACKEND_UNUSED && is_broken)
        log_once_per_change(
            &address->change, 1, LOG_LEVEL_WARNING,
            "scanner %s: %s is passed over after %d failures in a row, the last one: %s",
            backend->scanner, address->is.text, BACKEND_FAILURES_MOST, outcome_words[outcome]);
}

bool backend_saw_version(const struct backend *backend, unsigned n, struct slice version)
{
    struct address *address = address_of(backend, n);
    char was[BACKEND_VERSION_MAX + 1];

    version = slice_part(version, 0, BACKEND_VERSION_MAX);
    pthread_mutex_lock(backend->lock);
    memcpy(was, address->version, sizeof(was));
    bool is_other = version.len > 0 && !slice_equal(version, slice_of(was));
    if (is_other) {
        memcpy(address->version, version.ptr, version.len);
        address->version[version.len] = '\0';
    }
    pthread_mutex_unlock(backend->lock);
    if (is_other && was[0] != '\0')
        log_info("scanner %s: %s has changed from %s to %.*s", backend->scanner, address->is.text,
                 was, SLICE_ARG(version));
    else if (is_other)
        log_info("scanner %s: %s is %.*s", backend->scanner, address->is.text, SLICE_ARG(version));
    return is_other;
}

/* ---- names ---- */

bool backend_sockets(const struct backend *backend, unsigned n, uint64_t now_ms,
                     struct backend_sockets *out, const char **name)
{
    struct address *address = address_of(backend, n);
    bool is_known = true;

    pthread_mutex_lock(backend->lock);
    if (address->is.name[0] != '\0' && now_ms >= address->fresh_until_ms &&
        (address->sockets.count == 0 || now_ms >= address->asked_until_ms)) {
        address->asked_until_ms = now_ms + STALE_MS;
        is_known = false;
        *name = address->is.name;
    } else {
        *out = address->sockets;
    }
    pthread_mutex_unlock(backend->lock);
    return is_known;
}

void backend_resolved(const struct backend *backend, unsigned n,
                      const struct resolver_answer *answer, uint64_t now_ms)
{
    struct address *address = address_of(backend, n);
    struct backend_sockets sockets = { .count = 0 };

    for (size_t i = 0; i < answer->count && sockets.count < RESOLVER_ADDRESSES_MOST; i++)
        if (scanner_address_numeric(answer->addresses[i], address->is.port,
                                    &sockets.sockets[sockets.count],
                                    &sockets.lengths[sockets.count]))
            sockets.count++;
    pthread_mutex_lock(backend->lock);
    if (sockets.count > 0) {
        address->sockets = sockets;
        address->fresh_until_ms = now_ms + BACKEND_FRESH_MS;
    } else {
        address->fresh_until_ms = now_ms + (address->sockets.count > 0 ? STALE_MS : UNKNOWN_MS);
    }
    pthread_mutex_unlock(backend->lock);
}

void backend_count_result(const struct backend *backend, enum finding_result result, uint64_t ms)
{
    metric_add(backend->results[result], 1);
    metric_observe_us(backend->seconds, ms * 1000);
}
