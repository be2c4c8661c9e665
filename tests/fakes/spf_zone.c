/* tests/fakes/spf_zone.c - see spf_zone.h. */
#include "tests/fakes/spf_zone.h"

#include <assert.h>

enum { ALIASES_MAX = 8, ARENA_MAX = 64 << 20 };

/* The question's place in the list; NULL: there is no room for a new one. */
static struct zone_question *question(struct spf_zone *zone, struct slice name, enum spf_rr type)
{
    struct zone_question *at = zone->asked;

    for (; at < zone->asked + zone->asked_count; at++) {
        if (at->type == type && slice_equal_nocase((struct slice){ at->name, at->len }, name))
            return at;
    }
    if (zone->asked_count == COUNT(zone->asked))
        return NULL;
    zone->asked_count++;
    memcpy(at->name, name.ptr, name.len);
    at->len = name.len;
    at->type = type;
    at->is_answered = !zone->is_slow;
    return at;
}

static const struct zone_record *find(const struct spf_zone *zone, struct slice name,
                                      enum zone_kind kind)
{
    for (size_t i = 0; i < zone->count; i++) {
        if (zone->records[i].kind == kind && slice_equal_nocase(zone->records[i].name, name))
            return &zone->records[i];
    }
    return NULL;
}

/* The name at the end of the aliases; false: they go round in circles. */
static bool canonical(const struct spf_zone *zone, struct slice *name)
{
    const struct zone_record *alias;

    for (size_t i = 0; (alias = find(zone, *name, ZONE_ALIAS)) != NULL; i++) {
        if (i == ALIASES_MAX)
            return false;
        *name = alias->data;
        if (name->len > 0 && name->ptr[name->len - 1] == '.')
            name->len--;
    }
    return true;
}

static bool collect(struct spf_zone *zone, struct slice name, enum spf_rr type,
                    struct spf_answer *out)
{
    struct ip_address *addresses = arena_alloc_array(zone->arena, zone->count, sizeof *addresses);
    struct slice *texts = arena_alloc_array(zone->arena, zone->count, sizeof *texts);

    *out = (struct spf_answer){ .addresses = addresses, .texts = texts };
    if (addresses == NULL || texts == NULL)
        return false;
    for (size_t i = 0; i < zone->count; i++) {
        const struct zone_record *record = &zone->records[i];
        if (record->kind != ZONE_DATA || record->type != type ||
            !slice_equal_nocase(record->name, name))
            continue;
        if ((type == SPF_RR_A || type == SPF_RR_AAAA) &&
            !ip_address_parse(record->data, &addresses[out->count]))
            return false;
        texts[out->count++] = record->data;
    }
    return true;
}

static enum spf_dns_status lookup(void *arg, struct slice name, enum spf_rr type,
                                  struct spf_answer *out)
{
    struct spf_zone *zone = arg;

    assert(name.len > 0 && name.len <= 253);
    const struct zone_question *asked = question(zone, name, type);
    if (asked == NULL)
        return SPF_DNS_FAILED;
    if (!asked->is_answered)
        return SPF_DNS_WAIT;
    if (!canonical(zone, &name) || !collect(zone, name, type, out))
        return SPF_DNS_FAILED;
    if (out->count > 0)
        return SPF_DNS_FOUND;
    return find(zone, name, ZONE_FAILS) != NULL ? SPF_DNS_FAILED : SPF_DNS_NOTHING;
}

bool spf_zone_init(struct spf_zone *zone, const struct zone_record *records, size_t count)
{
    *zone = (struct spf_zone){ .records = records, .count = count };
    zone->dns = (struct spf_dns){ lookup, zone };
    zone->arena = arena_new(ARENA_MAX);
    return zone->arena != NULL;
}

void spf_zone_free(struct spf_zone *zone)
{
    arena_free(&zone->arena);
}

void spf_zone_arrive(struct spf_zone *zone)
{
    for (size_t i = 0; i < zone->asked_count; i++)
        zone->asked[i].is_answered = true;
}

const struct spf_outcome *spf_zone_check(struct spf_zone *zone, struct arena *arena,
                                         const struct spf_query *query)
{
    struct spf_check *check = spf_check_new(arena, query, &zone->dns);

    assert(check != NULL);
    while (spf_check_run(check) == SPF_WAIT)
        spf_zone_arrive(zone);
    return spf_check_outcome(check);
}
