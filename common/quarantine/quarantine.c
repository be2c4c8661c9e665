/* common/quarantine/quarantine.c - see quarantine.h. */
#include "common/quarantine/quarantine.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock_trust.h"
#include "common/base/units.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

enum { EXPIRE_AT_ONCE = 1000, EXPIRE_FASTER = 10, CHECK_AT_ONCE = 100 };

enum { KEPT, REFUSED, DROPPED, EXPIRED, EVICTED, DOUBTS, PAUSED, DAMAGED, MESSAGES, BYTES };

static struct metric metrics[] = {
    [KEPT] =
        METRIC("gatehouse_quarantine_kept_total", METRIC_COUNTER, "Messages put into quarantine."),
    [REFUSED] = METRIC("gatehouse_quarantine_errors_total", METRIC_COUNTER,
                       "Messages that could not be put into quarantine and were tempfailed."),
    [DROPPED] =
        METRIC("gatehouse_quarantine_dropped_total", METRIC_COUNTER,
               "Messages removed from quarantine because the MTA did not take the verdict."),
    [EXPIRED] = METRIC("gatehouse_quarantine_expired_total", METRIC_COUNTER,
                       "Messages removed from quarantine because of their age."),
    [EVICTED] = METRIC("gatehouse_quarantine_evicted_total", METRIC_COUNTER,
                       "Messages removed from quarantine before their time to make room."),
    [DOUBTS] = METRIC("gatehouse_quarantine_clock_doubts_total", METRIC_COUNTER,
                      "Times the system clock has jumped, or was not plausible at the start."),
    [PAUSED] = METRIC("gatehouse_quarantine_expiry_paused", METRIC_GAUGE,
                      "1: nothing is removed because of its age, for the system clock is doubted."),
    [DAMAGED] =
        METRIC("gatehouse_quarantine_damaged_messages", METRIC_GAUGE,
               "Messages in quarantine of which a part is lost, as far as they were looked at."),
    [MESSAGES] = METRIC("gatehouse_quarantine_messages", METRIC_GAUGE, "Messages in quarantine."),
    [BYTES] = METRIC("gatehouse_quarantine_bytes", METRIC_GAUGE, "Bytes in quarantine."),
};

struct quarantine {
    struct folder *folder;
    const struct clock *clock;
    _Atomic uint64_t size_max, age_max_ms;
    pthread_mutex_t lock; /* for all that follows */
    struct clock_trust trust;
    /* How many may still go because of their age in this minute, which began then (monotonic). */
    uint64_t allowance, allowance_ms;
    bool has_allowance;
    char checked[KEPT_ID_LEN + 1]; /* the keeper's: all up to this have been looked at */
};

static void count(int which)
{
    metric_add(metric_of(&metrics[which]), 1);
}

static void show_size(void *arg)
{
    struct quarantine *quarantine = arg;

    metric_set(metric_of(&metrics[MESSAGES]), (int64_t)folder_count(quarantine->folder));
    metric_set(metric_of(&metrics[BYTES]), (int64_t)folder_bytes(quarantine->folder));
    metric_set(metric_of(&metrics[DAMAGED]), (int64_t)folder_damaged_count(quarantine->folder));
    metric_set(metric_of(&metrics[PAUSED]), !quarantine_believes_clock(quarantine));
}

void quarantine_adjust(struct quarantine *quarantine, const struct quarantine_settings *settings)
{
    atomic_store(&quarantine->size_max, settings->size_max);
    atomic_store(&quarantine->age_max_ms, settings->age_max_ms);
}

/* ---- the clock ---- */

static void tell_doubt(const struct clock_trust *trust)
{
    uint64_t jump_s = (uint64_t)(trust->jump_ms < 0 ? -trust->jump_ms : trust->jump_ms) / SECOND;

    count(DOUBTS);
    log_warning(
        "quarantine: the system clock has jumped %s by %llu s, or contentd has not run for so "
        "long: nothing is removed "
        "because of its age until it has run evenly for %s",
        trust->jump_ms < 0 ? "back" : "forward", (unsigned long long)jump_s,
        units_print_time(CLOCK_TRUST_WAIT_MS).text);
}

