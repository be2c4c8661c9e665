/* common/limits/limit_config.h - makes limits from the texts of a configuration. Pure. */
#ifndef GATEHOUSE_LIMITS_LIMIT_CONFIG_H
#define GATEHOUSE_LIMITS_LIMIT_CONFIG_H

#include "common/limits/limit.h"

/* One `rate.user.alice@example.com = 500/1h`. */
struct limit_override {
    struct slice name; /* with `rate.`, as written */
    struct slice rate;
};

/* What a limit counts when its section does not say. */
#define LIMIT_COUNT_DEFAULT "messages"

/* One `[limit NAME]`. Absent slices mean "not given". */
struct limit_text {
    struct slice name, key, count, rate, charge, over;
    const struct limit_override *overrides;
    size_t override_count;
};

/* A mistake: which text, where in it (byte offset), what, with the suggestion inside the message. */
struct limit_error {
    enum limit_field {
        LIMIT_FIELD_NAME, /* of the section; also: a parameter that is required is not given */
        LIMIT_FIELD_KEY,
        LIMIT_FIELD_COUNT,
        LIMIT_FIELD_RATE,
        LIMIT_FIELD_CHARGE,
        LIMIT_FIELD_OVER,
        LIMIT_FIELD_OVERRIDE, /* the name of override number `override` */
        LIMIT_FIELD_OVERRIDE_RATE
    } field;
    size_t limit; /* index of the text */
    size_t override;
    size_t offset;
    char text[240];
};

struct limit_errors {
    void (*add)(void *arg, const struct limit_error *error);
    void *arg;
};

/* Bounds; beyond them is an error. */
enum {
    LIMITS_MAX = 1000,
    LIMIT_NAME_MAX = 64, /* bytes; letters, digits, - and _ */
    LIMIT_KEY_FACTS_MAX = 4,
};

struct limit_set; /* opaque, immutable once made: shared by all workers */

/* Every mistake is reported; a limit with one is left out of the set (its name stays known to limit_set_knows(), so that
 * rules which use it are not reported as well). The set keeps copies of all texts; `facts` must outlive it. `over` is
 * not judged here: it is an action, the daemon compiles it with its rules. NULL only when memory is out. */
struct limit_set *limit_set_new(const struct fact_type *facts, size_t fact_count,
                                const struct limit_text *texts, size_t count,
                                const struct limit_errors *errors);
void limit_set_free(struct limit_set **set); /* NULL-safe; clears *set */

size_t limit_set_count(const struct limit_set *set);
const struct limit *limit_set_at(const struct limit_set *set, size_t n); /* in the file's order */
const struct limit *limit_set_find(const struct limit_set *set, struct slice name); /* or NULL */
bool limit_set_knows(const struct limit_set *set, struct slice name);

/* The file's overrides of a limit, for listings: `user:alice@example.com` and its rate. False past the end. */
bool limit_override_at(const struct limit *limit, size_t n, struct slice *field, struct rate *rate);

#endif
