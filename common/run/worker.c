/* common/run/worker.c - see worker.h. Calls from other threads go through a list under a mutex and an eventfd that is
 * written only when the list was empty; the loops themselves need no locks (EVENT_BASE_FLAG_NOLOCK). */
#include "common/run/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TIMEOUTS_MAX = 32, THREAD_NAME_MAX = 15 };

struct post {
    struct post *next;
    worker_call *fn, *dropped;
    void *arg;
};

struct known_timeout {
    uint64_t ms;
    const struct timeval *tv; /* libevent's own: its address marks it as common */
};

struct worker {
    unsigned id;
    char name[THREAD_NAME_MAX + 1];
    const struct clock *clock;
    const struct worker_hooks *hooks;
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    struct known_timeout timeouts[TIMEOUTS_MAX];
    size_t timeout_count;
    void *state;
    struct daemon *daemon;
    struct snapshot *snapshot;
    atomic_size_t connections;

    pthread_t thread;
    bool has_thread;

    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t started;
    struct post *head, **tail;
    bool is_stopping;
    enum { START_PENDING, START_OK, START_FAILED } start;
};

static _Thread_local struct worker *current;

static void wake(struct worker *worker)
{
    static const uint64_t one = 1;

    while (write(worker->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ; /* EAGAIN: it is awake already */
}

/* Everything posted so far, in order. */
static struct post *take_posts(struct worker *worker, bool *is_stopping)
{
    pthread_mutex_lock(&worker->mutex);
    struct post *posts = worker->head;
    worker->head = NULL;
    worker->tail = &worker->head;
    if (is_stopping != NULL)
        *is_stopping = worker->is_stopping;
    pthread_mutex_unlock(&worker->mutex);
    return posts;
}

static void run_posts(evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct worker *worker = arg;
    uint64_t count;
    bool is_stopping = false;

    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    struct post *next, *post = take_posts(worker, &is_stopping);
    for (; post != NULL; post = next) {
        next = post->next;
        post->fn(worker, post->arg);
        free(post);
    }
    if (is_stopping)
        event_base_loopbreak(worker->base);
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct worker *worker_new(unsigned id, const char *name, const struct clock *clock,
                          const struct worker_hooks *hooks)
{
    struct worker *worker = calloc(1, sizeof *worker);

    if (worker == NULL)
        return NULL;
    worker->id = id;
    worker->clock = clock;
    worker->hooks = hooks;
    worker->tail = &worker->head;
    snprintf(worker->name, sizeof worker->name, "%s", name);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->started, NULL);
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->base = new_base();
    if (worker->wake_fd >= 0 && worker->base != NULL)
        worker->wake =
            event_new(worker->base, worker->wake_fd, EV_READ | EV_PERSIST, run_posts, worker);
    if (worker->wake == NULL || event_add(worker->wake, NULL))
        worker_free(&worker);
    return worker;
}

void worker_free(struct worker **worker)
{
    struct worker *gone = *worker;

    *worker = NULL;
    if (gone == NULL)
        return;
    assert(!gone->has_thread);
    struct post *next, *post = take_posts(gone, NULL);
    for (; post != NULL; post = next) {
        next = post->next;
        if (post->dropped != NULL)
            post->dropped(gone, post->arg);
        free(post);
    }
    snapshot_unref(&gone->snapshot);
    if (gone->wake != NULL)
        event_free(gone->wake);
    if (gone->base != NULL)
        event_base_free(gone->base);
    if (gone->wake_fd >= 0)
        close(gone->wake_fd);
    pthread_cond_destroy(&gone->started);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}

static void say_started(struct worker *worker, int rc)
{
    pthread_mutex_lock(&worker->mutex);
    worker->start = rc == 0 ? START_OK : START_FAILED;
    pthread_cond_signal(&worker->started);
    pthread_mutex_unlock(&worker->mutex);
}

int worker_run(struct worker *worker)
{
    int rc = 0;

    current = worker;
    if (worker->hooks != NULL && worker->hooks->start != NULL)
        rc = worker->hooks->start(worker);
    say_started(worker, rc);
    if (rc == 0) {
        event_base_loop(worker->base, EVLOOP_NO_EXIT_ON_EMPTY);
        if (worker->hooks != NULL && worker->hooks->stop != NULL)
            worker->hooks->stop(worker);
    }
    current = NULL;
    return rc;
}

static void *thread_main(void *arg)
{
    struct worker *worker = arg;

    pthread_setname_np(pthread_self(), worker->name);
    worker_run(worker);
    return NULL;
}

int worker_start(struct worker *worker)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&worker->thread, NULL, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return -1;
    worker->has_thread = true;

    pthread_mutex_lock(&worker->mutex);
    while (worker->start == START_PENDING)
        pthread_cond_wait(&worker->started, &worker->mutex);
    bool is_ok = worker->start == START_OK;
    pthread_mutex_unlock(&worker->mutex);
    if (is_ok)
        return 0;
    worker_join(worker);
    return -1;
}

void worker_stop(struct worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->is_stopping = true;
    pthread_mutex_unlock(&worker->mutex);
    wake(worker);
}

void worker_join(struct worker *worker)
{
    if (worker->has_thread)
        pthread_join(worker->thread, NULL);
    worker->has_thread = false;
}

int worker_post(struct worker *worker, worker_call *fn, void *arg)
{
    return worker_post_or(worker, fn, NULL, arg);
}

int worker_post_or(struct worker *worker, worker_call *fn, worker_call *dropped, void *arg)
{
    struct post *post = malloc(sizeof *post);

    if (post == NULL)
        return -1;
    *post = (struct post){ NULL, fn, dropped, arg };
    pthread_mutex_lock(&worker->mutex);
    bool was_empty = worker->head == NULL;
    *worker->tail = post;
    worker->tail = &post->next;
    pthread_mutex_unlock(&worker->mutex);
    if (was_empty)
        wake(worker);
    return 0;
}

int worker_do(struct worker *worker, worker_call *fn, worker_call *dropped, void *arg)
{
    if (current != worker)
        return worker_post_or(worker, fn, dropped, arg);
    fn(worker, arg);
    return 0;
}

struct event_base *worker_base(const struct worker *worker)
{
    return worker->base;
}

const struct clock *worker_clock(const struct worker *worker)
{
    return worker->clock;
}

unsigned worker_id(const struct worker *worker)
{
    return worker->id;
}

struct worker *worker_current(void)
{
    return current;
}

void *worker_state(const struct worker *worker)
{
    return worker->state;
}

void worker_set_state(struct worker *worker, void *state)
{
    worker->state = state;
}

struct daemon *worker_daemon(const struct worker *worker)
{
    return worker->daemon;
}

void worker_set_daemon(struct worker *worker, struct daemon *daemon)
{
    worker->daemon = daemon;
}

struct snapshot *worker_snapshot(const struct worker *worker)
{
    return worker->snapshot;
}

void worker_set_snapshot(struct worker *worker, struct snapshot *snapshot)
{
    struct snapshot *before = worker->snapshot;

    worker->snapshot = snapshot_ref(snapshot);
    snapshot_unref(&before);
}

size_t worker_connections(const struct worker *worker)
{
    return atomic_load_explicit(&worker->connections, memory_order_relaxed);
}

void worker_connection_opened(struct worker *worker)
{
    atomic_fetch_add_explicit(&worker->connections, 1, memory_order_relaxed);
}

void worker_connection_closed(struct worker *worker)
{
    size_t before = atomic_fetch_sub_explicit(&worker->connections, 1, memory_order_relaxed);

    assert(before > 0);
    (void)before;
}

static struct timeval to_timeval(uint64_t ms)
{
    return (struct timeval){ .tv_sec = (time_t)(ms / SECOND),
                             .tv_usec = (suseconds_t)(ms % SECOND * 1000) };
}

void worker_common_timeout(struct worker *worker, uint64_t ms)
{
    struct timeval wanted = to_timeval(ms), space;

    if (worker->timeout_count == TIMEOUTS_MAX || worker_timeout(worker, ms, &space) != &space)
        return;
    const struct timeval *tv = event_base_init_common_timeout(worker->base, &wanted);
    if (tv != NULL)
        worker->timeouts[worker->timeout_count++] = (struct known_timeout){ ms, tv };
}

const struct timeval *worker_timeout(const struct worker *worker, uint64_t ms,
                                     struct timeval *space)
{
    for (size_t i = 0; i < worker->timeout_count; i++)
        if (worker->timeouts[i].ms == ms)
            return worker->timeouts[i].tv;
    *space = to_timeval(ms);
    return space;
}
