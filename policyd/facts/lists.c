/* policyd/facts/lists.c - membership: subject in list:NAME, in list:NAME/{key}, in map:NAME/{key}. */
#include "policyd/facts/lists.h"

static void value_is(struct value *out, bool is_member)
{
    *out = (struct value){ .type = VALUE_BOOLEAN, .boolean = is_member };
}

/* A list with a fact in its name is not held here but asked of the store, field by field. */
static bool keyed_finish(struct lookup *lookup, struct value *out)
{
    const struct store_fetch *fetch = &lookup->store.fetch;
    const struct fact_request *request = lookup->evaluation->request;
    struct list_match match;
    size_t bad;

    list_match_fields(lookup->arg, fetch->fields, fetch->texts, fetch->count, request->wall_ms,
                      &match, &bad);
    value_is(out, list_match_is_member(&match));
    return true;
}

static enum fetch_result keyed_list(struct evaluation *evaluation, size_t slot, struct slice name,
                                    const struct value *subject, const struct value *key,
                                    struct value *out)
{
    struct fact_request *request = evaluation->request;
    struct value *kept = arena_alloc(request->arena, sizeof *kept);
    const struct slice *fields;

    if (kept == NULL)
        return FETCH_UNKNOWN;
    *kept = *subject;
    size_t count = list_fields(subject, request->arena, &fields);
    if (count == 0) {
        value_is(out, false);
        return FETCH_KNOWN;
    }
    struct lookup *lookup =
        count == SIZE_MAX ? NULL : lookup_new(evaluation, slot, keyed_finish, kept);
    if (lookup == NULL)
        return FETCH_UNKNOWN;
    struct store_fetch *fetch = &lookup->store.fetch;
    fetch->key =
        arena_printf(request->arena, "list:%.*s/%.*s", SLICE_ARG(name), SLICE_ARG(key->text));
    fetch->fields = fields;
    fetch->count = count;
    fetch->arena = request->arena;
    fetch->texts = arena_alloc_array(request->arena, count, sizeof *fetch->texts);
    if (fetch->key.ptr == NULL || fetch->texts == NULL)
        return FETCH_UNKNOWN;
    return lookup_started(lookup, store_fetch(request->store, fetch), out);
}

enum fetch_result list_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                            struct value *out)
{
    const struct fact_request *request = evaluation->request;
    struct value subject, key;

    enum fact_state state = evaluation_get(evaluation, ref->subject, &subject);
    if (state == FACT_KNOWN && ref->key != FACT_NONE)
        state = evaluation_get(evaluation, ref->key, &key);
    if (state != FACT_KNOWN)
        return state == FACT_MISSING ? FETCH_BLOCKED : FETCH_UNKNOWN;
    if (ref->key != FACT_NONE)
        return keyed_list(evaluation, slot, ref->arg, &subject, &key, out);

    const struct named_list *list = sets_list(&request->policy->parts.core.sets, ref->arg);
    if (list == NULL)
        return FETCH_UNKNOWN;
    value_is(out, named_list_has(list, &subject, request->wall_ms));
    return FETCH_KNOWN;
}

enum fetch_result map_fact(struct evaluation *evaluation, const struct fact_ref *ref,
                           struct value *out)
{
    const struct fact_request *request = evaluation->request;
    const struct named_map *map = sets_map(&request->policy->parts.core.sets, ref->arg);
    struct value subject, key;

    enum fact_state state = evaluation_get(evaluation, ref->subject, &subject);
    if (state == FACT_KNOWN)
        state = evaluation_get(evaluation, ref->key, &key);
    if (state != FACT_KNOWN)
        return state == FACT_MISSING ? FETCH_BLOCKED : FETCH_UNKNOWN;
    if (map == NULL)
        return FETCH_UNKNOWN;
    value_is(out, named_map_has(map, &key, subject.text, request->wall_ms));
    return FETCH_KNOWN;
}
