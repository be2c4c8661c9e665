/* contentd/inspection.c - see inspection.h. Each phase is one function: true, it went on to another phase; false, it waits for
 * inspection_step() from the loop. */
#include "contentd/inspection_impl.h"

#include "common/observe/log.h"

enum {
    BUDGET_REST_MS = 500, /* of message_budget, for what comes after the scanners */
    PROGRESS_MS = 2000, /* so soon it is noticed that the MTA has gone */
    GRACE_MS = 5000, /* beyond message_budget, for what does not end by itself then */
};

static void inspection_step(struct inspection *inspection);

/* ---- life ---- */

void inspection_unref(struct inspection *inspection)
{
    if (atomic_fetch_sub(&inspection->references, 1) > 1)
        return;
    message_unref(&inspection->message);
    arena_free(&inspection->arena);
    arena_free(&inspection->mime_arena);
    snapshot_unref(&inspection->snapshot);
    free(inspection);
}

static uint64_t now(const struct inspection *inspection)
{
    const struct clock *clock = worker_clock(inspection->worker);

    return clock->now_ms(clock);
}

static void stop(struct inspection *inspection)
{
    op_abandon(&inspection->budget);
    if (inspection->has_ended && inspection->progress != NULL)
        event_del(&inspection->progress_timer);
    message_record_abandon(&inspection->record);
    party_rules_end(&inspection->rules);
    scan_run_end(&inspection->scan);
}

/* ---- policyd's record ---- */

static void record_came(struct message_record *record)
{
    inspection_step(
        (struct inspection *)(void *)((char *)record - offsetof(struct inspection, record)));
}

static bool record_phase(struct inspection *inspection)
{
    const struct inspection_explained *explained = inspection->explained;

    message_record_locate(&inspection->record, inspection->message, inspection->arena);
    inspection->phase = PHASE_DATA_RULES;
    if (explained != NULL && explained->has_record) {
        message_record_suppose(&inspection->record, &explained->record);
        return true;
    }
    return !inspection->decided.setup->names.record ||
           message_record_read(&inspection->record, inspection->server->store, inspection->arena,
                               record_came);
}

/* ---- rules ---- */

struct verdict_input inspection_input(const struct inspection *inspection)
{
    const struct decided *decided = &inspection->decided;
    const struct scan_set *scan = setup_scan(decided->setup);
    struct slice configured = decided->setup->parts.config->myhostname;

    return (struct verdict_input){
        .scanners = scan->scanners,
        .scanner_count = scan->scanner_count,
        .findings = decided->findings,
        .message = inspection->message,
        .removes_forged = decided->setup->parts.config->remove_forged_headers &&
                          !direction_is_outbound(&decided->setup->direction, inspection->message),
        .hostname = configured.len > 0 ? configured : inspection->message->client.myhostname,
        .arena = inspection->arena,
    };
}

static void rules_done(void *owner, bool ok)
{
    struct inspection *inspection = owner;

    inspection->failed = inspection->failed || !ok;
    inspection->phase = inspection->phase == PHASE_DATA_RULES ? PHASE_DATA_RULED : PHASE_END_RULED;
    inspection_step(inspection);
}

/* At the end scores begin with what the scanners of the chain gave, and what rules gave before. */
static double base_score(void *owner, const struct party *party)
{
    const struct inspection *inspection = owner;
    const struct verdict_input input = inspection_input(inspection);

    return party->outcome.score +
           verdict_scanner_score(&input, party->chain, party->outcome.skipped);
}

static bool rules_run(struct inspection *inspection, enum stage stage, enum inspection_phase next)
{
    const struct clock *clock = worker_clock(inspection->worker);
    const struct setup *setup = inspection->decided.setup;
    const struct mime_facts *mime = stage == STAGE_END && inspection->has_structure
                                        ? &inspection->structure
                                    : inspection->has_headers ? &inspection->headers
                                                              : NULL;

    party_rules_end(&inspection->rules);
    inspection->rules = (struct party_rules){
        .worker = inspection->worker,
        .parties = &inspection->parties,
        .stage = stage,
        .arena = inspection->arena,
        .subject = { .of = { .message = inspection->message,
                             .mime = mime,
                             .record = inspection->record.transaction,
                             .has_record = inspection->record.is_known,
                             .wall_ms = clock->wall_ms(clock) },
                     .setup = setup,
                     .findings = stage == STAGE_END ? inspection->decided.findings : NULL,
                     .connections = inspection->connections },
        .store = inspection->server->store,
        .base = base_score,
        .done = rules_done,
        .owner = inspection,
        .is_late = inspection->is_late,
        .is_explained = inspection->explained != NULL,
    };
    if (!party_rules_start(&inspection->rules))
        return false;
    inspection->failed = inspection->failed || inspection->rules.failed;
    inspection->phase = next;
    return true;
}

