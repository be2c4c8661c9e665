/* common/net/redis_sentinel.c - see redis_sentinel.h. Steps: name -> connection -> AUTH (if it has a password) ->
 * SENTINEL get-master-addr-by-name -> answer, or the same with its next address, or with the next one. */
#include "common/net/redis_sentinel.h"

#include <event2/event.h>

#include "common/net/redis_link.h"
#include "common/net/resolver.h"

enum { NAME_MS = 100, ANSWER_MS = 100 };

struct redis_sentinel {
    struct event_base *base;
    struct resolver *resolver;
    const struct redis_url *url;
    const struct redis_secrets *secrets;
    struct event *next; /* owned; from one sentinel to the next, and the deadline of one */
    struct redis_link *link; /* owned; NULL: none */
    struct redis_targets targets; /* the addresses of the one being asked */
    size_t at; /* the one being asked, or asked first next time */
    size_t asked;
    redis_sentinel_fn *fn; /* NULL: no question */
    void *arg;
    char why[160];
};

static void finish(struct redis_sentinel *sentinel, const struct redis_host *host)
{
    redis_sentinel_fn *fn = sentinel->fn;

    redis_sentinel_stop(sentinel);
    fn(sentinel->arg, host, sentinel->why);
}

static void schedule(struct redis_sentinel *sentinel, unsigned ms)
{
    const struct timeval delay = { 0, ms * 1000 };

    evtimer_add(sentinel->next, &delay);
}

static void on_connected(void *arg);
static void on_lost(void *arg, const char *why);

/* This one is of no use: the next one is asked from the loop. */
static void give_up(struct redis_sentinel *sentinel, const char *why)
{
    const struct redis_host *host = &sentinel->url->hosts[sentinel->at];

    snprintf(sentinel->why, sizeof(sentinel->why), "sentinel %.60s:%u: %.80s", host->name,
             host->port, why);
    redis_link_close(&sentinel->link);
    sentinel->asked++;
    sentinel->at = (sentinel->at + 1) % sentinel->url->host_count;
    schedule(sentinel, 0);
}

/* Its address in hand, if any, is of no use, and its next one is asked; with none left it is of no use itself. */
static void ask_next_address(struct redis_sentinel *sentinel, const char *why)
{
    const struct redis_link_owner owner = { sentinel, on_connected, on_lost };
    char said[128];

    snprintf(said, sizeof(said), "%s", why);
    redis_link_close(&sentinel->link);
    if (redis_targets_left(&sentinel->targets)) {
        const unsigned share_ms = ANSWER_MS / (unsigned)sentinel->targets.known.count;
        const struct redis_link_times times = { share_ms, share_ms };
        sentinel->link = redis_link_open_next(sentinel->base, &sentinel->targets, times, &owner,
                                              said, sizeof(said));
    }
    if (sentinel->link == NULL)
        give_up(sentinel, said);
}

static bool parse_master(const struct redisReply *reply, struct redis_host *host)
{
    struct slice name, port;
    uint64_t number;

    if (!redis_text(redis_item(reply, 0), &name) || !redis_text(redis_item(reply, 1), &port) ||
        name.len == 0 || name.len >= sizeof(host->name) ||
        memchr(name.ptr, '\0', name.len) != NULL || !slice_to_u64(port, &number) || number == 0 ||
        number > UINT16_MAX)
        return false;
    memcpy(host->name, name.ptr, name.len);
    host->name[name.len] = '\0';
    host->port = (uint16_t)number;
    return true;
}

static void on_master(void *arg, const struct redisReply *reply)
{
    struct redis_sentinel *sentinel = arg;
    struct redis_host host;
    struct slice error;

    if (reply == NULL || sentinel->fn == NULL)
        return; /* lost or stopped: said elsewhere */
    if (parse_master(reply, &host))
        finish(sentinel, &host);
    else if (redis_error(reply, &error) != REDIS_NO_ERROR)
        ask_next_address(sentinel, error.ptr);
    else
        ask_next_address(sentinel, "does not know the master");
}

