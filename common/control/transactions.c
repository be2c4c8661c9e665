/* common/control/transactions.c - GET transactions/QUEUE_ID: what the daemons have recorded of a message. */
#include "common/control/control_impl.h"

/* Left out when it is not known. */
static void set_text(json_t *object, const char *name, struct slice text)
{
    if (text.ptr != NULL)
        json_object_set_new(object, name, control_text(text));
}

static void set_spf(json_t *object, const char *name, const struct transaction_spf *spf)
{
    if (spf->result.ptr == NULL)
        return;
    json_t *inner = json_object();
    set_text(inner, "result", spf->result);
    set_text(inner, "domain", spf->domain);
    json_object_set_new(object, name, inner);
}

static json_t *charges_of(const struct transaction *transaction)
{
    json_t *charges = json_array();

    for (size_t i = 0; i < transaction->charge_count; i++) {
        const struct transaction_charge *charge = &transaction->charges[i];
        json_array_append_new(charges, json_pack("{s:o, s:o, s:I, s:I}", "limit",
                                                 control_text(charge->limit), "subject",
                                                 control_text(charge->subject), "amount",
                                                 (json_int_t)charge->amount, "window_ms",
                                                 (json_int_t)charge->window_ms));
    }
    return charges;
}

static json_t *verdicts_of(const struct transaction *transaction)
{
    json_t *verdicts = json_array();

    for (size_t i = 0; i < transaction->verdict_count; i++) {
        const struct transaction_verdict *verdict = &transaction->verdicts[i];
        json_array_append_new(verdicts, json_pack("{s:o, s:o}", "by", control_text(verdict->by),
                                                  "verdict", control_text(verdict->text)));
    }
    return verdicts;
}

static json_t *record_of(const struct store_tx_found *found)
{
    const struct transaction *transaction = &found->transaction;
    json_t *record = json_pack("{s:o}", "key", control_text(found->key));

    set_text(record, "sender", transaction->sender);
    set_text(record, "instance", transaction->instance);
    set_spf(record, "spf", &transaction->spf);
    set_spf(record, "spf_helo", &transaction->spf_helo);
    if (transaction->has_score)
        json_object_set_new(record, "score", json_real(transaction->score));
    set_text(record, "rule", transaction->rule);
    set_text(record, "ref", transaction->reference);
    json_object_set_new(record, "charges", charges_of(transaction));
    json_object_set_new(record, "given_back", json_boolean(transaction->is_refunded));
    json_object_set_new(record, "verdicts", verdicts_of(transaction));
    return record;
}

static void transactions_found(struct control_job *job)
{
    const struct store_tx_find *find = &job->store.find;
    json_t *records = json_array();

    for (size_t i = 0; i < find->count; i++)
        json_array_append_new(records, record_of(&find->found[i]));
    control_job_reply(job, 200, json_pack("{s:o}", "transactions", records));
}

void control_transactions(struct control_job *job)
{
    job->store.find =
        (struct store_tx_find){ .queue_id = job->request->segments[1], .arena = job->arena };
    control_job_wait(job, transactions_found);
    control_job_started(job, store_tx_find(job->control->store, &job->store.find));
}
