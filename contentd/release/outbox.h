/* contentd/release/outbox.h - edited copies on their way: recipients that need other edits than the rest are removed from a message
 * and get a copy of their own, which is on the disk before the MTA has its answer, and is then sent through the release
 * listener, again and again until it is taken; a restart changes nothing of it. What is refused for ever, or not taken within
 * `age_max_ms`, goes to the quarantine, for these recipients. At least once: a crash at the wrong moment sends a copy twice.
 *
 *     hook end:   rewrite(), outbox_put() for each copy; -1: 451 to the MTA, outbox_drop() of those before
 *     hook sent:  ok ? outbox_send(id) : outbox_drop(id)
 *
 * outbox_put() and outbox_drop() wait for the disk: on a thread of the milter's only. Sending has threads of its own, one for each
 * connection: one copy is never tried by two at a time, and copies that were tried in vain have at most half of them, so that those
 * for whom the listener hangs do not hold up the others for long. */
#ifndef GATEHOUSE_CONTENTD_RELEASE_OUTBOX_H
#define GATEHOUSE_CONTENTD_RELEASE_OUTBOX_H

#include "common/quarantine/quarantine.h"
#include "common/quarantine/release.h"

struct outbox; /* opaque; any thread */

struct outbox_settings {
    const char *directory; /* outbox_directory */
    uint64_t size_max; /* outbox_size: bytes; full: outbox_put() fails, nothing makes room */
    uint64_t age_max_ms; /* how long it is tried */
    uint64_t retry_min_ms, retry_max_ms; /* the first pause, doubled up to the other */
    unsigned connections; /* copies that are sent at the same time, 1 to OUTBOX_CONNECTIONS_MAX */
    uint64_t wait_ms; /* for another process to let go of the directory */
};

enum { OUTBOX_CONNECTIONS_MAX = 64 };

/* Opens the directory and starts to send what is in it. All it is given must outlive it. NULL with one line in *error. */
struct outbox *outbox_start(const struct outbox_settings *settings, const struct release *release,
                            struct quarantine *quarantine, const struct clock *clock,
                            struct buf *error);
/* Breaks off what is being sent, unless the listener has all of it; it stays in the outbox. Waits for that, for all connections
 * together at most SMTP_LAST_WORD_MS. NULL-safe; clears *outbox. */
void outbox_stop(struct outbox **outbox);

/* Puts a copy for kept->recipients on the disk; kept->id is set. It is not sent before outbox_send(), or a restart. -1 with one line
 * in *error: the message must not be accepted. */
int outbox_put(struct outbox *outbox, struct kept *kept, const struct source *source,
               struct buf *error);
void outbox_send(struct outbox *outbox, const char *id);
void outbox_drop(struct outbox *outbox, const char *id);

size_t outbox_count(struct outbox *outbox); /* copies that wait */

#endif
