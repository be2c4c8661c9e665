/* policyd/inquiry.c - see inquiry.h.
 *
 *     RULES --no refusal--> GREYLIST --> GREYLISTED --passes--> CHARGE --> CHARGED --admitted--> DONE
 *       |                                    |                                |
 *       | refused                            | is to wait: DONE               | a limit is exceeded
 *       v                                    |                                v
 *     REFUSED --> COUNTED --> DONE           | no answer, trouble = defer     OVER (to REFUSED when its action refuses)
 *       ^------------------------------------'
 *
 * RULES evaluates until no fact is missing. GREYLIST asks about the triplet if a rule with `greylist` was reached. That
 * leaves a trace, so it comes after the rules: a rule further down that refuses wins, and mail that the rules refuse makes
 * no triplet; a rule that accepts it further down changes nothing, as with limits (whoever is exempt has to be accepted
 * before). It comes before the limits: what has to wait charges none, not even those that count refusals, for an honest
 * client's first mail is no offence. A mail that a limit refuses may thus have made a triplet: to know it beforehand would
 * take one more round trip for every mail.
 * CHARGE puts together all limits collected, which are checked and charged in one step. OVER makes the verdict of the first
 * limit exceeded. REFUSED counts a refusal in the limits that count them. Each phase is one function: true, it went on to
 * another phase; false, it waits for inquiry_step() from the loop. */
#include "policyd/inquiry.h"

#include "common/base/hash.h"
#include "common/limits/window.h"
#include "common/observe/log.h"
#include "common/run/op.h"
#include "policyd/decision_log.h"
#include "policyd/facts/limits.h"
#include "policyd/facts/provider.h"
#include "policyd/greylist.h"

enum phase {
    PHASE_RULES,
    PHASE_GREYLIST,
    PHASE_GREYLISTED,
    PHASE_CHARGE,
    PHASE_CHARGED,
    PHASE_OVER,
    PHASE_REFUSED,
    PHASE_COUNTED,
    PHASE_DONE
};

enum { INQUIRY_MEMORY_MAX = 4 << 20, SPARE_INQUIRIES_MAX = 64 };

struct inquiry {
    struct op budget; /* first member; started when something has to be waited for */
    struct server *server;
    struct inquiry *next, *previous; /* of the active, or (next) of the spare ones */
    struct arena *arena;
    struct snapshot *snapshot; /* a reference: the policy below is its data */
    const struct policy *policy;
    struct policy_request req; /* in the arena */
    struct fact_request facts;
    struct evaluation evaluation; /* of the rules */
    struct evaluation over; /* of the action of the limit exceeded */
    enum phase phase;
    struct verdict verdict;
    struct store_greylist greylist;
    const struct action *greylist_action; /* the rules'; NULL: none */
    bool is_greylisted; /* `greylist` has its result */
    struct action greylist_refusal; /* the final action of one that is to wait */
    struct slice reason;
    struct store_charge charge;
    const struct policy_limit **charge_limits; /* by use */
    size_t *charge_rules; /* by use: the rule that named the limit */
    const struct policy_limit *exceeded;
    size_t exceeded_rule;
    struct action trouble; /* the final action when limits cannot be decided: `trouble = defer` */
    char once[HASH_HEX_LEN + 1];
    uint64_t started_ms;
    struct answer_key key;
    bool is_remembered; /* `key` is to be answered */
    bool is_degraded;
    struct buf reply;
    char reference[REFERENCE_LEN + 1];
    inquiry_done *done; /* NULL: nobody wants to know, or not yet */
    void *owner;
    bool is_explained; /* without effects; then: */
    void (*explained)(void *arg, const struct decided *decided);
};

static bool inquiry_step(struct inquiry *inquiry);

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

    fact_request_abandon(&inquiry->facts); /* what the verdict did not need in the end */
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
static void count(const struct inquiry *inquiry, metric_id series, uint64_t n)
{
    if (!inquiry->is_explained)
        metric_add(series, n);
}

