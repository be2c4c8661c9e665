/* common/lists/map.h - maps: a key has several values. Built once, then immutable and shared by all threads.
 *
 * A file has the form of Postfix's postmap(1), so an existing smtpd_sender_login_maps source serves as it is:
 *     # comment
 *     user@example.com    alice, bob
 *     @example.com        carol
 *         dave                           (a line that begins with a blank goes on with the one before)
 * A live map has a field per key: `alice, bob until=1795314861 by=root note=why`.
 * Values are separated by commas or blanks. Keys and values are normalised (common/mail/address.h).
 *
 * Keys, the most specific first: `user+ext@dom`, `user@dom`, `user@` (in any domain), `@dom`, `@.dom` (it and everything
 * below; then its parents). Only the values of the first that is there and has not expired count. A key without `@` is
 * compared as a whole, which is all that a login, a word or an address has. */
#ifndef GATEHOUSE_LISTS_MAP_H
#define GATEHOUSE_LISTS_MAP_H

#include "common/base/arena.h"
#include "common/rules/value.h"

struct map; /* opaque */
struct map_builder; /* opaque */

/* Slices are borrowed from the map. */
struct map_match {
    bool found;
    unsigned specificity; /* comparable for one key only */
    struct slice key; /* normalised, as it stands in the map */
    struct slice values; /* normalised, joined by `,`: see map_value_next(); never empty */
    uint64_t until_s; /* 0: no end */
};

/* ---- building ---- */

#define MAP_VALUES_MAX 8192 /* bytes of values of one key */

struct map_builder *map_builder_new(size_t max_keys); /* NULL: out of memory */
void map_builder_free(struct map_builder **builder); /* NULL-safe; clears *builder */

/* Adds a key with its values and what follows them, as a live map has them. NULL, or what is wrong (constant); *in_values
 * (may be NULL) then says whether it is in the values. The first of a repeated key counts, the second is a mistake. */
const char *map_builder_add(struct map_builder *builder, struct slice key, struct slice values,
                            bool *in_values);
bool map_builder_is_full(const struct map_builder *builder);
struct map *map_builder_finish(struct map_builder **builder); /* as list_builder_finish() */

/* The one spelling of a key, in `arena`. Absent, with a constant text in *error, for a bad one. */
struct slice map_key_normalise(struct slice key, struct arena *arena, const char **error);

/* ---- looking up; thread-safe ---- */

struct map *map_share(struct map *map);
void map_free(struct map **map); /* one owner less, the last frees; NULL-safe; clears *map */

/* True and *out filled in when a key matches; else `found` false. NULL is an empty map. */
bool map_lookup(const struct map *map, const struct value *key, uint64_t wall_ms,
                struct map_match *out);
size_t map_count(const struct map *map); /* keys; 0 for NULL */

/* The more specific of a file's match and a live map's; at equal specificity the live one. */
const struct map_match *map_pick(const struct map_match *file, const struct map_match *live);

/* Whether `value` (normalised; ASCII case does not matter) is among the values found. */
bool map_match_has(const struct map_match *match, struct slice value);
bool map_value_next(struct slice *rest, struct slice *value); /* start with rest = match->values */

/* map_lookup() and map_match_has() in one. */
bool map_has(const struct map *map, const struct value *key, struct slice value, uint64_t wall_ms);

#endif
