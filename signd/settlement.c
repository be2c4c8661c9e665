/* signd/settlement.c - what is written down about a decided message, on the worker, after the MTA has its answer: the
 * decision line, the counts, the word in policyd's record, and the charges that are given back. See letter.h. */
#include "signd/letter_impl.h"

#include "common/message/decision.h"

enum { TEXT_MAX = 400 };

static enum fate told(const struct letter *letter)
{
    return letter->is_sent ? letter->told.fate : FATE_TEMPFAIL;
}

/* ---- counts ---- */

static void count_verified(const struct signd_metrics *metrics, const struct results *results)
{
    metric_add(metrics->dkim[results->dkim], 1);
    for (size_t i = 0; i < results->claim_count; i++)
        metric_add(metrics->claims[results->claims[i].result], 1);
    metric_add(metrics->claims_over, results->claims_over);
    metric_add(metrics->dmarc[results->dmarc.result], 1);
    metric_add(metrics->spf_unknown, results->spf.result.len == 0);
}

static void count(const struct letter *letter)
{
    const struct signd_metrics *metrics = &letter->server->signd->metrics;

    metric_add(metrics->messages, 1);
    metric_add(metrics->fates[told(letter)], 1);
    if (!letter->setup->parts.core.is_shadow) {
        metric_add(metrics->signings[letter->signing], 1);
        if (letter->signing == SIGNING_DONE)
            metric_add(metrics->signatures, letter->chosen.count);
        metric_add(metrics->forged, letter->forged);
    }
    if (letter->is_verified)
        count_verified(metrics, &letter->results);
    metric_add(metrics->late, letter->is_late);
    metric_add(metrics->trouble,
               letter->data_said.troubled_count + letter->end_said.troubled_count);
    metric_observe_us(metrics->duration, (letter->decided_ms - letter->ended_ms) * 1000);
}

/* ---- in words ---- */

/* "example.com/s1,example.com/s2", the keys that signed; else why none did. */
static void signing_print(const struct letter *letter, struct buf *out)
{
    int rc = 0;

    if (letter->signing != SIGNING_DONE) {
        buf_put(out, signing_words[letter->signing]);
        return;
    }
    for (size_t i = 0; rc == 0 && i < letter->chosen.count; i++)
        rc = buf_printf(out, "%s%.*s/%.*s", i > 0 ? "," : "", SLICE_ARG(letter->chosen.domain),
                        SLICE_ARG(letter->chosen.keys[i]->selector));
}

/* "pass:example.com,fail:example.net" */
static void claims_print(const struct results *results, struct buf *out)
{
    int rc = 0;

    if (results->claim_count == 0)
        rc = buf_put(out, "none");
    for (size_t i = 0; rc == 0 && i < results->claim_count; i++) {
        const struct dkim_claim *claim = &results->claims[i];
        rc = buf_printf(out, "%s%s:%.*s", i > 0 ? "," : "", dkim_result_words[claim->result],
                        SLICE_ARG(claim->domain));
    }
}

static void dmarc_print(const struct results *results, struct buf *out)
{
    const struct dmarc_verdict *dmarc = &results->dmarc;

    if (results->dmarc_domain.len > 0 || dmarc->result != DMARC_RESULT_NONE)
        (void)buf_printf(out, "%s:%.*s:%s", dmarc_result_words[dmarc->result],
                         SLICE_ARG(results->dmarc_domain), dmarc_policy_words[dmarc->policy]);
}

/* ---- the decision line ---- */

