/* policyd/inquiry_limits.c - the phases that collect, check and charge limits; see inquiry_impl.h. */
#include "policyd/inquiry_impl.h"

#include "common/limits/window.h"
#include "common/policy/live.h"
#include "policyd/facts/limits.h"

static void charge_done(struct store_call *call)
{
    inquiry_step((struct inquiry *)(void *)((char *)call - offsetof(struct inquiry, charge)));
}

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

/* At RCPT: what is charged for this recipient, and not for the message with whichever of its recipients came first. */
static bool is_for_each_recipient(const struct limit *limit)
{
    if (limit_counts(limit) != COUNT_MESSAGES)
        return limit_counts(limit) != COUNT_CONNECTIONS && limit_counts(limit) != COUNT_REFUSED;
    for (size_t i = 0; i < limit_key_count(limit); i++)
        if (strcmp(limit_key_fact(limit, i), "recipient") == 0)
            return true;
    return false;
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
        use->is_of_recipient =
            inquiry->req.stage == STAGE_RCPT && is_for_each_recipient(limit->limit);
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
    switch (rule_set_info(inquiry->policy->book.rules, rule).trouble) {
    case TROUBLE_MATCH:
        inquiry->exceeded = limit;
        inquiry->exceeded_rule = rule;
        inquiry->phase = PHASE_OVER;
        return COLLECT_OVER;
    case TROUBLE_DEFER:
        inquiry_refuse_for_trouble(inquiry, rule);
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
                inquiry_count(inquiry, inquiry->server->policyd->metrics.trouble, 1);
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

bool inquiry_charge_phase(struct inquiry *inquiry)
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
        inquiry->phase = PHASE_RECORD;
        return true;
    }
    inquiry->charge.record = inquiry_record(inquiry);
    policy_request_digest(&inquiry->req, inquiry->policy->reads_context, inquiry->once);
    inquiry->phase = PHASE_CHARGED;
    return charge_start(inquiry);
}

/* Limits that could not be decided at all: the rules that named them say what then. */
static bool charge_failed(struct inquiry *inquiry)
{
    inquiry_count(inquiry, inquiry->server->policyd->metrics.charges_failed, 1);
    inquiry->phase = PHASE_RECORD;
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
            live_count_bad(1);
}

bool inquiry_charged_phase(struct inquiry *inquiry)
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
        inquiry->phase = PHASE_RECORD;
        return true;
    }
    inquiry->exceeded = inquiry->charge_limits[charge->over];
    inquiry->exceeded_rule = inquiry->charge_rules[charge->over];
    inquiry->phase = PHASE_OVER;
    return true;
}

bool inquiry_over_phase(struct inquiry *inquiry)
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
            return inquiry_refuse_for_trouble(inquiry, inquiry->exceeded_rule);
        over->request = &inquiry->facts;
        over->ready = inquiry_facts_ready;
        over->is_late = inquiry->evaluation.is_late;
    }
    enum eval_result result = evaluation_run(over);
    if (result == EVAL_WAIT)
        return false;
    bool is_usable = result == EVAL_DONE && over->verdict.final != NULL;
    inquiry->verdict.final = is_usable ? over->verdict.final : &refusal;
    inquiry->verdict.is_trouble = false;
    inquiry_count(inquiry, inquiry->exceeded->exceeded, 1);
    inquiry->phase = verdict_refuses(&inquiry->verdict) ? PHASE_REFUSED : PHASE_RECORD;
    return true;
}

bool inquiry_refused_phase(struct inquiry *inquiry)
{
    AUTO_BUF text = BUF_INIT(2 * HASH_HEX_LEN);

    if (inquiry->is_explained) {
        inquiry->phase = PHASE_DONE;
        return true;
    }
    if (collect(inquiry, true) == COLLECT_WAITS)
        return false;
    inquiry->phase = PHASE_DONE;
    inquiry->charge.record = NULL;
    if (inquiry->charge.use_count == 0)
        return true;
    char request[HASH_HEX_LEN + 1];
    policy_request_digest(&inquiry->req, inquiry->policy->reads_context, request);
    buf_printf(&text, "refused %s", request); /* another name than that of the charge before it */
    hash_hex128(buf_slice(&text), inquiry->once);
    inquiry->phase = PHASE_COUNTED;
    return charge_start(inquiry);
}

bool inquiry_counted_phase(struct inquiry *inquiry)
{
    inquiry->phase = PHASE_DONE;
    return true;
}
