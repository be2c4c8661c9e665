/* contentd/release/outbox.c - see outbox.h.
 *
 * Each thread sends one copy after the other. What is known in memory alone is which copies the MTA has not confirmed yet (they are
 * held) and when the next try is due; after a restart all are due at once. */
#include "contentd/release/outbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/wake.h"
#include "common/observe/metrics.h"
#include "contentd/release/outbox_try.h"

enum { PAGE = 100 };

enum { PUT, ERRORS, DROPPED, WAITING };

static struct metric metrics[] = {
    [PUT] = METRIC("gatehouse_outbox_put_total", METRIC_COUNTER, "Edited copies put on the disk."),
    [ERRORS] =
        METRIC("gatehouse_outbox_errors_total", METRIC_COUNTER,
               "Edited copies that could not be put on the disk: the message was tempfailed."),
    [DROPPED] = METRIC("gatehouse_outbox_dropped_total", METRIC_COUNTER,
                       "Edited copies removed because the MTA did not take the verdict."),
    [WAITING] = METRIC("gatehouse_outbox_messages", METRIC_GAUGE, "Edited copies that wait."),
};

/* What is known of a copy beside its files. */
struct state {
    char id[KEPT_ID_LEN + 1];
    bool is_held;
    bool is_busy; /* a thread tries it: that alone touches `done`, and nobody forgets the state */
    unsigned tries;
    uint64_t due_ms; /* monotonic */
    struct outbox_done done;
    struct state *next;
};

struct outbox {
    struct outbox_settings settings;
    const struct clock *clock;
    struct outbox_way way;
    struct folder *folder; /* of `way` */
    pthread_t threads[OUTBOX_CONNECTIONS_MAX];
    unsigned thread_count;
    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t wake;
    struct state *states;
    unsigned repeating; /* threads that try again what was tried in vain */
    bool is_stopping;
};

static void count(int which)
{
    metric_add(metric_of(&metrics[which]), 1);
}

/* ---- states; the lock is held ---- */

static struct state **state_place(struct outbox *outbox, const char *id)
{
    struct state **place = &outbox->states;

    while (*place != NULL && strcmp((*place)->id, id) != 0)
        place = &(*place)->next;
    return place;
}

static void state_forget(struct outbox *outbox, const char *id)
{
    struct state **place = state_place(outbox, id), *gone = *place;

    if (gone == NULL)
        return;
    *place = gone->next;
    outbox_done_free(&gone->done);
    free(gone);
}

static struct state *state_new(struct outbox *outbox, const char *id, bool is_held)
{
    struct state *state = calloc(1, sizeof *state);

    if (state == NULL)
        return NULL;
    memcpy(state->id, id, sizeof state->id);
    state->is_held = is_held;
    state->next = outbox->states;
    outbox->states = state;
    return state;
}

/* Of what was tried in vain at most half is tried again at the same time: the listener may hang for them. */
static bool may_repeat(const struct outbox *outbox)
{
    unsigned most = outbox->settings.connections / 2;

    return outbox->repeating < (most > 0 ? most : 1);
}

/* The one that is due first; NULL: none may be sent now. */
static struct state *state_first(struct outbox *outbox)
{
    struct state *first = NULL;

    for (struct state *state = outbox->states; state != NULL; state = state->next)
        if (!state->is_held && !state->is_busy && (state->tries == 0 || may_repeat(outbox)) &&
            (first == NULL || state->due_ms < first->due_ms))
            first = state;
    return first;
}

/* ---- the threads ---- */

/* Waits until `due_ms`, or until woken; the lock is held. */
static void wait_until(struct outbox *outbox, uint64_t due_ms)
{
    uint64_t now = outbox->clock->now_ms(outbox->clock);
    struct timespec until = wake_after(due_ms > now ? due_ms - now : 0);

    pthread_cond_timedwait(&outbox->wake, &outbox->lock, &until);
}

static uint64_t pause_ms(const struct outbox *outbox, unsigned tries)
{
    uint64_t pause = outbox->settings.retry_min_ms;

    while (tries-- > 1 && pause < outbox->settings.retry_max_ms)
        pause *= 2;
    return pause < outbox->settings.retry_max_ms ? pause : outbox->settings.retry_max_ms;
}

/* The lock is held. */
static void reckon(struct outbox *outbox, struct state *state, enum attempt result)
{
    state->is_busy = false;
    if (result == ATTEMPT_DONE) {
        state_forget(outbox, state->id);
        return;
    }
    state->tries = result == ATTEMPT_GOES_ON ? 0 : state->tries + 1;
    state->due_ms = outbox->clock->now_ms(outbox->clock) +
                    (state->tries == 0 ? 0 : pause_ms(outbox, state->tries));
}

/* The lock is held, but not meanwhile. */
static void try_one(struct outbox *outbox, struct state *state)
{
    bool is_repeated = state->tries > 0;

    state->is_busy = true;
    outbox->repeating += is_repeated;
    pthread_mutex_unlock(&outbox->lock);
    enum attempt result = outbox_try(&outbox->way, state->id, &state->done);
    pthread_mutex_lock(&outbox->lock);
    outbox->repeating -= is_repeated;
    reckon(outbox, state, result);
}

