/* contentd/release/outbox_try.c - see outbox_try.h. */
#include "contentd/release/outbox_try.h"

#include <unistd.h>

#include "common/observe/metrics.h"

enum { SEND_TIMEOUT_MS = 120000 };

enum { SENT, LATER, REFUSED, DAMAGED, UNRECORDED };

static struct metric metrics[] = {
    [SENT] = METRIC("gatehouse_outbox_sent_total", METRIC_COUNTER,
                    "Edited copies that the release listener has taken."),
    [LATER] = METRIC("gatehouse_outbox_deferred_total", METRIC_COUNTER,
                     "Tries that the release listener did not take; they are repeated."),
    [REFUSED] = METRIC("gatehouse_outbox_refused_total", METRIC_COUNTER,
                       "Recipients of edited copies that were refused for ever: they are in the "
                       "quarantine."),
    [DAMAGED] = METRIC("gatehouse_outbox_damaged_total", METRIC_COUNTER,
                       "Edited copies whose description was lost: they are in the quarantine."),
    [UNRECORDED] = METRIC("gatehouse_outbox_record_errors_total", METRIC_COUNTER,
                          "Times that it could not be written down who has an edited copy."),
};

void outbox_try_register(void)
{
    metrics_register(metrics, COUNT(metrics));
}

static void count(int which, size_t n)
{
    metric_add(metric_of(&metrics[which]), n);
}

