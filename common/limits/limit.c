/* common/limits/limit.c - what a limit costs, which fields can hold its rate, and which one is in force; see limit.h. */
#include "common/limits/limit.h"

#include "common/limits/limit_impl.h"
#include "common/mail/address.h"

/* `user:` is dropped for longer values: no store takes such a field. */
enum { FIELD_MAX = 512, FIELDS_MAX = 1 + LIMIT_DOMAINS_MAX + 1 + 1 };

struct slice limit_name(const struct limit *limit)
{
    return limit->name;
}

enum limit_count limit_counts(const struct limit *limit)
{
    return limit->count;
}

unsigned limit_stages(const struct limit *limit)
{
    return limit->stages;
}

size_t limit_key_count(const struct limit *limit)
{
    return limit->key_count;
}

const struct fact_type *limit_key_type(const struct limit *limit, size_t n)
{
    return limit->key[n];
}

const char *limit_key_fact(const struct limit *limit, size_t n)
{
    return limit->key[n]->name;
}

struct rate limit_default_rate(const struct limit *limit)
{
    return limit->rate;
}

struct slice limit_over(const struct limit *limit)
{
    return limit->over;
}

bool limit_cost(const struct limit *limit, const struct limit_event *event, uint64_t *amount,
                bool *force)
{
    bool is_due = ((unsigned)event->stage & limit->stages) != 0, is_rcpt;

    *force = false;
    *amount = 1;
    if (!is_due)
        return false;
    is_rcpt = event->stage == STAGE_RCPT;
    switch (limit->count) {
    case COUNT_MESSAGES:
        return !is_rcpt || event->is_new_message;
    case COUNT_RECIPIENTS:
        if (!is_rcpt && event->recipients > 1)
            *amount = event->recipients;
        return true;
    case COUNT_BYTES:
        *amount = event->size;
        return true;
    case COUNT_CONNECTIONS:
        return event->is_new_connection;
    case COUNT_REFUSED:
        *amount = event->is_refused ? 1 : 0;
        *force = event->is_refused;
        return true;
    }
    return false;
}

/* The domain that a key's value belongs to; absent without one. */
static struct slice domain_of(const struct limit *limit, struct slice value)
{
    for (size_t n = 0; n < limit->key_count; n++) {
        struct slice part = limit_key_part(limit, value, n);
        if (limit->key[n]->type == VALUE_DOMAIN)
            return part;
        if (limit->key[n]->type != VALUE_ADDRESS && slice_rfind(part, '@') != SIZE_MAX)
            return slice_skip(part, slice_rfind(part, '@') + 1);
    }
    return (struct slice){ NULL, 0 };
}

static bool field_put(struct arena *arena, struct slice *fields, size_t *count, struct slice kind,
                      struct slice name)
{
    if (name.len == 0 || name.len > FIELD_MAX - kind.len)
        return true;
    fields[*count] = limit_concat(arena, kind, name);
    return fields[(*count)++].ptr != NULL;
}

size_t limit_candidates(const struct limit *limit, struct slice value, struct slice class_name,
                        struct arena *arena, const struct slice **fields)
{
    struct slice *out = arena_alloc_array(arena, FIELDS_MAX, sizeof *out);
    struct slice domain = domain_of(limit, value);
    size_t count = 0;

    if (out == NULL || !field_put(arena, out, &count, SLICE("user:"), value))
        return 0;
    for (size_t n = 0; n < LIMIT_DOMAINS_MAX && domain.len > 0; n++) {
        if (!field_put(arena, out, &count, SLICE("domain:"), domain))
            return 0;
        if (!address_parent_domain(&domain))
            break;
    }
    if (!field_put(arena, out, &count, SLICE("class:"), class_name))
        return 0;
    out[count++] = SLICE("default");
    *fields = out;
    return count;
}

const struct limit_rate *limit_override_find(const struct limit *limit, struct slice field)
{
    size_t low = 0, high = limit->override_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(limit->overrides[middle].field, field);
        if (order == 0)
            return &limit->overrides[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool limit_override_at(const struct limit *limit, size_t n, struct slice *field, struct rate *rate)
{
    if (n >= limit->override_count)
        return false;
    *field = limit->overrides[n].field;
    *rate = limit->overrides[n].rate;
    return true;
}

static enum rate_level level_of(struct slice field)
{
    if (slice_starts_with(field, SLICE("user:")))
        return RATE_USER;
    if (slice_starts_with(field, SLICE("domain:")))
        return RATE_DOMAIN;
    return slice_starts_with(field, SLICE("class:")) ? RATE_CLASS : RATE_DEFAULT;
}

/* A live text that is there, parses and has not expired. *is_bad: it does not parse. */
static bool live_rate(struct slice text, uint64_t wall_ms, struct rate *rate, bool *is_bad)
{
    struct override override;
    const char *error;

    *is_bad = false;
    if (text.ptr == NULL)
        return false;
    *is_bad = !override_parse(text, &override, &error);
    if (*is_bad || override_is_expired(&override, wall_ms))
        return false;
    *rate = override.rate;
    return true;
}

struct rate limit_resolve(const struct limit *limit, const struct slice *fields,
                          const struct slice *live, size_t count, uint64_t wall_ms,
                          struct rate_source *source, size_t *bad)
{
    struct rate rate = limit->rate;
    const struct limit_rate *in_file;
    bool is_bad;

    *bad = SIZE_MAX;
    *source = (struct rate_source){ RATE_DEFAULT, false, SLICE("default") };
    for (size_t i = 0; i < count; i++) {
        bool is_live = live_rate(live[i], wall_ms, &rate, &is_bad);
        if (is_bad && *bad == SIZE_MAX)
            *bad = i;
        in_file = is_live ? NULL : limit_override_find(limit, fields[i]);
        if (!is_live && in_file == NULL)
            continue;
        *source = (struct rate_source){ level_of(fields[i]), is_live, fields[i] };
        return is_live ? rate : in_file->rate;
    }
    return rate;
}
