/* common/policy/sets.h - the lists and maps of a configuration: each what stands in the configuration itself, in its file,
 * and in the store. A snapshot holds one struct sets, immutable but for the sources of files, which are the main thread's;
 * the next snapshot shares with it what has not changed. */
#ifndef GATEHOUSE_POLICY_SETS_H
#define GATEHOUSE_POLICY_SETS_H

#include "common/base/shared.h"
#include "common/lists/list.h"
#include "common/lists/map.h"
#include "common/policy/sections.h"
#include "common/store/store.h"

/* Any of the three may be NULL: empty. */
struct named_list {
    struct slice name; /* borrowed from the configuration */
    /* struct list_source, where `file` came from; for the main thread; NULL: no file. */
    struct shared *source;
    struct list *entries, *file, *live;
};
struct named_map {
    struct slice name;
    struct shared *source;
    struct map *entries, *file, *live;
};

struct sets { /* in the order of the configuration; the arrays are owned */
    struct named_list *lists;
    size_t list_count;
    struct named_map *maps;
    size_t map_count;
};

/* ---- making; main thread ---- */

/* Of the sections as read; files are read (blocking). What is live, and files that are the same, are taken over from
 * `previous` (NULL: none). Mistakes in entries are errors, those in files, and files that are not there, warnings. False:
 * out of memory; *out is to be freed all the same. */
bool sets_load(struct sets *out, const struct policy_sections *sections, const struct conf *conf,
               struct conf_errors *errors, const struct sets *previous);
/* The same once more, sharing everything: to change some of it. False: out of memory, *to is empty. */
bool sets_copy(const struct sets *from, struct sets *to);
void sets_free(struct sets *sets); /* what is zeroed, too; leaves it so */

/* Looks whether list and map files have changed (blocking), logs which have been read anew and what is wrong in them.
 * True: one has been; sets_take_files() puts it into a copy. */
bool sets_refresh_files(const struct sets *sets);
void sets_take_files(struct sets *copy);

/* Puts what a live hash says into a copy: `bad` is called for each field that makes no sense and is left out. Without
 * memory the list or map stays as it was. */
typedef void sets_bad_field(void *arg, struct slice field, const char *error);
void sets_take_list(struct sets *copy, size_t n, const struct store_field *fields, size_t count,
                    sets_bad_field *bad, void *arg);
void sets_take_map(struct sets *copy, size_t n, const struct store_field *fields, size_t count,
                   sets_bad_field *bad, void *arg);

/* ---- asking; any thread ---- */

/* NULL: not declared. */
const struct named_list *sets_list(const struct sets *sets, struct slice name);
const struct named_map *sets_map(const struct sets *sets, struct slice name);
/* The n-th name of a kind ("list", "map"), absent past the end and for other kinds. */
struct slice sets_name_at(const struct sets *sets, const char *kind, size_t n);

/* Of a subject or key with several values any one that is there is enough.
 *
 * The most specific entry of all three decides, of equal ones the live one. See list_lookup(). */
bool named_list_has(const struct named_list *list, const struct value *subject, uint64_t wall_ms);
/* It has entries, and none of them is an address or a network. */
bool named_list_has_names_only(const struct named_list *list);
/* Whether the subject is among the values of the key. See map_lookup(). */
bool named_map_has(const struct named_map *map, const struct value *key,
                   const struct value *subject, uint64_t wall_ms);

#endif
