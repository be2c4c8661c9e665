/* common/store/override_cache.h - the live override texts that one worker has seen in Redis (`user:x` of a limit). A field
 * that is not here is assumed not to be there; the charge script says so when that is wrong. Bounded: the text that was
 * not used for longest is forgotten, which costs a second question, never a wrong answer. Not thread-safe. */
#ifndef GATEHOUSE_STORE_OVERRIDE_CACHE_H
#define GATEHOUSE_STORE_OVERRIDE_CACHE_H

#include "common/base/slice.h"

struct override_cache; /* opaque */

struct override_cache *override_cache_new(size_t most); /* texts; NULL: out of memory */
void override_cache_free(struct override_cache **cache); /* NULL-safe; clears *cache */

/* Absent: none is known. Valid until the next call of override_cache_set(). */
struct slice override_cache_get(struct override_cache *cache, struct slice limit,
                                struct slice field);
/* An absent text removes it. When memory is out it is forgotten. */
void override_cache_set(struct override_cache *cache, struct slice limit, struct slice field,
                        struct slice text);
size_t override_cache_count(const struct override_cache *cache);

#endif
