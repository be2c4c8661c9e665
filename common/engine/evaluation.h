/* common/engine/evaluation.h - one request's evaluation: rules are run over the facts known; a missing fact stops them,
 * all that the remaining rules could need is then fetched side by side, and the rules run again from the start. A fact
 * is fetched at most once, so running again changes nothing. Shared by all daemons; what a fact is and how it is fetched
 * is the daemon's. Used on one worker's thread; does no I/O itself. */
#ifndef GATEHOUSE_ENGINE_EVALUATION_H
#define GATEHOUSE_ENGINE_EVALUATION_H

#include "common/rules/rules.h"

enum fetch_result {
    FETCH_KNOWN, /* *out is set */
    FETCH_UNKNOWN, /* it cannot be had */
    FETCH_STARTED, /* evaluation_provide() will be called for this slot, once, from the loop */
    FETCH_BLOCKED, /* needs another fact that is on its way: ask again when that is there */
};

struct evaluation;

/* Gets a fact for the request. May use evaluation_get() for the facts it is made of. */
typedef enum fetch_result fact_fetch(struct evaluation *evaluation, size_t slot,
                                     const struct fact_ref *ref, struct value *out);

struct evaluation {
    struct fact_source source; /* first member: what the rules ask */
    const struct rule_set *rules;
    enum stage stage;
    struct arena *arena; /* borrowed; holds the cells and the verdict */
    struct trace *trace; /* NULL: none */
    fact_fetch *fetch;
    void *request; /* the daemon's; for fetch */
    /* All facts asked for are there: call evaluation_run() again. */
    void (*ready)(struct evaluation *);
    struct evaluation_cell *cells;
    size_t pending; /* facts under way */
    unsigned runs;
    bool is_late; /* the budget is used up: what is not known is unknown */
    struct verdict verdict;
};

/* How often the rules may run for one request; what is missing then is unknown. Each run but the last has fetched at
 * least one fact, so only facts made of facts made of facts come near it. */
enum { EVALUATION_RUNS_MAX = 16 };

/* Sets up *evaluation (all but `request`, `ready`, `trace`, which the caller sets). False: out of memory. */
bool evaluation_init(struct evaluation *evaluation, const struct rule_set *rules, enum stage stage,
                     struct arena *arena, fact_fetch *fetch);

/* EVAL_DONE: evaluation->verdict is final. EVAL_WAIT: `ready` will be called. */
enum eval_result evaluation_run(struct evaluation *evaluation);

/* A fact by its slot, fetched if need be. */
enum fact_state evaluation_get(struct evaluation *evaluation, size_t slot, struct value *out);

/* A fact that was FETCH_STARTED has come (`value`), or could not be had (NULL). May call `ready` and so free the
 * evaluation; not when the evaluation is late: then the value is there for the last run. */
void evaluation_provide(struct evaluation *evaluation, size_t slot, const struct value *value);

/* The budget is used up: nothing is fetched any more, and all that is missing is unknown. The caller may provide what can
 * be said without waiting (lookups_time_up()), abandons what is still under way, and runs the rules one last time. */
void evaluation_late(struct evaluation *evaluation);

#endif
