/* common/policy/membership.c - see membership.h. */
#include "common/policy/membership.h"

static void value_is(struct value *out, bool is_member)
{
    *out = (struct value){ .type = VALUE_BOOLEAN, .boolean = is_member };
}

/* ---- list:NAME/{key}: asked of the store ---- */

struct keyed {
    struct value subject;
    uint64_t wall_ms;
};

static bool keyed_finish(struct lookup *lookup, struct value *out)
{
    const struct store_fetch *fetch = &lookup->store.fetch;
    const struct keyed *keyed = lookup->arg;
    struct list_match match;
    size_t bad;

    list_match_fields(&keyed->subject, fetch->fields, fetch->texts, fetch->count, keyed->wall_ms,
                      &match, &bad);
    value_is(out, list_match_is_member(&match));
    return true;
}

static enum fetch_result keyed_list(const struct membership *membership,
                                    struct evaluation *evaluation, size_t slot, struct slice name,
                                    const struct value *subject, const struct value *key,
                                    struct value *out)
{
    struct lookups *lookups = membership->lookups;
    struct keyed *keyed = arena_alloc(lookups->arena, sizeof *keyed);
    const struct slice *fields;

    if (keyed == NULL)
        return FETCH_UNKNOWN;
    *keyed = (struct keyed){ *subject, membership->wall_ms };
    size_t count = list_fields(subject, lookups->arena, &fields);
    if (count == 0) {
        value_is(out, false);
        return FETCH_KNOWN;
    }
    struct lookup *lookup =
        count == SIZE_MAX ? NULL : lookup_new(lookups, evaluation, slot, keyed_finish, keyed);
    if (lookup == NULL)
        return FETCH_UNKNOWN;
    struct store_fetch *fetch = &lookup->store.fetch;
    fetch->key =
        arena_printf(lookups->arena, "list:%.*s/%.*s", SLICE_ARG(name), SLICE_ARG(key->text));
    fetch->fields = fields;
    fetch->count = count;
    fetch->arena = lookups->arena;
    fetch->texts = arena_alloc_array(lookups->arena, count, sizeof *fetch->texts);
    if (fetch->key.ptr == NULL || fetch->texts == NULL)
        return FETCH_UNKNOWN;
    return lookup_started(lookup, store_fetch(lookups->store, fetch), out);
}

/* ---- held here ---- */

static enum fetch_result in_list(const struct membership *membership, struct slice name,
                                 const struct value *subject, struct value *out)
{
    const struct named_list *list = sets_list(membership->sets, name);

    if (list == NULL)
        return FETCH_UNKNOWN;
    value_is(out, named_list_has(list, subject, membership->wall_ms));
    return FETCH_KNOWN;
}

static enum fetch_result in_map(const struct membership *membership, struct slice name,
                                const struct value *subject, const struct value *key,
                                struct value *out)
{
    const struct named_map *map = sets_map(membership->sets, name);

    if (map == NULL)
        return FETCH_UNKNOWN;
    value_is(out, named_map_has(map, key, subject->text, membership->wall_ms));
    return FETCH_KNOWN;
}

enum fetch_result membership_fact(const struct membership *membership,
                                  struct evaluation *evaluation, size_t slot,
                                  const struct fact_ref *ref, struct value *out)
{
    struct value subject, key;

    enum fact_state state = evaluation_get(evaluation, ref->subject, &subject);
    if (state == FACT_KNOWN && ref->key != FACT_NONE)
        state = evaluation_get(evaluation, ref->key, &key);
    if (state != FACT_KNOWN)
        return state == FACT_MISSING ? FETCH_BLOCKED : FETCH_UNKNOWN;
    if (ref->kind == FACT_IN_MAP)
        return in_map(membership, ref->arg, &subject, &key, out);
    if (ref->key != FACT_NONE)
        return keyed_list(membership, evaluation, slot, ref->arg, &subject, &key, out);
    return in_list(membership, ref->arg, &subject, out);
}
