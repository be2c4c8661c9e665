/* contentd/settlement.c - what is written down about a decided message, on the worker, after the MTA's thread has gone on: the
 * decision lines, the counts, the word in policyd's record, and the charges that are given back. See inspection.h. */
#include "contentd/inspection_impl.h"

#include "common/message/decision.h"

enum {
    LINES_MAX = 20,
    VERDICT_TEXT_MAX = 400,
    LOST_MEMORY_MAX = 16 << 20, /* addresses of all recipients, borrowed */
};

/* ---- what the MTA was told ---- */

static enum verdict_kind told(const struct inspection *inspection)
{
    const struct decided *decided = &inspection->decided;

    if (decided->setup->parts.core.is_shadow)
        return VERDICT_DELIVER;
    if (inspection->fate != INSPECTION_AS_PLANNED)
        return VERDICT_TEMPFAIL;
    return plan_verdict(&decided->plan);
}

/* ---- counts ---- */

static bool is_unscanned(const struct recipient_verdict *verdict)
{
    for (const struct edit *edit = verdict->edits.first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_ADD_HEADER &&
            slice_equal(edit->name, SLICE("X-Gatehouse-Unscanned")))
            return true;
    return false;
}

static void count(const struct inspection *inspection)
{
    const struct contentd_metrics *metrics = &inspection->server->contentd->metrics;
    const struct decided *decided = &inspection->decided;

    metric_add(metrics->messages, 1);
    metric_add(metrics->verdicts[told(inspection)], 1);
    metric_add(metrics->late, decided->is_late);
    metric_add(metrics->unedited, decided->plan.unedited);
    metric_add(metrics->not_kept, inspection->fate == INSPECTION_NOT_KEPT);
    metric_observe_us(metrics->duration, (decided->decided_ms - decided->ended_ms) * 1000);
    for (size_t n = 0; n < inspection->message->recipient_count; n++) {
        enum fate fate =
            inspection->fate != INSPECTION_AS_PLANNED ? FATE_DEFERRED : decided->plan.fates[n];
        metric_add(metrics->recipients[fate], 1);
        metric_add(metrics->sources[decided->verdicts[n]->source], 1);
    }
    for (size_t i = 0; i < decided->parties->count; i++) {
        const struct party *party = &decided->parties->parties[i];
        metric_add(metrics->trouble, party->said.troubled_count);
        if (party->verdict.kind == VERDICT_DELIVER && is_unscanned(&party->verdict))
            metric_add(metrics->unscanned, party->count);
    }
}

/* ---- the decision lines ---- */

/* `clam:clean spam:clean:0.1` of the scanners of a chain. */
static void findings_print(const struct decided *decided, const struct chain *chain,
                           struct buf *out)
{
    const struct scan_set *scan = setup_scan(decided->setup);

    for (size_t i = 0; i < chain->count; i++) {
        const struct finding *finding = &decided->findings[chain->order[i]];
        if (buf_printf(out, "%s%.*s:%s", i > 0 ? "," : "",
                       SLICE_ARG(scan->scanners[chain->order[i]].name),
                       finding_words[finding->result]) ||
            (finding->has_score && buf_printf(out, ":%.1f", finding->score)))
            return;
    }
}

static const char *verdict_word(const struct inspection *inspection,
                                const struct recipient_verdict *verdict, enum fate fate)
{
    if (inspection->fate != INSPECTION_AS_PLANNED || fate == FATE_DEFERRED)
        return "tempfail";
    switch (fate) {
    case FATE_REFUSED:
        return "reject";
    case FATE_DISCARDED:
        return "discard";
    case FATE_QUARANTINED:
        return "quarantine";
    case FATE_DEFERRED:
    case FATE_DELIVERED:
    case FATE_SPOOLED:
    case FATES:
        break;
    }
    return verdict->is_tagged ? "tag" : "accept";
}

static void line_write(const struct inspection *inspection, const struct party *party)
{
    const struct decided *decided = &inspection->decided;
    const struct message *message = inspection->message;
    const struct recipient_verdict *verdict = &party->verdict;
    char address[IP_ADDRESS_TEXT_MAX], number[32];
    AUTO_BUF found = BUF_INIT(VERDICT_TEXT_MAX);
    AUTO_EXTRAS extras = { .count = 0 };

    findings_print(decided, party->chain, &found);
    if (decided->setup->parts.core.is_shadow)
        decision_extra(&extras, "mode", SLICE("shadow"));
    decision_extra(&extras, "chain", party->chain->name);
    decision_extra(&extras, "by", slice_of(verdict_source_words[verdict->source]));
    decision_extra(&extras, "found", buf_slice(&found));
    decision_extra_score(&extras, verdict->score);
    decision_extra_shadow(&extras, decided->setup->book.rules, &party->said);
    decision_extra_trouble(&extras, decided->setup->book.rules, &party->said);
    snprintf(number, sizeof number, "%zu", party->count);
    if (party->count > 1)
        decision_extra(&extras, "recipients", slice_of(number));
    decision_extra(&extras, "warn", party->outcome.warning);
    if (decided->plan.fates[party->first] == FATE_SPOOLED)
        decision_extra(&extras, "copy", SLICE("yes"));
    if (inspection->fate == INSPECTION_NOT_SENT)
        decision_extra(&extras, "sent", SLICE("no"));
    if (decided->is_late)
        decision_extra(&extras, "budget", SLICE("over"));
    struct decision decision = message_decision(message, party->first, address);
    decision.rule = verdict->source == BY_RULE ? verdict->by : SLICE("");
    decision.verdict =
        slice_of(verdict_word(inspection, verdict, decided->plan.fates[party->first]));
    decision.ref = slice_of(decided->reference);
    decision.reason = verdict->reason;
    decision.ms = decided->decided_ms - decided->ended_ms;
    decision_write(&decision, &extras, inspection->server->store);
}

