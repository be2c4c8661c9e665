/* signd/key_cycle.c - see key_cycle.h.
 *
 *     ASKING   the records, of every resolver
 *     READING  gh:dkim anew: somebody may have changed it meanwhile
 *     WRITING  the keys of one domain after those of another, each domain's in one step: one begins to sign and the other
 *              ceases to, or nothing has happened. Of a domain that somebody has changed since it was read nothing is written: the next
 *              cycle looks again */
#include "signd/key_cycle.h"

#include <stdlib.h>

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "signd/key_sight.h"

enum {
    MEMORY_MAX = 256 << 20,
    LIFE_MAX = 200,
};

static struct metric metrics[] = {
    METRIC_BY("gatehouse_key_rotations_total", METRIC_COUNTER,
              "Keys put into another state because its time had come.", "state"),
    METRIC("gatehouse_key_rotations_failed_total", METRIC_COUNTER,
           "Cycles of the keys' states that could not be finished: no store, no memory."),
};

struct key_cycle {
    struct worker *worker;
    struct store *store;
    struct key_sight *sight;
    /* of the cycle under way */
    bool is_running;
    struct key_cycle_input input;
    struct arena *arena;
    size_t waiting; /* keys whose records are wanted */
    struct store_read read;
    struct key_lives *fresh;
    struct dkim_rotating *keys;
    size_t key_count;
    size_t next; /* of the keys, which are those that change now: the first one of `swap` */
    struct store_swap swap;
    struct store_change changes[STORE_CHANGES_MAX];
    struct buf text;
};

/* ---- life ---- */

struct key_cycle *key_cycle_new(const struct key_cycle_spec *spec)
{
    struct key_cycle *cycle = calloc(1, sizeof *cycle);

    if (cycle == NULL)
        return NULL;
    cycle->worker = spec->worker;
    cycle->store = spec->store;
    cycle->text = (struct buf)BUF_INIT(LIFE_MAX);
    metrics_register(metrics, COUNT(metrics));
    cycle->sight = key_sight_new(spec->worker, spec->resolvers, spec->resolv_conf);
    if (cycle->sight == NULL)
        key_cycle_free(&cycle);
    return cycle;
}

/* The end of a cycle, whatever it came to. */
static void end(struct key_cycle *cycle)
{
    if (cycle->sight != NULL)
        key_sight_end(cycle->sight);
    if (cycle->read.call.pending != NULL)
        store_abandon(cycle->store, &cycle->read.call);
    if (cycle->swap.call.pending != NULL)
        store_abandon(cycle->store, &cycle->swap.call);
    key_lives_free(cycle->fresh);
    cycle->fresh = NULL;
    shared_unref(&cycle->input.files);
    shared_unref(&cycle->input.lives);
    arena_free(&cycle->arena);
    cycle->waiting = cycle->key_count = cycle->next = 0;
    cycle->read = (struct store_read){ .count = 0 };
    cycle->swap = (struct store_swap){ .count = 0 };
    cycle->is_running = false;
}

static void fail(struct key_cycle *cycle, const char *why)
{
    log_warning("the states of keys could not be looked after: %s", why);
    metric_add(metric_of(&metrics[1]), 1);
    end(cycle);
}

void key_cycle_free(struct key_cycle **cycle)
{
    struct key_cycle *gone = *cycle;

    *cycle = NULL;
    if (gone == NULL)
        return;
    end(gone);
    key_sight_free(&gone->sight);
    buf_free(&gone->text);
    free(gone);
}

bool key_cycle_is_running(const struct key_cycle *cycle)
{
    return cycle->is_running;
}

static const struct key_file *file_of(const struct key_cycle *cycle, struct slice domain,
                                      struct slice selector)
{
    const struct key_set *files = shared_get(cycle->input.files);
    size_t first, count = key_set_find(files, domain, &first);

    for (size_t i = 0; i < count; i++)
        if (slice_equal(key_set_at(files, first + i)->selector, selector))
            return key_set_at(files, first + i);
    return NULL;
}

/* ---- which keys wait ---- */

static bool add_waiting(struct key_cycle *cycle, struct slice domain, struct slice selector)
{
    const struct key_file *file = file_of(cycle, domain, selector);

    if (file == NULL || file->key == NULL)
        return true;
    cycle->waiting++;
    return key_sight_add(cycle->sight, domain, selector, file->key);
}

/* False: out of memory. *is_due: there is something to be done. */
static bool find_waiting(struct key_cycle *cycle, bool *is_due)
{
    const struct key_lives *lives = shared_get(cycle->input.lives);

    *is_due = cycle->input.is_lost;
    if (!key_sight_begin(cycle->sight, cycle->arena))
        return false;
    for (size_t i = 0; i < key_lives_count(lives); i++) {
        struct slice domain, selector;
        enum dkim_state state = key_lives_at(lives, i, &domain, &selector)->state;
        bool is_waiting = state == DKIM_PENDING || state == DKIM_SEEN;
        *is_due = *is_due || is_waiting || state == DKIM_RETIRING;
        if (is_waiting && !add_waiting(cycle, domain, selector))
            return false;
    }
    return true;
}