static bool data_rules_phase(struct inspection *inspection)
{
    const struct clock *clock = worker_clock(inspection->worker);

    if (inspection->parties.parties == NULL &&
        !parties_make(&inspection->parties, inspection->decided.setup, inspection->message,
                      clock->wall_ms(clock), inspection->arena))
        inspection->failed = true;
    if (inspection->failed) {
        inspection->phase = PHASE_DECIDED;
        return true;
    }
    return rules_run(inspection, STAGE_DATA, PHASE_DATA_RULED);
}

/* ---- scanners ---- */

/* Those that at least one recipient still needs. */
static scanner_set awaited(const struct inspection *inspection)
{
    const struct verdict_input input = inspection_input(inspection);
    scanner_set named = inspection->decided.setup->named_scanners, awaited = 0;

    for (size_t i = 0; i < inspection->parties.count; i++) {
        const struct party *party = &inspection->parties.parties[i];
        awaited |= verdict_awaits(&input, party->chain, &party->outcome, named);
    }
    return awaited;
}

static void scanner_found(void *owner, UNUSED size_t n)
{
    struct inspection *inspection = owner;
    scanner_set pending = scan_run_pending(inspection->scan);

    if (pending != 0)
        scan_run_cancel(inspection->scan, pending & ~awaited(inspection));
}

static void scan_done(void *owner)
{
    struct inspection *inspection = owner;

    inspection->is_scanned = true;
    inspection_step(inspection);
}

/* For all of it, from the moment the message is whole. */
static uint64_t budget_of(const struct inspection *inspection)
{
    uint64_t budget = inspection->decided.setup->parts.config->message_budget;

    return inspection->explained != NULL && inspection->explained->budget_ms < budget
               ? inspection->explained->budget_ms
               : budget;
}

/* From the end of the message on, or what is left when that has come already: rules at DATA may have waited. */
static uint64_t scan_budget(const struct inspection *inspection)
{
    uint64_t budget = budget_of(inspection);
    uint64_t spent = inspection->has_ended ? now(inspection) - inspection->decided.ended_ms : 0;

    budget = budget > 2 * BUDGET_REST_MS ? budget - BUDGET_REST_MS : budget / 2;
    return budget > spent ? budget - spent : 0;
}

/* What scanners are said to find, in place of what they have. */
static bool suppose_findings(struct inspection *inspection)
{
    const struct finding *found = inspection->explained->found, *before;
    size_t count = setup_scan(inspection->decided.setup)->scanner_count;
    struct finding *findings = arena_alloc_array(inspection->arena, count + 1, sizeof *findings);

    if (findings == NULL)
        return false;
    before = inspection->decided.findings;
    for (size_t n = 0; n < count; n++) {
        bool is_wanted = (inspection->decided.wanted & SCANNER_BIT(n)) != 0;
        findings[n] = before[n];
        if (is_wanted && found[n].result != FINDING_NONE)
            findings[n] = found[n];
        else if (is_wanted && !inspection->explained->asks_scanners)
            findings[n].result = FINDING_CLEAN;
        if (findings[n].edits.count == 0)
            edits_init(&findings[n].edits);
    }
    inspection->decided.findings = findings;
    return true;
}

static bool scan_begin(struct inspection *inspection)
{
    const struct scan_set *scan = setup_scan(inspection->decided.setup);
    const struct inspection_explained *explained = inspection->explained;
    bool asks = explained == NULL || explained->asks_scanners;

    inspection->decided.wanted = awaited(inspection);
    const struct scan_setup setup = {
        .worker = inspection->worker,
        .arena = inspection->arena,
        .message = inspection->message,
        .scanners = scan->scanners,
        .scanner_count = scan->scanner_count,
        /* Without time a missing finding is trouble. */
        .wanted = asks && !inspection->is_late ? inspection->decided.wanted : 0,
        .budget_ms = scan_budget(inspection),
        .found = scanner_found,
        .done = scan_done,
        .owner = inspection,
    };
    inspection->phase = PHASE_SCANNING;
    inspection->is_scanned = setup.wanted == 0;
    if (setup.wanted == 0)
        return true;
    inspection->scan = scan_run_start(&setup);
    if (inspection->scan == NULL)
        return false;
    inspection->decided.findings = scan_run_findings(inspection->scan);
    return true;
}

/* Before the rules of the end begin others. */
static bool keep_traces(struct inspection *inspection)
{
    const struct parties *parties = &inspection->parties;
    const struct trace **traces =
        arena_alloc_array(inspection->arena, parties->count + 1, sizeof *traces);

    for (size_t i = 0; traces != NULL && i < parties->count; i++) {
        traces[i] = parties->parties[i].trace;
        parties->parties[i].trace = NULL;
    }
    inspection->decided.data_traces = traces;
    return traces != NULL;
}

static bool data_ruled_phase(struct inspection *inspection)
{
    inspection->failed = inspection->failed ||
                         (inspection->explained != NULL && !keep_traces(inspection)) ||
                         !scan_begin(inspection);
    if (inspection->failed)
        inspection->phase = PHASE_DECIDED;
    return true;
}

