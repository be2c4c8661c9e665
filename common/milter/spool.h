/* common/milter/spool.h - the body of a message: in memory up to a bound, what is beyond it in an unlinked file. One
 * thread appends (the milter's), any number read at the same time what is there already (scanners on a worker's loop):
 * bytes once there never move or change. */
#ifndef GATEHOUSE_MILTER_SPOOL_H
#define GATEHOUSE_MILTER_SPOOL_H

#include <stdint.h>

#include "common/base/slice.h"

struct spool; /* opaque */

struct spool_bounds {
    const char *directory; /* of the file; copied */
    size_t memory_max; /* bytes kept in memory */
    uint64_t size_max; /* bytes in all */
};

struct spool *spool_new(const struct spool_bounds *bounds); /* NULL: out of memory */
void spool_free(struct spool **spool); /* nobody may read any more; NULL-safe; clears *spool */

/* 0; -1 when memory or the disk is full or size_max is passed: spool_error() says which, and nothing more can be added. */
int spool_append(struct spool *spool, struct slice bytes);
bool spool_needs_file(const struct spool *spool,
                      size_t more); /* so many bytes more go to the disk */
const char *spool_error(const struct spool *spool); /* one line; NULL: none; the appending thread */
bool spool_is_too_large(const struct spool *spool); /* the error: size_max is passed */

uint64_t spool_size(const struct spool *spool); /* any thread */

/* The bytes from `offset` on that are there already, at most `max` of them: *out borrows from the spool's memory, or from
 * `space` (at least `max` bytes) into which the file was read. Empty at the end. -1: the file could not be read. Any
 * thread. */
int spool_read(const struct spool *spool, uint64_t offset, size_t max, char *space,
               struct slice *out);

#endif