/* The lock is held. */
static bool look_at_clock(struct quarantine *quarantine)
{
    struct clock_trust *trust = &quarantine->trust;

    switch (clock_trust_look(trust)) {
    case CLOCK_TRUST_DOUBTED:
        tell_doubt(trust);
        break;
    case CLOCK_TRUST_BELIEVED:
        log_info(
            "quarantine: the system clock is believed again: what is older than quarantine_age "
            "goes, little by little");
        break;
    case CLOCK_TRUST_SAME:
        break;
    }
    return trust->is_believed;
}

bool quarantine_believes_clock(struct quarantine *quarantine)
{
    pthread_mutex_lock(&quarantine->lock);
    bool is_believed = look_at_clock(quarantine);
    pthread_mutex_unlock(&quarantine->lock);
    return is_believed;
}

static void begin_trust(struct quarantine *quarantine)
{
    clock_trust_begin(&quarantine->trust, quarantine->clock, folder_marked_ms(quarantine->folder));
    if (!quarantine->trust.is_believed)
        tell_doubt(&quarantine->trust);
}

/* ---- its life ---- */

struct quarantine *quarantine_open(const struct quarantine_settings *settings,
                                   const struct clock *clock, struct buf *error)
{
    struct quarantine *quarantine = calloc(1, sizeof *quarantine);

    if (quarantine == NULL) {
        buf_put(error, "out of memory");
        return NULL;
    }
    metrics_register(metrics, COUNT(metrics));
    quarantine->clock = clock;
    quarantine_adjust(quarantine, settings);
    quarantine->folder = folder_open(settings->directory, settings->wait_ms, clock, error);
    if (quarantine->folder == NULL) {
        free(quarantine);
        return NULL;
    }
    pthread_mutex_init(&quarantine->lock, NULL);
    begin_trust(quarantine);
    metrics_on_read(show_size, quarantine);
    return quarantine;
}

void quarantine_close(struct quarantine **quarantine)
{
    struct quarantine *gone = *quarantine;

    *quarantine = NULL;
    if (gone == NULL)
        return;
    metrics_forget_on_read(show_size, gone);
    folder_close(&gone->folder);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}

/* The oldest entries go until `bytes` fit. False: they never will, or nothing can be removed. */
static bool make_room(struct quarantine *quarantine, uint64_t bytes)
{
    uint64_t size_max = atomic_load(&quarantine->size_max);
    char oldest[1][KEPT_ID_LEN + 1];

    if (size_max == 0) /* no bound */
        size_max = UINT64_MAX;
    if (bytes > size_max)
        return false;
    while (folder_bytes(quarantine->folder) > size_max - bytes ||
           folder_count(quarantine->folder) >= FOLDER_ENTRIES_MAX) {
        if (folder_list(quarantine->folder, SLICE(""), false, 1, oldest) == 0)
            return false;
        enum folder_result result = folder_remove(quarantine->folder, slice_of(oldest[0]), NULL);
        if (result == FOLDER_FAILED)
            return false;
        if (result == FOLDER_NOT_THERE) /* somebody else was faster */
            continue;
        count(EVICTED);
        log_warning("quarantine: %s removed before its time to make room: quarantine_size is %s",
                    oldest[0], units_print_size(size_max).text);
    }
    return true;
}

int quarantine_keep(struct quarantine *quarantine, struct kept *kept, const struct source *source,
                    struct buf *error)
{
    /* Others may fill the room that was made: then more is made, until it cannot be. */
    enum folder_result result = FOLDER_FULL;

    while (result == FOLDER_FULL && make_room(quarantine, source->size)) {
        buf_clear(error);
        result =
            folder_add(quarantine->folder, kept, source, atomic_load(&quarantine->size_max), error);
    }
    if (result == FOLDER_FULL) {
        buf_clear(error);
        buf_printf(error, "the quarantine has no room for %llu bytes",
                   (unsigned long long)source->size);
    }
    count(result == FOLDER_OK ? KEPT : REFUSED);
    return result == FOLDER_OK ? 0 : -1;
}

