/* tests/fakes/shown_metric.c - see shown_metric.h. */
#include "tests/fakes/shown_metric.h"

#include "common/observe/metrics.h"

enum { PAGE_MAX = 1 << 20 };

static bool find(const char *series, uint64_t *out)
{
    AUTO_BUF page = BUF_INIT(PAGE_MAX);
    struct slice rest, line;

    if (metrics_print(&page))
        return false;
    rest = buf_slice(&page);
    while (slice_cut(&rest, '\n', &line)) {
        struct slice value = slice_skip(line, strlen(series));
        if (slice_starts_with(line, slice_of(series)) && slice_starts_with(value, SLICE(" ")) &&
            slice_to_u64(slice_skip(value, 1), out))
            return true;
    }
    return false;
}

uint64_t shown_metric(const char *series)
{
    uint64_t value;

    return find(series, &value) ? value : 0;
}

bool metric_is_shown(const char *series, uint64_t value)
{
    uint64_t shown;

    return find(series, &shown) && shown == value;
}
