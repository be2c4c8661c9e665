/* common/policy/lookup.h - what is under way for the facts of one request: calls of the store that fill a slot when they
 * end, and whatever else has to be ended with the request. All on the worker's thread. */
#ifndef GATEHOUSE_POLICY_LOOKUP_H
#define GATEHOUSE_POLICY_LOOKUP_H

#include "common/engine/evaluation.h"
#include "common/store/store.h"

/* Something other than a look-up in the store that may be under way when the request ends; in the request's arena. */
struct lookup_cancel {
    void (*cancel)(struct lookup_cancel *self);
    /* Optional: the request's time is up. Provides what can be said of its facts without waiting any longer, and asks for
     * nothing more. `cancel` is called next. */
    void (*time_up)(struct lookup_cancel *self);
    struct lookup_cancel *next;
};

/* One request's. */
struct lookups {
    struct store *store;
    struct arena *arena; /* the request's */
    struct lookup *first; /* all of the request, ended ones too */
    struct lookup_cancel *cancels;
};

/* Ends all that is under way; the facts stay missing. */
void lookups_abandon(struct lookups *lookups);
/* The budget is used up: after evaluation_late() of all evaluations that wait. Ends all that is under way; facts that have
 * a word for "no answer" get it, the others stay missing. */
void lookups_time_up(struct lookups *lookups);
/* `self->cancel` is called by both, perhaps more than once. */
void lookups_on_abandon(struct lookups *lookups, struct lookup_cancel *self);

/* A look-up that fills `slot` when it ends; in the request's arena. `finish` turns the call's result into a value, or
 * says false: unknown. NULL: out of memory. */
typedef bool lookup_finish(struct lookup *lookup, struct value *out);
struct lookup {
    union {
        struct store_call call; /* first member of all of them */
        struct store_fetch fetch;
        struct store_charge charge;
    } store;
    struct evaluation *evaluation;
    size_t slot;
    lookup_finish *finish;
    const void *arg; /* finish's */
    struct lookup *next;
};
struct lookup *lookup_new(struct lookups *lookups, struct evaluation *evaluation, size_t slot,
                          lookup_finish *finish, const void *arg);
/* After the store call has been started with `is_done` as its result: what to return from the provider. */
enum fetch_result lookup_started(struct lookup *lookup, bool is_done, struct value *out);

#endif
