/* common/base/shared.h - an object that several owners share, freed with its last reference. Any thread; the object
 * itself is immutable, or looks after its own threads. */
#ifndef GATEHOUSE_BASE_SHARED_H
#define GATEHOUSE_BASE_SHARED_H

struct shared; /* opaque */

/* Takes `object` (also on failure: it is freed then, and the result NULL). NULL for a NULL object. */
struct shared *shared_new(void *object, void (*free_object)(void *object));
struct shared *shared_ref(struct shared *shared); /* NULL-safe; returns its argument */
void shared_unref(struct shared **shared); /* NULL-safe; clears *shared */
void *shared_get(const struct shared *shared); /* NULL for NULL */

#endif
