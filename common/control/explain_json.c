/* common/control/explain_json.c - parts of an answer: see explainer.h. */
#include "common/control/explainer.h"
#include "common/control/service.h"
#include "common/message/facts.h"

enum { EDIT_TEXT_MAX = 1000 };

json_t *explain_begin(const char *daemon, bool is_shadow, enum direction_reason why)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "daemon", daemon, "mode",
                     is_shadow ? "shadow" : "enforce", "direction",
                     message_directions[why != DIRECTION_INBOUND], "direction_reason",
                     direction_reasons[why]);
}

json_t *explain_texts(const struct slice *texts, size_t count)
{
    json_t *all = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, control_text(texts[i]));
    return all;
}

static json_t *edit_json(const struct edit *edit)
{
    json_t *json = json_pack("{s:s}", "edit", edit_kind_words[edit->kind]);

    if (edit->name.ptr != NULL)
        json_object_set_new(json, "name", control_text(edit->name));
    if (edit->kind == EDIT_INSERT_HEADER || edit->kind == EDIT_CHANGE_HEADER)
        json_object_set_new(json, "index", json_integer((json_int_t)edit->index));
    if (edit->kind == EDIT_REPLACE_BODY)
        json_object_set_new(json, "bytes", json_integer((json_int_t)edit->text.len));
    else if (edit->text.ptr != NULL)
        json_object_set_new(json, "text", control_text(slice_part(edit->text, 0, EDIT_TEXT_MAX)));
    return json;
}

json_t *explain_edits(const struct edits *edits)
{
    json_t *all = json_array();

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        json_array_append_new(all, edit_json(edit));
    return all;
}

json_t *explain_reply(const struct milter_reply *reply)
{
    AUTO_BUF text = BUF_INIT(REPLY_MAX);

    if (reply->action != MILTER_REJECT && reply->action != MILTER_TEMPFAIL)
        return json_null();
    milter_reply_print(&text, reply);
    return control_text(buf_slice(&text));
}

json_t *explain_stage(enum stage stage, const struct trace *trace)
{
    unsigned stages = stage == STAGE_DATA  ? STAGES_DATA
                      : stage == STAGE_END ? STAGES_END
                                           : (unsigned)stage;
    char words[STAGES_TEXT_MAX + 1];

    return json_pack("{s:o, s:o}", "stage", control_text(stages_print(stages, words)), "trace",
                     trace == NULL ? json_array() : control_trace(trace));
}
