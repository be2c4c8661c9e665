/* common/lists/source.h - a file that holds a list or a map: loaded, its mistakes reported, and loaded again when it has
 * changed. Nothing here waits or owns a timer: the caller asks now and then (blocking file I/O: not on a worker's loop).
 * A source is used by one thread at a time; what it hands out is immutable. */
#ifndef GATEHOUSE_LISTS_SOURCE_H
#define GATEHOUSE_LISTS_SOURCE_H

#include "common/lists/list.h"
#include "common/lists/map.h"

struct list_source; /* opaque */

enum source_kind { SOURCE_LIST, SOURCE_MAP };

struct source_bounds {
    size_t max_bytes; /* of the file; a longer one is not loaded */
    size_t max_entries; /* the rest of a file with more is left out, and that is reported */
};
#define SOURCE_BOUNDS_DEFAULT ((struct source_bounds){ 512 * 1024 * 1024, 10 * 1000 * 1000 })

/* Every mistake, in order, up to SOURCE_REPORTS_MAX of a load, then one line that says how many more. `line` and `column`
 * count from 1; both are 0 when it is about the file as such. */
#define SOURCE_REPORTS_MAX 100
struct source_errors {
    void (*report)(void *arg, const char *path, size_t line, size_t column, const char *text);
    void *arg;
};

enum source_state {
    SOURCE_SAME, /* nothing new: as it was, or still being written */
    SOURCE_LOADED, /* list_source_list() or list_source_map() is new */
    SOURCE_FAILED, /* not there, unreadable, too long: what was loaded before stays; reported once, not at each call */
};

/* `path` is copied. Nothing is read yet. NULL: out of memory. */
struct list_source *list_source_new(const char *path, enum source_kind kind,
                                    struct source_bounds bounds);
void list_source_free(struct list_source **source); /* NULL-safe; clears *source */

/* Loads the file if its mtime, size or inode differ from what was loaded. The first call loads it as it is; later ones
 * take a change when two calls have seen the same state, so that a file which is being written is left alone. A bad line
 * is reported and skipped. */
enum source_state list_source_refresh(struct list_source *source,
                                      const struct source_errors *errors);

/* What was loaded last; NULL before the first success and for the other kind. Owned by the source until the next
 * refresh: use list_share() or map_share() to keep it. */
struct list *list_source_list(const struct list_source *source);
struct map *list_source_map(const struct list_source *source);
const char *list_source_path(const struct list_source *source);

#endif
