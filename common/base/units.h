/* common/base/units.h - times and sizes as people write them. Pure. */
#ifndef GATEHOUSE_BASE_UNITS_H
#define GATEHOUSE_BASE_UNITS_H

#include "common/base/slice.h"

/* Digits and a unit without a blank between: ms s m h d; seconds without one. False, with a constant text in *error, for
 * anything else or what does not fit into *ms. */
bool units_parse_time(struct slice text, uint64_t *ms, const char **error);

/* Digits and K, M or G (1024s, either case); bytes without one. */
bool units_parse_size(struct slice text, uint64_t *bytes, const char **error);

/* The shortest spelling that parses back: "90s", "5m", "256M". "unlimited" for UINT64_MAX. */
struct units_text {
    char text[32];
};
struct units_text units_print_time(uint64_t ms);
struct units_text units_print_size(uint64_t bytes);

#endif
