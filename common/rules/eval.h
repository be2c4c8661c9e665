/* common/rules/eval.h - one evaluation under way. Private to common/rules. */
#ifndef GATEHOUSE_RULES_EVAL_H
#define GATEHOUSE_RULES_EVAL_H

#include "common/rules/set.h"

struct rules_run {
    const struct rule_set *set;
    const struct rule *rule; /* the one under way */
    size_t rule_at; /* its index */
    struct fact_source *facts;
    struct arena *arena; /* the results' */
    struct verdict *verdict;
    struct action *continuing, *shadow; /* room for all that can be collected; NULL until needed */
    size_t *troubled; /* likewise */
    struct trace *trace; /* or NULL */
};

/* A fact for the rule under way, `score` included; noted in the trace. */
enum fact_state run_fact(struct rules_run *run, uint32_t slot, bool ask, struct value *out);

/* ---- template.c ---- */

enum template_result {
    TEMPLATE_OK,
    TEMPLATE_UNKNOWN, /* *out has "unknown" in it */
    TEMPLATE_MISSING, /* a fact has been asked for; *out is not written */
    TEMPLATE_NO_MEMORY,
};
/* Fills the facts in, escaped, cut at ACTION_TEXT_MAX. In the evaluation's arena. */
enum template_result template_expand(const struct template *template, struct rules_run *run,
                                     struct slice *out);

#endif
