/* signd/letter.c - see letter.h: the life of a letter, and its work on the loop. Each phase is one function: true, it went on to
 * another phase; false, it waits for letter_step() from the loop. */
#include "signd/letter_impl.h"

#include "common/rules/trace.h"

static void letter_step(struct letter *letter);

/* ---- life ---- */

void letter_unref(struct letter *letter)
{
    if (atomic_fetch_sub(&letter->references, 1) > 1)
        return;
    message_unref(&letter->message);
    arena_free(&letter->arena);
    shared_unref(&letter->keys);
    shared_unref(&letter->states);
    snapshot_unref(&letter->snapshot);
    free(letter);
}

uint64_t letter_now(const struct letter *letter)
{
    const struct clock *clock = worker_clock(letter->worker);

    return clock->now_ms(clock);
}

uint64_t letter_wall_ms(const struct letter *letter)
{
    const struct clock *clock = worker_clock(letter->worker);

    return clock->wall_ms(clock);
}

bool letter_is_over(const struct letter *letter)
{
    return letter->rules.fate != FATE_ACCEPT && letter->rules.fate != FATE_HOLD;
}

struct slice letter_reason(const struct letter *letter)
{
    return letter->rules.reason.len > 0 ? letter->rules.reason : letter->reason;
}

/* ---- policyd's record ---- */

static void record_came(struct message_record *record)
{
    struct letter *letter =
        (struct letter *)(void *)((char *)record - offsetof(struct letter, record));

    letter->pending--;
    letter_step(letter);
}

/* It is wanted at most once. */
static void record_read(struct letter *letter)
{
    if (letter->record_is_read)
        return;
    letter->record_is_read = true;
    if (letter->explained.has_record) {
        message_record_suppose(&letter->record, &letter->explained.record);
        return;
    }
    letter->pending +=
        !message_record_read(&letter->record, letter->server->store, letter->arena, record_came);
}

static bool record_phase(struct letter *letter)
{
    if (letter->setup->names.record && !letter->is_late)
        record_read(letter);
    letter->phase = PHASE_DATA_RULES;
    return letter->pending == 0;
}

/* ---- rules ---- */

static void facts_ready(struct evaluation *evaluation)
{
    letter_step(
        (struct letter *)(void *)((char *)evaluation - offsetof(struct letter, evaluation)));
}

static void subject_make(struct letter *letter)
{
    struct fact_subject *subject = &letter->subject;

    lookups_abandon(&letter->lookups);
    letter->lookups = (struct lookups){ .store = letter->server->store, .arena = letter->arena };
    *subject = (struct fact_subject){
        .of = { .message = letter->message,
                .mime = letter->has_mime ? &letter->mime : NULL,
                .record = letter->record.transaction,
                .has_record = letter->record.is_known,
                .is_outbound = letter->is_outbound,
                .mailboxes = letter->setup->parts.config->mailboxes,
                .wall_ms = letter_wall_ms(letter),
                .arena = letter->arena },
        .results = letter->is_verified ? &letter->results : NULL,
        .is_signed = letter->signing == SIGNING_DONE,
    };
    subject->membership = (struct membership){ .sets = &letter->setup->parts.core.sets,
                                               .lookups = &letter->lookups,
                                               .wall_ms = subject->of.wall_ms };
}

/* False: there are none at this stage, or memory is out. */
static bool rules_begin(struct letter *letter, enum stage stage)
{
    struct evaluation *evaluation = &letter->evaluation;

    if ((letter->setup->names.stages & (unsigned)stage) == 0 || letter->failed)
        return false;
    subject_make(letter);
    if (!evaluation_init(evaluation, letter->setup->book.rules, stage, letter->arena,
                         fact_provide)) {
        letter->failed = true;
        return false;
    }
    if (letter->is_explained)
        evaluation->trace = *(stage == STAGE_END ? &letter->end_trace : &letter->data_trace) =
            trace_new(letter->arena);
    evaluation->request = &letter->subject;
    evaluation->ready = facts_ready;
    if (letter->is_late)
        evaluation_late(evaluation);
    return true;
}

/* True: they have ended, *said is what they said. */
static bool rules_go_on(struct letter *letter, struct verdict *said)
{
    const struct verdict *verdict = &letter->evaluation.verdict;

    switch (evaluation_run(&letter->evaluation)) {
    case EVAL_WAIT:
        return false;
    case EVAL_NO_MEMORY:
        letter->failed = true;
        return true;
    case EVAL_DONE:
        break;
    }
    if (!letter->is_explained)
        rule_book_count(&letter->setup->book, verdict);
    *said = *verdict;
    if (!actions_take(letter->setup->book.rules, verdict, letter->arena, &letter->rules))
        letter->failed = true;
    return true;
}

