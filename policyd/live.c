/* policyd/live.c - see live.h.
 *
 * A round: poll -> read each hash that changed, one after the other -> put a new policy in force. Hashes that could not
 * be read are read in the next round. */
#include "policyd/live.h"

#include "common/live/rule_text.h"
#include "common/observe/log.h"

#include <event2/event_struct.h>

enum {
    POLL_MS = 400,
    READ_MEMORY_MAX = 512 << 20,
    BAD_VALUES_LOGGED = 10, /* of one hash, each time it is read */
};

enum live_kind { LIVE_CLASSES, LIVE_RULES, LIVE_LIST, LIVE_MAP, LIVE_LIMIT };

/* A hash that is polled. */
struct live_hash {
    enum live_kind kind;
    size_t index; /* of the list or map in the configuration */
    struct slice name;
};

struct live {
    struct daemon *daemon;
    struct server *server;
    struct event timer;
    const struct policyd_config *config; /* that the hashes below are of */
    struct arena *names; /* hashes, keys, versions */
    struct live_hash *hashes;
    struct slice *keys;
    struct store_poll poll;
    struct store_read read;
    size_t reading; /* which hash */
    size_t bad_values; /* found in it */
    bool is_polling, is_reading;
    struct policy_parts next; /* the policy to be */
    bool has_next;
    uint64_t rules_expire_s; /* the first live rule to expire; 0: none */
    bool has_new_rules; /* in `next`: they have not been judged yet */
};

static const struct policy *policy_now(const struct live *live)
{
    return snapshot_data(daemon_snapshot(live->daemon));
}

/* A reload has put another configuration in force, and live_reloaded() has not been called yet: what was read is of the
 * names of the old one, which goes away. */
static bool is_outdated(const struct live *live)
{
    return policy_now(live)->parts.config != live->config;
}

/* ---- making a new policy ---- */

static bool change_begin(struct live *live)
{
    if (is_outdated(live))
        return false;
    if (!live->has_next)
        live->has_next = policy_parts_copy(&policy_now(live)->parts, &live->next);
    return live->has_next;
}

static void change_drop(struct live *live)
{
    if (live->has_next)
        policy_parts_free(&live->next);
    live->has_next = live->has_new_rules = false;
}

static void change_publish(struct live *live)
{
    if (is_outdated(live))
        change_drop(live);
    if (!live->has_next)
        return;
    live->has_next = false;
    struct policy *policy =
        policy_new(&live->next, &(struct rule_hearers){ NULL, live->has_new_rules });
    if (policy != NULL && live->has_new_rules)
        metric_add(live->server->policyd->metrics.bad_live, policy->book.left_out);
    live->has_new_rules = false;
    if (policy == NULL || daemon_publish(live->daemon, policy))
        log_error("out of memory: a change of the live state is not in force");
}

/* ---- what a hash says ---- */

static void bad_value(struct live *live, struct slice field, const char *error)
{
    metric_add(live->server->policyd->metrics.bad_live, 1);
    if (live->bad_values++ < BAD_VALUES_LOGGED)
        log_warning("gh:%.*s: %.*s is ignored: %s", SLICE_ARG(live->read.key), SLICE_ARG(field),
                    error);
}

static void bad_values_end(struct live *live)
{
    if (live->bad_values > BAD_VALUES_LOGGED)
        log_warning("gh:%.*s: %zu more fields are ignored", SLICE_ARG(live->read.key),
                    live->bad_values - BAD_VALUES_LOGGED);
    live->bad_values = 0;
}

static void bad_field(void *arg, struct slice field, const char *error)
{
    bad_value(arg, field, error);
}

static void bad_class(void *arg, const struct class_error *error)
{
    struct live *live = arg;

    bad_value(live, live->read.fields[error->source].name, error->text);
}

