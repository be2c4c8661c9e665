/* common/net/redis_link.c - see redis_link.h. */
#include "common/net/redis_link.h"

#include <errno.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <sys/socket.h>

struct pending {
    redis_reply_fn *fn;
    void *arg;
};

struct redis_link {
    redisContext *context; /* owned; its descriptor too */
    struct redis_bounds bounds;
    struct event *readable, *writable, *timer; /* owned */
    struct redis_link_owner owner;
    struct redis_link_times times;
    bool is_connected;
    bool is_lost; /* said to the owner; nothing is done any more */
    bool is_busy; /* inside a callback of ours: freed when it ends */
    bool is_closed; /* the owner has let go */
    bool has_progress; /* a reply came since the timer was set */
    bool is_flush_due;
    struct pending *ring; /* owned; grows to REDIS_LINK_PENDING_MOST */
    size_t ring_size, head, count;
};

enum { RING_FIRST = 64 };

static void arm(struct event *timer, unsigned ms)
{
    const struct timeval delay = { ms / 1000, (ms % 1000) * 1000 };

    evtimer_add(timer, &delay);
}

static void lose(struct redis_link *link, const char *why)
{
    if (link->is_lost || link->is_closed)
        return;
    link->is_lost = true;
    event_del(link->readable);
    event_del(link->writable);
    evtimer_del(link->timer);
    link->owner.lost(link->owner.arg, why);
}

static void dispose(struct redis_link *link)
{
    if (link->readable != NULL)
        event_free(link->readable);
    if (link->writable != NULL)
        event_free(link->writable);
    if (link->timer != NULL)
        event_free(link->timer);
    if (link->context != NULL)
        redisFree(link->context);
    free(link->ring);
    free(link);
}

/* Brackets every callback of the loop: closing in between must not free what is in use. */
static void leave(struct redis_link *link)
{
    link->is_busy = false;
    if (link->is_closed)
        dispose(link);
}

/* ---- commands under way, in the order of their answers ---- */

static bool ring_grow(struct redis_link *link)
{
    size_t size = link->ring_size == 0 ? RING_FIRST : link->ring_size * 2;

    if (size > REDIS_LINK_PENDING_MOST)
        return false;
    struct pending *ring = calloc(size, sizeof(*ring));
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < link->count; i++)
        ring[i] = link->ring[(link->head + i) % link->ring_size];
    free(link->ring);
    link->ring = ring;
    link->ring_size = size;
    link->head = 0;
    return true;
}

static struct pending ring_take(struct redis_link *link)
{
    struct pending first = link->ring[link->head];

    link->head = (link->head + 1) % link->ring_size;
    link->count--;
    return first;
}

/* ---- events ---- */

static void flush(struct redis_link *link)
{
    int done = 0;

    if (redisBufferWrite(link->context, &done) != REDIS_OK)
        lose(link, link->context->errstr);
    else if (!done)
        event_add(link->writable, NULL);
}

static void finish_connect(struct redis_link *link)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(link->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        lose(link, strerror(error));
        return;
    }
    link->is_connected = true;
    evtimer_del(link->timer);
    event_add(link->readable, NULL);
    link->owner.connected(link->owner.arg);
}

static void on_writable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct redis_link *link = arg;

    link->is_busy = true;
    link->is_flush_due = false;
    if (link->is_lost)
        event_del(link->writable);
    else if (!link->is_connected)
        finish_connect(link);
    else
        flush(link);
    leave(link);
}

static void answer(struct redis_link *link, void *reply)
{
    if (link->count == 0) {
        lose(link, "a reply that nobody asked for");
    } else {
        struct pending first = ring_take(link);
        link->has_progress = true;
        first.fn(first.arg, reply);
    }
}