/* ---- policyd's record ---- */

static int source_print(struct buf *out, const struct recipient_verdict *verdict)
{
    struct slice reason = slice_part(verdict->reason, 0, 200);
    struct slice by = slice_part(verdict->by, 0, 64);

    switch (verdict->source) {
    case BY_RULE:
        return buf_printf(out, " rule=%.*s", SLICE_ARG(by));
    case BY_SCORE:
        return buf_printf(out, " score=%.1f", verdict->score);
    case BY_VIRUS:
    case BY_SCANNER:
    case BY_TROUBLE:
    case BY_OVERSIZE:
    case BY_FORGED:
        return buf_printf(out, " %s=%.*s by=%.*s", verdict_source_words[verdict->source],
                          SLICE_ARG(reason), SLICE_ARG(by));
    case BY_NOTHING:
    case VERDICT_SOURCES:
        break;
    }
    return 0;
}

/* "reject virus=Eicar-Signature by=clam ref=7f3k2q" */
static void verdict_print(struct buf *out, const struct inspection *inspection)
{
    const struct decided *decided = &inspection->decided;

    if (buf_put(out, verdict_words[told(inspection)]) ||
        (decided->plan.spoken != NULL && source_print(out, decided->plan.spoken)) ||
        buf_printf(out, " ref=%s", decided->reference))
        buf_clear(out);
}

/* Nothing of it was delivered: it costs its sender nothing. */
static bool is_refunded(const struct inspection *inspection)
{
    enum verdict_kind kind = told(inspection);

    return kind == VERDICT_REJECT || kind == VERDICT_TEMPFAIL || kind == VERDICT_DISCARD;
}

static void record_write(const struct inspection *inspection)
{
    AUTO_BUF text = BUF_INIT(VERDICT_TEXT_MAX);

    verdict_print(&text, inspection);
    record_tell(&inspection->server->teller, &inspection->record, "contentd", buf_slice(&text),
                is_refunded(inspection));
}

/* ---- recipients that do not get what others get ---- */

static bool is_lost(const struct inspection *inspection, size_t n)
{
    const struct decided *decided = &inspection->decided;

    return fate_is_loss(decided->plan.fates[n], decided->verdicts[n]);
}

static bool has_lost(const struct inspection *inspection)
{
    bool found = inspection->message->refused_count > 0;

    for (size_t i = 0; !found && i < inspection->message->recipient_count; i++)
        found = is_lost(inspection, i);
    return found;
}

/* What policyd charged for single ones (charge = rcpt): those refused at RCPT, and those who have been removed. */
static void give_back_lost(const struct inspection *inspection)
{
    const struct message *message = inspection->message;
    struct arena *arena = arena_new(LOST_MEMORY_MAX);
    size_t most = message->refused_count + message->recipient_count;
    struct slice *lost =
        arena == NULL ? NULL : arena_alloc_array(arena, 2 * most + 1, sizeof *lost);
    struct slice *served = lost == NULL ? NULL : lost + most;
    struct recipients_lost all = { .recipients = lost, .served = served };

    for (size_t i = 0; lost != NULL && i < message->refused_count; i++)
        lost[all.count++] = message->refused[i];
    for (size_t i = 0; lost != NULL && i < message->recipient_count; i++) {
        if (is_lost(inspection, i))
            lost[all.count++] = message->recipients[i].address;
        else
            served[all.served_count++] = message->recipients[i].address;
    }
    if (lost != NULL)
        record_give_back(&inspection->server->teller, &inspection->record, &all);
    else
        metric_add(inspection->server->teller.refunds_failed, 1);
    arena_free(&arena);
}

/* ---- on the worker ---- */

static void settle(UNUSED struct worker *worker, void *arg)
{
    struct inspection *inspection = arg;

    count(inspection);
    for (size_t i = 0; i < inspection->parties.count && i < LINES_MAX; i++)
        line_write(inspection, &inspection->parties.parties[i]);
    record_write(inspection);
    if (!is_refunded(inspection) && !inspection->decided.setup->parts.core.is_shadow &&
        has_lost(inspection))
        give_back_lost(inspection);
    inspection_unref(inspection);
}

static void settle_never(UNUSED struct worker *worker, void *arg)
{
    inspection_unref(arg);
}

void inspection_settle(struct inspection *inspection, enum inspection_fate fate)
{
    atomic_fetch_add(&inspection->references, 1);
    inspection->fate = fate;
    if (worker_do(inspection->worker, settle, settle_never, inspection))
        inspection_unref(inspection);
}
