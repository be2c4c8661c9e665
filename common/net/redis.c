/* common/net/redis.c - see redis.h. An attempt goes through the steps below, each with one function; any failure ends in
 * attempt_failed(), which waits and begins anew. */
#include "common/net/redis.h"

#include <assert.h>
#include <event2/event.h>

#include "common/base/hash.h"
#include "common/net/redis_sentinel.h"
#include "common/net/resolver.h"

enum {
    NAME_MS = 150,
    CONNECT_MS = 250,
    LOGIN_MS = 350, /* from the start of connecting until ready */
    SILENCE_MS = 500,
    DIGEST_LEN = 40,
};

enum step {
    STEP_WAIT, /* for the next attempt */
    STEP_FIND, /* name or Sentinel */
    STEP_CONNECT,
    STEP_AUTH,
    STEP_SELECT,
    STEP_ROLE,
    STEP_SCHEMA_SET,
    STEP_SCHEMA_GET,
    STEP_SCRIPTS,
    STEP_READY,
};

struct redis {
    struct event_base *base;
    struct redis_options options;
    struct resolver *resolver; /* owned; NULL for a unix socket */
    struct redis_sentinel *sentinel; /* owned; only with Sentinels */
    struct event *timer; /* owned: the next attempt, or the end of this one's time */
    struct redis_link *link; /* owned; NULL: none */
    enum step step;
    struct redis_host host; /* the one to connect to */
    struct redis_targets targets; /* its addresses */
    unsigned backoff_ms;
    size_t scripts_loaded;
    char digests[REDIS_SCRIPTS_MAX][DIGEST_LEN + 1];
    char problem[192];
};

static void step_send(struct redis *redis);
static void step_connect(struct redis *redis);

static void arm(struct redis *redis, unsigned ms)
{
    const struct timeval delay = { 0, ms * 1000 };

    evtimer_add(redis->timer, &delay);
}

static unsigned jittered(unsigned ms)
{
    unsigned dice;

    random_bytes(&dice, sizeof(dice));
    return ms / 2 + dice % (ms / 2 + 1);
}

static void stop(struct redis *redis)
{
    evtimer_del(redis->timer);
    if (redis->sentinel != NULL)
        redis_sentinel_stop(redis->sentinel);
    if (redis->resolver != NULL)
        resolver_stop(redis->resolver);
    redis_link_close(&redis->link);
}

static void say_problem(struct redis *redis, const char *why)
{
    const struct redis_url *url = redis->options.url;

    if (url->kind == REDIS_URL_UNIX)
        snprintf(redis->problem, sizeof(redis->problem), "redis %.80s: %.100s", url->path, why);
    else if (redis->step == STEP_FIND && url->kind == REDIS_URL_SENTINEL)
        snprintf(redis->problem, sizeof(redis->problem), "%.190s", why);
    else
        snprintf(redis->problem, sizeof(redis->problem), "redis %.60s:%u: %.100s", redis->host.name,
                 redis->host.port, why);
}

/* This attempt, or the connection, is over: the next one follows. A connection that had been of use is replaced at
 * once; an attempt goes on with the next address of the name, and has failed when each of them has been tried: failed
 * attempts follow each other more and more slowly. */
static void attempt_failed(struct redis *redis, const char *why)
{
    bool was_ready = redis->step == STEP_READY;
    bool is_another = redis->step >= STEP_CONNECT && redis_targets_left(&redis->targets);

    say_problem(redis, why);
    redis->step = STEP_WAIT;
    stop(redis);
    if (was_ready) {
        redis->backoff_ms = REDIS_BACKOFF_LEAST_MS;
        arm(redis, 0);
        redis->options.changed(redis->options.arg);
        return;
    }
    if (is_another) {
        step_connect(redis);
        return;
    }
    arm(redis, jittered(redis->backoff_ms));
    redis->backoff_ms *= 2;
    if (redis->backoff_ms > REDIS_BACKOFF_MOST_MS)
        redis->backoff_ms = REDIS_BACKOFF_MOST_MS;
}

/* ---- the steps of logging in ---- */

static void step_next(struct redis *redis, enum step step)
{
    redis->step = step;
    step_send(redis);
}

static void became_ready(struct redis *redis)
{
    evtimer_del(redis->timer);
    redis->step = STEP_READY;
    redis->problem[0] = '\0';
    redis->backoff_ms = REDIS_BACKOFF_LEAST_MS;
    redis->options.changed(redis->options.arg);
}

static bool is_ok(const struct redisReply *reply)
{
    struct slice text;

    return redis_text(reply, &text) && slice_equal(text, SLICE("OK"));
}

static void take_role(struct redis *redis, const struct redisReply *reply)
{
    struct slice role;

    if (!redis_text(redis_item(reply, 0), &role))
        attempt_failed(redis, "does not say its role");
    else if (!slice_equal(role, SLICE("master")))
        attempt_failed(redis, "is a replica, read-only");
    else
        step_next(redis, STEP_SCHEMA_SET);
}

