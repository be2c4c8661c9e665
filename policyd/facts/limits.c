/* policyd/facts/limits.c - limits: the use of one by a request, and the facts limit.NAME.used and limit.NAME.left. */
#include "policyd/facts/limits.h"

static enum limit_use_result key_parts(struct evaluation *evaluation,
                                       const struct policy_limit *limit, struct value *parts)
{
    enum limit_use_result result = LIMIT_USE_READY;

    /* All are asked for before the first missing one makes us wait. */
    for (size_t i = 0; i < limit_key_count(limit->limit); i++) {
        enum fact_state state = evaluation_get(evaluation, limit->key_slots[i], &parts[i]);
        if (state == FACT_MISSING)
            result = LIMIT_USE_WAITS;
        else if (state == FACT_UNKNOWN && result == LIMIT_USE_READY)
            result = LIMIT_USE_UNKNOWN;
    }
    return result;
}

enum limit_use_result limit_use_make(struct evaluation *evaluation,
                                     const struct policy_limit *limit, struct limit_use *use)
{
    struct fact_request *request = evaluation->request;
    const struct policy_parts *parts = &request->policy->parts;
    struct value key[LIMIT_KEY_FACTS_MAX];
    struct slice value;

    enum limit_use_result result = key_parts(evaluation, limit, key);
    if (result != LIMIT_USE_READY)
        return result;
    *use = (struct limit_use){ .limit = limit->limit, .bad = SIZE_MAX };
    switch (limit_key(limit->limit, key, request->arena, &value, &use->subject)) {
    case LIMIT_KEY_EMPTY:
        return LIMIT_USE_NONE;
    case LIMIT_KEY_NO_MEMORY:
        return LIMIT_USE_NO_MEMORY;
    case LIMIT_KEY_OK:
        break;
    }
    struct slice class_name =
        classes_of_key(limit->limit, shared_get(parts->classes_file),
                       shared_get(parts->classes_live), value, request->wall_ms);
    use->field_count =
        limit_candidates(limit->limit, value, class_name, request->arena, &use->fields);
    return use->field_count > 0 ? LIMIT_USE_READY : LIMIT_USE_NO_MEMORY;
}

static void usage_value(const struct fact_ref *ref, const struct limit_use *use, uint64_t used,
                        struct value *out)
{
    *out = (struct value){ .type = VALUE_NUMBER };
    if (ref->type->id == FACT_LIMIT_USED)
        out->number = (double)used;
    else if (use->rate.most == RATE_UNLIMITED)
        out->is_empty = true;
    else
        out->number = use->rate.most > used ? (double)(use->rate.most - used) : 0;
}

static bool peek_finish(struct lookup *lookup, struct value *out)
{
    const struct limit_use *use = &lookup->store.charge.uses[0];

    usage_value(lookup->arg, use, use->used, out);
    return true;
}

/* A limit that this request has just been charged for, or exceeds. */
static const struct limit_use *charged_use(const struct fact_request *request,
                                           const struct limit *limit)
{
    for (size_t i = 0; request->charged != NULL && i < request->charged->use_count; i++)
        if (request->charged->uses[i].limit == limit)
            return &request->charged->uses[i];
    return NULL;
}

enum fetch_result limit_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                             struct value *out)
{
    struct fact_request *request = evaluation->request;
    const struct policy_limit *limit = policy_limit_find(request->policy, ref->arg);

    if (limit == NULL)
        return FETCH_UNKNOWN;
    const struct limit_use *charged = charged_use(request, limit->limit);
    if (charged != NULL) {
        usage_value(ref, charged, charged->used, out);
        return FETCH_KNOWN;
    }
    struct limit_use *use = arena_alloc(request->arena, sizeof *use);
    if (use == NULL)
        return FETCH_UNKNOWN;
    switch (limit_use_make(evaluation, limit, use)) {
    case LIMIT_USE_NONE:
        *out = (struct value){ .type = VALUE_NUMBER, .is_empty = true };
        return FETCH_KNOWN;
    case LIMIT_USE_WAITS:
        return FETCH_BLOCKED;
    case LIMIT_USE_UNKNOWN:
    case LIMIT_USE_NO_MEMORY:
        return FETCH_UNKNOWN;
    case LIMIT_USE_READY:
        break;
    }
    struct lookup *lookup = lookup_new(&request->lookups, evaluation, slot, peek_finish, ref);
    if (lookup == NULL)
        return FETCH_UNKNOWN;
    lookup->store.charge.uses = use;
    lookup->store.charge.use_count = 1;
    lookup->store.charge.peek = true;
    return lookup_started(lookup, store_charge(request->lookups.store, &lookup->store.charge), out);
}
