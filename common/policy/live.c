/* common/policy/live.c - see live.h.
 *
 * A round: poll -> read each hash that changed, one after the other -> put new data in force. Hashes that could not be
 * read are read in the next round. */
#include "common/policy/live.h"

#include "common/live/rule_text.h"
#include "common/observe/log.h"
#include "common/policy/rule_book.h"

#include <event2/event_struct.h>

enum {
    POLL_MS = 400,
    READ_MEMORY_MAX = 512 << 20,
    NAMES_MEMORY_MAX = 16 << 20,
    BAD_VALUES_LOGGED = 10, /* of one hash, each time it is read */
};

/* A hash that is polled. */
struct live_hash {
    live_take *take;
    size_t index; /* take's */
    struct slice key; /* in `names` */
    bool is_wanted; /* changed or not */
};

struct live {
    const struct policy_kind *kind;
    struct live_host host;
    struct event timer;
    const struct policy_sections *sections; /* that the hashes below are of */
    struct arena *names; /* keys, versions */
    struct live_hash *hashes; /* as many as poll.count */
    size_t hash_room;
    struct store_poll poll;
    struct store_read read;
    size_t reading; /* which hash */
    uint64_t reads; /* begun */
    size_t bad_values; /* found in it */
    bool is_polling, is_reading;
    struct policy_core *next; /* the parts to be, kind->parts_size bytes */
    bool has_next;
    uint64_t rules_expire_s; /* the first live rule to expire; 0: none */
    bool has_new_rules; /* in `next`: they have not been judged yet */
};

static struct metric metrics[] = {
    METRIC("gatehouse_live_bad_values_total", METRIC_COUNTER,
           "Live values that make no sense and were ignored."),
};

void live_count_bad(uint64_t n)
{
    metric_add(metric_of(&metrics[0]), n);
}

static const struct policy_core *core_now(const struct live *live)
{
    return live->host.data(live->host.arg);
}

/* A reload has put another configuration in force, and live_reloaded() has not been called yet: what was read is of the
 * names of the old one, which goes away. */
static bool is_outdated(const struct live *live)
{
    return core_now(live)->sections != live->sections;
}

/* ---- making new data ---- */

static bool change_begin(struct live *live)
{
    if (is_outdated(live))
        return false;
    if (!live->has_next)
        live->has_next = policy_kind_copy(live->kind, core_now(live), live->next);
    return live->has_next;
}

static void change_drop(struct live *live)
{
    if (live->has_next)
        policy_kind_drop(live->kind, live->next);
    live->has_next = live->has_new_rules = false;
}

static void change_publish(struct live *live)
{
    const struct rule_hearers hearers = { .live_are_new = live->has_new_rules };

    if (is_outdated(live))
        change_drop(live);
    if (!live->has_next)
        return;
    void *data = policy_kind_make(live->kind, live->next, &hearers);
    if (data != NULL && hearers.live_are_new)
        live_count_bad(policy_kind_book(live->kind, data)->left_out);
    live->has_next = live->has_new_rules = false;
    if (data == NULL || live->host.publish(live->host.arg, data))
        log_error("out of memory: a change of the live state is not in force");
}

/* ---- what a hash says ---- */

void live_bad_value(struct live *live, struct slice field, const char *error)
{
    live_count_bad(1);
    if (live->bad_values++ < BAD_VALUES_LOGGED)
        log_warning("gh:%.*s: %.*s is ignored: %s", SLICE_ARG(live->read.key), SLICE_ARG(field),
                    error);
}

static void bad_field(void *arg, struct slice field, const char *error)
{
    live_bad_value(arg, field, error);
}

static void take_list(struct live *live, void *parts, size_t index, struct store_read *read)
{
    struct policy_core *next = parts;

    sets_take_list(&next->sets, index, read->fields, read->count, bad_field, live);
}

static void take_map(struct live *live, void *parts, size_t index, struct store_read *read)
{
    struct policy_core *next = parts;

    sets_take_map(&next->sets, index, read->fields, read->count, bad_field, live);
}

/* The rule of a field, unless it is bad or over. */
static bool take_rule(struct live *live, const struct store_field *field, struct arena *arena,
                      struct rule_source *out)
{
    const struct clock *clock = live->host.clock;
    struct live_rule rule;
    struct live_rule_error error;

    if (!live_rule_parse(field->name, field->text, arena, &rule, &error)) {
        live_bad_value(live, field->name, error.text);
        return false;
    }
    if (live_rule_is_expired(&rule, clock->wall_ms(clock)))
        return false;
    if (rule.until_s != 0 && (live->rules_expire_s == 0 || rule.until_s < live->rules_expire_s))
        live->rules_expire_s = rule.until_s;
    *out = rule.source;
    return true;
}