static bool data_rules_phase(struct letter *letter)
{
    letter->phase = rules_begin(letter, STAGE_DATA) ? PHASE_DATA_RUNNING : PHASE_EVIDENCE;
    return true;
}

static bool data_running_phase(struct letter *letter)
{
    if (!rules_go_on(letter, &letter->data_said))
        return false;
    letter->phase = PHASE_EVIDENCE;
    return true;
}

static bool end_rules_phase(struct letter *letter)
{
    letter->phase = rules_begin(letter, STAGE_END) ? PHASE_END_RUNNING : PHASE_READY;
    return true;
}

static bool end_running_phase(struct letter *letter)
{
    if (!rules_go_on(letter, &letter->end_said))
        return false;
    letter->phase = PHASE_READY;
    return true;
}

/* ---- evidence ---- */

static enum task task_of(const struct letter *letter)
{
    if (letter_is_over(letter))
        return TASK_NONE;
    if (letter->rules.has_task)
        return letter->rules.task;
    return letter->is_outbound ? TASK_SIGN : TASK_VERIFY;
}

static void evidence_came(void *arg)
{
    struct letter *letter = arg;

    letter->pending--;
    letter_step(letter);
}

static bool policies_make(struct letter *letter)
{
    struct results *results = &letter->results;
    const struct mime_facts *mime = &letter->mime;

    results->policies =
        arena_alloc_array(letter->arena, MIME_FROM_DOMAINS_MAX, sizeof *results->policies);
    if (results->policies == NULL)
        return false;
    results->policy_count = mime->from_domain_count;
    results->has_more_domains = mime->has_more_from_domains;
    for (size_t i = 0; i < results->policy_count; i++)
        results->policies[i] = (struct from_policy){ .domain = mime->from_domains[i],
                                                     .lookup = DMARC_LOOKUP_TEMPERROR };
    return true;
}

static bool evidence_phase(struct letter *letter)
{
    struct results *results = &letter->results;

    letter->task = task_of(letter);
    letter->phase = PHASE_READY;
    if (letter->task != TASK_VERIFY || letter->failed)
        return true;
    letter->failed = !policies_make(letter);
    if (letter->failed || letter->is_late)
        return true;
    letter->phase = PHASE_EVIDENCE_COMING;
    record_read(letter);
    letter->pending += !evidence_dns_start(
        letter->server->dns, letter->arena, results->claims, results->claim_count,
        results->policies, results->policy_count, evidence_came, letter, &letter->evidence);
    return true;
}

static bool evidence_coming_phase(struct letter *letter)
{
    if (letter->pending > 0)
        return false;
    letter->phase = PHASE_READY;
    return true;
}

/* ---- on the loop ---- */

/* Goes on as far as possible. */
static void letter_step(struct letter *letter)
{
    static bool (*const phases[])(struct letter *) = {
        [PHASE_RECORD] = record_phase,
        [PHASE_DATA_RULES] = data_rules_phase,
        [PHASE_DATA_RUNNING] = data_running_phase,
        [PHASE_EVIDENCE] = evidence_phase,
        [PHASE_EVIDENCE_COMING] = evidence_coming_phase,
        [PHASE_END_RULES] = end_rules_phase,
        [PHASE_END_RUNNING] = end_running_phase,
    };

    while (letter->phase != PHASE_READY)
        if (!phases[letter->phase](letter))
            return;
    lookups_abandon(&letter->lookups);
    letter->lookups = (struct lookups){ .store = NULL };
    letter->evidence = NULL;
    job_done(letter->running);
}

static void stop(struct letter *letter)
{
    message_record_abandon(&letter->record);
    evidence_dns_abandon(&letter->evidence);
    lookups_abandon(&letter->lookups);
    letter->pending = 0;
}

/* The budget is over: what is missing is not known. */
void letter_work_late(void *work)
{
    struct letter *letter = work;

    letter->is_late = true;
    stop(letter);
    if (letter->phase == PHASE_DATA_RUNNING || letter->phase == PHASE_END_RUNNING)
        evaluation_late(&letter->evaluation);
    letter_step(letter);
}

static void work_start(struct job *job, void *work)
{
    struct letter *letter = work;

    letter->running = job;
    letter->server = worker_state(letter->worker);
    letter_step(letter);
}

static void work_abandon(void *work)
{
    stop(work);
}

static void work_release(void *work)
{
    letter_unref(work);
}

const struct job_kind letter_job = { work_start, work_abandon, work_release };