static struct inquiry *inquiry_of_facts(struct fact_request *facts)
{
    return (struct inquiry *)(void *)((char *)facts - offsetof(struct inquiry, facts));
}

static void facts_ready(struct evaluation *evaluation)
{
    inquiry_step(inquiry_of_facts(evaluation->request));
}

static void charge_done(struct store_call *call)
{
    inquiry_step((struct inquiry *)(void *)((char *)call - offsetof(struct inquiry, charge)));
}

static void greylist_done(struct store_call *call)
{
    inquiry_step((struct inquiry *)(void *)((char *)call - offsetof(struct inquiry, greylist)));
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

    count(inquiry, inquiry->server->policyd->metrics.late, 1);
    fact_request_abandon(&inquiry->facts);
    evaluation_late(&inquiry->evaluation);
    evaluation_late(&inquiry->over);
    call_over(inquiry, &inquiry->greylist.call);
    call_over(inquiry, &inquiry->charge.call);
    inquiry_step(inquiry);
}

/* ---- the verdict ---- */

/* In the name of the rule whose limit it was. */
static bool refuse_for_trouble(struct inquiry *inquiry, size_t rule)
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

/* ---- greylisting ---- */

static bool greylist_wait(struct inquiry *inquiry)
{
    inquiry->greylist_refusal =
        greylist_refusal(&inquiry->greylist, inquiry->greylist_action, inquiry->arena);
    inquiry->reason = greylist_reason(&inquiry->greylist, inquiry->arena);
    inquiry->verdict.final = &inquiry->greylist_refusal;
    inquiry->phase = PHASE_DONE;
    return true;
}

/* The rule says what then; with `match` it is the first time. */
static bool greylist_failed(struct inquiry *inquiry)
{
    size_t rule = inquiry->greylist_action->rule;

    count(inquiry, inquiry->server->policyd->metrics.greylist[GREYLIST_FAILED], 1);
    count(inquiry, inquiry->server->policyd->metrics.trouble, 1);
    switch (rule_set_info(inquiry->policy->rules, rule).trouble) {
    case TROUBLE_MATCH:
        inquiry->greylist.state = GREYLIST_NEW;
        inquiry->greylist.left_ms = inquiry->greylist.delay_ms;
        return greylist_wait(inquiry);
    case TROUBLE_DEFER:
        return refuse_for_trouble(inquiry, rule);
    case TROUBLE_SKIP:
        break;
    }
    inquiry->phase = PHASE_CHARGE;
    return true;
}

/* The domain that stands in place of the network when SPF passes, so that a large sender may come back from another of
 * its hosts; absent: none. False: it is still being looked up. */
static bool greylist_domain(struct inquiry *inquiry, struct slice *domain)
{
    const struct policy *policy = inquiry->policy;
    struct value value;

    *domain = (struct slice){ NULL, 0 };
    if (!policy->parts.config->greylist_by_spf)
        return true;
    enum fact_state state = evaluation_get(&inquiry->evaluation, policy->spf_slot, &value);
    if (state == FACT_KNOWN && slice_equal(value.text, SLICE("pass"))) {
        state = evaluation_get(&inquiry->evaluation, policy->spf_domain_slot, &value);
        if (state == FACT_KNOWN)
            *domain = value.text;
    }
    return state != FACT_MISSING;
}

static bool greylist_phase(struct inquiry *inquiry)
{
    struct store_greylist *greylist = &inquiry->greylist;
    struct slice domain = { NULL, 0 };

    inquiry->greylist_action = greylist_action(&inquiry->verdict);
    if (inquiry->greylist_action != NULL && !greylist_domain(inquiry, &domain))
        return false;
    inquiry->phase = PHASE_CHARGE;
    if (inquiry->greylist_action == NULL)
        return true;
    switch (greylist_ask(&inquiry->facts, inquiry->greylist_action, domain, greylist)) {
    case GREYLIST_NO_ORIGIN:
        return true;
    case GREYLIST_NO_MEMORY:
        return greylist_failed(inquiry);
    case GREYLIST_ASKS:
        break;
    }
    greylist->call.done = greylist_done;
    greylist->peek = inquiry->is_explained;
    inquiry->phase = PHASE_GREYLISTED;
    return store_greylist(inquiry->server->store, greylist);
}

