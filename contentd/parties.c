/* contentd/parties.c - see parties.h. */
#include "contentd/parties.h"

#include "common/observe/log.h"
#include "common/rules/trace.h"

enum { SCRATCH_MAX = 4 << 20, PARTIES_AT_ONCE = 64 };

/* ---- who is dealt with alike ---- */

/* The party of this chain; each chain has one place in `places`. */
static struct party *party_of_chain(struct parties *parties, size_t *places, size_t place,
                                    const struct chain *chain, size_t recipient)
{
    if (places[place] == 0) {
        struct party *party = &parties->parties[parties->count++];
        *party = (struct party){ .chain = chain, .first = recipient };
        edits_init(&party->outcome.edits);
        places[place] = parties->count;
    }
    return &parties->parties[places[place] - 1];
}

bool parties_make(struct parties *out, const struct setup *setup, const struct message *message,
                  uint64_t wall_ms, struct arena *arena)
{
    const struct chain_set *chains = &setup_scan(setup)->chains;
    size_t recipients = message->recipient_count, most = chains->count + 1;

    if (setup->names_recipient || most > recipients)
        most = recipients;
    size_t *places = arena_alloc_array(arena, recipients + chains->count + 2, sizeof *places);
    *out = (struct parties){
        .parties = arena_alloc_array(arena, most + 1, sizeof *out->parties),
        .party_of = arena_alloc_array(arena, recipients + 1, sizeof *out->party_of),
    };
    if (places == NULL || out->parties == NULL || out->party_of == NULL)
        return false;
    for (size_t i = 0; i < recipients; i++) {
        const struct chain *chain = setup_chain(setup, message->recipients[i].normal, wall_ms);
        size_t place =
            setup->names_recipient ? i : (size_t)(chain - chains->chains); /* no_chain: the last */
        struct party *party = party_of_chain(out, places, place, chain, i);
        party->count++;
        out->party_of[i] = (size_t)(party - out->parties);
    }
    return true;
}

/* ---- rules ---- */

static struct slice copy_text(struct arena *arena, struct slice text, bool *failed)
{
    struct slice copy = arena_copy(arena, text);

    *failed = *failed || (text.ptr != NULL && copy.ptr == NULL);
    return copy;
}

/* The texts of an outcome, out of the scratch arena; those that lie elsewhere are copied needlessly. */
static void outcome_keep(struct rule_outcome *outcome, struct arena *arena, bool *failed)
{
    outcome->reason = copy_text(arena, outcome->reason, failed);
    outcome->reply.text = copy_text(arena, outcome->reply.text, failed);
    outcome->redirect = copy_text(arena, outcome->redirect, failed);
    outcome->subject_prefix = copy_text(arena, outcome->subject_prefix, failed);
    outcome->warning = copy_text(arena, outcome->warning, failed);
}

/* For the decision line. */
static void said_keep(struct party *party, const struct verdict *verdict, struct arena *arena,
                      bool *failed)
{
    struct action *shadow = arena_alloc_array(arena, verdict->shadow_count + 1, sizeof *shadow);
    size_t *troubled = arena_alloc_array(arena, verdict->troubled_count + 1, sizeof *troubled);

    party->said = (struct verdict){ .final = NULL };
    *failed = *failed || shadow == NULL || troubled == NULL;
    if (*failed)
        return;
    for (size_t i = 0; i < verdict->shadow_count; i++)
        shadow[i] =
            (struct action){ .type = verdict->shadow[i].type, .rule = verdict->shadow[i].rule };
    for (size_t i = 0; i < verdict->troubled_count; i++)
        troubled[i] = verdict->troubled[i];
    party->said.shadow = shadow;
    party->said.shadow_count = verdict->shadow_count;
    party->said.troubled = troubled;
    party->said.troubled_count = verdict->troubled_count;
}

static size_t scanner_number(const void *scan, struct slice name)
{
    return scan_set_find(scan, name);
}

static void take_verdict(struct party_rules *rules, struct party *party)
{
    const struct setup *setup = rules->subject.setup;
    const struct verdict *verdict = &rules->evaluation.verdict;
    const struct action_context context = {
        .rules = setup->book.rules,
        .message = rules->subject.of.message,
        .scanner_number = scanner_number,
        .scanners = setup_scan(setup),
        .arena = rules->arena,
    };

    if (!rules->is_explained)
        rule_book_count(&setup->book, verdict);
    rules->failed =
        rules->failed || !actions_take(&context, verdict, rules->base_score, &party->outcome);
    outcome_keep(&party->outcome, rules->arena, &rules->failed);
    said_keep(party, verdict, rules->arena, &rules->failed);
}

