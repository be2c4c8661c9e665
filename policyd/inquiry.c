/* policyd/inquiry.c - see inquiry.h.
 *
 *     RULES --no refusal--> GREYLIST --> GREYLISTED --passes--> CHARGE --> CHARGED --admitted--> RECORD --> RECORDED --> DONE
 *       |                                    |                                |                    ^
 *       | refused                            | is to wait: DONE               | a limit is exceeded |
 *       v                                    |                                v                    |
 *     REFUSED --> COUNTED --> DONE           | no answer, trouble = defer     OVER ----------------'  (or REFUSED, when its
 *       ^------------------------------------'                                                         action refuses)
 *
 * RULES evaluates until no fact is missing. GREYLIST asks about the triplet if a rule with `greylist` was reached. That
 * leaves a trace, so it comes after the rules: a rule further down that refuses wins, and mail that the rules refuse makes
 * no triplet; a rule that accepts it further down changes nothing, as with limits (whoever is exempt has to be accepted
 * before). It comes before the limits: what has to wait charges none, not even those that count refusals, for an honest
 * client's first mail is no offence. A mail that a limit refuses may thus have made a triplet: to know it beforehand would
 * take one more round trip for every mail.
 * CHARGE puts together all limits collected, which are checked and charged in one step. OVER makes the verdict of the first
 * limit exceeded. RECORD writes the transaction record, if the charge has not brought it along. REFUSED counts a refusal in the
 * limits that count them. Each phase is one function: true, it went on to
 * another phase; false, it waits for inquiry_step() from the loop. */
#include "policyd/inquiry_impl.h"

#include "common/observe/log.h"

enum { INQUIRY_MEMORY_MAX = 4 << 20, SPARE_INQUIRIES_MAX = 64 };

/* ---- life ---- */

static struct inquiry *inquiry_spare(struct server *server)
{
    struct inquiry *inquiry = server->spare;

    if (inquiry != NULL) {
        server->spare = inquiry->next;
        server->spare_count--;
        return inquiry;
    }
    inquiry = calloc(1, sizeof *inquiry);
    if (inquiry != NULL)
        inquiry->arena = arena_new(INQUIRY_MEMORY_MAX);
    if (inquiry != NULL && inquiry->arena == NULL) {
        free(inquiry);
        inquiry = NULL;
    }
    return inquiry;
}

static struct inquiry *inquiry_new(struct server *server)
{
    struct inquiry *inquiry = inquiry_spare(server);

    if (inquiry == NULL)
        return NULL;
    inquiry->server = server;
    inquiry->previous = NULL;
    inquiry->next = server->active;
    if (inquiry->next != NULL)
        inquiry->next->previous = inquiry;
    server->active = inquiry;
    return inquiry;
}

static void inquiry_release(struct inquiry *inquiry)
{
    struct server *server = inquiry->server;
    struct arena *arena = inquiry->arena;

    lookups_abandon(&inquiry->facts.lookups); /* what the verdict did not need in the end */
    op_abandon(&inquiry->budget);
    snapshot_unref(&inquiry->snapshot);
    buf_free(&inquiry->reply);
    *(inquiry->previous == NULL ? &server->active : &inquiry->previous->next) = inquiry->next;
    if (inquiry->next != NULL)
        inquiry->next->previous = inquiry->previous;
    if (server->spare_count >= SPARE_INQUIRIES_MAX) {
        arena_free(&arena);
        free(inquiry);
        return;
    }
    arena_reset(arena);
    *inquiry = (struct inquiry){ .arena = arena, .next = server->spare };
    server->spare = inquiry;
    server->spare_count++;
}

static void inquiry_cancel(struct inquiry *inquiry)
{
    store_abandon(inquiry->server->store, &inquiry->greylist.call);
    store_abandon(inquiry->server->store, &inquiry->charge.call);
    store_abandon(inquiry->server->store, &inquiry->record.call);
    if (inquiry->is_remembered)
        answers_give_up(inquiry->server->policyd->answers, &inquiry->key,
                        server_now(inquiry->server));
    if (inquiry->is_explained)
        inquiry->explained(inquiry->owner, NULL);
    inquiry_release(inquiry);
}