static bool greylisted_phase(struct inquiry *inquiry)
{
    const struct policy_metrics *metrics = &inquiry->server->policyd->metrics;
    const struct store_greylist *greylist = &inquiry->greylist;

    if (greylist->call.result != STORE_OK)
        return greylist_failed(inquiry);
    bool degraded = greylist->call.is_degraded;
    inquiry->is_greylisted = true;
    inquiry->is_degraded |= degraded;
    count(inquiry, metrics->greylist[degraded ? (size_t)GREYLIST_DEGRADED : greylist->state], 1);
    count(inquiry, metrics->greylist_crowded, greylist->is_crowded ? 1 : 0);
    if (greylist_defers(greylist))
        return greylist_wait(inquiry);
    inquiry->phase = PHASE_CHARGE;
    return true;
}

/* ---- limits ---- */

static uint64_t number_of(const struct policy_request *req, enum policy_attribute attr)
{
    uint64_t number = 0;

    slice_to_u64(req->attr[attr], &number);
    return number;
}

/* What is counted once, for each counter: one SMTP connection, as far as Postfix tells (before 3.0 it has no client_port,
 * then each message counts), or one message. */
static uint64_t counted_key(const struct policy_request *req, const struct limit_use *use)
{
    bool is_connection = limit_counts(use->limit) == COUNT_CONNECTIONS;
    bool has_port = req->attr[ATTR_CLIENT_PORT].len > 0;
    uint64_t parts[8] = { is_connection ? 'c' : 'm', hash_keyed(limit_name(use->limit)),
                          hash_keyed(use->subject) };
    size_t n = 3;

    if (is_connection) {
        parts[n++] = hash_keyed(req->attr[ATTR_SERVER_ADDRESS]);
        parts[n++] = hash_keyed(req->attr[ATTR_SERVER_PORT]);
        parts[n++] = hash_keyed(req->attr[ATTR_CLIENT_ADDRESS]);
        parts[n++] = hash_keyed(req->attr[ATTR_CLIENT_PORT]);
    }
    if (!is_connection || !has_port)
        parts[n++] = hash_keyed(req->attr[ATTR_INSTANCE]);
    return hash_keyed((struct slice){ (const char *)parts, n * sizeof parts[0] });
}

/* Connections, and messages at RCPT, where each recipient asks. */
static bool is_counted_once(const struct policy_request *req, const struct limit *limit)
{
    enum limit_count count = limit_counts(limit);

    return count == COUNT_CONNECTIONS || (count == COUNT_MESSAGES && req->stage == STAGE_RCPT &&
                                          req->attr[ATTR_INSTANCE].len > 0);
}

static bool was_counted(const struct inquiry *inquiry, const struct limit_use *use)
{
    return is_counted_once(&inquiry->req, use->limit) &&
           seen_before(inquiry->server->policyd->seen, counted_key(&inquiry->req, use),
                       inquiry->started_ms);
}

static void remember_charged(struct inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->charge.use_count; i++) {
        const struct limit_use *use = &inquiry->charge.uses[i];
        if (is_counted_once(&inquiry->req, use->limit))
            seen_remember(inquiry->server->policyd->seen, counted_key(&inquiry->req, use),
                          inquiry->started_ms);
    }
}

static bool is_collected(const struct inquiry *inquiry, const struct policy_limit *limit)
{
    for (size_t i = 0; i < inquiry->charge.use_count; i++)
        if (inquiry->charge_limits[i] == limit)
            return true;
    return false;
}