static struct party_rules *rules_of(struct evaluation *evaluation)
{
    return (struct party_rules *)(void *)((char *)evaluation -
                                          offsetof(struct party_rules, evaluation));
}

static bool rules_go_on(struct party_rules *rules);

static void rules_step(struct party_rules *rules)
{
    if (rules_go_on(rules))
        rules->done(rules->owner, !rules->failed);
}

static void facts_ready(struct evaluation *evaluation)
{
    rules_step(rules_of(evaluation));
}

static void breathed(struct op *op, UNUSED enum op_result result)
{
    rules_step((struct party_rules *)op);
}

static bool party_begin(struct party_rules *rules)
{
    struct party *party = &rules->parties->parties[rules->next];
    struct fact_subject *subject = &rules->subject;
    /* A trace borrows what was evaluated: that stays. */
    struct arena *arena = rules->is_explained ? rules->arena : rules->scratch;

    lookups_abandon(&rules->lookups);
    arena_reset(rules->scratch);
    rules->lookups = (struct lookups){ .store = rules->store, .arena = arena };
    subject->of.arena = arena;
    subject->recipient = party->first < subject->of.message->recipient_count
                             ? &subject->of.message->recipients[party->first]
                             : NULL;
    subject->chain = party->chain;
    subject->skipped = party->outcome.skipped;
    rules->base_score = rules->base == NULL ? 0 : rules->base(rules->owner, party);
    if (!evaluation_init(&rules->evaluation, subject->setup->book.rules, rules->stage, arena,
                         content_fact))
        return false;
    party->trace = rules->is_explained ? trace_new(arena) : NULL;
    rules->evaluation.trace = party->trace;
    rules->evaluation.source.score = rules->base_score;
    rules->evaluation.request = subject;
    rules->evaluation.ready = facts_ready;
    if (rules->is_late)
        evaluation_late(&rules->evaluation);
    rules->is_running = true;
    return true;
}

/* True: all parties have been dealt with. */
static bool rules_go_on(struct party_rules *rules)
{
    for (size_t done = 0; rules->next < rules->parties->count && !rules->failed; rules->next++) {
        if (!rules->is_running && done++ == PARTIES_AT_ONCE) {
            op_start(&rules->breath, rules->worker, 0, breathed);
            op_finish(&rules->breath, OP_OK);
            return false;
        }
        if (!rules->is_running && !party_begin(rules)) {
            rules->failed = true;
            break;
        }
        switch (evaluation_run(&rules->evaluation)) {
        case EVAL_WAIT:
            return false;
        case EVAL_NO_MEMORY:
            rules->failed = true;
            return true;
        case EVAL_DONE:
            break;
        }
        rules->is_running = false;
        take_verdict(rules, &rules->parties->parties[rules->next]);
    }
    return true;
}

bool party_rules_start(struct party_rules *rules)
{
    if (((unsigned)rules->stage & rules->subject.setup->names.stages) == 0)
        return true;
    rules->scratch = arena_new(SCRATCH_MAX);
    if (rules->scratch == NULL) {
        rules->failed = true;
        return true;
    }
    rules->subject.of.is_outbound =
        direction_is_outbound(&rules->subject.setup->direction, rules->subject.of.message);
    rules->subject.of.mailboxes = rules->subject.setup->parts.config->mailboxes;
    rules->subject.membership = (struct membership){
        .sets = &rules->subject.setup->parts.core.sets,
        .lookups = &rules->lookups,
        .wall_ms = rules->subject.of.wall_ms,
    };
    return rules_go_on(rules);
}

void party_rules_late(struct party_rules *rules)
{
    rules->is_late = true;
    lookups_abandon(&rules->lookups);
    if (!rules->is_running)
        return;
    evaluation_late(&rules->evaluation);
    rules_step(rules);
}

void party_rules_end(struct party_rules *rules)
{
    op_abandon(&rules->breath);
    lookups_abandon(&rules->lookups);
    rules->lookups = (struct lookups){ .store = NULL };
    arena_free(&rules->scratch);
    rules->is_running = false;
}
