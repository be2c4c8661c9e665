/* common/live/tail.h - live values as people and panels write them: a value, then, in any order and all optional,
 * `until=UNIX_SECONDS by=WHO note=the rest of the line`. Used for limits, list entries, maps and classes. Pure. */
#ifndef GATEHOUSE_LIVE_TAIL_H
#define GATEHOUSE_LIVE_TAIL_H

#include "common/base/buf.h"

struct live_tail {
    struct slice head; /* what is before the three, trimmed; may be empty (list entries) */
    uint64_t until_s; /* 0: no end */
    struct slice by, note;
};

/* Borrows from `text`. False, with a constant text in *error, for a repeated name, an `until` that is no number, or a
 * control byte anywhere. */
bool live_tail_parse(struct slice text, struct live_tail *out, const char **error);
bool live_tail_is_expired(const struct live_tail *tail, uint64_t wall_ms);
/* 0, or -1 when the buffer is full. */
int live_tail_print(struct buf *out, const struct live_tail *tail);

#endif