/* ---- what follows ---- */

/* A key of which this host cannot say what kind it is can only get older. */
static void add_key(struct key_cycle *cycle, const struct dkim_life *life, struct slice domain,
                    struct slice selector)
{
    const struct key_file *file = file_of(cycle, domain, selector);
    const struct dkim_key *key = file == NULL ? NULL : file->key;

    if (key == NULL && life->state == DKIM_ACTIVE)
        return;
    cycle->keys[cycle->key_count++] = (struct dkim_rotating){
        .domain = domain,
        .selector = selector,
        .type = key == NULL ? DKIM_RSA : dkim_key_type(key),
        .state = life->state,
        .since_s = life->since_s,
        .visibility = life->state == DKIM_PENDING || life->state == DKIM_SEEN
                          ? key_sight_of(cycle->sight, domain, selector).published.visibility
                          : DKIM_VISIBILITY_UNKNOWN,
    };
}

static bool list_keys(struct key_cycle *cycle)
{
    const struct key_lives *known = shared_get(cycle->input.lives);
    size_t lives = key_lives_count(cycle->fresh), before = key_lives_count(known);
    struct slice domain, selector;

    cycle->keys = arena_alloc_array(cycle->arena, lives + before + 1, sizeof *cycle->keys);
    if (cycle->keys == NULL)
        return false;
    for (size_t i = 0; i < lives; i++) {
        const struct dkim_life *life = key_lives_at(cycle->fresh, i, &domain, &selector);
        add_key(cycle, life, domain, selector);
    }
    for (size_t i = 0; i < before; i++) { /* those of which nothing is said there */
        const struct dkim_life *life = key_lives_at(known, i, &domain, &selector);
        if (key_lives_find(cycle->fresh, domain, selector) == NULL)
            add_key(cycle, life, domain, selector);
    }
    return true;
}

/* States that the store does not know any more, and that do not change now, are written as they are. */
static void restore_lost(struct key_cycle *cycle)
{
    for (size_t i = 0; i < cycle->key_count; i++) {
        struct dkim_rotating *key = &cycle->keys[i];
        if (key->changes || key->state == DKIM_ACTIVE ||
            key_lives_find(cycle->fresh, key->domain, key->selector) != NULL)
            continue;
        key->changes = true;
        key->next = key->state;
    }
}

static int rank(const struct dkim_rotating *key)
{
    return key->next == DKIM_ACTIVE ? 0 : key->next == DKIM_RETIRING ? 1 : 2;
}

/* The keys of a domain beside each other. If there are too many for one step, those that begin to sign and those that cease to
 * come first. */
static int by_step(const void *left, const void *right)
{
    const struct dkim_rotating *a = left, *b = right;
    int order = slice_compare(a->domain, b->domain);

    if (order == 0)
        order = rank(a) - rank(b);
    return order != 0 ? order : slice_compare(a->selector, b->selector);
}

static void keep_changing(struct key_cycle *cycle)
{
    size_t count = 0;

    for (size_t i = 0; i < cycle->key_count; i++)
        if (cycle->keys[i].changes)
            cycle->keys[count++] = cycle->keys[i];
    cycle->key_count = count;
    if (count > 0)
        qsort(cycle->keys, count, sizeof *cycle->keys, by_step);
}

static void log_written(const struct dkim_rotating *key)
{
    struct slice state = slice_of(dkim_state_words[key->next]);

    if (key->next == key->state) {
        log_warning("key %.*s/%.*s: the store did not know any more that it is %s",
                    SLICE_ARG(key->domain), SLICE_ARG(key->selector), dkim_state_words[key->state]);
        return;
    }
    log_info("key %.*s/%.*s: %s, was %s", SLICE_ARG(key->domain), SLICE_ARG(key->selector),
             dkim_state_words[key->next], dkim_state_words[key->state]);
    metric_add(metric_series(&metrics[0], &state), 1);
}

/* What was read; absent: there was nothing. Of a field that came twice the later one counts. */
static struct slice text_read(const struct key_cycle *cycle, struct slice field)
{
    for (size_t i = cycle->read.count; i > 0; i--)
        if (slice_equal(cycle->read.fields[i - 1].name, field))
            return cycle->read.fields[i - 1].text;
    return (struct slice){ NULL, 0 };
}

