/* common/run/pool.c - see pool.h. A thread that has nothing to do for a while ends, unless it is the last. For each task that
 * waits there is a thread that is idle, or one is made: nothing waits for a thread that is busy with something else. */
#include "common/run/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>

#include "common/base/wake.h"
#include "common/observe/log.h"

enum { IDLE_MS = 10000 };

/* A thread. It sleeps on a semaphore of its own, so whoever hands over work wakes this one and nobody else, and holds no lock
 * that it wants: with one condition for all of them a message cost 30 futex calls. */
struct pool_thread {
    struct pool *pool;
    sem_t wake; /* it has been given a task, or the end has come */
    struct pool_task *task; /* given; the pool's mutex */
    struct pool_thread *next; /* of the idle ones */
};

struct pool {
    const char *name;
    size_t threads_max;
    pthread_mutex_t mutex; /* for all that follows */
    pthread_cond_t ended; /* a thread has ended */
    struct pool_task *first, **last; /* waits for a thread, there being threads_max */
    struct pool_thread *idle; /* who slept last comes first: its memory is still in the cache */
    size_t threads;
    bool is_ending;
    struct log_change trouble;
};

/* ---- a thread ---- */

/* The mutex is held. NULL: none waits. */
static struct pool_task *take(struct pool *pool)
{
    struct pool_task *task = pool->first;

    if (task == NULL)
        return NULL;
    pool->first = task->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    return task;
}

/* The mutex is held. False: it is not there any more, work is being given to it. */
static bool leave_idle(struct pool_thread *self)
{
    struct pool_thread **link = &self->pool->idle;

    while (*link != NULL && *link != self)
        link = &(*link)->next;
    if (*link == NULL)
        return false;
    *link = self->next;
    return true;
}

/* Until it is woken. False: nobody did for a while, and it is not the last thread. */
static bool sleep_idle(struct pool_thread *self)
{
    struct pool *pool = self->pool;

    for (;;) {
        struct timespec until = wake_after(IDLE_MS);
        if (sem_clockwait(&self->wake, CLOCK_MONOTONIC, &until) == 0)
            return true;
        if (errno != ETIMEDOUT)
            continue;
        pthread_mutex_lock(&pool->mutex);
        bool ends = pool->threads > 1 && leave_idle(self);
        pthread_mutex_unlock(&pool->mutex);
        if (ends)
            return false;
    }
}

/* The next task, waiting for it. NULL: the thread is to end. */
static struct pool_task *next_task(struct pool_thread *self)
{
    struct pool *pool = self->pool;

    pthread_mutex_lock(&pool->mutex);
    struct pool_task *task = take(pool);
    if (task == NULL && !pool->is_ending) {
        self->task = NULL;
        self->next = pool->idle;
        pool->idle = self;
        pthread_mutex_unlock(&pool->mutex);
        if (!sleep_idle(self))
            return NULL;
        pthread_mutex_lock(&pool->mutex);
        task = self->task;
    }
    pthread_mutex_unlock(&pool->mutex);
    return task;
}

static void thread_free(struct pool_thread *thread)
{
    sem_destroy(&thread->wake);
    free(thread);
}

static void *thread_main(void *arg)
{
    struct pool_thread *self = arg;
    struct pool *pool = self->pool;

    pthread_setname_np(pthread_self(), pool->name);
    for (struct pool_task *task = self->task; task != NULL; task = next_task(self))
        task->run(task);
    thread_free(self);
    pthread_mutex_lock(&pool->mutex);
    pool->threads--;
    pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Begins with `task`. An error number, or 0. */
static int start_thread(struct pool *pool, struct pool_task *task)
{
    struct pool_thread *self = calloc(1, sizeof *self);
    sigset_t all, before;
    pthread_t thread;

    if (self == NULL)
        return ENOMEM;
    self->pool = pool;
    self->task = task;
    sem_init(&self->wake, 0, 0);
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, thread_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    else
        thread_free(self);
    return rc;
}

/* ---- pools ---- */

static void nothing(UNUSED struct pool_task *task)
{
}

struct pool *pool_new(const char *name, size_t threads_max)
{
    static struct pool_task first = { .run = nothing };
    struct pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL)
        return NULL;
    pthread_cond_init(&pool->ended, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pool->name = name;
    pool->threads_max = threads_max;
    pool->last = &pool->first;
    pool->threads = 1;
    if (start_thread(pool, &first) == 0) /* one there always is */
        return pool;
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
    return NULL;
}

/* ---- handing over ---- */

/* The mutex is held. False: it cannot be had, the task waits. */
static bool make_thread(struct pool *pool, struct pool_task *task)
{
    int rc = start_thread(pool, task);

    if (rc == 0) {
        pool->threads++;
        log_once_per_change(&pool->trouble, 0, LOG_LEVEL_INFO, "%s: there are threads again",
                            pool->name);
        return true;
    }
    log_once_per_change(&pool->trouble, 1, LOG_LEVEL_ERROR,
                        "%s: no more than %zu threads: %s (TasksMax); work waits", pool->name,
                        pool->threads, strerror(rc));
    return false;
}

void pool_run(struct pool *pool, struct pool_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    assert(!pool->is_ending);
    struct pool_thread *thread = pool->idle;
    if (thread != NULL) {
        pool->idle = thread->next;
        thread->task = task;
    } else if (pool->threads >= pool->threads_max || !make_thread(pool, task)) {
        *pool->last = task;
        pool->last = &task->next;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (thread != NULL)
        sem_post(&thread->wake);
}

size_t pool_threads(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    size_t threads = pool->threads;
    pthread_mutex_unlock(&pool->mutex);
    return threads;
}

void pool_free(struct pool **pool)
{
    struct pool *gone = *pool;

    *pool = NULL;
    if (gone == NULL)
        return;
    pthread_mutex_lock(&gone->mutex);
    gone->is_ending = true;
    for (struct pool_thread *thread = gone->idle, *next; thread != NULL; thread = next) {
        next = thread->next;
        sem_post(&thread->wake); /* without a task: it ends */
    }
    gone->idle = NULL;
    while (gone->threads > 0)
        pthread_cond_wait(&gone->ended, &gone->mutex);
    pthread_mutex_unlock(&gone->mutex);
    pthread_cond_destroy(&gone->ended);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}
