/* contentd/verdict_edits.c - see verdict_edits.h. */
#include "contentd/verdict_edits.h"

#include "contentd/headers.h"

/* One verdict's edits being made. */
struct editing {
    const struct verdict_input *input;
    const struct chain *chain;
    const struct rule_outcome *rules;
    struct recipient_verdict *out;
};

static const struct finding *finding_at(const struct editing *editing, size_t place)
{
    return &editing->input->findings[editing->chain->order[place]];
}

static bool is_skipped(const struct editing *editing, size_t place)
{
    return (editing->rules->skipped & SCANNER_BIT(editing->chain->order[place])) != 0;
}

/* Of one thing only the first scanner's word counts: a field of the message, its body, its sender, its subject. */
static bool is_taken(const struct edits *edits, const struct edit *edit)
{
    for (const struct edit *other = edits->first; other != NULL; other = other->next) {
        if (other->kind != edit->kind)
            continue;
        if (edit->kind == EDIT_REPLACE_BODY || edit->kind == EDIT_CHANGE_SENDER)
            return true;
        if (edit->kind == EDIT_CHANGE_HEADER && other->index == edit->index &&
            slice_equal_nocase(other->name, edit->name))
            return true;
    }
    return false;
}

static bool is_header_edit(const struct edit *edit)
{
    return edit->kind == EDIT_ADD_HEADER || edit->kind == EDIT_INSERT_HEADER ||
           edit->kind == EDIT_CHANGE_HEADER;
}

/* What a scanner wants, as far as those before it do not want something else of the same thing. */
static bool scanner_edits(struct editing *editing, const struct finding *finding)
{
    struct edits own; /* a scanner may change a thing twice */
    const struct edit *edit;

    edits_init(&own);
    for (edit = finding->edits.first; edit != NULL; edit = edit->next)
        if (!(is_header_edit(edit) && header_is_ours(edit->name)) &&
            !is_taken(&editing->out->edits, edit) && !edits_add(&own, editing->input->arena, edit))
            return false;
    for (edit = own.first; edit != NULL; edit = edit->next)
        if (!edits_add(&editing->out->edits, editing->input->arena, edit))
            return false;
    return true;
}

static bool all_scanner_edits(struct editing *editing)
{
    for (size_t place = 0; place < editing->chain->count; place++)
        if (!is_skipped(editing, place) && !scanner_edits(editing, finding_at(editing, place)))
            return false;
    return true;
}

/* The subject that a scanner gives to tagged mail. */
static struct slice scanner_subject(const struct editing *editing)
{
    for (size_t place = 0; editing->chain->obeys_scanners && place < editing->chain->count; place++)
        if (!is_skipped(editing, place) && finding_at(editing, place)->subject.len > 0)
            return finding_at(editing, place)->subject;
    return (struct slice){ NULL, 0 };
}

static bool tag_subject(struct editing *editing)
{
    const struct verdict_input *input = editing->input;
    struct slice subject = scanner_subject(editing), prefix = editing->rules->subject_prefix;

    if (subject.len > 0)
        return headers_set_subject(input->message, subject, input->arena, &editing->out->edits);
    if (prefix.len == 0)
        prefix = editing->chain->subject_prefix;
    return headers_tag_subject(input->message, prefix, input->arena, &editing->out->edits);
}

static bool rule_edits(struct editing *editing)
{
    for (const struct edit *edit = editing->rules->edits.first; edit != NULL; edit = edit->next)
        if (!edits_add(&editing->out->edits, editing->input->arena, edit))
            return false;
    return true;
}

bool verdict_edits_make(const struct verdict_input *input, const struct chain *chain,
                        const struct rule_outcome *rules, struct recipient_verdict *out)
{
    struct editing j = { input, chain, rules, out };

    return all_scanner_edits(&j) && headers_remove_forged(input, chain, &out->edits) &&
           headers_add(input, chain, rules->skipped, out, &out->edits) && rule_edits(&j) &&
           (!out->is_tagged || tag_subject(&j));
}
