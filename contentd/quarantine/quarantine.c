/* contentd/quarantine/quarantine.c - see quarantine.h. */
#include "contentd/quarantine/quarantine.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/units.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

enum { EXPIRE_AT_ONCE = 1000 };

enum { KEPT, REFUSED, DROPPED, EXPIRED, EVICTED, MESSAGES, BYTES };

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
    [MESSAGES] = METRIC("gatehouse_quarantine_messages", METRIC_GAUGE, "Messages in quarantine."),
    [BYTES] = METRIC("gatehouse_quarantine_bytes", METRIC_GAUGE, "Bytes in quarantine."),
};

struct quarantine {
    struct folder *folder;
    const struct clock *clock;
    _Atomic uint64_t size_max, age_max_ms;
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
}

void quarantine_adjust(struct quarantine *quarantine, const struct quarantine_settings *settings)
{
    atomic_store(&quarantine->size_max, settings->size_max);
    atomic_store(&quarantine->age_max_ms, settings->age_max_ms);
}

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
    quarantine->folder = folder_open(settings->directory, clock, error);
    if (quarantine->folder == NULL) {
        free(quarantine);
        return NULL;
    }
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

bool quarantine_expire(struct quarantine *quarantine)
{
    uint64_t now = quarantine->clock->wall_ms(quarantine->clock);
    uint64_t age_max = atomic_load(&quarantine->age_max_ms);
    char oldest[1][KEPT_ID_LEN + 1];

    for (unsigned done = 0; done < EXPIRE_AT_ONCE; done++) {
        if (folder_list(quarantine->folder, SLICE(""), false, 1, oldest) == 0)
            return false;
        uint64_t from = kept_id_time_ms(slice_of(oldest[0]));
        if (now < from || now - from <= age_max ||
            folder_remove(quarantine->folder, slice_of(oldest[0]), NULL) == FOLDER_FAILED)
            return false;
        count(EXPIRED);
        log_info("quarantine: %s removed: older than quarantine_age", oldest[0]);
    }
    return true;
}

struct folder *quarantine_folder(struct quarantine *quarantine)
{
    return quarantine->folder;
}