static void line_write(const struct letter *letter)
{
    const struct message *message = letter->message;
    const struct rule_set *rules = letter->setup->book.rules;
    const char *bad_from = mime_author_problem(&letter->mime);
    char address[IP_ADDRESS_TEXT_MAX], number[32];
    AUTO_BUF signing = BUF_INIT(TEXT_MAX);
    AUTO_BUF claims = BUF_INIT(TEXT_MAX);
    AUTO_BUF dmarc = BUF_INIT(TEXT_MAX);
    AUTO_EXTRAS extras = { .count = 0 };

    if (letter->setup->parts.core.is_shadow)
        decision_extra(&extras, "mode", SLICE("shadow"));
    decision_extra(&extras, "task", slice_of(task_words[letter->task]));
    decision_extra(&extras, "from", letter->mime.from);
    if (letter->has_mime && bad_from != NULL)
        decision_extra(&extras, "author", slice_of(bad_from));
    if (letter->signing != SIGNING_NOT_WANTED)
        signing_print(letter, &signing);
    decision_extra(&extras, "signed", buf_slice(&signing));
    if (letter->is_verified) {
        claims_print(&letter->results, &claims);
        dmarc_print(&letter->results, &dmarc);
        decision_extra(&extras, "dkim", buf_slice(&claims));
        decision_extra(&extras, "spf", letter->results.spf.result);
        decision_extra(&extras, "dmarc", buf_slice(&dmarc));
    }
    snprintf(number, sizeof number, "%zu", letter->forged);
    if (letter->forged > 0)
        decision_extra(&extras, "forged", slice_of(number));
    decision_extra_shadow(
        &extras, rules, letter->end_said.shadow_count > 0 ? &letter->end_said : &letter->data_said);
    decision_extra_trouble(&extras, rules,
                           letter->end_said.troubled_count > 0 ? &letter->end_said
                                                               : &letter->data_said);
    decision_extra(&extras, "warn", letter->rules.warning);
    if (!letter->is_sent)
        decision_extra(&extras, "sent", SLICE("no"));
    if (letter->is_late)
        decision_extra(&extras, "budget", SLICE("over"));
    struct decision decision = message_decision(message, 0, address);
    decision.rule = letter->rules.rule;
    decision.verdict = slice_of(fate_words[letter->is_sent ? letter->answer.fate : FATE_TEMPFAIL]);
    decision.ref = slice_of(letter->reference);
    decision.reason = letter_reason(letter);
    decision.ms = letter->decided_ms - letter->ended_ms;
    decision_write(&decision, &extras, letter->server->store);
}

/* ---- policyd's record ---- */

/* "accept sign example.com/s1 ref=7f3k2q", "reject dmarc-reject From fails DMARC ref=7f3k2q" */
static void record_write(const struct letter *letter)
{
    enum fate fate = told(letter);
    AUTO_BUF text = BUF_INIT(TEXT_MAX + TEXT_MAX);

    (void)buf_put(&text, fate_words[fate]);
    if (letter->signing != SIGNING_NOT_WANTED) {
        (void)buf_put(&text, " sign ");
        signing_print(letter, &text);
    } else if (letter->is_verified) {
        (void)buf_printf(&text, " dkim=%s ", dkim_result_words[letter->results.dkim]);
        (void)buf_printf(&text, "dmarc=%s", dmarc_result_words[letter->results.dmarc.result]);
    }
    if (letter->rules.rule.len > 0)
        (void)buf_printf(&text, " rule %.*s", SLICE_ARG(slice_part(letter->rules.rule, 0, 64)));
    if (letter_reason(letter).len > 0)
        (void)buf_printf(&text, " %.*s", SLICE_ARG(slice_part(letter_reason(letter), 0, 200)));
    (void)buf_printf(&text, " ref=%s", letter->reference);
    record_tell(&letter->server->teller, &letter->record, "signd", buf_slice(&text),
                fate == FATE_REJECT || fate == FATE_TEMPFAIL || fate == FATE_DISCARD);
}

/* ---- on the worker ---- */

static void settle(UNUSED struct worker *worker, void *arg)
{
    struct letter *letter = arg;

    count(letter);
    line_write(letter);
    record_write(letter);
    letter_unref(letter);
}

static void settle_never(UNUSED struct worker *worker, void *arg)
{
    letter_unref(arg);
}

void letter_settle(struct letter *letter, bool is_sent)
{
    if (!letter->is_decided)
        return;
    letter->is_sent = is_sent;
    atomic_fetch_add(&letter->references, 1);
    if (worker_do(letter->worker, settle, settle_never, letter))
        letter_unref(letter);
}