enum collected { COLLECTED, COLLECT_WAITS, COLLECT_TROUBLE, COLLECT_OVER };

/* One limit that a rule named. */
static enum collected collect_limit(struct inquiry *inquiry, const struct policy_limit *limit,
                                    size_t rule, bool is_refused)
{
    struct store_charge *charge = &inquiry->charge;
    struct limit_event event = {
        .stage = inquiry->req.stage,
        .recipients = number_of(&inquiry->req, ATTR_RECIPIENT_COUNT),
        .size = number_of(&inquiry->req, ATTR_SIZE),
        .is_new_message = true, /* see was_counted() */
        .is_new_connection = true,
        .is_refused = is_refused,
    };
    uint64_t amount;
    bool force;

    if (limit == inquiry->exceeded || is_collected(inquiry, limit) ||
        (is_refused && limit_counts(limit->limit) != COUNT_REFUSED) ||
        !limit_cost(limit->limit, &event, &amount, &force))
        return COLLECTED;
    struct limit_use *use = &charge->uses[charge->use_count];
    switch (limit_use_make(&inquiry->evaluation, limit, use)) {
    case LIMIT_USE_READY:
        if (was_counted(inquiry, use))
            return COLLECTED;
        use->amount = amount;
        use->force = force;
        inquiry->charge_limits[charge->use_count] = limit;
        inquiry->charge_rules[charge->use_count++] = rule;
        return COLLECTED;
    case LIMIT_USE_WAITS:
        return COLLECT_WAITS;
    case LIMIT_USE_NONE:
        return COLLECTED;
    case LIMIT_USE_UNKNOWN:
    case LIMIT_USE_NO_MEMORY:
        break;
    }
    return COLLECT_TROUBLE;
}

static bool collect_room(struct inquiry *inquiry)
{
    size_t most = 0;

    for (size_t i = 0; i < inquiry->verdict.continuing_count; i++)
        most += inquiry->verdict.continuing[i].limit_count;
    inquiry->charge.use_count = 0;
    inquiry->charge.uses =
        arena_alloc_array(inquiry->arena, most + 1, sizeof *inquiry->charge.uses);
    inquiry->charge_limits =
        arena_alloc_array(inquiry->arena, most + 1, sizeof *inquiry->charge_limits);
    inquiry->charge_rules =
        arena_alloc_array(inquiry->arena, most + 1, sizeof *inquiry->charge_rules);
    return inquiry->charge.uses != NULL && inquiry->charge_limits != NULL &&
           inquiry->charge_rules != NULL;
}

/* A limit that a rule named cannot be decided: `trouble` of the rule says what then. */
static enum collected limit_trouble(struct inquiry *inquiry, const struct policy_limit *limit,
                                    size_t rule)
{
    switch (rule_set_info(inquiry->policy->rules, rule).trouble) {
    case TROUBLE_MATCH:
        inquiry->exceeded = limit;
        inquiry->exceeded_rule = rule;
        inquiry->phase = PHASE_OVER;
        return COLLECT_OVER;
    case TROUBLE_DEFER:
        refuse_for_trouble(inquiry, rule);
        return COLLECT_TROUBLE;
    case TROUBLE_SKIP:
        break;
    }
    return COLLECTED;
}

/* All limits that are due, once each. */
static enum collected collect(struct inquiry *inquiry, bool is_refused)
{
    enum collected result = COLLECTED;

    if (!collect_room(inquiry))
        return COLLECTED;
    for (size_t i = 0; i < inquiry->verdict.continuing_count; i++) {
        const struct action *action = &inquiry->verdict.continuing[i];
        for (size_t k = 0; k < action->limit_count; k++) {
            const struct policy_limit *limit =
                policy_limit_find(inquiry->policy, action->limits[k]);
            enum collected one =
                limit == NULL ? COLLECTED : collect_limit(inquiry, limit, action->rule, is_refused);
            if (one == COLLECT_TROUBLE) {
                count(inquiry, inquiry->server->policyd->metrics.trouble, 1);
                one = is_refused ? COLLECTED : limit_trouble(inquiry, limit, action->rule);
            }
            if (one == COLLECT_TROUBLE || one == COLLECT_OVER)
                return one;
            if (one == COLLECT_WAITS)
                result = one; /* the others ask for their facts meanwhile */
        }
    }
    return result;
}