static void *run(void *arg)
{
    struct outbox *outbox = arg;

    pthread_mutex_lock(&outbox->lock);
    while (!outbox->is_stopping) {
        struct state *state = state_first(outbox);
        if (state == NULL)
            pthread_cond_wait(&outbox->wake, &outbox->lock);
        else if (state->due_ms > outbox->clock->now_ms(outbox->clock))
            wait_until(outbox, state->due_ms);
        else
            try_one(outbox, state);
    }
    pthread_mutex_unlock(&outbox->lock);
    return NULL;
}

/* ---- start and stop ---- */

static void show_size(void *arg)
{
    metric_set(metric_of(&metrics[WAITING]), (int64_t)outbox_count(arg));
}

/* What was there before is due now. */
static int take_up(struct outbox *outbox)
{
    char ids[PAGE][KEPT_ID_LEN + 1];
    struct slice after = { NULL, 0 };
    char last[KEPT_ID_LEN + 1];
    size_t n;

    while ((n = folder_list(outbox->folder, after, false, PAGE, ids)) > 0) {
        for (size_t i = 0; i < n; i++)
            if (state_new(outbox, ids[i], false) == NULL)
                return -1;
        memcpy(last, ids[n - 1], sizeof last);
        after = slice_of(last);
    }
    return 0;
}

/* What they are sending is broken off, or answered within SMTP_LAST_WORD_MS. */
static void stop_threads(struct outbox *outbox)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&outbox->lock);
    outbox->is_stopping = true;
    if (write(outbox->way.stop_fd, &one, sizeof one) != sizeof one)
        log_error("outbox: a send under way is waited for");
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    for (unsigned i = 0; i < outbox->thread_count; i++)
        pthread_join(outbox->threads[i], NULL);
    outbox->thread_count = 0;
}

/* All of them, or -1: none runs. */
static int start_threads(struct outbox *outbox)
{
    unsigned wanted = outbox->settings.connections;

    while (outbox->thread_count < wanted && outbox->thread_count < OUTBOX_CONNECTIONS_MAX &&
           pthread_create(&outbox->threads[outbox->thread_count], NULL, run, outbox) == 0)
        outbox->thread_count++;
    if (outbox->thread_count == wanted)
        return 0;
    stop_threads(outbox);
    return -1;
}

static void outbox_free(struct outbox *outbox)
{
    while (outbox->states != NULL)
        state_forget(outbox, outbox->states->id);
    folder_close(&outbox->folder);
    if (outbox->way.stop_fd >= 0)
        close(outbox->way.stop_fd);
    pthread_cond_destroy(&outbox->wake);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}

struct outbox *outbox_start(const struct outbox_settings *settings, const struct release *release,
                            struct quarantine *quarantine, const struct clock *clock,
                            struct buf *error)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);

    if (outbox == NULL) {
        buf_put(error, "out of memory");
        return NULL;
    }
    metrics_register(metrics, COUNT(metrics));
    outbox_try_register();
    outbox->settings = *settings;
    outbox->clock = clock;
    wake_init(&outbox->lock, &outbox->wake);
    outbox->folder = folder_open(settings->directory, settings->wait_ms, clock, error);
    outbox->way = (struct outbox_way){ .folder = outbox->folder,
                                       .release = release,
                                       .quarantine = quarantine,
                                       .clock = clock,
                                       .age_max_ms = settings->age_max_ms,
                                       .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                       .listener = LOG_CHANGE_INIT(true) };
    if (outbox->folder != NULL && outbox->way.stop_fd >= 0 && take_up(outbox) == 0 &&
        start_threads(outbox) == 0) {
        metrics_on_read(show_size, outbox);
        return outbox;
    }
    if (error->len == 0)
        buf_put(error, "outbox: out of memory, descriptors or threads");
    outbox_free(outbox);
    return NULL;
}

void outbox_stop(struct outbox **outbox)
{
    struct outbox *gone = *outbox;

    *outbox = NULL;
    if (gone == NULL)
        return;
    metrics_forget_on_read(show_size, gone);
    stop_threads(gone);
    outbox_free(gone);
}

/* ---- for others ---- */

int outbox_put(struct outbox *outbox, struct kept *kept, const struct source *source,
               struct buf *error)
{
    if (folder_add(outbox->folder, kept, source, outbox->settings.size_max, error) != FOLDER_OK) {
        count(ERRORS);
        return -1;
    }
    /* When some have it that must be written down, on a full disk, too. */
    if (kept->recipient_count > 1 && folder_spare(outbox->folder, slice_of(kept->id), error) != 0) {
        folder_remove(outbox->folder, slice_of(kept->id), NULL);
        count(ERRORS);
        return -1;
    }
    pthread_mutex_lock(&outbox->lock);
    bool ok = state_new(outbox, kept->id, true) != NULL;
    pthread_mutex_unlock(&outbox->lock);
    count(ok ? PUT : ERRORS);
    if (ok)
        return 0;
    folder_remove(outbox->folder, slice_of(kept->id), NULL);
    buf_put(error, "out of memory");
    return -1;
}

void outbox_send(struct outbox *outbox, const char *id)
{
    pthread_mutex_lock(&outbox->lock);
    struct state *state = *state_place(outbox, id);
    if (state != NULL)
        state->is_held = false;
    pthread_cond_signal(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_drop(struct outbox *outbox, const char *id)
{
    pthread_mutex_lock(&outbox->lock);
    state_forget(outbox, id);
    pthread_mutex_unlock(&outbox->lock);
    if (folder_remove(outbox->folder, slice_of(id), NULL) == FOLDER_OK)
        count(DROPPED);
}

size_t outbox_count(struct outbox *outbox)
{
    return folder_count(outbox->folder);
}
