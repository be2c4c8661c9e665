/* common/milter/admission.c - see admission.h. */
#include "common/milter/admission.h"

#include <assert.h>
#include <errno.h>

#include "common/base/wake.h"

struct admission {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* somebody left, or it is closed */
    size_t count;
    bool is_closed;
};

struct admission *admission_new(void)
{
    struct admission *admission = calloc(1, sizeof *admission);

    if (admission != NULL)
        wake_init(&admission->mutex, &admission->changed);
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

enum admission_result admission_enter(struct admission *admission, size_t most, uint64_t wait_ms)
{
    struct timespec end = wake_after(wait_ms);
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
