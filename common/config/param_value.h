/* common/config/param_value.h - one value of one row: text to field. For param.c and usage.c alone. */
#ifndef GATEHOUSE_CONFIG_PARAM_VALUE_H
#define GATEHOUSE_CONFIG_PARAM_VALUE_H

#include "common/config/param.h"

/* Writes the value to `field` (row->size bytes), or says what is wrong and leaves the field alone. Texts are borrowed,
 * arrays live in `arena`. Not for CONF_PAIRS. */
bool param_value_parse(const struct conf_param *row, struct slice text, struct arena *arena,
                       void *field, struct conf_complaint *out);

/* Are these two texts the same value? */
bool param_value_equal(const struct conf_param *row, struct slice a, struct slice b);

/* The size that the field of a type has. */
size_t param_value_size(enum conf_type type);

/* Adds the name as an example has it: with something that the `*`, if there is one, may stand for. 0, or -1. */
int param_example_name(const struct conf_param *row, struct buf *out);

/* Adds what the type takes: "time, 100ms to 90s", "enforce or shadow", ... 0, or -1 when the buffer is full. */
int param_value_usage(const struct conf_param *row, struct buf *out);

#endif
