/* contentd/explain_answer.c - an explanation as JSON; see explain.h. */
#include "contentd/explain_impl.h"

/* ---- who has which chain ---- */

/* "contentd.conf:12": the line of [apply] with this key. Absent: it is not found. */
static json_t *place_of(const struct setup *setup, struct slice key, struct arena *arena)
{
    const struct scan_sections *sections = &setup->parts.config->scan;
    const char *error;

    for (size_t i = 0; sections->apply_count > 0 && i < sections->apply[0].chains.count; i++) {
        struct slice name = sections->apply[0].chains.items[i].name;
        if (!slice_equal(map_key_normalise(name, arena, &error), key))
            continue;
        struct conf_pos pos = conf_where(setup->parts.core.conf, name.ptr);
        return json_sprintf("%.*s:%u", SLICE_ARG(pos.file), pos.line);
    }
    return json_null();
}

static json_t *chain_scanners(const struct setup *setup, const struct chain *chain)
{
    json_t *names = json_array();

    for (size_t i = 0; i < chain->count; i++)
        json_array_append_new(names,
                              control_text(setup_scan(setup)->scanners[chain->order[i]].name));
    return names;
}

json_t *explain_recipient(const struct explanation *explanation,
                          const struct message_recipient *recipient)
{
    const struct setup *setup = explanation->setup;
    struct chain_reason why;
    const struct chain *chain =
        setup_chain_why(setup, recipient->normal, explanation->wall_ms, &why);
    json_t *json = json_pack("{s:o, s:o}", "name", control_text(chain->name), "scanners",
                             chain_scanners(setup, chain));

    if (why.key.ptr != NULL) {
        json_object_set_new(json, "key", control_text(why.key));
        json_object_set_new(json, "origin", json_string(why.is_live ? "live" : "file"));
    }
    if (why.key.ptr != NULL && !why.is_live)
        json_object_set_new(json, "place",
                            place_of(setup, why.key, explanation->described.message->arena));
    if (why.until_s > 0)
        json_object_set_new(json, "until", json_integer((json_int_t)why.until_s));
    return json_pack("{s:o, s:o}", "recipient", control_text(recipient->address), "chain", json);
}

/* ---- stages ---- */

static json_t *members(const struct decided *decided, size_t party)
{
    const struct message *message = decided->message;
    json_t *names = json_array();

    for (size_t n = 0; n < message->recipient_count; n++)
        if (decided->parties->party_of[n] == party)
            json_array_append_new(names, control_text(message->recipients[n].address));
    return names;
}

static void add_stage(struct explanation *explanation, const struct decided *decided,
                      enum stage stage)
{
    for (size_t i = 0; i < decided->parties->count; i++) {
        const struct trace *trace =
            stage == STAGE_DATA ? decided->data_traces[i] : decided->parties->parties[i].trace;
        if (trace == NULL)
            continue;
        json_t *json = explain_stage(stage, trace);
        json_object_set_new(json, "recipients", members(decided, i));
        json_array_append_new(explanation->stages, json);
    }
}

/* ---- scanners ---- */

static const char *source_of(const struct explanation *explanation, size_t n)
{
    if (explanation->found[n].result != FINDING_NONE)
        return "given";
    return explanation->explaining->scans ? "asked" : "supposed";
}

static void add_finding(json_t *json, const struct finding *finding)
{
    json_object_set_new(json, "result", json_string(finding_words[finding->result]));
    if (finding->has_score)
        json_object_set_new(json, "score", json_real(finding->score));
    if (finding->virus.len > 0)
        json_object_set_new(json, "virus", control_text(finding->virus));
    if (finding->symbols.len > 0)
        json_object_set_new(json, "symbols", control_text(finding->symbols));
    if (finding->error.len > 0)
        json_object_set_new(json, "error", control_text(finding->error));
}

static json_t *addresses_json(const struct backend *backend)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < (unsigned)backend_count(backend); i++)
        json_array_append_new(all, json_string(backend_text(backend, i)));
    return all;
}

/* Those of the chains of the message. */
static json_t *scanners_json(const struct explanation *explanation, const struct decided *decided)
{
    const struct scan_set *scan = setup_scan(explanation->setup);
    scanner_set named = 0;
    json_t *all = json_array();

    for (size_t i = 0; i < decided->parties->count; i++)
        named |= decided->parties->parties[i].chain->set;
    for (size_t n = 0; n < scan->scanner_count; n++) {
        const struct scanner *scanner = &scan->scanners[n];
        bool is_wanted = (decided->wanted & SCANNER_BIT(n)) != 0;
        if ((named & SCANNER_BIT(n)) == 0)
            continue;
        json_t *json =
            json_pack("{s:o, s:s, s:o, s:b, s:b}", "scanner", control_text(scanner->name), "kind",
                      scanner->kind->name, "addresses", addresses_json(scanner->backend), "streams",
                      (int)scanner->kind->streams, "wanted", (int)is_wanted);
        if (is_wanted) {
            json_object_set_new(json, "source", json_string(source_of(explanation, n)));
            add_finding(json, &decided->findings[n]);
        }
        json_array_append_new(all, json);
    }
    return all;
}

/* ---- verdicts ---- */

static json_t *reply_json(const struct recipient_verdict *verdict)
{
    const struct milter_reply reply = {
        .action = verdict->kind == VERDICT_REJECT     ? MILTER_REJECT
                  : verdict->kind == VERDICT_TEMPFAIL ? MILTER_TEMPFAIL
                                                      : MILTER_CONTINUE,
        .reply = verdict->reply,
    };

    return explain_reply(&reply);
}

