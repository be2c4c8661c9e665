/* common/base/arena.h - memory that lives as long as one request (or one configuration): allocated piece by piece,
 * freed as one. Not thread-safe. */
#ifndef GATEHOUSE_BASE_ARENA_H
#define GATEHOUSE_BASE_ARENA_H

#include "common/base/slice.h"

struct arena; /* opaque */

/* `max` bounds all pieces together, in bytes. NULL: out of memory. */
struct arena *arena_new(size_t max);
void arena_free(struct arena **arena); /* NULL-safe; clears *arena */
void arena_reset(struct arena *arena); /* frees all pieces, keeps one block for the next request */

/* Zeroed and aligned for any type. NULL: the bound or memory is reached. */
void *arena_alloc(struct arena *arena, size_t size);
/* Whether a piece could not be had since it was made or reset: for who has many steps that may do without. */
bool arena_has_failed(const struct arena *arena);
void *arena_alloc_array(struct arena *arena, size_t count, size_t size); /* checks the product */

/* A copy followed by a NUL that `len` does not count. Absent (ptr NULL) when memory is out or `text` is absent. */
struct slice arena_copy(struct arena *arena, struct slice text);
struct slice arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