void quarantine_drop(struct quarantine *quarantine, const char *id)
{
    if (folder_remove(quarantine->folder, slice_of(id), NULL) == FOLDER_OK)
        count(DROPPED);
}

/* ---- age ---- */

/* A part of what may go in this minute, at most EXPIRE_AT_ONCE; 0: the clock is doubted, or it is used up. *now_ms: wall
 * clock. */
static uint64_t take_allowance(struct quarantine *quarantine, uint64_t *now_ms)
{
    uint64_t age_max = atomic_load(&quarantine->age_max_ms), part = 0;
    size_t entries = folder_count(quarantine->folder);

    pthread_mutex_lock(&quarantine->lock);
    if (look_at_clock(quarantine)) {
        const struct clock_trust *trust = &quarantine->trust;
        folder_mark(quarantine->folder, trust->wall_ms);
        if (!quarantine->has_allowance || trust->now_ms - quarantine->allowance_ms >= MINUTE) {
            quarantine->allowance =
                QUARANTINE_EXPIRE_LEAST + entries * EXPIRE_FASTER * MINUTE / (age_max + 1);
            quarantine->allowance_ms = trust->now_ms;
            quarantine->has_allowance = true;
        }
        part = quarantine->allowance < EXPIRE_AT_ONCE ? quarantine->allowance : EXPIRE_AT_ONCE;
        quarantine->allowance -= part;
        *now_ms = trust->wall_ms;
    }
    pthread_mutex_unlock(&quarantine->lock);
    return part;
}

static void give_back_allowance(struct quarantine *quarantine, uint64_t part)
{
    pthread_mutex_lock(&quarantine->lock);
    quarantine->allowance += part;
    pthread_mutex_unlock(&quarantine->lock);
}

bool quarantine_expire(struct quarantine *quarantine)
{
    uint64_t now = 0, part = take_allowance(quarantine, &now);
    uint64_t age_max = atomic_load(&quarantine->age_max_ms);
    char oldest[1][KEPT_ID_LEN + 1];

    for (uint64_t left = part; left > 0; left--) {
        bool is_there = folder_list(quarantine->folder, SLICE(""), false, 1, oldest) > 0;
        uint64_t from = is_there ? kept_id_time_ms(slice_of(oldest[0])) : now;
        if (now < from || now - from <= age_max ||
            folder_remove(quarantine->folder, slice_of(oldest[0]), NULL) == FOLDER_FAILED) {
            give_back_allowance(quarantine, left);
            return false;
        }
        count(EXPIRED);
        log_info("quarantine: %s removed: older than quarantine_age", oldest[0]);
    }
    return part == EXPIRE_AT_ONCE;
}

void quarantine_check(struct quarantine *quarantine)
{
    char ids[CHECK_AT_ONCE][KEPT_ID_LEN + 1];
    size_t n =
        folder_list(quarantine->folder, slice_of(quarantine->checked), false, COUNT(ids), ids);

    for (size_t i = 0; i < n; i++) {
        AUTO_BUF error = BUF_INIT(400);
        struct arena *arena = arena_new(KEPT_MEMORY_MAX);
        struct kept kept;
        if (arena != NULL && folder_read(quarantine->folder, slice_of(ids[i]), arena, &kept,
                                         &error) == FOLDER_FAILED)
            log_warning("quarantine: %s: %s", ids[i], buf_text(&error));
        arena_free(&arena);
    }
    if (n == COUNT(ids))
        memcpy(quarantine->checked, ids[n - 1], sizeof quarantine->checked);
    else
        quarantine->checked[0] = '\0'; /* from the beginning next time */
}

struct folder *quarantine_folder(struct quarantine *quarantine)
{
    return quarantine->folder;
}
