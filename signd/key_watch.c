/* signd/key_watch.c - see key_watch.h. */
#include "signd/key_watch.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

enum {
    MEMORY_MAX = 16 << 20, /* of one look */
    LINES_MAX = 20, /* in the log, of one look */
    SOONER = 12, /* so much more often while a record is not good */
    TOGETHER = 60, /* what is due in this part of the interval is looked at together */
};

static struct metric metrics[] = {
    METRIC_BY("gatehouse_key_records", METRIC_GAUGE,
              "Active keys by what the DNS shows of their records: good, missing, differs, "
              "unknown (not looked at yet, or a resolver cannot say).",
              "record"),
};

/* An active key. */
struct watched {
    const struct key_file *file; /* of `files`, with a key */
    struct key_watch_report report;
    uint64_t due_ms;
};

struct key_watch {
    struct key_watch_spec spec;
    struct key_sight *sight;
    metric_id records[DKIM_VISIBILITIES];
    /* what is watched */
    struct shared *files, *lives;
    uint64_t interval_ms;
    struct watched *keys; /* by domain, selector */
    size_t count;
    uint64_t due_ms; /* when the first one is */
    /* the look under way */
    bool is_looking;
    struct arena *arena;
    size_t looked_at[KEY_WATCH_LOOK_MAX]; /* of `keys` */
    size_t looked_at_count;
};

static const struct key_watch_report not_yet = { .seen.published = { DKIM_VISIBILITY_UNKNOWN,
                                                                     NULL } };

/* ---- life ---- */

struct key_watch *key_watch_new(const struct key_watch_spec *spec)
{
    struct key_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->spec = *spec;
    watch->due_ms = UINT64_MAX;
    metrics_register(metrics, COUNT(metrics));
    for (size_t i = 0; i < DKIM_VISIBILITIES; i++) {
        struct slice word = slice_of(dkim_visibility_words[i]);
        watch->records[i] = metric_series(&metrics[0], &word);
    }
    watch->sight = key_sight_new(spec->worker, spec->resolvers, spec->resolv_conf);
    if (watch->sight == NULL)
        key_watch_free(&watch);
    return watch;
}

static void end_look(struct key_watch *watch)
{
    key_sight_end(watch->sight);
    arena_free(&watch->arena);
    watch->looked_at_count = 0;
    watch->is_looking = false;
}

void key_watch_free(struct key_watch **watch)
{
    struct key_watch *gone = *watch;

    *watch = NULL;
    if (gone == NULL)
        return;
    if (gone->sight != NULL)
        end_look(gone);
    key_sight_free(&gone->sight);
    free(gone->keys);
    shared_unref(&gone->files);
    shared_unref(&gone->lives);
    free(gone);
}

bool key_watch_is_looking(const struct key_watch *watch)
{
    return watch->is_looking;
}

static uint64_t now_ms(const struct key_watch *watch)
{
    return watch->spec.clock->now_ms(watch->spec.clock);
}

/* ---- which keys ---- */

static int by_name(const void *left, const void *right)
{
    const struct key_file *a = ((const struct watched *)left)->file;
    const struct key_file *b = ((const struct watched *)right)->file;
    int order = slice_compare(a->domain, b->domain);

    return order != 0 ? order : slice_compare(a->selector, b->selector);
}

static const struct watched *find(const struct key_watch *watch, struct slice domain,
                                  struct slice selector)
{
    const struct key_file file = { .domain = domain, .selector = selector };
    const struct watched wanted = { .file = &file };

    return watch->count == 0 ? NULL
                             : bsearch(&wanted, watch->keys, watch->count, sizeof wanted, by_name);
}

const struct key_watch_report *key_watch_of(const struct key_watch *watch, struct slice domain,
                                            struct slice selector)
{
    const struct watched *found = find(watch, domain, selector);

    return found == NULL ? NULL : &found->report;
}

static void count_records(const struct key_watch *watch)
{
    int64_t counts[DKIM_VISIBILITIES] = { 0 };

    for (size_t i = 0; i < watch->count; i++)
        counts[watch->keys[i].report.seen.published.visibility]++;
    for (size_t i = 0; i < DKIM_VISIBILITIES; i++)
        metric_set(watch->records[i], counts[i]);
}

static void find_due(struct key_watch *watch)
{
    watch->due_ms = UINT64_MAX;
    for (size_t i = 0; i < watch->count; i++)
        if (watch->keys[i].due_ms < watch->due_ms)
            watch->due_ms = watch->keys[i].due_ms;
}

/* The active keys; what is known of one that was among them before, with the same file, stays. */
static size_t list_active(const struct key_watch *watch, const struct key_watch_input *input,
                          struct watched *keys)
{
    const struct key_set *files = shared_get(input->files);
    const struct key_lives *lives = shared_get(input->lives);
    size_t count = 0;

    for (size_t i = 0; i < key_set_count(files); i++) {
        const struct key_file *file = key_set_at(files, i);
        const struct dkim_life *life = key_lives_find(lives, file->domain, file->selector);
        if (file->key == NULL || life == NULL || life->state != DKIM_ACTIVE)
            continue;
        const struct watched *before = find(watch, file->domain, file->selector);
        bool is_same = before != NULL && before->file->seen_ms == file->seen_ms &&
                       watch->interval_ms == input->interval_ms;
        keys[count].file = file;
        keys[count].report =
            before == NULL || before->file->seen_ms != file->seen_ms ? not_yet : before->report;
        keys[count++].due_ms = is_same ? before->due_ms : now_ms(watch);
    }
    return count;
}

