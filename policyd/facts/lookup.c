/* policyd/facts/lookup.c - see lookup.h. */
#include "policyd/facts/lookup.h"

void fact_request_abandon(struct fact_request *request)
{
    for (struct lookup *lookup = request->lookups; lookup != NULL; lookup = lookup->next)
        if (lookup->store.call.pending != NULL)
            store_abandon(request->store, &lookup->store.call);
    for (struct fact_cancel *self = request->cancels; self != NULL; self = self->next)
        self->cancel(self);
}

void fact_request_on_abandon(struct fact_request *request, struct fact_cancel *self)
{
    self->next = request->cancels;
    request->cancels = self;
}

static void lookup_done(struct store_call *call)
{
    struct lookup *lookup = (struct lookup *)call;
    struct value value = { .type = VALUE_TEXT };
    bool is_known = call->result == STORE_OK && lookup->finish(lookup, &value);

    evaluation_provide(lookup->evaluation, lookup->slot, is_known ? &value : NULL);
}

struct lookup *lookup_new(struct evaluation *evaluation, size_t slot, lookup_finish *finish,
                          const void *arg)
{
    struct fact_request *request = evaluation->request;
    struct lookup *lookup = arena_alloc(request->arena, sizeof *lookup);

    if (lookup == NULL)
        return NULL;
    lookup->store.call.done = lookup_done;
    lookup->evaluation = evaluation;
    lookup->slot = slot;
    lookup->finish = finish;
    lookup->arg = arg;
    lookup->next = request->lookups;
    request->lookups = lookup;
    return lookup;
}

enum fetch_result lookup_started(struct lookup *lookup, bool is_done, struct value *out)
{
    if (!is_done)
        return FETCH_STARTED;
    return lookup->store.call.result == STORE_OK && lookup->finish(lookup, out) ? FETCH_KNOWN
                                                                                : FETCH_UNKNOWN;
}
