/* common/run/acceptor.c - see acceptor.h. */
#include "common/run/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/run/descriptors.h"

enum { ACCEPT_BATCH = 64, LISTENERS_MAX = 128, PAUSE_MS = 100 };
/* A peer that vanished without a word is noticed after IDLE + COUNT * INTERVAL seconds. */
enum { KEEPALIVE_IDLE_S = 120, KEEPALIVE_INTERVAL_S = 30, KEEPALIVE_COUNT = 4 };

/* Why, for the log. */
enum { REFUSING_NONE, REFUSING_CAP, REFUSING_RESERVE, REFUSING_ALL };

struct source {
    struct acceptor *acceptor;
    struct event *event;
    int fd;
    unsigned listener;
};

struct acceptor {
    struct worker *home; /* whose loop accepts */
    struct worker *const *workers;
    size_t worker_count, max_connections;
    accept_call *accept;
    struct source sources[LISTENERS_MAX];
    size_t source_count;
    int reserve; /* a descriptor to give up when there is no other: to accept, and close, what waits */
    struct event *resume;
    struct log_change refusing;
};

/* A connection on its way to its worker. */
struct handover {
    accept_call *accept;
    int fd;
    unsigned listener;
};

enum { ACCEPTED, REFUSED };
static struct metric metrics[] = {
    [ACCEPTED] =
        METRIC("gatehouse_connections_accepted_total", METRIC_COUNTER, "Connections accepted."),
    [REFUSED] = METRIC_BY("gatehouse_connections_refused_total", METRIC_COUNTER,
                          "Connections closed at once, by what there was too little of.", "for"),
};
static metric_id refused_cap, refused_descriptors;

static size_t all_connections(const struct acceptor *acceptor)
{
    size_t all = 0;

    for (size_t i = 0; i < acceptor->worker_count; i++)
        all += worker_connections(acceptor->workers[i]);
    return all;
}

static struct worker *least_busy(const struct acceptor *acceptor)
{
    struct worker *best = acceptor->workers[0];

    for (size_t i = 1; i < acceptor->worker_count; i++)
        if (worker_connections(acceptor->workers[i]) < worker_connections(best))
            best = acceptor->workers[i];
    return best;
}

static void deliver(struct worker *worker, void *arg)
{
    struct handover *handover = arg;
    struct handover copy = *handover;

    free(handover);
    copy.accept(worker, copy.fd, copy.listener);
}

static void drop(struct worker *worker, void *arg)
{
    struct handover *handover = arg;

    close(handover->fd);
    free(handover);
    worker_connection_closed(worker);
}

static void hand_over(struct acceptor *acceptor, int fd, unsigned listener)
{
    struct handover *handover = malloc(sizeof *handover);
    struct worker *worker = least_busy(acceptor);

    if (handover == NULL) {
        close(fd);
        return;
    }
    *handover = (struct handover){ acceptor->accept, fd, listener };
    worker_connection_opened(worker);
    metric_add(metric_of(&metrics[ACCEPTED]), 1);
    if (worker_post_or(worker, deliver, drop, handover))
        drop(worker, handover);
}