/* Starts the charge; the phase is to be set before. True when it is done at once. */
static bool charge_start(struct inquiry *inquiry)
{
    struct store_charge *charge = &inquiry->charge;

    charge->call = (struct store_call){ .done = charge_done };
    charge->peek = inquiry->is_explained;
    charge->once = (struct slice){ NULL, 0 };
    if (inquiry->req.attr[ATTR_INSTANCE].len > 0 && !charge->peek)
        charge->once = (struct slice){ inquiry->once, HASH_HEX_LEN };
    return store_charge(inquiry->server->store, charge);
}

static bool charge_phase(struct inquiry *inquiry)
{
    switch (collect(inquiry, false)) {
    case COLLECT_WAITS:
        return false;
    case COLLECT_TROUBLE:
    case COLLECT_OVER: /* limit_trouble() has set the next phase */
        return true;
    case COLLECTED:
        break;
    }
    if (inquiry->charge.use_count == 0) {
        inquiry->phase = PHASE_DONE;
        return true;
    }
    policy_request_digest(&inquiry->req, inquiry->policy->reads_context, inquiry->once);
    inquiry->phase = PHASE_CHARGED;
    return charge_start(inquiry);
}

/* Limits that could not be decided at all: the rules that named them say what then. */
static bool charge_failed(struct inquiry *inquiry)
{
    count(inquiry, inquiry->server->policyd->metrics.charges_failed, 1);
    inquiry->phase = PHASE_DONE;
    for (size_t i = 0; i < inquiry->charge.use_count; i++)
        if (limit_trouble(inquiry, inquiry->charge_limits[i], inquiry->charge_rules[i]) !=
            COLLECTED)
            break;
    return true;
}

/* What a charge would have come to: a peek only reads. */
static void peek_judge(struct store_charge *charge)
{
    charge->admitted = true;
    for (size_t i = charge->use_count; i-- > 0;) {
        const struct limit_use *use = &charge->uses[i];
        uint64_t amount = use->amount == 0 ? 1 : use->amount;
        if (use->force || window_admits(use->used, amount, use->rate.most))
            continue;
        charge->admitted = false;
        charge->over = i;
    }
}

static void charge_count(const struct inquiry *inquiry)
{
    const struct policy_metrics *metrics = &inquiry->server->policyd->metrics;

    metric_add(inquiry->charge.admitted ? metrics->charges : metrics->over, 1);
    if (inquiry->charge.call.is_degraded)
        metric_add(metrics->charges_degraded, 1);
    for (size_t i = 0; i < inquiry->charge.use_count; i++)
        if (inquiry->charge.uses[i].bad != SIZE_MAX)
            metric_add(metrics->bad_live, 1);
}

static bool charged_phase(struct inquiry *inquiry)
{
    struct store_charge *charge = &inquiry->charge;

    inquiry->is_degraded |= charge->call.is_degraded;
    if (charge->call.result != STORE_OK)
        return charge_failed(inquiry);
    inquiry->facts.charged = charge;
    if (inquiry->is_explained)
        peek_judge(charge);
    else
        charge_count(inquiry);
    if (charge->admitted) {
        if (!inquiry->is_explained)
            remember_charged(inquiry);
        inquiry->phase = PHASE_DONE;
        return true;
    }
    inquiry->exceeded = inquiry->charge_limits[charge->over];
    inquiry->exceeded_rule = inquiry->charge_rules[charge->over];
    inquiry->phase = PHASE_OVER;
    return true;
}