/* The rules' texts stay in the arena of the read, which becomes theirs. */
static void take_rules(struct live *live, void *parts, UNUSED size_t index, struct store_read *read)
{
    struct policy_core *next = parts;
    struct live_rules *rules = calloc(1, sizeof *rules);

    if (rules == NULL)
        return;
    live->rules_expire_s = 0;
    rules->arena = read->arena;
    rules->sources = arena_alloc_array(read->arena, read->count + 1, sizeof *rules->sources);
    for (size_t i = 0; rules->sources != NULL && i < read->count; i++)
        if (take_rule(live, &read->fields[i], read->arena, &rules->sources[rules->count]))
            rules->count++;
    read->arena = NULL;
    struct shared *made = shared_new(rules, live_rules_free);
    if (made == NULL)
        return;
    shared_unref(&next->live_rules);
    next->live_rules = made;
    live->has_new_rules = true;
}

static void take_hash(struct live *live, const struct live_hash *hash)
{
    if (!change_begin(live))
        return;
    live->bad_values = 0;
    hash->take(live, live->next, hash->index, &live->read);
    if (live->bad_values > BAD_VALUES_LOGGED)
        log_warning("gh:%.*s: %zu more fields are ignored", SLICE_ARG(live->read.key),
                    live->bad_values - BAD_VALUES_LOGGED);
}

/* ---- rounds ---- */

static void timer_start(struct live *live)
{
    struct timeval delay = { POLL_MS / 1000, POLL_MS % 1000 * 1000 };

    event_add(&live->timer, &delay);
}

static void round_end(struct live *live)
{
    change_publish(live);
    timer_start(live);
}

static void read_end(struct live *live)
{
    if (live->read.call.result == STORE_OK && !live->read.call.is_degraded)
        take_hash(live, &live->hashes[live->reading]);
    else
        live->poll.versions[live->reading][0] = '\0'; /* read again */
    arena_free(&live->read.arena);
    live->reading++;
}

static void read_changed(struct live *live);

static void read_done(struct store_call *call)
{
    struct live *live = (struct live *)(void *)((char *)call - offsetof(struct live, read));

    live->is_reading = false;
    read_end(live);
    read_changed(live);
}

/* Reads the hashes that have changed, from `reading` on. */
static void read_changed(struct live *live)
{
    for (; live->reading < live->poll.count;) {
        struct live_hash *hash = &live->hashes[live->reading];
        if (!live->poll.changed[live->reading] && !hash->is_wanted) {
            live->reading++;
            continue;
        }
        live->read = (struct store_read){ .call.done = read_done,
                                          .key = live->hashes[live->reading].key,
                                          .arena = arena_new(READ_MEMORY_MAX) };
        if (live->read.arena == NULL)
            break;
        hash->is_wanted = false;
        live->reads++;
        if (!store_read(live->host.store, &live->read)) {
            live->is_reading = true;
            return;
        }
        read_end(live);
    }
    round_end(live);
}

static void poll_end(struct live *live)
{
    live->reading = 0;
    if (live->poll.call.result == STORE_OK && !live->poll.call.is_degraded)
        read_changed(live);
    else
        round_end(live);
}

static void poll_done(struct store_call *call)
{
    struct live *live = (struct live *)(void *)((char *)call - offsetof(struct live, poll));

    live->is_polling = false;
    poll_end(live);
}

static void expire_rules(struct live *live)
{
    const struct clock *clock = live->host.clock;

    if (live->rules_expire_s == 0 || clock->wall_ms(clock) / SECOND < live->rules_expire_s)
        return;
    for (size_t i = 0; i < live->poll.count; i++)
        if (live->hashes[i].take == take_rules)
            live->poll.versions[i][0] = '\0';
}

static void round_begin(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct live *live = arg;

    expire_rules(live);
    live->poll.call = (struct store_call){ .done = poll_done };
    if (store_poll(live->host.store, &live->poll))
        poll_end(live);
    else
        live->is_polling = true;
}

void live_look(struct live *live)
{
    if (!live->is_polling && !live->is_reading)
        event_active(&live->timer, EV_TIMEOUT, 0);
}

void live_again(struct live *live, struct slice key)
{
    for (size_t i = 0; i < live->poll.count; i++)
        live->hashes[i].is_wanted =
            live->hashes[i].is_wanted || slice_equal(live->hashes[i].key, key);
    live_look(live);
}

uint64_t live_reads(const struct live *live)
{
    return live->reads;
}

/* ---- which hashes ---- */

