/* tests/fakes/shown_metric.h - what the page of metrics says of one series, whose value is a whole number. */
#ifndef GATEHOUSE_FAKES_SHOWN_METRIC_H
#define GATEHOUSE_FAKES_SHOWN_METRIC_H

#include <stdbool.h>
#include <stdint.h>

/* `series`: its name, with its labels as they are printed. 0 when it is not on the page. */
uint64_t shown_metric(const char *series);
/* It is on the page, with this value. */
bool metric_is_shown(const char *series, uint64_t value);

#endif