static void on_auth(void *arg, const struct redisReply *reply)
{
    struct redis_sentinel *sentinel = arg;
    const char *texts[] = { "SENTINEL", "get-master-addr-by-name", sentinel->url->master };
    const size_t lengths[] = { 8, 23, strlen(sentinel->url->master) };
    struct slice error;

    if (sentinel->fn == NULL || sentinel->link == NULL)
        return;
    if (redis_error(reply, &error) != REDIS_NO_ERROR)
        ask_next_address(sentinel, error.ptr);
    else if (!redis_link_send(sentinel->link, COUNT(texts), texts, lengths, on_master, sentinel))
        ask_next_address(sentinel, "out of memory");
}

static void on_connected(void *arg)
{
    struct redis_sentinel *sentinel = arg;
    const struct redis_secrets *secrets = sentinel->secrets;
    const char *texts[] = { "AUTH", secrets->sentinel_user, secrets->sentinel_password };
    const size_t lengths[] = { 4, strlen(texts[1]), strlen(texts[2]) };
    const char *plain[] = { "AUTH", secrets->sentinel_password };
    const size_t plain_lengths[] = { 4, strlen(plain[1]) };
    bool is_sent;

    if (secrets->sentinel_password[0] == '\0') {
        on_auth(sentinel, NULL);
        return;
    }
    if (secrets->sentinel_user[0] == '\0')
        is_sent = redis_link_send(sentinel->link, 2, plain, plain_lengths, on_auth, sentinel);
    else
        is_sent = redis_link_send(sentinel->link, 3, texts, lengths, on_auth, sentinel);
    if (!is_sent)
        ask_next_address(sentinel, "out of memory");
}

static void on_lost(void *arg, const char *why)
{
    ask_next_address(arg, why);
}

static void on_name(void *arg, const struct resolver_answer *answer)
{
    struct redis_sentinel *sentinel = arg;

    sentinel->targets =
        (struct redis_targets){ .known = *answer, .port = sentinel->url->hosts[sentinel->at].port };
    schedule(sentinel, ANSWER_MS); /* for all addresses together */
    ask_next_address(sentinel, "name not found");
}

static void on_next(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct redis_sentinel *sentinel = arg;

    if (sentinel->link != NULL) {
        give_up(sentinel, "no answer in time");
    } else if (sentinel->asked == sentinel->url->host_count) {
        finish(sentinel, NULL);
    } else {
        resolver_ask(sentinel->resolver, sentinel->url->hosts[sentinel->at].name, NAME_MS, on_name,
                     sentinel);
    }
}

struct redis_sentinel *redis_sentinel_new(struct event_base *base, struct resolver *resolver,
                                          const struct redis_url *url,
                                          const struct redis_secrets *secrets)
{
    struct redis_sentinel *sentinel = calloc(1, sizeof(*sentinel));

    if (sentinel == NULL)
        return NULL;
    sentinel->base = base;
    sentinel->resolver = resolver;
    sentinel->url = url;
    sentinel->secrets = secrets;
    sentinel->next = evtimer_new(base, on_next, sentinel);
    if (sentinel->next == NULL) {
        free(sentinel);
        return NULL;
    }
    return sentinel;
}

void redis_sentinel_free(struct redis_sentinel **sentinel)
{
    if (*sentinel == NULL)
        return;
    redis_sentinel_stop(*sentinel);
    event_free((*sentinel)->next);
    free(*sentinel);
    *sentinel = NULL;
}

void redis_sentinel_stop(struct redis_sentinel *sentinel)
{
    sentinel->fn = NULL;
    evtimer_del(sentinel->next);
    resolver_stop(sentinel->resolver);
    redis_link_close(&sentinel->link);
}

void redis_sentinel_ask(struct redis_sentinel *sentinel, redis_sentinel_fn *fn, void *arg)
{
    sentinel->fn = fn;
    sentinel->arg = arg;
    sentinel->asked = 0;
    snprintf(sentinel->why, sizeof(sentinel->why), "no sentinel");
    schedule(sentinel, 0);
}
