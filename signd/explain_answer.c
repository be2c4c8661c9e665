/* signd/explain_answer.c - a letter as JSON; see explain.h. */
#include "common/control/service.h"
#include "common/dkim/tags.h"
#include "signd/control.h"
#include "signd/explain.h"
#include "signd/letter_impl.h"

/* ---- signing ---- */

static bool signs(const struct letter *letter, const struct key_file *file)
{
    for (size_t i = 0; letter->signing == SIGNING_DONE && i < letter->chosen.count; i++)
        if (letter->chosen.keys[i] == file)
            return true;
    return false;
}

static json_t *keys_of(const struct letter *letter, struct slice domain)
{
    const struct key_set *files = shared_get(letter->keys);
    size_t first = 0, count = files == NULL ? 0 : key_set_find(files, domain, &first);
    json_t *keys = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct key_file *file = key_set_at(files, first + i);
        json_t *key = control_key(shared_get(letter->states), file, NULL);
        json_object_set_new(key, "signs", json_boolean(signs(letter, file)));
        json_array_append_new(keys, key);
    }
    return keys;
}

static json_t *looked_json(const struct letter *letter)
{
    const struct letter_trail *trail = &letter->trail;
    json_t *all = json_array();

    for (size_t i = 0; i < trail->count; i++)
        json_array_append_new(all, json_pack("{s:o, s:s, s:o}", "domain",
                                             control_text(trail->looked[i].domain), "why",
                                             trail->looked[i].why, "keys",
                                             keys_of(letter, trail->looked[i].domain)));
    return all;
}

/* The names of h=. */
static json_t *names_json(struct slice list)
{
    struct slice name;
    json_t *names = json_array();

    while (slice_next(&list, ':', &name))
        json_array_append_new(names, control_text(slice_trim(name)));
    return names;
}

static json_t *number_of(const struct dkim_tags *tags, const char *name)
{
    uint64_t number;

    return slice_to_u64(dkim_tag_value(tags, name), &number) ? json_integer((json_int_t)number)
                                                             : json_null();
}

static json_t *signature_json(const struct edit *edit)
{
    struct dkim_tags tags;
    const char *error;

    if (!dkim_tags_parse(edit->text, &tags, &error))
        return json_null(); /* we have made it: it can be read */
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "domain", control_text(dkim_tag_value(&tags, "d")),
        "selector", control_text(dkim_tag_value(&tags, "s")), "algorithm",
        control_text(dkim_tag_value(&tags, "a")), "canonicalization",
        control_text(dkim_tag_value(&tags, "c")), "headers", names_json(dkim_tag_value(&tags, "h")),
        "time", number_of(&tags, "t"), "expires", number_of(&tags, "x"));
}

static bool is_signature(const struct edit *edit)
{
    return edit->kind == EDIT_INSERT_HEADER && slice_equal(edit->name, SLICE("DKIM-Signature"));
}

static json_t *signing_json(const struct letter *letter)
{
    json_t *signatures = json_array();

    for (const struct edit *edit = letter->answer.edits.first; edit != NULL; edit = edit->next)
        if (is_signature(edit))
            json_array_append_new(signatures, signature_json(edit));
    return json_pack("{s:s, s:o, s:o, s:I, s:o, s:o}", "result", signing_words[letter->signing],
                     "reason", control_text(letter->reason), "from",
                     control_text(letter->mime.from), "from_fields",
                     (json_int_t)letter->mime.from_field_count, "looked", looked_json(letter),
                     "signatures", signatures);
}

/* ---- verifying ---- */

static json_t *claim_json(const struct dkim_claim *claim)
{
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:s, s:b, s:b}", "domain", control_text(claim->domain),
                  "selector", control_text(claim->selector), "algorithm",
                  control_text(claim->algorithm), "result", dkim_result_words[claim->result],
                  "testing", (int)claim->is_testing, "length", (int)claim->has_length);

    if (claim->comment != NULL)
        json_object_set_new(json, "reason", json_string(claim->comment));
    if (claim->key_bits > 0)
        json_object_set_new(json, "bits", json_integer((json_int_t)claim->key_bits));
    return json;
}

static json_t *claims_json(const struct results *results)
{
    json_t *claims = json_array();

    for (size_t i = 0; i < results->claim_count; i++)
        json_array_append_new(claims, claim_json(&results->claims[i]));
    return claims;
}

/* Who has said so. */
static const char *spf_source(const struct letter *letter)
{
    const struct transaction *record = letter->record.transaction;

    if (letter->results.spf.result.len == 0)
        return letter->results.spf.is_known ? "nobody: policyd has not looked"
                                            : "nobody: there is no record of policyd's";
    return record != NULL && record->spf.result.len > 0 ? "policyd's record"
                                                        : "the Received-SPF field";
}

