/* tests/fakes/shown_metric.h - what the page of metrics says of one series. */
#ifndef GATEHOUSE_FAKES_SHOWN_METRIC_H
#define GATEHOUSE_FAKES_SHOWN_METRIC_H

#include <stdint.h>

/* `series`: its name, with its labels as they are printed. 0 when it is not on the page. */
uint64_t shown_metric(const char *series);

#endif