static bool hashes_grow(struct live *live)
{
    size_t room = live->hash_room == 0 ? 64 : 2 * live->hash_room;
    struct live_hash *hashes = reallocarray(live->hashes, room, sizeof *hashes);

    if (hashes == NULL)
        return false;
    live->hashes = hashes;
    live->hash_room = room;
    return true;
}

bool live_watch(struct live *live, const char *prefix, struct slice name, live_take *take,
                size_t index)
{
    struct slice key = arena_printf(live->names, "%s%.*s", prefix, SLICE_ARG(name));

    if (key.ptr == NULL || (live->poll.count == live->hash_room && !hashes_grow(live)))
        return false;
    live->hashes[live->poll.count++] = (struct live_hash){ take, index, key, false };
    return true;
}

static bool hashes_watch(struct live *live, const struct policy_core *core)
{
    const struct policy_sections *sections = core->sections;
    bool ok = live_watch(live, "rule", SLICE(""), take_rules, 0);

    for (size_t i = 0; ok && i < sections->list_count; i++)
        ok = live_watch(live, "list:", sections->lists[i].conf->name, take_list, i);
    for (size_t i = 0; ok && i < sections->map_count; i++)
        ok = live_watch(live, "map:", sections->maps[i].conf->name, take_map, i);
    return ok && (live->kind->watch == NULL || live->kind->watch(live, core));
}

/* All hashes of the configuration in force, none of which has been read. */
static bool hashes_make(struct live *live)
{
    live->sections = core_now(live)->sections;
    live->poll = (struct store_poll){ .count = 0 };
    arena_free(&live->names);
    live->names = arena_new(NAMES_MEMORY_MAX);
    if (live->names == NULL || !hashes_watch(live, core_now(live)))
        return false;
    size_t count = live->poll.count;
    struct slice *keys = arena_alloc_array(live->names, count, sizeof *keys);
    live->poll.keys = keys;
    live->poll.versions = arena_alloc_array(live->names, count, sizeof *live->poll.versions);
    live->poll.changed = arena_alloc_array(live->names, count, sizeof *live->poll.changed);
    for (size_t i = 0; keys != NULL && i < count; i++)
        keys[i] = live->hashes[i].key;
    return keys != NULL && live->poll.versions != NULL && live->poll.changed != NULL;
}

static void round_abandon(struct live *live)
{
    event_del(&live->timer);
    if (live->is_polling)
        store_abandon(live->host.store, &live->poll.call);
    if (live->is_reading)
        store_abandon(live->host.store, &live->read.call);
    live->is_polling = live->is_reading = false;
    arena_free(&live->read.arena);
    change_drop(live);
}

struct live *live_start_in(const struct policy_kind *kind, const struct live_host *host)
{
    struct live *live = calloc(1, sizeof *live);

    if (live == NULL)
        return NULL;
    metrics_register(metrics, COUNT(metrics));
    live->kind = kind;
    live->host = *host;
    live->next = calloc(1, kind->parts_size);
    evtimer_assign(&live->timer, host->base, round_begin, live);
    if (live->next == NULL || !hashes_make(live)) {
        live_stop(&live);
        return NULL;
    }
    /* The first data is made without live state, so a hash that does not exist is no change: no new generation. */
    for (size_t i = 0; i < live->poll.count; i++)
        memcpy(live->poll.versions[i], "0", sizeof "0");
    event_active(&live->timer, EV_TIMEOUT, 0);
    return live;
}

static const void *daemon_data(void *daemon)
{
    return snapshot_data(daemon_snapshot(daemon));
}

static int publish(void *daemon, void *data)
{
    return daemon_publish(daemon, data);
}

struct live *live_start(const struct policy_kind *kind, struct daemon *daemon, struct store *store)
{
    const struct live_host host = {
        .base = worker_base(daemon_main_worker(daemon)),
        .clock = daemon_clock(daemon),
        .store = store,
        .data = daemon_data,
        .publish = publish,
        .arg = daemon,
    };

    return live_start_in(kind, &host);
}

void live_stop(struct live **live)
{
    if (*live == NULL)
        return;
    round_abandon(*live);
    arena_free(&(*live)->names);
    free((*live)->hashes);
    free((*live)->next);
    free(*live);
    *live = NULL;
}

void live_reloaded(struct live *live)
{
    if (!is_outdated(live))
        return;
    round_abandon(live);
    if (!hashes_make(live))
        log_error("out of memory: live changes are not noticed until the next reload");
    else
        event_active(&live->timer, EV_TIMEOUT, 0);
}

/* ---- files ---- */

void live_check_files(struct live *live)
{
    if (is_outdated(live))
        return;
    if (sets_refresh_files(&core_now(live)->sets) && change_begin(live))
        sets_take_files(&live->next->sets);
    if (!live->is_polling && !live->is_reading)
        change_publish(live);
}