void inquiries_free(struct server *server)
{
    while (server->active != NULL)
        inquiry_cancel(server->active);
    while (server->spare != NULL) {
        struct inquiry *inquiry = server->spare;
        server->spare = inquiry->next;
        arena_free(&inquiry->arena);
        free(inquiry);
    }
    server->spare_count = 0;
}

void inquiry_abandon(struct inquiry *inquiry)
{
    inquiry->done = NULL;
}

/* ---- back from the loop ---- */

/* Counts, unless the request is only explained. */
void inquiry_count(const struct inquiry *inquiry, metric_id series, uint64_t n)
{
    if (!inquiry->is_explained)
        metric_add(series, n);
}

static struct inquiry *inquiry_of_facts(struct fact_request *facts)
{
    return (struct inquiry *)(void *)((char *)facts - offsetof(struct inquiry, facts));
}

void inquiry_facts_ready(struct evaluation *evaluation)
{
    inquiry_step(inquiry_of_facts(evaluation->request));
}

static void call_over(struct inquiry *inquiry, struct store_call *call)
{
    if (call->pending == NULL)
        return;
    store_abandon(inquiry->server->store, call);
    call->result = STORE_FAILED;
}

/* The verdict is made with what is known. */
static void budget_over(struct op *op, UNUSED enum op_result result)
{
    struct inquiry *inquiry = (struct inquiry *)op;

    inquiry_count(inquiry, inquiry->server->policyd->metrics.late, 1);
    evaluation_late(&inquiry->evaluation);
    evaluation_late(&inquiry->over);
    lookups_time_up(&inquiry->facts.lookups);
    call_over(inquiry, &inquiry->greylist.call);
    call_over(inquiry, &inquiry->charge.call);
    call_over(inquiry, &inquiry->record.call);
    inquiry_step(inquiry);
}

/* ---- the verdict ---- */

/* In the name of the rule whose limit it was. */
bool inquiry_refuse_for_trouble(struct inquiry *inquiry, size_t rule)
{
    inquiry->trouble = (struct action){ .type = &policyd_actions[ACTION_DEFER], .rule = rule };
    inquiry->verdict.final = &inquiry->trouble;
    inquiry->verdict.is_trouble = true;
    inquiry->phase = PHASE_REFUSED;
    return true;
}

static bool rules_phase(struct inquiry *inquiry)
{
    switch (evaluation_run(&inquiry->evaluation)) {
    case EVAL_WAIT:
        return false;
    case EVAL_NO_MEMORY:
        log_error("a request needs more memory than one may have; it is not decided");
        inquiry->verdict = (struct verdict){ .final = NULL };
        inquiry->phase = PHASE_DONE;
        return true;
    case EVAL_DONE:
        break;
    }
    inquiry->verdict = inquiry->evaluation.verdict;
    inquiry->phase = verdict_refuses(&inquiry->verdict) ? PHASE_REFUSED : PHASE_GREYLIST;
    return true;
}

/* Goes on as far as possible. True: it is decided. */
static bool phases_run(struct inquiry *inquiry)
{
    static bool (*const phases[])(struct inquiry *) = {
        [PHASE_RULES] = rules_phase,
        [PHASE_GREYLIST] = inquiry_greylist_phase,
        [PHASE_GREYLISTED] = inquiry_greylisted_phase,
        [PHASE_CHARGE] = inquiry_charge_phase,
        [PHASE_CHARGED] = inquiry_charged_phase,
        [PHASE_OVER] = inquiry_over_phase,
        [PHASE_RECORD] = inquiry_record_phase,
        [PHASE_RECORDED] = inquiry_recorded_phase,
        [PHASE_REFUSED] = inquiry_refused_phase,
        [PHASE_COUNTED] = inquiry_counted_phase,
    };

    while (inquiry->phase != PHASE_DONE)
        if (!phases[inquiry->phase](inquiry))
            break;
    if (inquiry->phase == PHASE_DONE) {
        inquiry_finish(inquiry);
        return true;
    }
    if (!op_is_pending(&inquiry->budget) && !inquiry->evaluation.is_late)
        op_start(&inquiry->budget, inquiry->server->worker,
                 inquiry->policy->parts.config->common.budget, budget_over);
    return false;
}