static bool over_phase(struct inquiry *inquiry)
{
    /* Stands in where the limit's own action cannot: its text needs facts that do not exist at this stage. */
    static const struct action refusal = {
        .type = &policyd_actions[ACTION_DEFER],
        .text = SLICE_INIT("Limit reached, try again later"),
    };
    struct evaluation *over = &inquiry->over;

    if (over->cells == NULL) {
        if (!evaluation_init(over, inquiry->exceeded->over, inquiry->req.stage, inquiry->arena,
                             fact_provide))
            return refuse_for_trouble(inquiry, inquiry->exceeded_rule);
        over->request = &inquiry->facts;
        over->ready = facts_ready;
        over->is_late = inquiry->evaluation.is_late;
    }
    enum eval_result result = evaluation_run(over);
    if (result == EVAL_WAIT)
        return false;
    bool is_usable = result == EVAL_DONE && over->verdict.final != NULL;
    inquiry->verdict.final = is_usable ? over->verdict.final : &refusal;
    inquiry->verdict.is_trouble = false;
    count(inquiry, inquiry->exceeded->exceeded, 1);
    inquiry->phase = verdict_refuses(&inquiry->verdict) ? PHASE_REFUSED : PHASE_DONE;
    return true;
}

static bool refused_phase(struct inquiry *inquiry)
{
    AUTO_BUF text = BUF_INIT(2 * HASH_HEX_LEN);

    if (inquiry->is_explained) {
        inquiry->phase = PHASE_DONE;
        return true;
    }
    if (collect(inquiry, true) == COLLECT_WAITS)
        return false;
    inquiry->phase = PHASE_DONE;
    if (inquiry->charge.use_count == 0)
        return true;
    char request[HASH_HEX_LEN + 1];
    policy_request_digest(&inquiry->req, inquiry->policy->reads_context, request);
    buf_printf(&text, "refused %s", request); /* another name than that of the charge before it */
    hash_hex128(buf_slice(&text), inquiry->once);
    inquiry->phase = PHASE_COUNTED;
    return charge_start(inquiry);
}

static bool counted_phase(struct inquiry *inquiry)
{
    inquiry->phase = PHASE_DONE;
    return true;
}

/* ---- the end ---- */

static struct slice rule_that_spoke(const struct inquiry *inquiry, const struct action *spoken)
{
    const struct rule_set *rules = inquiry->policy->rules;

    if (inquiry->exceeded != NULL)
        return rule_set_info(rules, inquiry->exceeded_rule).name;
    if (inquiry->verdict.final != NULL)
        return rule_set_info(rules, inquiry->verdict.final->rule).name;
    return spoken == NULL ? SLICE("") : rule_set_info(rules, spoken->rule).name;
}

static void reply_make(struct inquiry *inquiry, const struct action *spoken)
{
    struct slice reference = { inquiry->reference, REFERENCE_LEN };

    inquiry->reply = (struct buf)BUF_INIT(POLICY_REPLY_MAX);
    if (spoken != NULL) {
        random_reference(inquiry->reference);
        if (inquiry->is_explained)
            reference = SLICE("explain"); /* nothing is logged that it could lead to */
        bool is_trouble = inquiry->verdict.is_trouble && spoken == inquiry->verdict.final;
        if (action_print(&inquiry->reply, spoken, inquiry->req.stage, is_trouble, reference) == 0)
            return;
        log_error("an answer does not fit: DUNNO is sent");
        buf_clear(&inquiry->reply);
    }
    buf_put(&inquiry->reply, "DUNNO");
}

static void count_rules(const struct inquiry *inquiry, size_t dropped)
{
    const struct policy_metrics *metrics = &inquiry->server->policyd->metrics;
    const struct verdict *verdict =
        &inquiry->evaluation.verdict; /* what the rules said, before limits */

    for (size_t i = 0; i < verdict->continuing_count; i++)
        metric_add(inquiry->policy->rule_matches[verdict->continuing[i].rule], 1);
    for (size_t i = 0; i < verdict->shadow_count; i++)
        metric_add(inquiry->policy->rule_shadow_matches[verdict->shadow[i].rule], 1);
    if (verdict->final != NULL)
        metric_add(inquiry->policy->rule_matches[verdict->final->rule], 1);
    metric_add(metrics->trouble, verdict->troubled_count);
    metric_add(metrics->dropped_actions, dropped);
}

