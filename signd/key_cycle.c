/* signd/key_cycle.c - see key_cycle.h.
 *
 *     ASKING   the records, of every resolver
 *     READING  gh:dkim anew: somebody may have changed it meanwhile
 *     WRITING  one field after the other; those that begin to sign before those that cease to, so that one always signs; if the
 *              store fails in between, the next cycle does the rest */
#include "signd/key_cycle.h"

#include <stdlib.h>

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "signd/key_sight.h"

enum {
    MEMORY_MAX = 256 << 20,
    NAME_MAX_BYTES = 400, /* of SELECTOR._domainkey.DOMAIN, and DOMAIN/SELECTOR */
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
    struct store_write write;
    size_t next; /* of the keys to write; first those that become active, then the others */
    bool is_second_pass;
    char field[NAME_MAX_BYTES];
    struct buf text;
    /* Of one that was broken off: keys whose successor signs, and that should have ceased to, as they were then. NULL: none. */
    struct key_lives *unfinished;
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
    if (cycle->write.call.pending != NULL)
        store_abandon(cycle->store, &cycle->write.call);
    key_lives_free(cycle->fresh);
    cycle->fresh = NULL;
    shared_unref(&cycle->input.files);
    shared_unref(&cycle->input.lives);
    arena_free(&cycle->arena);
    cycle->waiting = cycle->key_count = 0;
    cycle->read = (struct store_read){ .count = 0 };
    cycle->write = (struct store_write){ .existed = false };
    cycle->is_running = false;
}

/* ---- what was broken off ---- */

/* Nobody has said anything of it since. */
static bool is_unfinished(const struct key_cycle *cycle, const struct dkim_rotating *key)
{
    const struct dkim_life *then = key_lives_find(cycle->unfinished, key->domain, key->selector);

    return then != NULL && key->state == DKIM_ACTIVE && key->since_s == then->since_s;
}

/* The store knows of its change. */
static bool is_written(const struct key_cycle *cycle, size_t n)
{
    bool is_of_first_pass = cycle->keys[n].next == DKIM_ACTIVE;

    return cycle->is_second_pass == is_of_first_pass ? is_of_first_pass : n < cycle->next;
}

static bool has_successor(const struct key_cycle *cycle, const struct dkim_rotating *key)
{
    for (size_t i = 0; i < cycle->key_count; i++) {
        const struct dkim_rotating *other = &cycle->keys[i];
        if (other->changes && other->next == DKIM_ACTIVE && is_written(cycle, i) &&
            other->type == key->type && slice_equal(other->domain, key->domain))
            return true;
    }
    return false;
}

/* The next cycle would not know: it sees two keys that sign. */
static void remember_unfinished(struct key_cycle *cycle)
{
    struct key_lives_builder *builder = key_lives_builder_new(cycle->key_count);

    for (size_t i = 0; builder != NULL && i < cycle->key_count; i++) {
        const struct dkim_rotating *key = &cycle->keys[i];
        const struct dkim_life life = { .state = DKIM_RETIRING, .since_s = key->since_s };
        if (key->changes && key->state == DKIM_ACTIVE && key->next == DKIM_RETIRING &&
            !is_written(cycle, i) && (is_unfinished(cycle, key) || has_successor(cycle, key)))
            key_lives_put(builder, key->domain, key->selector, &life);
    }
    if (builder == NULL)
        return;
    struct key_lives *unfinished = key_lives_finish(&builder);
    key_lives_free(cycle->unfinished);
    cycle->unfinished = unfinished;
}

static void go_on_with_unfinished(struct key_cycle *cycle)
{
    for (size_t i = 0; i < cycle->key_count; i++) {
        struct dkim_rotating *key = &cycle->keys[i];
        if (key->changes || !is_unfinished(cycle, key))
            continue;
        key->changes = true;
        key->next = DKIM_RETIRING;
    }
}

static void fail(struct key_cycle *cycle, const char *why)
{
    log_warning("the states of keys could not be looked after: %s", why);
    metric_add(metric_of(&metrics[1]), 1);
    if (cycle->key_count > 0)
        remember_unfinished(cycle);
    end(cycle);
}

void key_cycle_free(struct key_cycle **cycle)
{
    struct key_cycle *gone = *cycle;

    *cycle = NULL;
    if (gone == NULL)
        return;
    end(gone);
    key_lives_free(gone->unfinished);
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

    *is_due = cycle->input.is_lost || key_lives_count(cycle->unfinished) > 0;
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

static void write_next(struct key_cycle *cycle);

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

/* True: the next one may follow. */
static bool written(struct key_cycle *cycle)
{
    if (cycle->write.call.result != STORE_OK) {
        fail(cycle, "the store does not answer");
        return false;
    }
    log_written(&cycle->keys[cycle->next++]);
    return true;
}

static void write_done(struct store_call *call)
{
    struct key_cycle *cycle =
        (struct key_cycle *)(void *)((char *)call - offsetof(struct key_cycle, write.call));

    if (written(cycle))
        write_next(cycle);
}

/* False: there is none any more. */
static bool find_next(struct key_cycle *cycle)
{
    for (;; cycle->next = 0, cycle->is_second_pass = true) {
        for (; cycle->next < cycle->key_count; cycle->next++) {
            const struct dkim_rotating *key = &cycle->keys[cycle->next];
            if (key->changes && (key->next != DKIM_ACTIVE) == cycle->is_second_pass)
                return true;
        }
        if (cycle->is_second_pass)
            return false;
    }
}

static bool write_begin(struct key_cycle *cycle)
{
    const struct clock *clock = worker_clock(cycle->worker);
    const struct dkim_rotating *key = &cycle->keys[cycle->next];
    const struct dkim_life life = { .state = key->next,
                                    .since_s = key->next == key->state
                                                   ? key->since_s
                                                   : clock->wall_ms(clock) / SECOND,
                                    .by = SLICE("gatehouse-signd") };

    buf_clear(&cycle->text);
    (void)dkim_life_print(&cycle->text, &life); /* it fits */
    snprintf(cycle->field, sizeof cycle->field, "%.*s/%.*s", SLICE_ARG(key->domain),
             SLICE_ARG(key->selector));
    cycle->write = (struct store_write){ .call.done = write_done,
                                         .key = SLICE("dkim"),
                                         .field = slice_of(cycle->field),
                                         .text = buf_slice(&cycle->text) };
    return store_write(cycle->store, &cycle->write);
}

static void write_next(struct key_cycle *cycle)
{
    while (find_next(cycle)) {
        if (!write_begin(cycle))
            return; /* write_done() will be called */
        if (!written(cycle))
            return;
    }
    key_lives_free(cycle->unfinished);
    cycle->unfinished = NULL;
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
    go_on_with_unfinished(cycle);
    restore_lost(cycle);
    cycle->next = 0;
    cycle->is_second_pass = false;
    write_next(cycle);
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