/* From the loop: something that was waited for has come. */
bool inquiry_step(struct inquiry *inquiry)
{
    if (!phases_run(inquiry))
        return false;
    struct buf reply = inquiry->reply;
    inquiry_done *done = inquiry->done;
    void *owner = inquiry->owner;
    inquiry->reply = (struct buf)BUF_INIT(0);
    inquiry_release(inquiry); /* before `done`, which may start the next one */
    if (done != NULL)
        done(owner, buf_slice(&reply));
    buf_free(&reply);
    return true;
}

/* ---- the beginning ---- */

/* A copy of the request in the arena: its slices keep their places in it. */
static bool request_copy(struct inquiry *inquiry, const struct policy_request *req)
{
    struct slice raw = arena_copy(inquiry->arena, req->raw);

    if (raw.ptr == NULL)
        return false;
    inquiry->req = *req;
    inquiry->req.raw = raw;
    for (size_t i = 0; i < POLICY_ATTRIBUTES; i++)
        if (req->attr[i].ptr != NULL)
            inquiry->req.attr[i].ptr = raw.ptr + (req->attr[i].ptr - req->raw.ptr);
    if (req->context.ptr != NULL)
        inquiry->req.context.ptr = raw.ptr + (req->context.ptr - req->raw.ptr);
    return true;
}

static struct inquiry *inquiry_begin(struct server *server, const struct policy_request *req)
{
    struct inquiry *inquiry = inquiry_new(server);
    const struct clock *clock = worker_clock(server->worker);

    if (inquiry == NULL)
        return NULL;
    inquiry->snapshot = snapshot_ref(worker_snapshot(server->worker));
    inquiry->policy = snapshot_data(inquiry->snapshot);
    inquiry->started_ms = clock->now_ms(clock);
    inquiry->facts = (struct fact_request){
        .req = &inquiry->req,
        .policy = inquiry->policy,
        .lookups = { .store = server->store, .arena = inquiry->arena },
        .dns = server->dns,
        .arena = inquiry->arena,
        .clock = clock,
        .now_ms = inquiry->started_ms,
        .wall_ms = clock->wall_ms(clock),
    };
    if (!request_copy(inquiry, req) ||
        !evaluation_init(&inquiry->evaluation, inquiry->policy->book.rules, req->stage,
                         inquiry->arena, fact_provide)) {
        inquiry_release(inquiry);
        return NULL;
    }
    inquiry->evaluation.request = &inquiry->facts;
    inquiry->evaluation.ready = inquiry_facts_ready;
    return inquiry;
}

struct inquiry *inquiry_start(struct server *server, const struct policy_request *req,
                              const struct answer_key *key, struct buf *reply, inquiry_done *done,
                              void *owner)
{
    struct inquiry *inquiry = inquiry_begin(server, req);

    if (inquiry == NULL) {
        log_error("out of memory: a request is not decided");
        if (key != NULL)
            answers_give_up(server->policyd->answers, key, server_now(server));
        buf_put(reply, "DUNNO");
        return NULL;
    }
    inquiry->is_remembered = key != NULL;
    if (key != NULL)
        inquiry->key = *key;
    if (!phases_run(inquiry)) {
        inquiry->done = done;
        inquiry->owner = owner;
        return inquiry;
    }
    buf_add(reply, buf_slice(&inquiry->reply));
    inquiry_release(inquiry);
    return NULL;
}

void inquiry_explain(struct server *server, const struct policy_request *req, struct trace *trace,
                     void (*explained)(void *arg, const struct decided *decided), void *arg)
{
    struct inquiry *inquiry = inquiry_begin(server, req);

    if (inquiry == NULL) {
        explained(arg, NULL);
        return;
    }
    inquiry->is_explained = inquiry->facts.is_explained = true;
    inquiry->explained = explained;
    inquiry->owner = arg;
    inquiry->evaluation.trace = trace;
    inquiry_step(inquiry);
}
