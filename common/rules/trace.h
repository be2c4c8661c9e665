/* common/rules/trace.h - what an evaluation did and why: of every rule whether it was reached and applies at the stage, the
 * facts it looked at, how each part of its condition came out, and what it did. For `explain` and the decision log.
 *
 * A trace lives in an arena, together with the values it borrows; a repeated evaluation begins it anew, so the last one
 * is what it shows. Not thread-safe. */
#ifndef GATEHOUSE_RULES_TRACE_H
#define GATEHOUSE_RULES_TRACE_H

#include "common/rules/rules.h"

struct trace; /* opaque */

struct trace *trace_new(struct arena *arena); /* NULL: out of memory */

enum trace_result {
    TRACE_NOT_REACHED, /* an earlier rule ended the evaluation, or waits */
    TRACE_OTHER_STAGE, /* the rule does not run at this stage */
    TRACE_FALSE,
    TRACE_TRUE,
    TRACE_UNKNOWN, /* its `trouble` decided */
    TRACE_WAITS, /* a fact is missing */
};
const char *trace_result_name(enum trace_result result); /* "not reached", "false" ... */

struct trace_rule {
    size_t rule; /* index in the set */
    const struct rule_info *info;
    enum trace_result result;
    const struct action *action; /* what it did (shadow: would have done); NULL: nothing */
};

/* A fact that the rule looked at, in the order of first looks. */
struct trace_fact {
    struct slice name; /* `sender`, `list:block`, `list:allow/{recipient}` */
    enum fact_state state;
    const struct value *value; /* state FACT_KNOWN */
};

/* A part of the condition: the whole first, then its parts, each with one more `depth`. */
struct trace_condition {
    struct slice text; /* as written */
    unsigned depth;
    bool is_evaluated; /* false: what came before it had decided */
    enum trace_result result; /* TRACE_FALSE, TRUE, UNKNOWN or WAITS */
};

/* Calls for every rule of the set in order: `rule`, then its conditions, then its facts. Any function may be NULL. What
 * they are given is theirs for the call. */
struct trace_visitor {
    void (*rule)(void *arg, const struct trace_rule *rule);
    void (*condition)(void *arg, const struct trace_condition *condition);
    void (*fact)(void *arg, const struct trace_fact *fact);
    void *arg;
};
void trace_visit(const struct trace *trace, const struct trace_visitor *visitor);

/* How one value is written: its own spelling, or one made in `room`; empty for an empty one. */
#define VALUE_TEXT_MAX 64
struct slice value_spelling(const struct value *value, char room[VALUE_TEXT_MAX]);

/* As text, one line each, indented; printable ASCII. 0, or -1 when the buffer is full. */
int trace_print(const struct trace *trace, struct buf *out);

/* ---- for the evaluator: each does nothing when memory is out, and the trace then shows less ---- */

void trace_begin(struct trace *trace, const struct rule_set *set, enum stage stage);
void trace_fact_seen(struct trace *trace, size_t rule, size_t slot, enum fact_state state,
                     const struct value *value);
void trace_condition_result(struct trace *trace, size_t rule, size_t condition,
                            enum trace_result result);
void trace_rule_result(struct trace *trace, size_t rule, enum trace_result result);
void trace_action(struct trace *trace, size_t rule, const struct action *action);

#endif
