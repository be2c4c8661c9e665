/* gatectl/when.h - points in time as people type and read them. */
#ifndef GATEHOUSE_GATECTL_WHEN_H
#define GATEHOUSE_GATECTL_WHEN_H

#include "common/base/buf.h"

/* 90s, 15m, 2h, 3d, 1w from `now_s` on; 2026-12-01, 2026-12-01T12:00, 2026-12-01T12:00:30 in local time, with a final Z
 * in UTC; Unix seconds (at least 10 digits). False, with a constant text in *error, for anything else and for what is not
 * after `now_s`. */
bool when_parse(struct slice text, uint64_t now_s, uint64_t *until_s, const char **error);

/* "2026-12-01 12:00", local time. 0, or -1: the buffer is full. */
int when_print_time(struct buf *out, uint64_t at_s);

/* "2026-12-01 12:00 (2d 3h)", local time; a past one has "(over)". 0, or -1: the buffer is full. */
int when_print(struct buf *out, uint64_t at_s, uint64_t now_s);

/* A duration in its two largest units, rounded up to them: "2d 3h", "15m", "40s", "0s". */
int when_print_span(struct buf *out, uint64_t seconds);

#endif
