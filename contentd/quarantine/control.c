/* contentd/quarantine/control.c - see control.h.
 *
 * A request goes to the keeper's thread and comes back with its answer; the main worker is told by an eventfd. What the request
 * holds is valid until it is replied to, so the thread reads it in place. */
#include "contentd/quarantine/control.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/wake.h"
#include "common/observe/log.h"
#include "common/quarantine/errand.h"

enum { QUEUE_MAX = 64, EXPIRE_EVERY_MS = 60000 };

struct keeper {
    struct errand_place place;
    struct event *back; /* on the main worker's loop */
    int back_fd;
    pthread_t thread;
    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t wake;
    struct errand *waiting, **last_waiting, *done;
    size_t waiting_count;
    bool is_stopping;
};

static void signal_fd(int fd)
{
    const uint64_t one = 1;

    if (write(fd, &one, sizeof one) != sizeof one)
        log_error("quarantine: an eventfd cannot be written");
}

/* ---- the thread ---- */

/* The next errand, or NULL: it is time to look for what has expired (at once: `is_expiring`), or to stop. The lock is held. */
static struct errand *next_errand(struct keeper *keeper, bool is_expiring)
{
    struct timespec until = wake_after(EXPIRE_EVERY_MS);
    struct errand *errand;

    while (keeper->waiting == NULL && !keeper->is_stopping && !is_expiring)
        if (pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until) != 0)
            return NULL;
    errand = keeper->is_stopping ? NULL : keeper->waiting;
    if (errand == NULL)
        return NULL;
    keeper->waiting = errand->next;
    if (keeper->waiting == NULL)
        keeper->last_waiting = &keeper->waiting;
    keeper->waiting_count--;
    return errand;
}

/* True: there is more to be done at once. */
static bool look_after(struct quarantine *quarantine)
{
    if (quarantine_expire(quarantine))
        return true;
    quarantine_check(quarantine);
    return false;
}

static void *run(void *arg)
{
    struct keeper *keeper = arg;
    bool is_expiring = true;

    pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_stopping) {
        struct errand *errand = next_errand(keeper, is_expiring);
        pthread_mutex_unlock(&keeper->lock);
        if (errand != NULL)
            errand_run(errand, &keeper->place);
        else
            is_expiring = look_after(keeper->place.quarantine);
        pthread_mutex_lock(&keeper->lock);
        if (errand != NULL) {
            errand->next = keeper->done;
            keeper->done = errand;
            signal_fd(keeper->back_fd);
        }
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

/* ---- the loop ---- */

static void reply(struct errand *errand)
{
    struct control_request *request = errand->request;
    unsigned status = errand->status;
    json_t *answer = errand->answer;

    free(errand);
    request->reply(request, status, answer);
}

static void come_back(evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct keeper *keeper = arg;
    uint64_t count;

    if (read(fd, &count, sizeof count) != sizeof count)
        return;
    pthread_mutex_lock(&keeper->lock);
    struct errand *done = keeper->done;
    keeper->done = NULL;
    pthread_mutex_unlock(&keeper->lock);
    while (done != NULL) {
        struct errand *next = done->next;
        reply(done);
        done = next;
    }
}

bool keeper_serve(struct keeper *keeper, struct control_request *request)
{
    struct errand *errand;
    bool is_full;

    if (request->segment_count == 0 || !slice_equal(request->segments[0], SLICE("quarantine")))
        return false;
    errand = errand_new(request);
    if (errand == NULL) /* it has been replied to */
        return true;
    pthread_mutex_lock(&keeper->lock);
    is_full = keeper->waiting_count == QUEUE_MAX;
    if (!is_full) {
        *keeper->last_waiting = errand;
        keeper->last_waiting = &errand->next;
        keeper->waiting_count++;
        pthread_cond_signal(&keeper->wake);
    }
    pthread_mutex_unlock(&keeper->lock);
    if (is_full) {
        free(errand);
        control_error(request, 503, "too many requests wait for the quarantine");
    }
    return true;
}

/* ---- its life ---- */

static void release_memory(struct keeper *keeper)
{
    if (keeper->back != NULL)
        event_free(keeper->back);
    if (keeper->back_fd >= 0)
        close(keeper->back_fd);
    if (keeper->place.stop_fd >= 0)
        close(keeper->place.stop_fd);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

struct keeper *keeper_new(struct worker *main, struct quarantine *quarantine,
                          struct release *release)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper == NULL)
        return NULL;
    errand_metrics_register();
    keeper->last_waiting = &keeper->waiting;
    keeper->place = (struct errand_place){ .quarantine = quarantine,
                                           .release = release,
                                           .clock = worker_clock(main),
                                           .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    keeper->back_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    wake_init(&keeper->lock, &keeper->wake);
    if (keeper->place.stop_fd >= 0 && keeper->back_fd >= 0)
        keeper->back =
            event_new(worker_base(main), keeper->back_fd, EV_READ | EV_PERSIST, come_back, keeper);
    if (keeper->back != NULL && event_add(keeper->back, NULL) == 0 &&
        pthread_create(&keeper->thread, NULL, run, keeper) == 0)
        return keeper;
    release_memory(keeper);
    return NULL;
}

void keeper_free(struct keeper **keeper)
{
    struct keeper *gone = *keeper;

    *keeper = NULL;
    if (gone == NULL)
        return;
    pthread_mutex_lock(&gone->lock);
    gone->is_stopping = true;
    signal_fd(gone->place.stop_fd);
    pthread_cond_signal(&gone->wake);
    pthread_mutex_unlock(&gone->lock);
    pthread_join(gone->thread, NULL);
    come_back(gone->back_fd, EV_READ, gone);
    while (gone->waiting != NULL) {
        struct errand *errand = gone->waiting;
        gone->waiting = errand->next;
        control_error(errand->request, 503, "the daemon is ending");
        free(errand);
    }
    release_memory(gone);
}
