/* signd/key_shelf.c - see key_shelf.h. */
#include "signd/key_shelf.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/observe/log.h"
#include "common/observe/metrics.h"

enum { LINES_MAX = 20 };
enum { KEYS, KEYS_READ, DIRECTORY_ERRORS };

static struct metric metrics[] = {
    [KEYS] = METRIC_BY("gatehouse_keys", METRIC_GAUGE,
                       "Keys in key_directory: usable, weak (usable, with a warning), unusable.",
                       "state"),
    [KEYS_READ] = METRIC("gatehouse_key_changes_total", METRIC_COUNTER,
                         "How often keys were found to have changed."),
    [DIRECTORY_ERRORS] = METRIC("gatehouse_key_directory_unreadable", METRIC_GAUGE,
                                "1 while key_directory cannot be read."),
};

struct key_shelf {
    struct key_shelf_spec spec;
    pthread_mutex_t mutex;
    struct shared *set; /* in force; with the mutex */
    /* the reader's: */
    /* As last read; the same, or what will be in force when the grace is over. */
    struct shared *newest;
    uint64_t newest_since_ms; /* when it first was not in force; 0: it is */
    metric_id usable, weak, unusable;
};

struct key_shelf *key_shelf_new(const struct key_shelf_spec *spec)
{
    static const char *const words[] = { "usable", "weak", "unusable" };
    struct key_shelf *shelf = calloc(1, sizeof *shelf);

    if (shelf == NULL)
        return NULL;
    shelf->spec = *spec;
    pthread_mutex_init(&shelf->mutex, NULL);
    metrics_register(metrics, COUNT(metrics));
    metric_id *const ids[] = { &shelf->usable, &shelf->weak, &shelf->unusable };
    for (size_t i = 0; i < COUNT(words); i++) {
        struct slice word = slice_of(words[i]);
        *ids[i] = metric_series(&metrics[KEYS], &word);
    }
    return shelf;
}

void key_shelf_free(struct key_shelf **shelf)
{
    struct key_shelf *gone = *shelf;

    *shelf = NULL;
    if (gone == NULL)
        return;
    shared_unref(&gone->newest);
    shared_unref(&gone->set);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}

struct shared *key_shelf_take(struct key_shelf *shelf)
{
    pthread_mutex_lock(&shelf->mutex);
    struct shared *set = shared_ref(shelf->set);
    pthread_mutex_unlock(&shelf->mutex);
    return set;
}

/* ---- what has changed, for log and metrics ---- */

static const struct key_file *same_key(const struct key_set *set, const struct key_file *wanted)
{
    size_t first, count = set == NULL ? 0 : key_set_find(set, wanted->domain, &first);

    for (size_t i = 0; i < count; i++)
        if (slice_equal(key_set_at(set, first + i)->selector, wanted->selector))
            return key_set_at(set, first + i);
    return NULL;
}

static bool looks_alike(const struct key_file *a, const struct key_file *b)
{
    return b != NULL && a->seen_ms == b->seen_ms && strcmp(a->reason, b->reason) == 0;
}

static void log_file(const struct key_file *file)
{
    if (file->key == NULL)
        log_error("key %.*s/%.*s.key cannot be used: %s; mail of its domain is deferred",
                  SLICE_ARG(file->domain), SLICE_ARG(file->selector), file->reason);
    else if (file->reason[0] != '\0')
        log_warning("key %.*s/%.*s.key: %s", SLICE_ARG(file->domain), SLICE_ARG(file->selector),
                    file->reason);
    else
        log_info("key %.*s/%.*s.key has been read", SLICE_ARG(file->domain),
                 SLICE_ARG(file->selector));
}

static size_t log_new(const struct key_set *set, const struct key_set *before)
{
    size_t changes = 0;

    for (size_t i = 0; i < key_set_count(set); i++) {
        const struct key_file *file = key_set_at(set, i);
        if (!looks_alike(file, same_key(before, file)) && changes++ < LINES_MAX)
            log_file(file);
    }
    return changes;
}

static size_t log_gone(const struct key_set *set, const struct key_set *before)
{
    size_t changes = 0;

    for (size_t i = 0; before != NULL && i < key_set_count(before); i++) {
        const struct key_file *file = key_set_at(before, i);
        if (same_key(set, file) == NULL && changes++ < LINES_MAX)
            log_warning("key %.*s/%.*s.key is not there any more", SLICE_ARG(file->domain),
                        SLICE_ARG(file->selector));
    }
    return changes;
}

static void log_changes(const struct key_set *set, const struct key_set *before)
{
    size_t changes = log_new(set, before) + log_gone(set, before);
    const char *error = key_set_error(set);

    if (changes > LINES_MAX)
        log_info("keys: %zu changes in all", changes);
    if (error[0] != '\0')
        log_error("key_directory: %s; %s", error,
                  key_set_count(set) > 0 ? "the keys read before stay in force"
                                         : "mail that is to be signed is deferred");
    else if (before != NULL && key_set_error(before)[0] != '\0')
        log_info("key_directory can be read again");
    metric_add(metric_of(&metrics[KEYS_READ]), changes);
    metric_set(metric_of(&metrics[DIRECTORY_ERRORS]), error[0] != '\0');
}

static void count_keys(const struct key_shelf *shelf, const struct key_set *set)
{
    int64_t usable = 0, weak = 0, unusable = 0;

    for (size_t i = 0; i < key_set_count(set); i++) {
        const struct key_file *file = key_set_at(set, i);
        if (file->key == NULL)
            unusable++;
        else if (file->reason[0] != '\0')
            weak++;
        else
            usable++;
    }
    metric_set(shelf->usable, usable);
    metric_set(shelf->weak, weak);
    metric_set(shelf->unusable, unusable);
}

/* ---- reading ---- */

/* Whether a domain with a key in `before` has no file at all in `set`. */
static bool loses_a_domain(const struct key_set *set, const struct key_set *before)
{
    size_t first;

    for (size_t i = 0; before != NULL && i < key_set_count(before); i++)
        if (key_set_find(set, key_set_at(before, i)->domain, &first) == 0)
            return true;
    return false;
}

static void put_in_force(struct key_shelf *shelf)
{
    pthread_mutex_lock(&shelf->mutex);
    struct shared *before = shelf->set;
    shelf->set = shared_ref(shelf->newest);
    pthread_mutex_unlock(&shelf->mutex);
    log_changes(shared_get(shelf->newest), shared_get(before));
    count_keys(shelf, shared_get(shelf->newest));
    shared_unref(&before);
}

void key_shelf_read(struct key_shelf *shelf, const char *directory)
{
    const struct clock *clock = shelf->spec.clock;
    struct shared *read =
        key_set_read(directory, &shelf->spec.rules, clock->wall_ms(clock), shelf->newest);
    uint64_t now = clock->now_ms(clock);

    if (read == NULL) {
        log_error("out of memory: the keys read before stay in force");
        return;
    }
    shared_unref(&shelf->newest);
    shelf->newest = read;
    if (shared_get(read) == shared_get(shelf->set)) {
        shelf->newest_since_ms = 0;
        return;
    }
    if (loses_a_domain(shared_get(read), shared_get(shelf->set))) {
        if (shelf->newest_since_ms == 0)
            shelf->newest_since_ms = now + 1; /* never 0 */
        if (now + 1 - shelf->newest_since_ms < KEY_SHELF_GRACE_MS)
            return;
    }
    shelf->newest_since_ms = 0;
    put_in_force(shelf);
}
