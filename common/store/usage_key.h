/* common/store/usage_key.h - the key of a usage counter in Redis: `gh:q:{SUBJECT}:LIMIT.WINDOW_MS.24`. Pure. */
#ifndef GATEHOUSE_STORE_USAGE_KEY_H
#define GATEHOUSE_STORE_USAGE_KEY_H

#include <inttypes.h>

#include "common/limits/limit_config.h"

/* For printf, with its arguments. */
#define USAGE_KEY_FORMAT "gh:q:{%.*s}:%.*s.%" PRIu64 ".%d"
#define USAGE_KEY_ARG(subject, limit, window_ms)                                                   \
    SLICE_ARG(subject), SLICE_ARG(limit), (window_ms), WINDOW_BUCKETS

enum { USAGE_KEY_MAX = LIMIT_SUBJECT_MAX + 2 + LIMIT_NAME_MAX + 32 };

/* Its parts, borrowed. */
bool usage_key_parse(struct slice key, struct slice *subject, struct slice *limit,
                     uint64_t *window_ms);

#endif
