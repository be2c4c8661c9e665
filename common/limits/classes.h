/* common/limits/classes.h - who belongs to which class: `[classes]` of the configuration, and gh:class.
 *
 *     alice@example.com = gold        # a value
 *     @shop.example     = silver      # every mailbox of the domain and of what is below it; the domain itself
 *     192.0.2.0/24      = partner     # the longest network wins
 *
 * The most specific member wins: the value, its domain, the domain's parents, the longest network. At the same level a
 * live member (until= by= note= may follow the class) beats the file's. Pure; immutable once made. */
#ifndef GATEHOUSE_LIMITS_CLASSES_H
#define GATEHOUSE_LIMITS_CLASSES_H

#include "common/limits/limit.h"

struct classes; /* opaque */

struct class_source {
    struct slice member; /* as written: mailbox, @domain, address, network, any other value */
    struct slice text; /* the class; live ones with a tail */
};

struct class_error {
    size_t source;
    bool in_text; /* the mistake is in `text`, else in `member` */
    size_t offset; /* in it */
    char text[200];
};

/* Names of classes are letters, digits, `-`, `_` and `.`, at most 64 bytes. */
#define CLASS_NAME_MAX 64
bool class_name_is_valid(struct slice name);

/* Copies all texts. Every mistake, repeated members too, is reported (`error` may be NULL) and left out. NULL: out of
 * memory. */
struct classes *classes_new(const struct class_source *sources, size_t count,
                            void (*error)(void *arg, const struct class_error *error), void *arg);
void classes_free(struct classes **classes); /* NULL-safe; clears *classes */
size_t classes_count(const struct classes *classes);

/* The class of a value (normalised), absent without one; borrowed from `file` or `live`, either of which may be NULL. */
struct slice classes_find(const struct classes *file, const struct classes *live,
                          struct slice value, uint64_t wall_ms);

/* The class of a key's value: of the whole, else, with several facts, of the first part that has one. */
struct slice classes_of_key(const struct limit *limit, const struct classes *file,
                            const struct classes *live, struct slice value, uint64_t wall_ms);

#endif