/* Scanners of his chain that rules have him do without. */
static json_t *skipped_json(const struct explanation *explanation, const struct party *party)
{
    const struct scan_set *scan = setup_scan(explanation->setup);
    json_t *names = json_array();

    for (size_t i = 0; i < party->chain->count; i++)
        if ((party->outcome.skipped & SCANNER_BIT(party->chain->order[i])) != 0)
            json_array_append_new(names, control_text(scan->scanners[party->chain->order[i]].name));
    return names;
}

static void add_recipient(struct explanation *explanation, const struct decided *decided, size_t n)
{
    const struct party *party = &decided->parties->parties[decided->parties->party_of[n]];
    const struct recipient_verdict *verdict = decided->verdicts[n];
    json_t *json = explain_recipient(explanation, &decided->message->recipients[n]);

    json_object_set_new(json, "skipped", skipped_json(explanation, party));

    json_object_set_new(json, "verdict", json_string(verdict_words[verdict->kind]));
    json_object_set_new(json, "source", json_string(verdict_source_words[verdict->source]));
    json_object_set_new(json, "by", control_text(verdict->by));
    json_object_set_new(json, "reason", control_text(verdict->reason));
    json_object_set_new(json, "score", json_real(verdict->score));
    json_object_set_new(json, "tagged", json_boolean(verdict->is_tagged));
    if (verdict->redirect.len > 0)
        json_object_set_new(json, "redirect", control_text(verdict->redirect));
    json_object_set_new(json, "fate", json_string(fate_words[decided->plan.fates[n]]));
    json_object_set_new(json, "reply", reply_json(verdict));
    json_array_append_new(explanation->recipients, json);
}

/* ---- the plan ---- */

static json_t *copies_json(const struct decided *decided, const struct plan_copy *copies,
                           size_t count)
{
    json_t *all = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct plan_copy *copy = &copies[i];
        json_t *recipients = json_array();
        for (size_t k = 0; k < copy->count; k++)
            json_array_append_new(
                recipients,
                control_text(decided->message->recipients[copy->recipients[k]].address));
        json_array_append_new(all, json_pack("{s:o, s:o, s:o}", "recipients", recipients, "added",
                                             explain_texts(copy->added, copy->added_count), "edits",
                                             explain_edits(&copy->verdict->edits)));
    }
    return all;
}

/* Else it would be deferred: a directory could not be opened. */
static bool is_possible(const struct plan *plan, const struct effects_places *places)
{
    return (plan->quarantine_count == 0 || places->quarantine != NULL) &&
           (plan->spool_count == 0 || places->outbox != NULL);
}

static json_t *plan_json(const struct explanation *explanation, const struct decided *decided)
{
    static const char *const actions[] = { [PLAN_ACCEPT] = "accept",
                                           [PLAN_REJECT] = "reject",
                                           [PLAN_TEMPFAIL] = "tempfail",
                                           [PLAN_DISCARD] = "discard" };
    const struct plan *plan = &decided->plan;

    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:I}", "action", actions[plan->action], "possible",
                     (int)is_possible(plan, &explanation->contentd->places), "edits",
                     explain_edits(&plan->edits), "quarantine",
                     copies_json(decided, plan->quarantine, plan->quarantine_count), "outbox",
                     copies_json(decided, plan->spool, plan->spool_count), "unedited",
                     (json_int_t)plan->unedited);
}

/* ---- all of it ---- */

static void add_decided(struct explanation *explanation, const struct decided *decided, json_t *out)
{
    const struct plan *plan = &decided->plan;

    add_stage(explanation, decided, STAGE_DATA);
    add_stage(explanation, decided, STAGE_END);
    for (size_t n = 0; n < decided->message->recipient_count; n++)
        add_recipient(explanation, decided, n);
    json_object_set_new(out, "verdict", json_string(verdict_words[plan_verdict(plan)]));
    json_object_set_new(out, "reply",
                        plan->spoken == NULL ? json_null() : reply_json(plan->spoken));
    json_object_set_new(out, "late", json_boolean(decided->is_late));
    json_object_set_new(out, "scanners", scanners_json(explanation, decided));
    json_object_set_new(out, "plan", plan_json(explanation, decided));
}

static void add_refusal(const struct explanation *explanation, const struct milter_reply *refusal,
                        json_t *out)
{
    bool is_reject = refusal->action == MILTER_REJECT;
    /* Each recipient has one of his own. */
    bool is_each = json_array_size(explanation->recipients) > 0;

    json_object_set_new(out, "verdict", json_string(is_reject ? "reject" : "tempfail"));
    json_object_set_new(out, "reply", is_each ? json_null() : explain_reply(refusal));
}

json_t *explain_answer(struct explanation *explanation, const struct decided *decided,
                       const struct milter_reply *refusal)
{
    const struct setup *setup = explanation->setup;
    json_t *out = explain_begin("contentd", setup->parts.core.is_shadow,
                                direction_why(&setup->direction, explanation->described.message));

    if (decided != NULL)
        add_decided(explanation, decided, out);
    else
        add_refusal(explanation, refusal, out);
    json_object_set(out, "stages", explanation->stages);
    json_object_set(out, "recipients", explanation->recipients);
    return out;
}