static void take_schema(struct redis *redis, const struct redisReply *reply)
{
    struct slice text;

    if (!redis_text(reply, &text)) {
        attempt_failed(redis, "gh:schema cannot be written");
    } else if (!slice_equal(text, slice_of(redis->options.schema))) {
        char why[96];
        snprintf(why, sizeof(why), "gh:schema is %.*s, this program knows %.20s",
                 (int)(text.len > 20 ? 20 : text.len), text.ptr, redis->options.schema);
        attempt_failed(redis, why);
    } else {
        redis->scripts_loaded = 0;
        step_next(redis, STEP_SCRIPTS);
    }
}

static void take_script(struct redis *redis, const struct redisReply *reply)
{
    struct slice digest;

    if (!redis_text(reply, &digest) || digest.len != DIGEST_LEN) {
        attempt_failed(redis, "does not load scripts");
        return;
    }
    memcpy(redis->digests[redis->scripts_loaded], digest.ptr, DIGEST_LEN);
    if (++redis->scripts_loaded == redis->options.script_count)
        became_ready(redis);
    else
        step_send(redis);
}

static void on_step_reply(void *arg, const struct redisReply *reply)
{
    struct redis *redis = arg;
    struct slice error;

    if (reply == NULL)
        return; /* lost: attempt_failed() is at work already */
    enum redis_error kind = redis_error(reply, &error);
    /* A server that refuses writes for now can still be read. */
    bool is_tolerated = redis->step == STEP_SCHEMA_SET && kind == REDIS_UNWILLING;
    if (kind != REDIS_NO_ERROR && !is_tolerated) {
        attempt_failed(redis, error.ptr);
        return;
    }
    if (redis->step == STEP_ROLE)
        take_role(redis, reply);
    else if (redis->step == STEP_SCHEMA_SET)
        step_next(redis, STEP_SCHEMA_GET);
    else if (redis->step == STEP_SCHEMA_GET)
        take_schema(redis, reply);
    else if (redis->step == STEP_SCRIPTS)
        take_script(redis, reply);
    else if (!is_ok(reply))
        attempt_failed(redis, "answers strangely");
    else
        step_next(redis, redis->step == STEP_AUTH ? STEP_SELECT : STEP_ROLE);
}

static void send_words(struct redis *redis, size_t count, const char **words)
{
    size_t lengths[4];

    for (size_t i = 0; i < count; i++)
        lengths[i] = strlen(words[i]);
    if (!redis_link_send(redis->link, count, words, lengths, on_step_reply, redis))
        attempt_failed(redis, "out of memory");
}
#define SEND_WORDS(redis, ...)                                                                     \
    do {                                                                                           \
        const char *words[] = { __VA_ARGS__ };                                                     \
        send_words((redis), COUNT(words), words);                                                  \
    } while (0)

static void send_auth(struct redis *redis)
{
    const char *user = redis->options.url->user;
    const char *password = redis->options.secrets->password;

    if (user[0] != '\0')
        SEND_WORDS(redis, "AUTH", user, password);
    else if (password[0] != '\0')
        SEND_WORDS(redis, "AUTH", password);
    else
        step_next(redis, STEP_SELECT);
}

static void send_select(struct redis *redis)
{
    char number[16];

    snprintf(number, sizeof(number), "%u", redis->options.url->db);
    SEND_WORDS(redis, "SELECT", number);
}

static void step_send(struct redis *redis)
{
    switch (redis->step) {
    case STEP_AUTH:
        send_auth(redis);
        break;
    case STEP_SELECT:
        send_select(redis);
        break;
    case STEP_ROLE:
        SEND_WORDS(redis, "ROLE");
        break;
    case STEP_SCHEMA_SET:
        SEND_WORDS(redis, "SET", "gh:schema", redis->options.schema, "NX");
        break;
    case STEP_SCHEMA_GET:
        SEND_WORDS(redis, "GET", "gh:schema");
        break;
    case STEP_SCRIPTS:
        SEND_WORDS(redis, "SCRIPT", "LOAD", redis->options.scripts[redis->scripts_loaded]);
        break;
    case STEP_WAIT:
    case STEP_FIND:
    case STEP_CONNECT:
    case STEP_READY:
        break;
    }
}

/* ---- finding and connecting ---- */

static void on_connected(void *arg)
{
    step_next(arg, STEP_AUTH);
}

static void on_lost(void *arg, const char *why)
{
    attempt_failed(arg, why);
}