static struct decided decided_of(struct inquiry *inquiry, const struct action *spoken)
{
    return (struct decided){
        .policy = inquiry->policy,
        .req = &inquiry->req,
        .verdict = &inquiry->verdict,
        .spoken = spoken,
        .rule = rule_that_spoke(inquiry, spoken),
        .uses = inquiry->charge.uses,
        .use_count = inquiry->charge.use_count,
        .exceeded = inquiry->exceeded,
        .greylist = inquiry->is_greylisted ? &inquiry->greylist : NULL,
        .reason = inquiry->reason,
        .reply = buf_slice(&inquiry->reply),
        .reference = { inquiry->reference, spoken == NULL ? 0 : REFERENCE_LEN },
        .duration_ms = server_now(inquiry->server) - inquiry->started_ms,
        .is_degraded = inquiry->is_degraded,
        .is_late = inquiry->evaluation.is_late,
    };
}

static void record(struct inquiry *inquiry, const struct decided *decided, size_t dropped)
{
    struct policyd *policyd = inquiry->server->policyd;

    if (inquiry->is_remembered)
        answers_finish(policyd->answers, &inquiry->key, server_now(inquiry->server), decided->reply,
                       verdict_refuses(decided->verdict));
    count_rules(inquiry, dropped);
    metric_add(policyd->metrics
                   .verdicts[decided->spoken == NULL ? ACTION_ACCEPT : decided->spoken->type->id],
               1);
    metric_observe_us(policyd->metrics.duration, decided->duration_ms * 1000);
    decision_record(decided, inquiry->server->store);
}

/* Makes the reply and tells everybody. The inquiry is gone afterwards, but for one that is just being started: its reply
 * is left to inquiry_start(). */
static void inquiry_finish(struct inquiry *inquiry)
{
    size_t dropped;
    const struct action *spoken = verdict_spoken(&inquiry->verdict, &dropped);

    reply_make(inquiry, spoken);
    struct decided decided = decided_of(inquiry, spoken);
    if (inquiry->is_explained)
        inquiry->explained(inquiry->owner, &decided);
    else
        record(inquiry, &decided, dropped);
}

/* Goes on as far as possible. True: it is decided. */
static bool phases_run(struct inquiry *inquiry)
{
    static bool (*const phases[])(struct inquiry *) = {
        [PHASE_RULES] = rules_phase,           [PHASE_GREYLIST] = greylist_phase,
        [PHASE_GREYLISTED] = greylisted_phase, [PHASE_CHARGE] = charge_phase,
        [PHASE_CHARGED] = charged_phase,       [PHASE_OVER] = over_phase,
        [PHASE_REFUSED] = refused_phase,       [PHASE_COUNTED] = counted_phase,
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
static bool inquiry_step(struct inquiry *inquiry)
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
        .store = server->store,
        .dns = server->dns,
        .arena = inquiry->arena,
        .now_ms = inquiry->started_ms,
        .wall_ms = clock->wall_ms(clock),
    };
    if (!request_copy(inquiry, req) ||
        !evaluation_init(&inquiry->evaluation, inquiry->policy->rules, req->stage, inquiry->arena,
                         fact_provide)) {
        inquiry_release(inquiry);
        return NULL;
    }
    inquiry->evaluation.request = &inquiry->facts;
    inquiry->evaluation.ready = facts_ready;
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
    inquiry->is_explained = true;
    inquiry->explained = explained;
    inquiry->owner = arg;
    inquiry->evaluation.trace = trace;
    inquiry_step(inquiry);
}