static void list_keys(struct key_watch *watch, const struct key_watch_input *input)
{
    const struct key_set *files = shared_get(input->files);
    size_t room = input->interval_ms == 0 || files == NULL ? 0 : key_set_count(files);
    struct watched *keys = calloc(room + 1, sizeof *keys);

    if (keys == NULL)
        return; /* tried again at the next call */
    size_t count = room == 0 ? 0 : list_active(watch, input, keys);
    free(watch->keys);
    watch->keys = keys;
    watch->count = count;
    shared_unref(&watch->files);
    shared_unref(&watch->lives);
    watch->files = shared_ref(input->files);
    watch->lives = shared_ref(input->lives);
    watch->interval_ms = input->interval_ms;
    find_due(watch);
    count_records(watch);
}

/* ---- what has been seen ---- */

static void log_change(const struct key_file *file, const struct key_sighting *seen)
{
    AUTO_BUF why = BUF_INIT(KEY_SIGHTING_TEXT_MAX);

    key_sighting_print(seen, &why);
    switch (seen->published.visibility) {
    case DKIM_VISIBLE:
        log_info("key %.*s/%.*s: the DNS shows its record again", SLICE_ARG(file->domain),
                 SLICE_ARG(file->selector));
        break;
    case DKIM_VISIBILITY_UNKNOWN:
        log_info("key %.*s/%.*s: whether the DNS shows its record is not known: %s",
                 SLICE_ARG(file->domain), SLICE_ARG(file->selector), buf_text(&why));
        break;
    case DKIM_NOT_VISIBLE:
    case DKIM_OTHER_VISIBLE:
    case DKIM_VISIBILITIES:
        log_warning(
            "key %.*s/%.*s: its record in the DNS %s: %s; what it signs cannot be verified: "
            "publish what \"gatectl dkim show\" says, or let the key retire",
            SLICE_ARG(file->domain), SLICE_ARG(file->selector),
            seen->published.visibility == DKIM_NOT_VISIBLE ? "is missing" : "differs",
            buf_text(&why));
        break;
    }
}

/* Nobody waits to hear that a record is good of which nothing was said before. */
static bool is_change(const struct key_watch_report *before, enum dkim_visibility now)
{
    return before->looked_s == 0 ? now != DKIM_VISIBLE : now != before->seen.published.visibility;
}

/* Three to five quarters of `ms`. */
static uint64_t jittered(uint64_t ms)
{
    uint32_t random;

    random_bytes(&random, sizeof random);
    return ms - ms / 4 + (uint64_t)((double)(ms / 2) * (random / (double)UINT32_MAX));
}

static uint64_t wait_ms(const struct key_watch *watch, enum dkim_visibility visibility)
{
    uint64_t wait = visibility == DKIM_VISIBLE ? watch->interval_ms : watch->interval_ms / SOONER;

    return jittered(wait < SECOND ? SECOND : wait);
}

/* True: it is another state than before. */
static bool take(struct key_watch *watch, struct watched *key, const struct key_sighting *seen)
{
    const struct clock *clock = watch->spec.clock;
    bool changes = is_change(&key->report, seen->published.visibility);

    key->report = (struct key_watch_report){ *seen, clock->wall_ms(clock) / SECOND };
    key->due_ms = now_ms(watch) + wait_ms(watch, seen->published.visibility);
    return changes;
}

/* The end of a look; `failure`: why nobody could be asked, or NULL. */
static void finish(struct key_watch *watch, const char *failure)
{
    struct key_sighting seen = { { DKIM_VISIBILITY_UNKNOWN, failure }, SLICE_INIT("") };
    size_t changes = 0;

    for (size_t i = 0; i < watch->looked_at_count; i++) {
        struct watched *key = &watch->keys[watch->looked_at[i]];
        if (failure == NULL)
            seen = key_sight_of(watch->sight, key->file->domain, key->file->selector);
        if (take(watch, key, &seen) && changes++ < LINES_MAX)
            log_change(key->file, &seen);
    }
    if (changes > LINES_MAX)
        log_warning("records of keys: %zu changes in all (gatectl dkim list)", changes);
    end_look(watch);
    find_due(watch);
    count_records(watch);
}

/* ---- a look ---- */

static void records_came(void *arg)
{
    finish(arg, NULL);
}

/* False: out of memory. */
static bool add_due(struct key_watch *watch)
{
    uint64_t until_ms = now_ms(watch) + watch->interval_ms / TOGETHER;

    watch->arena = arena_new(MEMORY_MAX);
    if (watch->arena == NULL || !key_sight_begin(watch->sight, watch->arena))
        return false;
    for (size_t i = 0; i < watch->count && watch->looked_at_count < KEY_WATCH_LOOK_MAX; i++) {
        const struct key_file *file = watch->keys[i].file;
        if (watch->keys[i].due_ms > until_ms)
            continue;
        watch->looked_at[watch->looked_at_count++] = i;
        if (!key_sight_add(watch->sight, file->domain, file->selector, file->key))
            return false;
    }
    return true;
}

static void look(struct key_watch *watch, uint64_t dns_timeout_ms)
{
    watch->is_looking = true;
    if (!add_due(watch)) {
        finish(watch, "out of memory");
        return;
    }
    switch (key_sight_ask(watch->sight, dns_timeout_ms, records_came, watch)) {
    case KEY_SIGHT_FAILED:
        finish(watch, "no resolver can be asked");
        break;
    case KEY_SIGHT_DONE:
        finish(watch, NULL);
        break;
    case KEY_SIGHT_ASKED:
        break;
    }
}

void key_watch_run(struct key_watch *watch, const struct key_watch_input *input)
{
    if (watch->is_looking)
        return;
    if (watch->files != input->files || watch->lives != input->lives ||
        watch->interval_ms != input->interval_ms)
        list_keys(watch, input);
    if (watch->due_ms <= now_ms(watch))
        look(watch, input->dns_timeout_ms);
}
