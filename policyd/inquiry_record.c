/* policyd/inquiry_record.c - the transaction record of a message that is not refused (common/store/transaction.h): put
 * together, written with the charge or alone; see inquiry_impl.h.
 *
 * When: the answer to Postfix waits until the record is written. Postfix tells contentd of a message only after its answer,
 * and contentd reads on another connection to Redis (another host's, perhaps), where nothing keeps its order with ours but
 * that. For the same reason a record of RCPT is there when DATA, which may come to another worker, takes it over. It mostly
 * costs no time at all, because what is charged is recorded in the very same command. A Redis that does not answer costs
 * what it costs a charge: 100 ms, once; then the record is missing, and contentd calls what it would say unknown.
 *
 * What: at RCPT, under the name of the instance, what is known of the message (charges, SPF), if anything; what rules say
 * about one recipient is not said of the message. At DATA and END-OF-MESSAGE, under the queue id, what the rules say, too. */
#include "policyd/inquiry_impl.h"

#include "policyd/facts/spf.h"

static void write_done(struct store_call *call)
{
    inquiry_step((struct inquiry *)(void *)((char *)call - offsetof(struct inquiry, record)));
}

static bool is_of_message(const struct inquiry *inquiry)
{
    return ((unsigned)inquiry->req.stage & (STAGES_DATA | STAGES_END)) != 0;
}

static struct transaction_spf spf_of(struct inquiry *inquiry, enum spf_identity identity)
{
    struct transaction_spf spf = { .result = { NULL, 0 } };

    (void)spf_known(&inquiry->facts, identity, &spf.result, &spf.domain);
    return spf;
}

static void say_verdict(struct inquiry *inquiry, struct transaction *out)
{
    size_t dropped;
    const struct action *spoken = verdict_spoken(&inquiry->verdict, &dropped);
    struct slice rule = inquiry_rule_that_spoke(inquiry, spoken);

    out->has_score = inquiry->verdict.score < 0 || inquiry->verdict.score > 0;
    out->score = inquiry->verdict.score;
    if (rule.len > 0)
        out->rule = rule;
    if (spoken != NULL)
        out->reference = inquiry_reference(inquiry);
}

/* The keys: false, there is nothing that it could be found by. */
static bool make_keys(struct inquiry *inquiry)
{
    const struct slice *attr = inquiry->req.attr;
    bool is_early = transaction_early_key_make(&inquiry->record_early, attr[ATTR_INSTANCE],
                                               attr[ATTR_SERVER_ADDRESS]);

    inquiry->record.record = (struct store_record){ .key = &inquiry->record_early,
                                                    .transaction = &inquiry->transaction };
    if (!is_of_message(inquiry)) {
        inquiry->record.record.recipient =
            transaction_recipient(attr[ATTR_RECIPIENT], inquiry->arena);
        return is_early && inquiry->req.stage == STAGE_RCPT;
    }
    if (!transaction_key_make(&inquiry->record_key, attr[ATTR_QUEUE_ID], attr[ATTR_CLIENT_ADDRESS],
                              attr[ATTR_CLIENT_PORT], attr[ATTR_SERVER_ADDRESS]))
        return false; /* a filter before the queue, or a client that is no host */
    inquiry->record.record.key = &inquiry->record_key;
    inquiry->record.record.early = is_early ? &inquiry->record_early : NULL;
    return true;
}

const struct store_record *inquiry_record(struct inquiry *inquiry)
{
    struct transaction *transaction = &inquiry->transaction;

    if (inquiry->is_explained || !inquiry->policy->parts.config->transaction_records ||
        !store_is_shared(inquiry->server->store) || !make_keys(inquiry))
        return NULL;
    *transaction = (struct transaction){
        .sender = transaction_sender(inquiry->req.attr[ATTR_SENDER], inquiry->arena),
        .instance = inquiry->req.attr[ATTR_INSTANCE],
        .spf = spf_of(inquiry, SPF_MAILFROM),
        .spf_helo = spf_of(inquiry, SPF_HELO),
    };
    if (is_of_message(inquiry))
        say_verdict(inquiry, transaction);
    return transaction->sender.ptr == NULL ? NULL : &inquiry->record.record;
}

/* Is it worth a command of its own? */
static bool says_anything(const struct inquiry *inquiry)
{
    return is_of_message(inquiry) || inquiry->transaction.spf.result.ptr != NULL ||
           inquiry->transaction.spf_helo.result.ptr != NULL;
}

static bool record_ended(struct inquiry *inquiry, bool is_written)
{
    const struct policy_metrics *metrics = &inquiry->server->policyd->metrics;

    metric_add(is_written ? metrics->records_written : metrics->records_failed, 1);
    inquiry->phase = PHASE_DONE;
    return true;
}

bool inquiry_record_phase(struct inquiry *inquiry)
{
    const struct store_charge *charge = &inquiry->charge;

    inquiry->phase = PHASE_DONE;
    if (charge->admitted && charge->record != NULL) {
        if (charge->repeated)
            return true; /* recorded when it was charged */
        return record_ended(inquiry, charge->is_recorded);
    }
    if (inquiry_record(inquiry) == NULL || !says_anything(inquiry))
        return true;
    inquiry->record.call = (struct store_call){ .done = write_done };
    inquiry->phase = PHASE_RECORDED;
    return store_tx_write(inquiry->server->store, &inquiry->record);
}

bool inquiry_recorded_phase(struct inquiry *inquiry)
{
    return record_ended(inquiry, inquiry->record.call.result == STORE_OK);
}