/* False: out of memory. */
static bool put_change(struct key_cycle *cycle, const struct dkim_rotating *key)
{
    const struct clock *clock = worker_clock(cycle->worker);
    const struct dkim_life life = { .state = key->next,
                                    .since_s = key->next == key->state
                                                   ? key->since_s
                                                   : clock->wall_ms(clock) / SECOND,
                                    .by = SLICE("gatehouse-signd") };
    struct store_change *change = &cycle->changes[cycle->swap.count++];

    buf_clear(&cycle->text);
    (void)dkim_life_print(&cycle->text, &life); /* it fits */
    change->field =
        arena_printf(cycle->arena, "%.*s/%.*s", SLICE_ARG(key->domain), SLICE_ARG(key->selector));
    change->was = text_read(cycle, change->field);
    change->text = arena_copy(cycle->arena, buf_slice(&cycle->text));
    return change->field.ptr != NULL && change->text.ptr != NULL;
}

/* True: the next domain may follow. */
static bool swapped(struct key_cycle *cycle)
{
    const struct dkim_rotating *keys = &cycle->keys[cycle->next];

    if (cycle->swap.call.result != STORE_OK) {
        fail(cycle, "the store does not answer");
        return false;
    }
    if (!cycle->swap.is_written)
        log_info(
            "keys of %.*s: somebody has changed them meanwhile, they are looked at again later",
            SLICE_ARG(keys[0].domain));
    for (size_t i = 0; cycle->swap.is_written && i < cycle->swap.count; i++)
        log_written(&keys[i]);
    cycle->next += cycle->swap.count;
    return true;
}

static void swap_next(struct key_cycle *cycle);

static void swap_done(struct store_call *call)
{
    struct key_cycle *cycle =
        (struct key_cycle *)(void *)((char *)call - offsetof(struct key_cycle, swap.call));

    if (swapped(cycle))
        swap_next(cycle);
}

/* The changes of one domain. False: out of memory. */
static bool put_changes(struct key_cycle *cycle)
{
    const struct dkim_rotating *keys = &cycle->keys[cycle->next];
    size_t left = cycle->key_count - cycle->next;

    cycle->swap = (struct store_swap){ .call.done = swap_done,
                                       .key = SLICE("dkim"),
                                       .changes = cycle->changes };
    for (size_t i = 0; i < left && i < STORE_CHANGES_MAX; i++) {
        if (!slice_equal(keys[i].domain, keys[0].domain))
            break;
        if (!put_change(cycle, &keys[i]))
            return false;
    }
    return true;
}

static void swap_next(struct key_cycle *cycle)
{
    while (cycle->next < cycle->key_count) {
        if (!put_changes(cycle)) {
            fail(cycle, "out of memory");
            return;
        }
        if (!store_swap(cycle->store, &cycle->swap))
            return; /* swap_done() will be called */
        if (!swapped(cycle))
            return;
    }
    end(cycle);
}

static void states_came(struct key_cycle *cycle)
{
    const struct clock *clock = worker_clock(cycle->worker);
    struct key_lives_builder *builder =
        cycle->read.call.result != STORE_OK ? NULL : key_lives_builder_new(cycle->read.count);

    if (builder == NULL) {
        fail(cycle, "the store does not answer");
        return;
    }
    for (size_t i = 0; i < cycle->read.count; i++) /* what is wrong there live.c has said */
        key_lives_add(builder, cycle->read.fields[i].name, cycle->read.fields[i].text);
    cycle->fresh = key_lives_finish(&builder);
    if (!list_keys(cycle)) {
        fail(cycle, "out of memory");
        return;
    }
    dkim_rotate(cycle->keys, cycle->key_count, &cycle->input.rotation,
                clock->wall_ms(clock) / SECOND);
    restore_lost(cycle);
    keep_changing(cycle);
    swap_next(cycle);
}

static void read_done(struct store_call *call)
{
    states_came((struct key_cycle *)(void *)((char *)call - offsetof(struct key_cycle, read.call)));
}

static void read_states(struct key_cycle *cycle)
{
    cycle->read =
        (struct store_read){ .call.done = read_done, .key = SLICE("dkim"), .arena = cycle->arena };
    if (store_read(cycle->store, &cycle->read))
        states_came(cycle);
}

/* ---- a cycle ---- */

static void records_came(void *arg)
{
    read_states(arg);
}

void key_cycle_run(struct key_cycle *cycle, const struct key_cycle_input *input)
{
    bool is_due;

    if (cycle->is_running || input->files == NULL)
        return;
    cycle->is_running = true;
    cycle->input = *input;
    shared_ref(input->files);
    shared_ref(input->lives);
    cycle->arena = arena_new(MEMORY_MAX);
    if (cycle->arena == NULL || !find_waiting(cycle, &is_due)) {
        fail(cycle, "out of memory");
        return;
    }
    if (!is_due) {
        end(cycle);
        return;
    }
    if (cycle->waiting == 0) {
        read_states(cycle);
        return;
    }
    switch (key_sight_ask(cycle->sight, input->dns_timeout_ms, records_came, cycle)) {
    case KEY_SIGHT_FAILED:
        fail(cycle, "no resolver can be asked");
        break;
    case KEY_SIGHT_DONE:
        read_states(cycle);
        break;
    case KEY_SIGHT_ASKED:
        break;
    }
}
