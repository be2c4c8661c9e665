/* common/milter/job.c - see job.h. Two sides hold a reference each, and every call that is on its way to the loop; the
 * state says whose the work is. */
#include "common/milter/job.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

#include "common/base/wake.h"

enum state {
    BEGINNING, /* on its way to the loop */
    RUNNING,
    DONE,
    FAILED, /* the loop ended first */
    ABANDONED,
};

struct job {
    const struct job_kind *kind;
    struct worker *worker;
    void *work;
    atomic_uint references;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    enum state state; /* written with the mutex held */
};

static void unref(struct job *job)
{
    unsigned before = atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel);

    assert(before > 0);
    if (before > 1)
        return;
    job->kind->release(job->work);
    pthread_cond_destroy(&job->ended);
    pthread_mutex_destroy(&job->mutex);
    free(job);
}

static struct job *ref(struct job *job)
{
    atomic_fetch_add_explicit(&job->references, 1, memory_order_relaxed);
    return job;
}

static enum state state_of(struct job *job)
{
    pthread_mutex_lock(&job->mutex);
    enum state state = job->state;
    pthread_mutex_unlock(&job->mutex);
    return state;
}

static void set_state(struct job *job, enum state state)
{
    pthread_mutex_lock(&job->mutex);
    job->state = state;
    if (state == DONE || state == FAILED)
        pthread_cond_broadcast(&job->ended);
    pthread_mutex_unlock(&job->mutex);
}

/* ---- on the loop ---- */

static void run_start(UNUSED struct worker *worker, void *arg)
{
    struct job *job = arg;

    set_state(job, RUNNING);
    job->kind->start(job, job->work);
}

static void drop_start(UNUSED struct worker *worker, void *arg)
{
    set_state(arg, FAILED);
    unref(arg);
}

void job_done(struct job *job)
{
    assert(job->state == RUNNING);
    set_state(job, DONE);
    unref(job);
}

static void run_abandon(UNUSED struct worker *worker, void *arg)
{
    struct job *job = arg;

    if (state_of(job) == RUNNING) {
        set_state(job, ABANDONED);
        job->kind->abandon(job->work);
        unref(job);
    }
    unref(job);
}

/* Of a call of the waiter's; the loop ended, and what ran on it has been ended by whoever ended it. */
static void drop_call(UNUSED struct worker *worker, void *arg)
{
    unref(arg);
}

struct call {
    struct job *job;
    void (*fn)(void *work);
};

static void run_call(UNUSED struct worker *worker, void *arg)
{
    struct call call = *(struct call *)arg;

    free(arg);
    if (state_of(call.job) == RUNNING)
        call.fn(call.job->work);
    unref(call.job);
}

static void drop_posted(UNUSED struct worker *worker, void *arg)
{
    struct call *call = arg;

    unref(call->job);
    free(call);
}

/* ---- the waiter's side ---- */

struct job *job_start(struct worker *worker, const struct job_kind *kind, void *work)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        kind->release(work);
        return NULL;
    }
    wake_init(&job->mutex, &job->ended);
    job->kind = kind;
    job->worker = worker;
    job->work = work;
    atomic_init(&job->references, 2);
    if (worker_do(worker, run_start, drop_start, job) == 0)
        return job;
    unref(job);
    unref(job);
    return NULL;
}

int job_post(struct job *job, void (*fn)(void *work))
{
    struct call *call;

    if (worker_current() == job->worker) {
        if (job->state == RUNNING)
            fn(job->work);
        return 0;
    }
    call = malloc(sizeof *call);
    if (call == NULL)
        return -1;
    *call = (struct call){ ref(job), fn };
    if (worker_post_or(job->worker, run_call, drop_posted, call) == 0)
        return 0;
    drop_posted(job->worker, call);
    return -1;
}

static uint64_t now_ms(void)
{
    return clock_system.now_ms(&clock_system);
}

/* Until it has ended, or this point in time. The mutex is held. */
static enum state wait_until(struct job *job, uint64_t at_ms)
{
    struct timespec at = { .tv_sec = (time_t)(at_ms / SECOND),
                           .tv_nsec = (long)(at_ms % SECOND * 1000000) };

    while (job->state != DONE && job->state != FAILED &&
           pthread_cond_timedwait(&job->ended, &job->mutex, &at) != ETIMEDOUT)
        ;
    return job->state;
}

enum job_result job_wait(struct job *job, uint64_t timeout_ms, uint64_t progress_ms,
                         bool (*progress)(void *arg), void *arg)
{
    uint64_t now = now_ms(), end = now + timeout_ms;
    enum state state;

    assert(worker_current() != job->worker);
    do {
        uint64_t next = progress != NULL && end - now > progress_ms ? now + progress_ms : end;
        pthread_mutex_lock(&job->mutex);
        state = wait_until(job, next);
        pthread_mutex_unlock(&job->mutex);
        if (state == DONE || state == FAILED)
            return state == DONE ? JOB_DONE : JOB_FAILED;
        now = now_ms();
        if (now < end && progress != NULL && !progress(arg))
            return JOB_UNWANTED;
    } while (now < end);
    return JOB_LATE;
}

void job_drop(struct job **job)
{
    struct job *gone = *job;

    *job = NULL;
    if (gone == NULL)
        return;
    enum state state = state_of(gone);
    if ((state == BEGINNING || state == RUNNING) &&
        worker_do(gone->worker, run_abandon, drop_call, gone) == 0)
        return; /* the waiter's reference goes with it */
    unref(gone);
}
