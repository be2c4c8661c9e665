/* tests/fakes/shown_metric.c - see shown_metric.h. */
#include "tests/fakes/shown_metric.h"

#include "common/observe/metrics.h"

enum { PAGE_MAX = 1 << 20 };

uint64_t shown_metric(const char *series)
{
    AUTO_BUF page = BUF_INIT(PAGE_MAX);
    struct slice rest, line, value;

    if (metrics_print(&page))
        return 0;
    rest = buf_slice(&page);
    while (slice_cut(&rest, '\n', &line)) {
        uint64_t number;
        if (!slice_starts_with(line, slice_of(series)))
            continue;
        value = slice_skip(line, strlen(series));
        if (slice_starts_with(value, SLICE(" ")) && slice_to_u64(slice_skip(value, 1), &number))
            return number;
    }
    return 0;
}
