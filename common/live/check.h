/* common/live/check.h - whether a change of the live state makes sense, and in which spelling it is stored. The daemons'
 * control socket and gatectl's direct way to the store ask the same function, so both refuse the same. Pure.
 *
 * Keys are those of the key table without `gh:`: limit:NAME, class, list:NAME[/RECIPIENT], map:NAME, rule, apply, dkim. */
#ifndef GATEHOUSE_LIVE_CHECK_H
#define GATEHOUSE_LIVE_CHECK_H

#include "common/base/arena.h"
#include "common/base/slice.h"

#define LIVE_FIELD_MAX 512
#define LIVE_TEXT_MAX 8192 /* bytes of a value with its until=, by= and note= */

/* What the running configuration declares, and how it compiles a rule. A NULL function: everything is taken. */
struct live_names {
    bool (*is_declared)(const void *context, const char *kind, struct slice name);
    /* The n-th declared name of a kind ("limit", "list", "map", "chain"), absent past the end: for "did you mean". */
    struct slice (*name_at)(const void *context, const char *kind, size_t n);
    /* Compiles the rule; false: *where ("when", "then", ...), *offset and `error` say what is wrong. */
    bool (*rule_compiles)(const void *context, struct slice name, struct slice text,
                          const char **where, size_t *offset, char error[200]);
    const void *context;
};

enum live_result {
    LIVE_OK,
    LIVE_NO_SUCH_KEY, /* not a key of the table */
    LIVE_BAD, /* the error says what */
    LIVE_UNDECLARED, /* well-formed, but no limit, list or map of this name is configured: it would do nothing */
};

struct live_error {
    const char *where; /* "key", "field", "text"; of a rule also "when", "then", "order" ... */
    size_t offset; /* bytes into it */
    char text[200];
};

/* May this hash be read and written? *stored is the key as it is stored (a recipient in lower case), in `arena` or
 * borrowed; it is set with LIVE_UNDECLARED, too. */
enum live_result live_check_key(struct slice key, const struct live_names *names,
                                struct arena *arena, struct slice *stored,
                                struct live_error *error);

/* The field as it is stored (mailboxes and domains in lower case, networks in their shortest form), for a change or a
 * removal. In `arena` or borrowed. */
enum live_result live_check_field(struct slice key, struct slice field, struct arena *arena,
                                  struct slice *stored, struct live_error *error);

/* A whole change. LIVE_UNDECLARED only when all else is well; *stored is set then, too. */
struct live_place {
    struct slice key, field;
};
enum live_result live_check(struct slice key, struct slice field, struct slice text,
                            const struct live_names *names, struct arena *arena,
                            struct live_place *stored, struct live_error *error);

#endif
