/* contentd/release/outbox_try.c - see outbox_try.h. */
#include "contentd/release/outbox_try.h"

#include <unistd.h>

#include "common/observe/metrics.h"

enum { SEND_TIMEOUT_MS = 120000 };

enum { SENT, LATER, REFUSED, DAMAGED };

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

/* Who is left after a try: the others are written off. True: nobody. */
static bool keep_the_rest(struct outbox_way *way, struct kept *kept,
                          const struct release_recipient *recipients, bool has_aside)
{
    AUTO_BUF error = BUF_INIT(400);
    size_t left = 0;

    for (size_t i = 0; i < kept->recipient_count; i++)
        if (recipients[i].state == RELEASE_LATER ||
            (recipients[i].state == RELEASE_REFUSED && !has_aside))
            kept->recipients[left++] = recipients[i].to;
    bool has_changed = left != kept->recipient_count;
    kept->recipient_count = left;
    if (left == 0 ? folder_remove(way->folder, slice_of(kept->id), &error) == FOLDER_FAILED
                  : has_changed && folder_update(way->folder, kept, &error) != 0)
        log_error("outbox: %s", buf_text(&error));
    return left == 0;
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

static enum attempt attempt_recipients(struct outbox_way *way, struct kept *kept,
                                       const struct source *source, struct arena *arena)
{
    size_t n = kept->recipient_count, taken;
    struct release_recipient *recipients = arena_alloc_array(arena, n + 1, sizeof *recipients);

    if (recipients == NULL)
        return ATTEMPT_LATER;
    for (size_t i = 0; i < n; i++)
        recipients[i].to = kept->recipients[i];
    taken = release_send(way->release, kept, source, recipients, n, SEND_TIMEOUT_MS, way->stop_fd);
    tell_listener(way, kept, taken, first_reply(recipients, n, RELEASE_LATER));
    if (is_too_old(way, kept))
        for (size_t i = 0; i < n; i++)
            if (recipients[i].state == RELEASE_LATER)
                recipients[i].state = RELEASE_REFUSED;
    bool has_aside = put_aside(way, kept, source, recipients, n, arena);
    if (taken > 0)
        log_info("outbox: %s: taken for %zu of %zu recipients: %s", kept->id, taken, n,
                 first_reply(recipients, n, RELEASE_TAKEN));
    if (keep_the_rest(way, kept, recipients, has_aside)) {
        count(SENT, taken > 0);
        return ATTEMPT_DONE;
    }
    return taken > 0 ? ATTEMPT_GOES_ON : ATTEMPT_LATER;
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

enum attempt outbox_try(struct outbox_way *way, const char *id)
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
        result = got == FOLDER_OK ? attempt_recipients(way, &kept, &source, arena)
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
