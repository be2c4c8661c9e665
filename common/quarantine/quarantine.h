/* common/quarantine/quarantine.h - messages kept for a human to decide: bounded by size and age, the oldest make room.
 *
 * quarantine_keep() and quarantine_drop() wait for the disk: they are called on a thread of the milter's, before the MTA
 * gets its answer and after it, never on a worker's loop. Everything else of it runs on the keeper's thread (control.h). */
#ifndef GATEHOUSE_QUARANTINE_QUARANTINE_H
#define GATEHOUSE_QUARANTINE_QUARANTINE_H

#include "common/quarantine/folder.h"

struct quarantine; /* opaque; any thread */

struct quarantine_settings {
    const char *directory; /* quarantine_directory */
    uint64_t size_max; /* quarantine_size: bytes; 0: no bound */
    uint64_t age_max_ms; /* quarantine_age */
    uint64_t wait_ms; /* for another process to let go of the directory */
};

#define QUARANTINE_DIRECTORY                                                                       \
    "/var/lib/gatehouse/quarantine" /* unless the configuration says otherwise */
/* gatectl has the directory of a daemon that is down for so long at a time, and for the step that it does then; the daemon waits
 * longer when it starts. */
#define QUARANTINE_HOLD_MS (2 * SECOND)
#define QUARANTINE_WAIT_MS (15 * SECOND)

/* NULL with one line in *error. `clock` must outlive it. */
struct quarantine *quarantine_open(const struct quarantine_settings *settings,
                                   const struct clock *clock, struct buf *error);
void quarantine_close(struct quarantine **quarantine); /* NULL-safe; clears *quarantine */
/* Bounds; after a reload. */
void quarantine_adjust(struct quarantine *quarantine, const struct quarantine_settings *settings);

/* Keeps the message for kept->recipients; kept->id is set. The oldest entries are removed to make room: counted and logged. 0: it
 * is on the disk. -1 with one line in *error: it is not, and the message must not be accepted (451). */
int quarantine_keep(struct quarantine *quarantine, struct kept *kept, const struct source *source,
                    struct buf *error);
/* The MTA did not take what was decided and will send the message again: forget that it was kept. */
void quarantine_drop(struct quarantine *quarantine, const char *id);

/* Removes what is older than age_max_ms, as long as the clock is believed; at most about a second of work. True: there is more that
 * may go now. What may go in a minute is bounded: ten times what would if all entries were spread evenly over age_max_ms, and
 * QUARANTINE_EXPIRE_LEAST; so even a clock that is wrong for long takes a tenth of age_max_ms to empty the quarantine. To be called every
 * minute. */
enum { QUARANTINE_EXPIRE_LEAST = 10 };
bool quarantine_expire(struct quarantine *quarantine);
/* Looks at some entries, others each time, for damage: folder_read(). To be called every minute, by one thread. */
void quarantine_check(struct quarantine *quarantine);
/* May the wall clock be believed now (common/base/clock_trust.h)? A change is logged and counted. */
bool quarantine_believes_clock(struct quarantine *quarantine);

struct folder *quarantine_folder(struct quarantine *quarantine);

#endif
