/* common/policy/membership.c - see membership.h. */
#include "common/policy/membership.h"

static void value_is(struct value *out, bool is_member)
{
    *out = (struct value){ .type = VALUE_BOOLEAN, .boolean = is_member };
}

/* ---- list:NAME/{key}: asked of the store ---- */

struct keyed {
    const struct value *subject; /* with its further values */
    size_t *counts; /* by value: how many of the fields are about it */
    uint64_t wall_ms;
};

static bool keyed_finish(struct lookup *lookup, struct value *out)
{
    const struct store_fetch *fetch = &lookup->store.fetch;
    const struct keyed *keyed = lookup->arg;
    const size_t *count = keyed->counts;
    bool is_member = false;
    size_t at = 0, bad;

    for (const struct value *value = keyed->subject; value != NULL && !is_member;
         value = value->next) {
        struct list_match match;
        list_match_fields(value, fetch->fields + at, fetch->texts + at, *count, keyed->wall_ms,
                          &match, &bad);
        is_member = list_match_is_member(&match);
        at += *count++;
    }
    value_is(out, is_member);
    return true;
}

/* The fields that could decide about any of the values; SIZE_MAX: out of memory. */
static size_t keyed_fields(struct keyed *keyed, struct arena *arena, struct slice **out)
{
    size_t values = 0, total = 0, at = 0;

    for (const struct value *value = keyed->subject; value != NULL; value = value->next)
        values++;
    const struct slice **parts = arena_alloc_array(arena, values, sizeof *parts);
    keyed->counts = arena_alloc_array(arena, values, sizeof *keyed->counts);
    if (parts == NULL || keyed->counts == NULL)
        return SIZE_MAX;
    for (const struct value *value = keyed->subject; value != NULL; value = value->next, at++) {
        keyed->counts[at] = list_fields(value, arena, &parts[at]);
        if (keyed->counts[at] == SIZE_MAX)
            return SIZE_MAX;
        total += keyed->counts[at];
    }
    *out = arena_alloc_array(arena, total + 1, sizeof **out);
    if (*out == NULL)
        return SIZE_MAX;
    for (size_t i = 0, to = 0; i < values; i++)
        for (size_t k = 0; k < keyed->counts[i]; k++)
            (*out)[to++] = parts[i][k];
    return total;
}

static struct keyed *keyed_new(const struct membership *membership, const struct value *subject)
{
    struct arena *arena = membership->lookups->arena;
    struct keyed *keyed = arena_alloc(arena, sizeof *keyed);
    struct value *kept = arena_alloc(arena, sizeof *kept);

    if (keyed == NULL || kept == NULL)
        return NULL;
    *kept = *subject;
    *keyed = (struct keyed){ .subject = kept, .wall_ms = membership->wall_ms };
    return keyed;
}

static enum fetch_result keyed_list(const struct membership *membership,
                                    struct evaluation *evaluation, size_t slot, struct slice name,
                                    const struct value *subject, const struct value *key,
                                    struct value *out)
{
    struct lookups *lookups = membership->lookups;
    struct keyed *keyed = keyed_new(membership, subject);
    struct slice *fields;
    size_t count = keyed == NULL ? SIZE_MAX : keyed_fields(keyed, lookups->arena, &fields);

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
    value_is(out, named_map_has(map, key, subject, membership->wall_ms));
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