static json_t *policies_json(const struct results *results)
{
    static const char *const lookups[] = { [DMARC_LOOKUP_FOUND] = "found",
                                           [DMARC_LOOKUP_NONE] = "none",
                                           [DMARC_LOOKUP_TEMPERROR] = "temperror",
                                           [DMARC_LOOKUP_BAD] = "bad" };
    json_t *all = json_array();

    for (size_t i = 0; i < results->policy_count; i++) {
        const struct from_policy *policy = &results->policies[i];
        json_t *json = json_pack("{s:o, s:s}", "domain", control_text(policy->domain), "lookup",
                                 lookups[policy->lookup]);
        if (policy->lookup == DMARC_LOOKUP_FOUND) {
            json_object_set_new(json, "organizational", json_boolean(policy->is_organizational));
            json_object_set_new(json, "percent", json_integer((json_int_t)policy->record.percent));
        }
        json_array_append_new(all, json);
    }
    return all;
}

static json_t *dmarc_json(const struct results *results)
{
    const struct dmarc_verdict *dmarc = &results->dmarc;

    return json_pack("{s:s, s:o, s:s, s:s, s:b, s:b, s:o}", "result",
                     dmarc_result_words[dmarc->result], "domain",
                     control_text(results->dmarc_domain), "published",
                     dmarc_policy_words[dmarc->published], "policy",
                     dmarc_policy_words[dmarc->policy], "spf_aligned", (int)dmarc->spf_aligned,
                     "dkim_aligned", (int)dmarc->dkim_aligned, "domains", policies_json(results));
}

static json_t *verification_json(const struct letter *letter)
{
    const struct results *results = &letter->results;

    return json_pack("{s:s, s:o, s:I, s:{s:o, s:o, s:s}, s:o}", "dkim",
                     dkim_result_words[results->dkim], "signatures", claims_json(results),
                     "signatures_over", (json_int_t)results->claims_over, "spf", "result",
                     control_text(results->spf.result), "domain", control_text(results->spf.domain),
                     "source", spf_source(letter), "dmarc", dmarc_json(results));
}

/* ---- the answer ---- */

static json_t *results_field(const struct letter *letter)
{
    for (const struct edit *edit = letter->answer.edits.first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_INSERT_HEADER &&
            slice_equal(edit->name, SLICE("Authentication-Results")))
            return control_text(edit->text);
    return json_null();
}

/* Without the signatures: b= is empty. */
static json_t *edits_json(struct letter *letter)
{
    struct edits shown;

    edits_init(&shown);
    for (const struct edit *edit = letter->answer.edits.first; edit != NULL; edit = edit->next) {
        struct edit copy = *edit;
        struct dkim_tags tags;
        const char *error;
        if (is_signature(edit)) {
            bool is_read = dkim_tags_parse(edit->text, &tags, &error);
            copy.text.len = is_read ? (size_t)(dkim_tag_value(&tags, "b").ptr - edit->text.ptr) : 0;
        }
        if (!edits_add(&shown, letter->arena, &copy))
            return NULL;
    }
    return explain_edits(&shown);
}

static json_t *stages_json(const struct letter *letter)
{
    json_t *stages = json_array();

    if (letter->data_trace != NULL)
        json_array_append_new(stages, explain_stage(STAGE_DATA, letter->data_trace));
    if (letter->end_trace != NULL)
        json_array_append_new(stages, explain_stage(STAGE_END, letter->end_trace));
    return stages;
}

static json_t *reply_json(const struct letter *letter)
{
    const struct milter_reply reply = {
        .action = letter->answer.fate == FATE_REJECT     ? MILTER_REJECT
                  : letter->answer.fate == FATE_TEMPFAIL ? MILTER_TEMPFAIL
                                                         : MILTER_CONTINUE,
        .reply = letter->answer.reply,
    };

    return explain_reply(&reply);
}

json_t *explain_letter(struct letter *letter)
{
    const struct setup *setup = letter->setup;
    json_t *out = explain_begin("signd", setup->parts.core.is_shadow,
                                direction_why(&setup->direction, letter->message));

    json_object_set_new(out, "verdict", json_string(fate_words[letter->answer.fate]));
    json_object_set_new(out, "reply", reply_json(letter));
    json_object_set_new(out, "rule", control_text(letter->rules.rule));
    json_object_set_new(out, "reason", control_text(letter_reason(letter)));
    json_object_set_new(out, "late", json_boolean(letter->is_late));
    json_object_set_new(out, "task", json_string(task_words[letter->task]));
    json_object_set_new(out, "task_by", json_string(letter->rules.has_task ? "rule" : "direction"));
    json_object_set_new(out, "stages", stages_json(letter));
    if (letter->task == TASK_SIGN)
        json_object_set_new(out, "signing", signing_json(letter));
    if (letter->is_verified)
        json_object_set_new(out, "verification", verification_json(letter));
    json_object_set_new(out, "forged", json_integer((json_int_t)letter->forged));
    json_object_set_new(out, "authentication_results", results_field(letter));
    json_object_set_new(out, "edits", edits_json(letter));
    return out;
}
