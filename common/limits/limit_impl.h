/* common/limits/limit_impl.h - inside of a limit: for common/limits/ alone. */
#ifndef GATEHOUSE_LIMITS_LIMIT_IMPL_H
#define GATEHOUSE_LIMITS_LIMIT_IMPL_H

#include "common/limits/limit_config.h"

struct limit_rate {
    struct slice field; /* `user:alice@example.com` */
    struct rate rate;
    size_t text; /* which override of the configuration it was */
};

struct limit {
    struct slice name, over;
    enum limit_count count;
    unsigned stages;
    const struct fact_type *key[LIMIT_KEY_FACTS_MAX];
    size_t key_count;
    struct rate rate;
    const struct limit_rate *overrides; /* sorted by field */
    size_t override_count;
};

/* The file's rate for a field, NULL without one. */
const struct limit_rate *limit_override_find(const struct limit *limit, struct slice field);

/* The n-th part of a key's value; the whole value when the key has one fact (or when it does not have all parts). */
struct slice limit_key_part(const struct limit *limit, struct slice value, size_t n);

/* Two texts as one, in `arena`; absent when it is full. */
struct slice limit_concat(struct arena *arena, struct slice a, struct slice b);

#endif
