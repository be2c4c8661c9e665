/* common/engine/evaluation.c - see evaluation.h. */
#include "common/engine/evaluation.h"

enum cell_state { CELL_UNASKED, CELL_UNDER_WAY, CELL_UNKNOWN, CELL_KNOWN };

struct evaluation_cell {
    enum cell_state state;
    struct value value;
};

static void cell_ask(struct evaluation *evaluation, size_t slot)
{
    struct evaluation_cell *cell = &evaluation->cells[slot];
    const struct fact_ref *ref = rule_set_ref(evaluation->rules, slot);

    switch (evaluation->fetch(evaluation, slot, ref, &cell->value)) {
    case FETCH_KNOWN:
        cell->state = CELL_KNOWN;
        break;
    case FETCH_UNKNOWN:
        cell->state = CELL_UNKNOWN;
        break;
    case FETCH_STARTED:
        cell->state = CELL_UNDER_WAY;
        evaluation->pending++;
        break;
    case FETCH_BLOCKED:
        break;
    }
}

static enum fact_state cell_get(struct evaluation *evaluation, size_t slot, bool ask,
                                struct value *out)
{
    struct evaluation_cell *cell = &evaluation->cells[slot];

    if (cell->state == CELL_UNASKED && ask && !evaluation->is_late)
        cell_ask(evaluation, slot);
    if (cell->state == CELL_KNOWN) {
        *out = cell->value;
        return FACT_KNOWN;
    }
    return cell->state == CELL_UNKNOWN || evaluation->is_late ? FACT_UNKNOWN : FACT_MISSING;
}

static enum fact_state source_get(struct fact_source *source, size_t slot, bool ask,
                                  struct value *out)
{
    return cell_get((struct evaluation *)source, slot, ask, out);
}

bool evaluation_init(struct evaluation *evaluation, const struct rule_set *rules, enum stage stage,
                     struct arena *arena, fact_fetch *fetch)
{
    *evaluation = (struct evaluation){ .source = { .get = source_get },
                                       .rules = rules,
                                       .stage = stage,
                                       .arena = arena,
                                       .fetch = fetch };
    evaluation->cells =
        arena_alloc_array(arena, rule_set_slots(rules) + 1, sizeof *evaluation->cells);
    return evaluation->cells != NULL;
}

enum fact_state evaluation_get(struct evaluation *evaluation, size_t slot, struct value *out)
{
    return cell_get(evaluation, slot, true, out);
}

static void want(void *arg, size_t slot)
{
    struct value unused;

    evaluation_get(arg, slot, &unused);
}

enum eval_result evaluation_run(struct evaluation *evaluation)
{
    enum eval_result result;

    do {
        if (++evaluation->runs > EVALUATION_RUNS_MAX)
            evaluation_late(evaluation);
        result = rules_eval(evaluation->rules, evaluation->stage, &evaluation->source,
                            evaluation->arena, &evaluation->verdict, evaluation->trace);
        if (result == EVAL_WAIT)
            rules_wanted(evaluation->rules, evaluation->stage, evaluation->verdict.waits_on, want,
                         evaluation);
        /* Everything asked for may have come at once: then run again here, nobody else will. */
    } while (result == EVAL_WAIT && evaluation->pending == 0);
    return result;
}

void evaluation_provide(struct evaluation *evaluation, size_t slot, const struct value *value)
{
    struct evaluation_cell *cell = &evaluation->cells[slot];

    if (cell->state != CELL_UNDER_WAY)
        return;
    cell->state = value == NULL ? CELL_UNKNOWN : CELL_KNOWN;
    if (value != NULL)
        cell->value = *value;
    if (!evaluation->is_late && --evaluation->pending == 0)
        evaluation->ready(evaluation);
}

void evaluation_late(struct evaluation *evaluation)
{
    evaluation->is_late = true;
    evaluation->pending = 0;
}