/* Without effect on unix sockets. */
static void set_tcp_options(int fd)
{
    static const int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S,
                     count = KEEPALIVE_COUNT;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* Is there room for one more, with this descriptor? */
static bool has_room(struct acceptor *acceptor, int fd)
{
    if (all_connections(acceptor) >= acceptor->max_connections) {
        metric_add(refused_cap, 1);
        log_once_per_change(&acceptor->refusing, REFUSING_CAP, LOG_LEVEL_WARNING,
                            "all %zu connections are in use, refusing more (max_connections)",
                            acceptor->max_connections);
        return false;
    }
    if (!descriptors_leave_reserve(fd)) {
        metric_add(refused_descriptors, 1);
        log_once_per_change(&acceptor->refusing, REFUSING_RESERVE, LOG_LEVEL_WARNING,
                            "%zu connections, and of %zu file descriptors the last quarter is for "
                            "work: refusing more (LimitNOFILE)",
                            all_connections(acceptor), descriptors_limit());
        return false;
    }
    return true;
}

static void take(struct acceptor *acceptor, int fd, unsigned listener)
{
    if (!has_room(acceptor, fd)) {
        close(fd);
        return;
    }
    set_tcp_options(fd);
    hand_over(acceptor, fd, listener);
    log_once_per_change(&acceptor->refusing, REFUSING_NONE, LOG_LEVEL_INFO,
                        "accepting connections again");
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left: a connection that waits is closed, so that its client knows. False: even that did not work. */
static bool refuse_one(struct acceptor *acceptor, int listen_fd)
{
    if (acceptor->reserve < 0)
        return false;
    close(acceptor->reserve);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        close(fd);
        metric_add(refused_descriptors, 1);
    }
    acceptor->reserve = open_reserve();
    log_once_per_change(&acceptor->refusing, REFUSING_ALL, LOG_LEVEL_WARNING,
                        "no file descriptor left, refusing connections (LimitNOFILE)");
    return fd >= 0 && acceptor->reserve >= 0;
}

/* The kernel is short of something: again in a moment, instead of at once and for ever. */
static void pause_accepting(struct acceptor *acceptor)
{
    struct timeval space;

    for (size_t i = 0; i < acceptor->source_count; i++)
        event_del(acceptor->sources[i].event);
    event_add(acceptor->resume, worker_timeout(acceptor->home, PAUSE_MS, &space));
}

static void resume_accepting(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct acceptor *acceptor = arg;

    if (acceptor->reserve < 0)
        acceptor->reserve = open_reserve();
    for (size_t i = 0; i < acceptor->source_count; i++)
        event_add(acceptor->sources[i].event, NULL);
}

/* False: nothing more can be accepted now. */
static bool accept_one(struct source *source)
{
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        take(source->acceptor, fd, source->listener);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        if (refuse_one(source->acceptor, source->fd))
            return true;
        pause_accepting(source->acceptor);
        return false;
    case ENOBUFS:
    case ENOMEM:
        pause_accepting(source->acceptor);
        return false;
    default:
        return true; /* that connection is gone already (ECONNABORTED, network errors) */
    }
}

static void accept_some(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    for (size_t i = 0; i < ACCEPT_BATCH && accept_one(arg); i++)
        ;
}

static void register_metrics(void)
{
    struct slice cap = SLICE("max_connections"), descriptors = SLICE("descriptors");

    metrics_register(metrics, COUNT(metrics));
    refused_cap = metric_series(&metrics[REFUSED], &cap);
    refused_descriptors = metric_series(&metrics[REFUSED], &descriptors);
}

struct acceptor *acceptor_new(struct worker *home, struct worker *const *workers,
                              size_t worker_count, size_t max_connections, accept_call *accept)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);

    if (acceptor == NULL)
        return NULL;
    acceptor->home = home;
    acceptor->workers = workers;
    acceptor->worker_count = worker_count;
    acceptor->max_connections = max_connections;
    acceptor->accept = accept;
    register_metrics();
    acceptor->reserve = open_reserve();
    acceptor->resume = event_new(worker_base(home), -1, 0, resume_accepting, acceptor);
    if (acceptor->reserve < 0 || acceptor->resume == NULL)
        acceptor_free(&acceptor);
    if (max_connections > descriptors_for_connections())
        log_info("max_connections = %zu, yet there are file descriptors for %zu (LimitNOFILE)",
                 max_connections, descriptors_for_connections());
    return acceptor;
}

int acceptor_add(struct acceptor *acceptor, int listen_fd, unsigned listener)
{
    if (acceptor->source_count == LISTENERS_MAX)
        return -1;
    struct source *source = &acceptor->sources[acceptor->source_count];
    *source = (struct source){ .acceptor = acceptor, .fd = listen_fd, .listener = listener };
    source->event = event_new(worker_base(acceptor->home), listen_fd, EV_READ | EV_PERSIST,
                              accept_some, source);
    if (source->event == NULL)
        return -1;
    acceptor->source_count++;
    return event_add(source->event, NULL);
}

void acceptor_stop(struct acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->source_count; i++)
        event_free(acceptor->sources[i].event);
    acceptor->source_count = 0;
    event_del(acceptor->resume);
}

void acceptor_free(struct acceptor **acceptor)
{
    struct acceptor *gone = *acceptor;

    *acceptor = NULL;
    if (gone == NULL)
        return;
    if (gone->resume != NULL) {
        acceptor_stop(gone);
        event_free(gone->resume);
    }
    if (gone->reserve >= 0)
        close(gone->reserve);
    free(gone);
}