static void on_readable(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct redis_link *link = arg;
    redisReader *reader = link->context->reader;
    void *reply = NULL;

    link->is_busy = true;
    if (redisBufferRead(link->context) != REDIS_OK)
        lose(link, link->context->errstr);
    while (!link->is_lost && !link->is_closed) {
        if (redisReaderGetReply(reader, &reply) != REDIS_OK)
            lose(link, reader->errstr);
        else if (reply != NULL)
            answer(link, reply);
        else
            break;
        if (reply != NULL)
            freeReplyObject(reply);
        reply = NULL;
    }
    if (!link->is_closed && reader->len > REDIS_REPLY_BYTES_MOST)
        lose(link, "a reply that is too long");
    leave(link);
}

static void on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct redis_link *link = arg;

    link->is_busy = true;
    if (!link->is_connected) {
        lose(link, "no connection in time");
    } else if (link->count > 0) {
        if (link->has_progress)
            arm(link->timer, link->times.silence_ms);
        else
            lose(link, "no answer in time");
        link->has_progress = false;
    }
    leave(link);
}

/* ---- the interface ---- */

static bool prepare(struct redis_link *link, struct event_base *base)
{
    int fd = link->context->fd;

    redis_reader_bound(link->context->reader, &link->bounds);
    link->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(base, fd, EV_WRITE, on_writable, link);
    link->timer = evtimer_new(base, on_timer, link);
    return link->readable != NULL && link->writable != NULL && link->timer != NULL &&
           ring_grow(link) && event_add(link->writable, NULL) == 0;
}

struct redis_link *redis_link_open(struct event_base *base, const struct redis_target *target,
                                   struct redis_link_times times,
                                   const struct redis_link_owner *owner, char *why, size_t size)
{
    struct redis_link *link = calloc(1, sizeof(*link));

    if (link != NULL)
        link->context = target->port == 0 ? redisConnectUnixNonBlock(target->address)
                                          : redisConnectNonBlock(target->address, target->port);
    if (link == NULL || link->context == NULL) {
        snprintf(why, size, "out of memory");
        free(link);
        return NULL;
    }
    link->owner = *owner;
    link->times = times;
    if (link->context->err != 0 || !prepare(link, base)) {
        snprintf(why, size, "%s",
                 link->context->err != 0 ? link->context->errstr : "out of memory");
        dispose(link);
        return NULL;
    }
    arm(link->timer, times.connect_ms);
    return link;
}

bool redis_targets_left(const struct redis_targets *targets)
{
    return targets->next < targets->known.count;
}

struct redis_link *redis_link_open_next(struct event_base *base, struct redis_targets *targets,
                                        struct redis_link_times times,
                                        const struct redis_link_owner *owner, char *why,
                                        size_t size)
{
    struct redis_target target = { .port = targets->port };
    struct redis_link *link = NULL;

    while (link == NULL && redis_targets_left(targets)) {
        snprintf(target.address, sizeof(target.address), "%s",
                 targets->known.addresses[targets->next++]);
        link = redis_link_open(base, &target, times, owner, why, size);
    }
    return link;
}

void redis_link_close(struct redis_link **pointer)
{
    struct redis_link *link = *pointer;

    if (link == NULL || link->is_closed)
        return;
    *pointer = NULL;
    link->is_closed = link->is_lost = true;
    event_del(link->readable);
    event_del(link->writable);
    evtimer_del(link->timer);
    while (link->count > 0) {
        struct pending first = ring_take(link);
        first.fn(first.arg, NULL);
    }
    if (!link->is_busy)
        dispose(link);
}

bool redis_link_send(struct redis_link *link, size_t count, const char **texts,
                     const size_t *lengths, redis_reply_fn *fn, void *arg)
{
    if (!link->is_connected || link->is_lost || count > INT32_MAX ||
        (link->count == link->ring_size && !ring_grow(link)))
        return false;
    if (redisAppendCommandArgv(link->context, (int)count, texts, lengths) != REDIS_OK)
        return false;
    link->ring[(link->head + link->count) % link->ring_size] = (struct pending){ fn, arg };
    if (link->count++ == 0) {
        link->has_progress = false;
        arm(link->timer, link->times.silence_ms);
    }
    if (!link->is_flush_due) { /* once per round of the loop: all that is due goes out in one write */
        link->is_flush_due = true;
        event_active(link->writable, EV_WRITE, 0);
    }
    return true;
}
