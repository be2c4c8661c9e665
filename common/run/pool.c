/* common/run/pool.c - see pool.h. A thread that has nothing to do for a while ends, unless it is the last. For each task that waits there is a
 * thread that is idle, or one is made: nothing waits for a thread that is busy with something else. */
#include "common/run/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "common/observe/log.h"

enum { IDLE_S = 10 };

struct pool {
    const char *name;
    size_t threads_max;
    pthread_mutex_t mutex; /* for all that follows */
    pthread_cond_t wanted; /* there is work, or an end */
    pthread_cond_t ended; /* a thread has ended */
    struct pool_task *first, **last;
    size_t waiting; /* tasks */
    size_t threads, idle;
    bool is_ending;
    struct log_change trouble;
};

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0)
        return -1;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return rc == 0 ? 0 : -1;
}

/* ---- a thread; the mutex is held ---- */

/* False: none came in time. */
static bool wait_for_work(struct pool *pool)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_S;
    pool->idle++;
    while (pool->first == NULL && !pool->is_ending && rc != ETIMEDOUT)
        rc = pool->threads == 1 ? pthread_cond_wait(&pool->wanted, &pool->mutex)
                                : pthread_cond_timedwait(&pool->wanted, &pool->mutex, &until);
    pool->idle--;
    return pool->first != NULL;
}

static struct pool_task *take(struct pool *pool)
{
    struct pool_task *task = pool->first;

    pool->first = task->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    pool->waiting--;
    return task;
}

static void *thread_main(void *arg)
{
    struct pool *pool = arg;

    pthread_setname_np(pthread_self(), pool->name);
    pthread_mutex_lock(&pool->mutex);
    while (pool->first != NULL || wait_for_work(pool)) {
        struct pool_task *task = take(pool);
        pthread_mutex_unlock(&pool->mutex);
        task->run(task);
        pthread_mutex_lock(&pool->mutex);
    }
    pool->threads--;
    pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

static int start_thread(struct pool *pool)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, thread_main, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return rc;
}

static void pool_discard(struct pool *pool)
{
    pthread_cond_destroy(&pool->wanted);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

struct pool *pool_new(const char *name, size_t threads_max)
{
    struct pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL || init_condition(&pool->wanted)) {
        free(pool);
        return NULL;
    }
    pthread_cond_init(&pool->ended, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pool->name = name;
    pool->threads_max = threads_max;
    pool->last = &pool->first;
    pool->threads = 1;
    if (start_thread(pool) == 0)
        return pool;
    pool_discard(pool);
    return NULL;
}

/* ---- handing over ---- */

static void make_thread(struct pool *pool)
{
    int rc = start_thread(pool);

    if (rc == 0) {
        pool->threads++;
        log_once_per_change(&pool->trouble, 0, LOG_LEVEL_INFO, "%s: there are threads again",
                            pool->name);
        return;
    }
    log_once_per_change(&pool->trouble, 1, LOG_LEVEL_ERROR,
                        "%s: no more than %zu threads: %s (TasksMax); work waits", pool->name,
                        pool->threads, strerror(rc));
}

void pool_run(struct pool *pool, struct pool_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    assert(!pool->is_ending);
    *pool->last = task;
    pool->last = &task->next;
    pool->waiting++;
    if (pool->waiting > pool->idle && pool->threads < pool->threads_max)
        make_thread(pool);
    pthread_cond_signal(&pool->wanted);
    pthread_mutex_unlock(&pool->mutex);
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
    pthread_cond_broadcast(&gone->wanted);
    while (gone->threads > 0)
        pthread_cond_wait(&gone->ended, &gone->mutex);
    pthread_mutex_unlock(&gone->mutex);
    pool_discard(gone);
}
