/* contentd/early.c - see early.h. */
#include "contentd/early.h"

#include "common/base/hash.h"
#include "common/message/decision.h"
#include "common/milter/job.h"
#include "common/observe/log.h"
#include "contentd/parties.h"
#include "contentd/server.h"

enum {
    EARLY_MEMORY_MAX = 1 << 20,
    EXPLAINED_MEMORY_MAX = 16 << 20, /* with all that rules have seen */
    GRACE_MS = 60000,
    REPLY_TEXT_MAX = 300,
};

struct early {
    struct op budget; /* first member */
    struct job *job; /* the waiter's */
    struct job *running; /* the loop's */
    struct worker *worker;
    struct server *server;
    struct snapshot *snapshot;
    struct message *message; /* a reference; without a sender before MAIL */
    struct arena *arena;
    struct party party;
    struct parties parties;
    struct party_rules rules;
    char reference[REFERENCE_SIZE];
    struct reply reply; /* of a refusal */
    uint64_t started_ms;
};

/* ---- on the loop ---- */

static bool is_refusal(const struct early *early)
{
    return early->party.outcome.final == RULES_REJECT ||
           early->party.outcome.final == RULES_TEMPFAIL;
}

static void record(const struct early *early)
{
    const struct setup *setup = snapshot_data(early->snapshot);
    const struct message *message = early->message;
    const struct rule_outcome *outcome = &early->party.outcome;
    const struct clock *clock = worker_clock(early->worker);
    bool is_reject = outcome->final == RULES_REJECT;
    char address[IP_ADDRESS_TEXT_MAX];
    AUTO_EXTRAS extras = { .count = 0 };

    decision_extra(&extras, "by", SLICE("rule"));
    decision_extra_trouble(&extras, setup->book.rules, &early->party.said);
    struct decision decision = message_decision(message, early->party.first, address);
    decision.rule = outcome->rule;
    decision.verdict = is_reject ? SLICE("reject") : SLICE("tempfail");
    decision.ref = slice_of(early->reference);
    decision.reason = outcome->reason;
    decision.ms = clock->now_ms(clock) - early->started_ms;
    decision_write(&decision, &extras, early->server->store);
    metric_add(early->server->contentd->metrics.early[is_reject], 1);
}

static void end(struct early *early)
{
    op_abandon(&early->budget);
    if (is_refusal(early)) {
        reference_make(early->reference, early->rules.is_explained);
        early->reply = early->party.outcome.reply;
        early->reply.text = arena_printf(
            early->arena, "%.*s, ref=%s",
            SLICE_ARG(slice_part(early->reply.text, 0, REPLY_TEXT_MAX)), early->reference);
        if (!early->rules.is_explained)
            record(early);
    }
    party_rules_end(&early->rules);
    job_done(early->running);
}

static void rules_done(void *owner, UNUSED bool ok)
{
    end(owner);
}

static void budget_over(struct op *op, UNUSED enum op_result result)
{
    party_rules_late(&((struct early *)op)->rules);
}

static void work_start(struct job *job, void *work)
{
    struct early *early = work;
    const struct setup *setup = snapshot_data(early->snapshot);
    const struct clock *clock = worker_clock(early->worker);

    early->running = job;
    early->server = worker_state(early->worker);
    early->started_ms = clock->now_ms(clock);
    early->rules.store = early->server->store;
    early->rules.subject.of.wall_ms = clock->wall_ms(clock);
    if (party_rules_start(&early->rules))
        end(early);
    else
        op_start(&early->budget, early->worker, setup->parts.config->common.budget, budget_over);
}

static void work_abandon(void *work)
{
    struct early *early = work;

    op_abandon(&early->budget);
    party_rules_end(&early->rules);
}

static void work_release(void *work)
{
    struct early *early = work;

    message_unref(&early->message);
    snapshot_unref(&early->snapshot);
    arena_free(&early->arena);
    free(early);
}

static const struct job_kind early_job = { work_start, work_abandon, work_release };

/* ---- a thread of the milter's ---- */

static bool early_fill(struct early *early, const struct early_request *request)
{
    early->arena = arena_new(request->is_explained ? EXPLAINED_MEMORY_MAX : EARLY_MEMORY_MAX);
    early->message = request->message != NULL ? message_ref(request->message) : message_new();
    if (early->arena == NULL || early->message == NULL ||
        (request->message == NULL &&
         message_set_client(early->message, request->client) != MESSAGE_OK))
        return false;
    early->party.first = request->recipient;
    edits_init(&early->party.outcome.edits);
    early->parties = (struct parties){ .parties = &early->party, .count = 1 };
    early->rules = (struct party_rules){
        .worker = request->worker,
        .parties = &early->parties,
        .stage = request->stage,
        .arena = early->arena,
        .subject = { .of = { .message = early->message },
                     .setup = snapshot_data(early->snapshot),
                     .connections = connection_counts_copy(&request->connections, early->arena) },
        .done = rules_done,
        .owner = early,
        .is_explained = request->is_explained,
    };
    return true;
}

static struct early *early_new(const struct early_request *request)
{
    struct early *early = calloc(1, sizeof *early);

    if (early == NULL)
        return NULL;
    early->worker = request->worker;
    early->snapshot = snapshot_ref(request->snapshot);
    if (early_fill(early, request))
        return early;
    work_release(early);
    return NULL;
}

/* With `mode = shadow` nothing is refused, for want of memory or time neither. */
static struct milter_reply undecided(const struct early_request *request)
{
    const struct contentd *contentd = daemon_state(worker_daemon(request->worker));
    const struct setup *setup = snapshot_data(request->snapshot);

    if (!request->is_explained) {
        metric_add(contentd->metrics.undecided, 1);
        log_error("rules could not be decided before the message came: no memory, or no time");
    }
    if (setup->parts.core.is_shadow)
        return (struct milter_reply){ .action = MILTER_CONTINUE };
    return (struct milter_reply){ .action = MILTER_TEMPFAIL,
                                  .reply = { 451, SLICE("4.3.0"), SLICE("Try again later") } };
}

bool early_is_needed(const struct setup *setup, enum stage stage)
{
    return (setup->names.stages & (unsigned)stage) != 0;
}

struct milter_reply early_check(const struct early_request *request, struct early **early)
{
    const struct setup *setup = snapshot_data(request->snapshot);
    uint64_t timeout_ms = setup->parts.config->common.budget + GRACE_MS;

    early_drop(early);
    if (!early_is_needed(setup, request->stage))
        return (struct milter_reply){ .action = MILTER_CONTINUE };
    struct early *check = early_new(request);
    if (check == NULL)
        return undecided(request);
    struct job *job = job_start(request->worker, &early_job, check);
    if (job == NULL)
        return undecided(request);
    check->job = job;
    *early = check;
    if (job_wait(job, timeout_ms, 0, NULL, NULL) != JOB_DONE || check->rules.failed)
        return undecided(request);
    if (!is_refusal(check))
        return (struct milter_reply){ .action = MILTER_CONTINUE };
    return (struct milter_reply){ .action = check->party.outcome.final == RULES_REJECT
                                                ? MILTER_REJECT
                                                : MILTER_TEMPFAIL,
                                  .reply = check->reply };
}

const struct trace *early_trace(const struct early *early)
{
    return early == NULL ? NULL : early->party.trace;
}

void early_drop(struct early **early)
{
    struct early *gone = *early;

    *early = NULL;
    if (gone == NULL)
        return;
    struct job *job = gone->job;
    job_drop(&job);
}