static bool scanning_phase(struct inspection *inspection)
{
    if (!inspection->is_scanned || !inspection->has_ended)
        return false;
    inspection->failed =
        inspection->failed || (inspection->explained != NULL && !suppose_findings(inspection));
    inspection->phase = inspection->failed ? PHASE_DECIDED : PHASE_END_RULES;
    return true;
}

static bool end_rules_phase(struct inspection *inspection)
{
    return rules_run(inspection, STAGE_END, PHASE_END_RULED);
}

static bool end_ruled_phase(struct inspection *inspection)
{
    inspection->failed = inspection->failed || !inspection_judge(inspection);
    inspection->phase = PHASE_DECIDED;
    return true;
}

/* ---- phases ---- */

static void finish(struct inspection *inspection, enum inspection_end end)
{
    void (*done)(void *arg, enum inspection_end end) = inspection->done;
    void *arg = inspection->arg;

    stop(inspection);
    inspection->decided.decided_ms = now(inspection);
    inspection->decided.is_late = inspection->is_late;
    inspection->end = end;
    job_done(inspection->running); /* whoever waits for it may let go of it now */
    done(arg, end);
}

static void conclude(struct inspection *inspection)
{
    if (inspection->failed)
        log_error("%.*s: it needs more memory or changes than a message may have: it is deferred",
                  SLICE_ARG(inspection->message->queue_id));
    finish(inspection, inspection->failed ? INSPECTION_UNDECIDED : INSPECTION_DECIDED);
}

/* Goes on as far as possible. Decided, it says so when the message has ended: nobody waits before. */
static void inspection_step(struct inspection *inspection)
{
    static bool (*const phases[])(struct inspection *) = {
        [PHASE_RECORD] = record_phase,         [PHASE_DATA_RULES] = data_rules_phase,
        [PHASE_DATA_RULED] = data_ruled_phase, [PHASE_SCANNING] = scanning_phase,
        [PHASE_END_RULES] = end_rules_phase,   [PHASE_END_RULED] = end_ruled_phase,
    };

    while (inspection->phase != PHASE_DECIDED)
        if (!phases[inspection->phase](inspection))
            return;
    if (inspection->has_ended)
        conclude(inspection);
}

static void grace_over(struct op *op, UNUSED enum op_result result)
{
    struct inspection *inspection = (struct inspection *)op;

    log_error("%.*s: not decided within message_budget: the message is deferred",
              SLICE_ARG(inspection->message->queue_id));
    finish(inspection, INSPECTION_UNDECIDED);
}

static void budget_over(struct op *op, UNUSED enum op_result result)
{
    struct inspection *inspection = (struct inspection *)op;

    inspection->is_late = true;
    op_start(&inspection->budget, inspection->worker, GRACE_MS, grace_over);
    if (message_record_abandon(&inspection->record)) {
        inspection_step(inspection);
    } else if (inspection->phase == PHASE_SCANNING) {
        scan_run_cancel(inspection->scan, scan_run_pending(inspection->scan));
    } else {
        party_rules_late(&inspection->rules);
    }
}

/* ---- on the loop ---- */

static void work_start(struct job *job, void *work)
{
    struct inspection *inspection = work;

    inspection->running = job;
    inspection->server = worker_state(inspection->worker);
    inspection->decided.started_ms = now(inspection);
    inspection_step(inspection);
}

void inspection_work_more(void *work)
{
    struct inspection *inspection = work;

    if (inspection->scan != NULL)
        scan_run_more(inspection->scan);
}

static void on_progress(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct inspection *inspection = arg;

    if (inspection->progress(inspection->arg))
        return;
    log_info("%.*s: the MTA has gone before its message was decided",
             SLICE_ARG(inspection->message->queue_id));
    finish(inspection, INSPECTION_UNWANTED);
}

void inspection_work_ended(void *work)
{
    struct inspection *inspection = work;
    struct event_base *base = worker_base(inspection->worker);
    struct timeval space;

    inspection->has_ended = true;
    if (inspection->progress != NULL) {
        event_assign(&inspection->progress_timer, base, -1, EV_PERSIST, on_progress, inspection);
        event_add(&inspection->progress_timer,
                  worker_timeout(inspection->worker, PROGRESS_MS, &space));
    }
    inspection->decided.ended_ms = now(inspection);
    op_start(&inspection->budget, inspection->worker, budget_of(inspection), budget_over);
    inspection_work_more(inspection);
    if (inspection->phase == PHASE_SCANNING || inspection->phase == PHASE_DECIDED)
        inspection_step(inspection);
}

static void work_abandon(void *work)
{
    stop(work);
}

static void work_release(void *work)
{
    inspection_unref(work);
}

const struct job_kind inspection_job = { work_start, work_abandon, work_release };