static void take_classes(struct live *live)
{
    const struct store_read *read = &live->read;
    struct class_source *sources = arena_alloc_array(read->arena, read->count + 1, sizeof *sources);

    if (sources == NULL)
        return;
    for (size_t i = 0; i < read->count; i++)
        sources[i] = (struct class_source){ read->fields[i].name, read->fields[i].text };
    struct shared *made =
        shared_new(classes_new(sources, read->count, bad_class, live), policy_classes_drop);
    if (made == NULL)
        return;
    shared_unref(&live->next.classes_live);
    live->next.classes_live = made;
}

/* The rule of a field, unless it is bad or over. */
static bool take_rule(struct live *live, const struct store_field *field, struct rule_source *out)
{
    const struct clock *clock = daemon_clock(live->daemon);
    struct live_rule rule;
    struct live_rule_error error;

    if (!live_rule_parse(field->name, field->text, live->read.arena, &rule, &error)) {
        bad_value(live, field->name, error.text);
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
static void take_rules(struct live *live)
{
    struct store_read *read = &live->read;
    struct live_rules *rules = calloc(1, sizeof *rules);

    if (rules == NULL)
        return;
    live->rules_expire_s = 0;
    rules->arena = read->arena;
    rules->sources = arena_alloc_array(read->arena, read->count + 1, sizeof *rules->sources);
    for (size_t i = 0; rules->sources != NULL && i < read->count; i++)
        if (take_rule(live, &read->fields[i], &rules->sources[rules->count]))
            rules->count++;
    read->arena = NULL;
    struct shared *made = shared_new(rules, live_rules_free);
    if (made == NULL)
        return;
    shared_unref(&live->next.core.live_rules);
    live->next.core.live_rules = made;
    live->has_new_rules = true;
}

/* Rates are read with each charge; here they are only judged, and remembered answers come to an end. */
static void judge_limit(struct live *live)
{
    for (size_t i = 0; i < live->read.count; i++) {
        struct override override;
        const char *error;
        if (!override_parse(live->read.fields[i].text, &override, &error))
            bad_value(live, live->read.fields[i].name, error);
    }
}

static void take_hash(struct live *live, const struct live_hash *hash)
{
    if (!change_begin(live))
        return;
    switch (hash->kind) {
    case LIVE_CLASSES:
        take_classes(live);
        break;
    case LIVE_RULES:
        take_rules(live);
        break;
    case LIVE_LIST:
        sets_take_list(&live->next.core.sets, hash->index, live->read.fields, live->read.count,
                       bad_field, live);
        break;
    case LIVE_MAP:
        sets_take_map(&live->next.core.sets, hash->index, live->read.fields, live->read.count,
                      bad_field, live);
        break;
    case LIVE_LIMIT:
        judge_limit(live);
        break;
    }
    bad_values_end(live);
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
        if (!live->poll.changed[live->reading]) {
            live->reading++;
            continue;
        }
        live->read = (struct store_read){ .call.done = read_done,
                                          .key = live->keys[live->reading],
                                          .arena = arena_new(READ_MEMORY_MAX) };
        if (live->read.arena == NULL)
            break;
        if (!store_read(live->server->store, &live->read)) {
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
    const struct clock *clock = daemon_clock(live->daemon);

    if (live->rules_expire_s == 0 || clock->wall_ms(clock) / SECOND < live->rules_expire_s)
        return;
    for (size_t i = 0; i < live->poll.count; i++)
        if (live->hashes[i].kind == LIVE_RULES)
            live->poll.versions[i][0] = '\0';
}

static void round_begin(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct live *live = arg;

    expire_rules(live);
    live->poll.call = (struct store_call){ .done = poll_done };
    if (store_poll(live->server->store, &live->poll))
        poll_end(live);
    else
        live->is_polling = true;
}

/* ---- which hashes ---- */

static bool hash_add(struct live *live, enum live_kind kind, size_t index, struct slice name,
                     const char *prefix)
{
    struct slice key = arena_printf(live->names, "%s%.*s", prefix, SLICE_ARG(name));

    live->hashes[live->poll.count] = (struct live_hash){ kind, index, name };
    live->keys[live->poll.count++] = key;
    return key.ptr != NULL;
}

static bool hashes_add(struct live *live)
{
    const struct policyd_config *config = live->config;
    bool ok = hash_add(live, LIVE_CLASSES, 0, SLICE(""), "class") &&
              hash_add(live, LIVE_RULES, 0, SLICE(""), "rule");

    for (size_t i = 0; ok && i < config->sections.list_count; i++)
        ok = hash_add(live, LIVE_LIST, i, config->sections.lists[i].conf->name, "list:");
    for (size_t i = 0; ok && i < config->sections.map_count; i++)
        ok = hash_add(live, LIVE_MAP, i, config->sections.maps[i].conf->name, "map:");
    for (size_t i = 0; ok && i < config->limit_count; i++)
        ok = hash_add(live, LIVE_LIMIT, i, config->limits[i].conf->name, "limit:");
    return ok;
}

/* All hashes of the configuration in force, none of which has been read. */
static bool hashes_make(struct live *live)
{
    live->config = policy_now(live)->parts.config;
    size_t count = 2 + live->config->sections.list_count + live->config->sections.map_count +
                   live->config->limit_count;
    arena_free(&live->names);
    live->names = arena_new(16 << 20);
    if (live->names == NULL)
        return false;
    live->hashes = arena_alloc_array(live->names, count, sizeof *live->hashes);
    live->keys = arena_alloc_array(live->names, count, sizeof *live->keys);
    live->poll = (struct store_poll){
        .keys = live->keys,
        .versions = arena_alloc_array(live->names, count, sizeof *live->poll.versions),
        .changed = arena_alloc_array(live->names, count, sizeof *live->poll.changed),
    };
    return live->hashes != NULL && live->keys != NULL && live->poll.versions != NULL &&
           live->poll.changed != NULL && hashes_add(live);
}

static void round_abandon(struct live *live)
{
    event_del(&live->timer);
    if (live->is_polling)
        store_abandon(live->server->store, &live->poll.call);
    if (live->is_reading)
        store_abandon(live->server->store, &live->read.call);
    live->is_polling = live->is_reading = false;
    arena_free(&live->read.arena);
    change_drop(live);
}

struct live *live_start(struct daemon *daemon, struct server *server)
{
    struct live *live = calloc(1, sizeof *live);

    if (live == NULL)
        return NULL;
    live->daemon = daemon;
    live->server = server;
    evtimer_assign(&live->timer, worker_base(server->worker), round_begin, live);
    if (!hashes_make(live)) {
        live_stop(&live);
        return NULL;
    }
    /* The first policy is made without live state, so a hash that does not exist is no change: no new generation. */
    for (size_t i = 0; i < live->poll.count; i++)
        memcpy(live->poll.versions[i], "0", sizeof "0");
    event_active(&live->timer, EV_TIMEOUT, 0);
    return live;
}

void live_stop(struct live **live)
{
    if (*live == NULL)
        return;
    round_abandon(*live);
    arena_free(&(*live)->names);
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

static void check_geoip(struct geoip *geoip)
{
    char error[GEOIP_ERROR_MAX];

    switch (geoip_refresh(geoip, error)) {
    case GEOIP_READ:
        log_info("the country database has been read anew");
        break;
    case GEOIP_BAD:
        log_warning("%s; the country database read before stays in use", error);
        break;
    case GEOIP_SAME:
        break;
    }
}

void live_check_files(struct live *live)
{
    const struct policy_parts *parts = &policy_now(live)->parts;

    if (is_outdated(live))
        return;
    if (parts->geoip != NULL)
        check_geoip(parts->geoip);
    if (sets_refresh_files(&parts->core.sets) && change_begin(live))
        sets_take_files(&live->next.core.sets);
    if (!live->is_polling && !live->is_reading)
        change_publish(live);
}
