/* common/config/param.h - parameters: one table row is the whole truth. Reading the file, its checks, -d, -n, the
 * sample file and the manual page all come from the rows.
 *
 *     struct limit_section {
 *         const struct conf_section *conf; // first member of every section's struct
 *         struct slice rate;
 *         struct conf_pairs rate_user;
 *     };
 *     #define CONF_STRUCT struct limit_section
 *     static const struct conf_param limit_params[] = {
 *         { PARAM(rate), CONF_TEXT, NULL, .example = "200/1h", .check = check_rate, .doc = "..." },
 *         { PARAM_AS("rate.user.*", rate_user), CONF_PAIRS, .check = check_rate, .doc = "..." },
 *     };
 *     #undef CONF_STRUCT */
#ifndef GATEHOUSE_CONFIG_PARAM_H
#define GATEHOUSE_CONFIG_PARAM_H

#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/config/conf.h"

/* The field, and how it is written. */
enum conf_type {
    CONF_BOOLEAN, /* bool: yes, no */
    CONF_INTEGER, /* uint64_t: decimal digits */
    CONF_SIZE, /* uint64_t, bytes: 10, 10K, 10M, 10G (1024s) */
    CONF_TIME, /* uint64_t, ms: 100ms, 5s, 5 (seconds), 5m, 1h, 1d */
    CONF_MODE, /* unsigned: octal permissions, 0660 */
    CONF_WORD, /* unsigned or an enum counting from 0: position in `words` */
    CONF_TEXT, /* struct slice; least and most bound its bytes */
    CONF_PATH, /* struct slice: an absolute file name */
    CONF_LIST, /* struct conf_list: items separated by commas or blanks; least and most bound their number */
    CONF_LISTEN, /* struct conf_listens: unix:PATH, inet:ADDRESS:PORT, inet:[ADDRESS]:PORT; as a list */
    CONF_PAIRS, /* struct conf_pairs: every line that the row's `*` fits */
};

struct conf_list {
    const struct slice *items;
    size_t count;
};

struct conf_listen {
    struct slice text; /* as written */
    struct slice path; /* unix: the file name; absent for inet */
    struct sockaddr_storage address;
    socklen_t address_len;
};

struct conf_listens {
    const struct conf_listen *items;
    size_t count;
};

struct conf_pair {
    struct slice name; /* what stands for the `*` */
    struct slice value;
};

struct conf_pairs { /* in the order of the file */
    const struct conf_pair *items;
    size_t count;
};

/* What is wrong with a text, and where in it. */
struct conf_complaint {
    size_t offset; /* bytes */
    char text[CONF_ERROR_TEXT_MAX];
};

/* Sets *out. Always false, so that a check can end with it. */
bool conf_complain(struct conf_complaint *out, size_t offset, const char *format, ...)
    PRINTF_LIKE(3, 4);

struct conf_param {
    const char *name; /* a last `*` stands for anything: `rate.user.*`, or `*` alone */
    size_t offset, size; /* of the field; PARAM() sets the first three */
    enum conf_type type;
    /* The default; "": none; NULL: must be given (CONF_PAIRS: no meaning). In a section "$NAME": what the program's parameter of this
     * name has, which is of the same type. */
    const char *initial;
    uint64_t least, most; /* most 0: no bound */
    bool live; /* a reload is enough; otherwise a restart is needed */
    const char *const *words; /* CONF_WORD: NULL-terminated */
    /* TEXT, PATH, LIST (each item), PAIRS (each value): true, or false and *out. */
    bool (*check)(struct slice text, struct conf_complaint *out);
    /* PAIRS: what stands for the `*`. */
    bool (*check_name)(struct slice name, struct conf_complaint *out);
    const char *example; /* for the sample file and the manual, where the default says too little */
    const char *star; /* PAIRS: what stands for the `*` in the example */
    const char *doc; /* sentences, plain text */
};

#define PARAM_AS(name, field)                                                                      \
    (name), offsetof(CONF_STRUCT, field), sizeof(((CONF_STRUCT *)0)->field)
#define PARAM(field) PARAM_AS(#field, field)

/* A kind of section. Its struct begins with a `const struct conf_section *`. */
struct conf_kind {
    const char *kind; /* "limit" */
    bool is_named; /* [limit NAME], any number; otherwise [classes], at most once */
    const struct conf_param *params;
    size_t param_count;
    size_t size; /* of its struct */
    size_t items_offset, count_offset; /* in the program's struct: `const struct S *`, `size_t` */
    const char *doc;
    const char *example; /* a whole section, for sample file and manual; may be NULL */
};
/* With CONF_STRUCT naming the program's struct, a row begins
 *     { "limit", true, PARAMS(limit_params), SECTIONS(struct limit_section, limits, limit_count), */
#define PARAMS(table) (table), COUNT(table)
#define SECTIONS(type, items, count)                                                               \
    sizeof(type), offsetof(CONF_STRUCT, items), offsetof(CONF_STRUCT, count)

struct conf_schema {
    const struct conf_param *params;
    size_t param_count;
    const struct conf_kind *kinds;
    size_t kind_count;
    size_t size; /* of the program's struct */
};

/* Fills `out` (schema->size bytes) from the document: defaults first, then what is given. All mistakes are reported;
 * where one is, the default stays, so that later checks can go on and report theirs. Texts borrow from the document
 * (conf_where() knows their places) or are constants; arrays live in `arena`. A CONF_TEXT or CONF_PATH with the default
 * "" is absent when it is not given. True when nothing was reported as an error. */
bool conf_load(const struct conf_schema *schema, const struct conf *conf, struct arena *arena,
               void *out, struct conf_errors *errors);

/* A parameter's place in a section, or the section's own when it is not given there. */
struct conf_pos conf_param_where(const struct conf *conf, const struct conf_section *section,
                                 const char *name);

/* Warns of each parameter of section 0 whose value changed from `before` to `after` though it needs a restart. */
void conf_warn_restart(const struct conf_schema *schema, const struct conf *before,
                       const struct conf *after, struct conf_errors *errors);

/* The row that a name belongs to: the same name, else the longest that its `*` makes fit; NULL: none. */
const struct conf_param *conf_param_find(const struct conf_param *params, size_t count,
                                         struct slice name);

/* For each program's unit test: field sizes match the types, defaults and examples pass their own checks, names are
 * different, everything has its documentation. False, with the row's name and why in *out. */
bool conf_schema_is_sound(const struct conf_schema *schema, struct conf_complaint *out);

#endif
