/* common/quarantine/folder.h - a directory of kept messages: ID.eml, the message byte for byte, and ID.json, what is known
 * about it (kept.h), renamed into place last, after both files are on the disk; the directory follows. So what is confirmed is
 * whole, also after a crash, whose leftovers are removed when the folder is opened. What has been damaged since (a description
 * that cannot be read, one of the two files gone) stays an entry: it can be read as far as it is there, and removed. One process
 * has a folder (it is locked); hosts share nothing.
 *
 * Functions wait for the disk: never call them on a worker's loop. Any thread; one lock, not held while data is written. */
#ifndef GATEHOUSE_QUARANTINE_FOLDER_H
#define GATEHOUSE_QUARANTINE_FOLDER_H

#include "common/base/buf.h"
#include "common/milter/source.h"
#include "common/quarantine/kept.h"

struct folder; /* opaque */

enum { FOLDER_ENTRIES_MAX = 1000000 };

/* Makes the directory if it is not there (0700). When another process has it: waits so long for it to let go. NULL with one line in
 * *error: it cannot be used, or the other one still has it. Root makes nothing there that the directory's owner cannot read.
 * `clock` must outlive it. */
struct folder *folder_open(const char *path, uint64_t wait_ms, const struct clock *clock,
                           struct buf *error);
void folder_close(struct folder **folder); /* NULL-safe; clears *folder */

enum folder_result {
    FOLDER_OK,
    FOLDER_DAMAGED,
    FOLDER_NOT_THERE,
    FOLDER_FULL,
    FOLDER_FAILED,
};

/* The wall clock's time when it was last believed (common/base/clock_trust.h); a later process finds it there. What is added
 * meanwhile is never said to be older: a clock that is slow for a moment makes nobody look expired. An empty folder is marked
 * when it is opened. */
void folder_mark(struct folder *folder, uint64_t wall_ms);
uint64_t folder_marked_ms(const struct folder *folder);

/* Stores the message; kept->id, time_ms and size are set. `size_max`: bytes of all entries together, this one too, 0: no
 * bound. FOLDER_OK: it is on the disk. FOLDER_FULL (the bound is reached) and FOLDER_FAILED (the disk is full ...), with one
 * line in *error: nothing is. */
enum folder_result folder_add(struct folder *folder, struct kept *kept, const struct source *source,
                              uint64_t size_max, struct buf *error);
/* Replaces what is known about it; the id stays. 0, or -1 with *error and nothing changed. */
int folder_update(struct folder *folder, const struct kept *kept, struct buf *error);
/* Sets room aside on the disk (ID.spare), so that the next update to a description that is no longer finds the disk not full. 0, or -1
 * with *error. An update uses it up, and sets room aside again if there is any. */
int folder_spare(struct folder *folder, struct slice id, struct buf *error);

bool folder_has(struct folder *folder, struct slice id);
/* What is known about it, texts in `arena`. FOLDER_DAMAGED: as far as the files still tell, out->damage says what is wrong; it is
 * logged when it is found out, and needs mime_init(). FOLDER_FAILED: *error is set. */
enum folder_result folder_read(struct folder *folder, struct slice id, struct arena *arena,
                               struct kept *out, struct buf *error);
/* The message, open for reading: a descriptor (the caller closes it) and its size, or -1. It can be read even when the entry is
 * removed meanwhile. */
int folder_open_message(struct folder *folder, struct slice id, uint64_t *size);
/* `error` may be NULL. */
enum folder_result folder_remove(struct folder *folder, struct slice id, struct buf *error);

/* Up to `count` ids that come after `after` (absent: from the first), oldest first; with `newest_first` those before it, newest
 * first. Returns how many. */
size_t folder_list(struct folder *folder, struct slice after, bool newest_first, size_t count,
                   char (*ids)[KEPT_ID_LEN + 1]);

size_t folder_count(struct folder *folder);
/* Of these, those known to be damaged: a description is looked at when it is read. */
size_t folder_damaged_count(struct folder *folder);
/* Of messages and descriptions, also those being written. */
uint64_t folder_bytes(struct folder *folder);

#endif