static void step_connect(struct redis *redis)
{
    const struct redis_link_owner owner = { redis, on_connected, on_lost };
    unsigned patience_ms = 2 * redis->options.answer_ms;
    const struct redis_link_times times = { CONNECT_MS,
                                            patience_ms > SILENCE_MS ? patience_ms : SILENCE_MS };
    struct redis_target target = { .port = 0 };
    char why[128] = "";

    redis->step = STEP_CONNECT;
    if (redis->options.url->kind == REDIS_URL_UNIX) {
        snprintf(target.address, sizeof(target.address), "%s", redis->options.url->path);
        redis->link = redis_link_open(redis->base, &target, times, &owner, why, sizeof(why));
    } else {
        redis->link =
            redis_link_open_next(redis->base, &redis->targets, times, &owner, why, sizeof(why));
    }
    if (redis->link == NULL)
        attempt_failed(redis, why);
    else
        arm(redis, LOGIN_MS);
}

static void on_addresses(void *arg, const struct resolver_answer *answer)
{
    struct redis *redis = arg;

    if (answer->count == 0) {
        attempt_failed(redis, "name not found");
        return;
    }
    redis->targets = (struct redis_targets){ .known = *answer, .port = redis->host.port };
    step_connect(redis);
}

static void on_master_found(void *arg, const struct redis_host *host, const char *why)
{
    struct redis *redis = arg;

    if (host == NULL) {
        attempt_failed(redis, why);
        return;
    }
    redis->host = *host;
    resolver_ask(redis->resolver, redis->host.name, NAME_MS, on_addresses, redis);
}

static void attempt(struct redis *redis)
{
    redis->step = STEP_FIND;
    switch (redis->options.url->kind) {
    case REDIS_URL_UNIX:
        step_connect(redis);
        break;
    case REDIS_URL_TCP:
        redis->host = redis->options.url->hosts[0];
        resolver_ask(redis->resolver, redis->host.name, NAME_MS, on_addresses, redis);
        break;
    case REDIS_URL_SENTINEL:
        redis_sentinel_ask(redis->sentinel, on_master_found, redis);
        break;
    }
}

static void on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct redis *redis = arg;

    if (redis->step == STEP_WAIT)
        attempt(redis);
    else
        attempt_failed(redis, "no answer in time");
}

/* ---- the interface ---- */

struct redis *redis_new(struct event_base *base, const struct redis_options *options)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL)
        return NULL;
    assert(options->script_count > 0 && options->script_count <= REDIS_SCRIPTS_MAX);
    redis->base = base;
    redis->options = *options;
    redis->backoff_ms = REDIS_BACKOFF_LEAST_MS;
    snprintf(redis->problem, sizeof(redis->problem), "connecting");
    redis->timer = evtimer_new(base, on_timer, redis);
    bool is_good = redis->timer != NULL;
    if (is_good && options->url->kind != REDIS_URL_UNIX)
        is_good = (redis->resolver = resolver_new(base)) != NULL;
    if (is_good && options->url->kind == REDIS_URL_SENTINEL)
        is_good = (redis->sentinel = redis_sentinel_new(base, redis->resolver, options->url,
                                                        options->secrets)) != NULL;
    if (is_good)
        arm(redis, 0);
    else
        redis_free(&redis);
    return redis;
}

void redis_free(struct redis **pointer)
{
    struct redis *redis = *pointer;

    if (redis == NULL)
        return;
    *pointer = NULL;
    redis->step = STEP_WAIT; /* what ends now cannot send anything new */
    if (redis->timer != NULL) {
        stop(redis);
        event_free(redis->timer);
    }
    redis_sentinel_free(&redis->sentinel);
    resolver_free(&redis->resolver);
    free(redis);
}

bool redis_is_ready(const struct redis *redis)
{
    return redis->step == STEP_READY;
}

const char *redis_problem(const struct redis *redis)
{
    return redis->problem;
}

void redis_renew(struct redis *redis, const char *why)
{
    if (redis->step == STEP_READY)
        attempt_failed(redis, why);
}

bool redis_send(struct redis *redis, struct redis_args *args, redis_reply_fn *fn, void *arg)
{
    return redis->step == STEP_READY && !args->is_full && args->count > 0 &&
           redis_link_send(redis->link, args->count, args->texts, args->lengths, fn, arg);
}

bool redis_send_script(struct redis *redis, size_t script, bool with_text, struct redis_args *args,
                       redis_reply_fn *fn, void *arg)
{
    char keys[16];

    if (redis->step != STEP_READY || script >= redis->options.script_count)
        return false;
    args->texts[0] = with_text ? "EVAL" : "EVALSHA";
    args->lengths[0] = strlen(args->texts[0]);
    args->texts[1] = with_text ? redis->options.scripts[script] : redis->digests[script];
    args->lengths[1] = strlen(args->texts[1]);
    args->lengths[2] = (size_t)snprintf(keys, sizeof(keys), "%zu", args->keys);
    args->texts[2] = keys;
    return redis_send(redis, args, fn, arg);
}
