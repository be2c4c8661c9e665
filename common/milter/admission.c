/* common/milter/admission.c - see admission.h. */
#include "common/milter/admission.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

struct admission {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* somebody left, or it is closed */
    size_t count;
    bool is_closed;
};

struct admission *admission_new(void)
{
    struct admission *admission = calloc(1, sizeof *admission);
    pthread_condattr_t attributes;

    if (admission == NULL || pthread_condattr_init(&attributes) != 0) {
        free(admission);
        return NULL;
    }
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&admission->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&admission->mutex, NULL);
    return admission;
}

void admission_free(struct admission **admission)
{
    struct admission *gone = *admission;

    *admission = NULL;
    if (gone == NULL)
        return;
    pthread_cond_destroy(&gone->changed);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}

static struct timespec time_after(uint64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000 * 1000000);
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

enum admission_result admission_enter(struct admission *admission, size_t most, uint64_t wait_ms)
{
    struct timespec end = time_after(wait_ms);
    enum admission_result result = ADMITTED;
    int rc = 0;

    pthread_mutex_lock(&admission->mutex);
    while (!admission->is_closed && admission->count >= most && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&admission->changed, &admission->mutex, &end);
    if (admission->is_closed)
        result = ADMISSION_CLOSED;
    else if (admission->count >= most)
        result = ADMISSION_FULL;
    else
        admission->count++;
    pthread_mutex_unlock(&admission->mutex);
    return result;
}

void admission_leave(struct admission *admission)
{
    pthread_mutex_lock(&admission->mutex);
    assert(admission->count > 0);
    admission->count--;
    pthread_cond_signal(&admission->changed);
    pthread_mutex_unlock(&admission->mutex);
}

void admission_close(struct admission *admission)
{
    pthread_mutex_lock(&admission->mutex);
    admission->is_closed = true;
    pthread_cond_broadcast(&admission->changed);
    pthread_mutex_unlock(&admission->mutex);
}

size_t admission_count(struct admission *admission)
{
    pthread_mutex_lock(&admission->mutex);
    size_t count = admission->count;
    pthread_mutex_unlock(&admission->mutex);
    return count;
}