/* What is not taken for ever goes to the quarantine, for these recipients. False: it could not be put there. */
static bool put_aside(struct outbox_way *way, const struct kept *kept, const struct source *source,
                      const struct release_recipient *recipients, size_t n, struct arena *arena)
{
    AUTO_BUF error = BUF_INIT(400);
    struct kept aside = *kept;
    struct slice why = SLICE("");

    aside.recipient_count = 0;
    aside.recipients = arena_alloc_array(arena, n + 1, sizeof *aside.recipients);
    if (aside.recipients == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (recipients[i].state == RELEASE_REFUSED) {
            aside.recipients[aside.recipient_count++] = recipients[i].to;
            why = slice_of(recipients[i].reply);
        }
    if (aside.recipient_count == 0)
        return true;
    aside.reason = arena_printf(arena, "edited copy not deliverable: %.*s", SLICE_ARG(why));
    if (quarantine_keep(way->quarantine, &aside, source, &error) != 0) {
        log_error("outbox: %s: refused (%.*s), and not put into quarantine: %s", kept->id,
                  SLICE_ARG(why), buf_text(&error));
        return false;
    }
    count(REFUSED, aside.recipient_count);
    log_warning("outbox: %s: refused for %zu recipients (%.*s); quarantine has it as %s", kept->id,
                aside.recipient_count, SLICE_ARG(why), aside.id);
    return true;
}

static const char *first_reply(const struct release_recipient *recipients, size_t n,
                               enum release_state state)
{
    for (size_t i = 0; i < n; i++)
        if (recipients[i].state == state)
            return recipients[i].reply;
    return "";
}

/* A listener that is away is told of once, not for every try of every copy. */
static void tell_listener(struct outbox_way *way, const struct kept *kept, size_t taken,
                          const char *why)
{
    if (why[0] != '\0') {
        count(LATER, 1);
        log_debug("outbox: %s: not taken: %s", kept->id, why);
    }
    if (taken > 0)
        log_once_per_change(&way->listener, true, LOG_LEVEL_INFO,
                            "outbox: the release listener takes copies again");
    else if (why[0] != '\0')
        log_once_per_change(&way->listener, false, LOG_LEVEL_WARNING,
                            "outbox: the release listener does not take copies; they wait: %s: %s",
                            kept->id, why);
}

/* By a clock that is believed. */
static bool is_too_old(const struct outbox_way *way, const struct kept *kept)
{
    uint64_t now = way->clock->wall_ms(way->clock);

    return now > kept->time_ms && now - kept->time_ms > way->age_max_ms &&
           quarantine_believes_clock(way->quarantine);
}

/* ---- who has it ---- */

void outbox_done_free(struct outbox_done *done)
{
    free(done->is_done);
    *done = (struct outbox_done){ NULL, 0 };
}

/* It is about the recipients that the files name now. False: out of memory. */
static bool done_fits(struct outbox_done *done, const struct kept *kept)
{
    if (done->is_done != NULL && done->count == kept->recipient_count)
        return true;
    outbox_done_free(done);
    done->is_done = calloc(kept->recipient_count + 1, sizeof *done->is_done);
    done->count = kept->recipient_count;
    return done->is_done != NULL;
}

/* Those who are still to get it, in `out`; returns how many. */
static size_t choose(const struct outbox_done *done, const struct kept *kept,
                     struct release_recipient *out)
{
    size_t n = 0;

    for (size_t i = 0; i < kept->recipient_count; i++)
        if (!done->is_done[i])
            out[n++].to = kept->recipients[i];
    return n;
}

/* After a try with those chosen. */
static void note_done(struct outbox_done *done, const struct release_recipient *recipients,
                      bool has_aside)
{
    for (size_t i = 0, n = 0; i < done->count; i++)
        if (!done->is_done[i]) {
            enum release_state state = recipients[n++].state;
            done->is_done[i] = state == RELEASE_TAKEN || (state == RELEASE_REFUSED && has_aside);
        }
}

/* What is done is written down. As long as it cannot be, `done` knows it: nobody gets the copy twice unless this process ends
 * meanwhile. */
static enum attempt write_down(struct outbox_way *way, struct kept *kept, struct outbox_done *done)
{
    AUTO_BUF error = BUF_INIT(400);
    size_t left = 0;
    int rc = 0;

    for (size_t i = 0; i < done->count; i++)
        if (!done->is_done[i])
            kept->recipients[left++] = kept->recipients[i];
    bool has_changed = left < done->count;
    kept->recipient_count = left;
    if (left == 0)
        rc = folder_remove(way->folder, slice_of(kept->id), &error) == FOLDER_FAILED ? -1 : 0;
    else if (has_changed)
        rc = folder_update(way->folder, kept, &error);
    if (rc == 0) {
        outbox_done_free(done);
        return left == 0 ? ATTEMPT_DONE : has_changed ? ATTEMPT_GOES_ON : ATTEMPT_LATER;
    }
    count(UNRECORDED, 1);
    log_error("outbox: %s: who has it cannot be written down and is tried again; after a restart "
              "they would get it once more: %s",
              kept->id, buf_text(&error));
    return ATTEMPT_LATER;
}

/* ---- a try ---- */

/* To `n` recipients; `recipients` say what became of it. True: what was refused is in the quarantine. */
static bool send_to(struct outbox_way *way, const struct kept *kept, const struct source *source,
                    struct release_recipient *recipients, size_t n, struct arena *arena)
{
    size_t taken =
        release_send(way->release, kept, source, recipients, n, SEND_TIMEOUT_MS, way->stop_fd);

    tell_listener(way, kept, taken, first_reply(recipients, n, RELEASE_LATER));
    if (taken > 0)
        log_info("outbox: %s: taken for %zu of %zu recipients: %s", kept->id, taken, n,
                 first_reply(recipients, n, RELEASE_TAKEN));
    if (is_too_old(way, kept))
        for (size_t i = 0; i < n; i++)
            if (recipients[i].state == RELEASE_LATER)
                recipients[i].state = RELEASE_REFUSED;
    return put_aside(way, kept, source, recipients, n, arena);
}

static enum attempt attempt_recipients(struct outbox_way *way, struct kept *kept,
                                       const struct source *source, struct outbox_done *done,
                                       struct arena *arena)
{
    struct release_recipient *recipients =
        arena_alloc_array(arena, kept->recipient_count + 1, sizeof *recipients);

    if (recipients == NULL || !done_fits(done, kept))
        return ATTEMPT_LATER;
    size_t n = choose(done, kept, recipients);
    if (n > 0)
        note_done(done, recipients, send_to(way, kept, source, recipients, n, arena));
    enum attempt result = write_down(way, kept, done);
    if (result == ATTEMPT_DONE)
        count(SENT, first_reply(recipients, n, RELEASE_TAKEN)[0] != '\0');
    return result;
}

/* Whom it was for is not known for certain: somebody has to say. */
static enum attempt put_aside_damaged(struct outbox_way *way, const struct kept *kept,
                                      const struct source *source, struct arena *arena)
{
    AUTO_BUF error = BUF_INIT(400);
    struct kept aside = *kept;

    aside.reason = arena_printf(arena, "edited copy: %.*s", SLICE_ARG(kept->damage));
    aside.damage = (struct slice){ NULL, 0 };
    if (aside.reason.ptr == NULL || quarantine_keep(way->quarantine, &aside, source, &error) != 0) {
        log_error("outbox: %s is damaged, and not put into quarantine: %s", kept->id,
                  buf_text(&error));
        return ATTEMPT_LATER;
    }
    count(DAMAGED, 1);
    log_error("outbox: %s: %.*s; quarantine has it as %s", kept->id, SLICE_ARG(kept->damage),
              aside.id);
    folder_remove(way->folder, slice_of(kept->id), NULL);
    return ATTEMPT_DONE;
}

enum attempt outbox_try(struct outbox_way *way, const char *id, struct outbox_done *done)
{
    AUTO_BUF error = BUF_INIT(400);
    struct arena *arena = arena_new(KEPT_MEMORY_MAX);
    enum attempt result = ATTEMPT_LATER;
    struct kept kept;
    uint64_t size = 0;
    int fd = -1;

    enum folder_result got = arena == NULL
                                 ? FOLDER_FAILED
                                 : folder_read(way->folder, slice_of(id), arena, &kept, &error);
    if (got == FOLDER_OK || (got == FOLDER_DAMAGED && !kept.is_cut))
        fd = folder_open_message(way->folder, slice_of(id), &size);
    if (fd >= 0) {
        struct source source = source_of_file(fd, size);
        result = got == FOLDER_OK ? attempt_recipients(way, &kept, &source, done, arena)
                                  : put_aside_damaged(way, &kept, &source, arena);
        close(fd);
    } else if (got == FOLDER_NOT_THERE) {
        result = ATTEMPT_DONE;
    } else {
        log_error("outbox: %s cannot be sent: %.*s%s", id,
                  SLICE_ARG(got == FOLDER_DAMAGED ? kept.damage : SLICE("")), buf_text(&error));
    }
    arena_free(&arena);
    return result;
}
