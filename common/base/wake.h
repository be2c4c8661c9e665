/* common/base/wake.h - waiting under a lock until somebody wakes us, or until a point of time on the monotonic clock: what is
 * set on the system's clock meanwhile makes no wait longer or shorter. Any thread. */
#ifndef GATEHOUSE_BASE_WAKE_H
#define GATEHOUSE_BASE_WAKE_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Makes both (which cannot fail with the C library of Linux: nothing is allocated); their owner destroys them. */
void wake_init(pthread_mutex_t *lock, pthread_cond_t *wake);

/* `ms` milliseconds from now, for pthread_cond_timedwait() and sem_clockwait(). */
struct timespec wake_after(uint64_t ms);

#endif
