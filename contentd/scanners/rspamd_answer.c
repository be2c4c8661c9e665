/* contentd/scanners/rspamd_answer.c - see rspamd_answer.h. */
#include "contentd/scanners/rspamd_answer.h"

#include <unistr.h>

#include "contentd/scanners/rspamd_edits.h"
#include "contentd/scanners/wanted.h"

static const struct action {
    const char *name;
    enum finding_result result;
    bool wants_quarantine;
} actions[] = {
    { "no action", FINDING_CLEAN, false },      { "greylist", FINDING_CLEAN, false },
    { "add header", FINDING_SPAM, false },      { "rewrite subject", FINDING_SPAM, false },
    { "soft reject", FINDING_TEMPFAIL, false }, { "reject", FINDING_REJECT, false },
    { "quarantine", FINDING_SPAM, true },       { "discard", FINDING_DISCARD, false },
};

enum { SUBJECT_MAX = 4096, SAID_MAX = 200 };

/* Text of a mail finds its way into the answer (options of symbols): what is no UTF-8 there must not make it unreadable, or
 * whoever sends such mail decides whether it is scanned. Outside of texts a `?` is as wrong as the byte was. */
static void repair_utf8(struct buf *json)
{
    uint8_t *text = (uint8_t *)json->data;
    size_t at = 0;
    const uint8_t *bad;

    while (at < json->len && (bad = u8_check(text + at, json->len - at)) != NULL) {
        at = (size_t)(bad - text);
        text[at++] = '?';
    }
}

static const char *wrong_text(struct arena *arena, const char *what, struct slice text)
{
    struct slice line = wanted_line(arena, text, SAID_MAX);
    struct slice made = arena_printf(arena, "%s \"%.*s\"", what, SLICE_ARG(line));

    return made.ptr != NULL ? made.ptr : what;
}

static bool has_number(const json_t *object, const char *name, double *out)
{
    const json_t *number = json_object_get(object, name);

    *out = json_number_value(number);
    return json_is_number(number);
}

/* "A(1.50), B(-0.10)": those that fit. */
static const char *read_symbols(const json_t *symbols, struct arena *arena, struct slice *out)
{
    AUTO_BUF text = BUF_INIT(RSPAMD_SYMBOLS_MAX);
    json_t *all = (json_t *)(uintptr_t)symbols;
    bool is_full = false;

    if (symbols == NULL)
        return NULL;
    if (!json_is_object(symbols))
        return "\"symbols\" is no object";
    for (void *at = json_object_iter(all); at != NULL; at = json_object_iter_next(all, at)) {
        struct slice name = slice_of(json_object_iter_key(at));
        double score;
        if (!has_number(json_object_iter_value(at), "score", &score))
            return "a symbol has no score";
        name = wanted_line(arena, name, SAID_MAX);
        if (!is_full)
            is_full = buf_printf(&text, "%s%.*s(%.2f)", text.len > 0 ? ", " : "", SLICE_ARG(name),
                                 score) != 0;
    }
    *out = arena_copy(arena, buf_slice(&text));
    return out->ptr != NULL ? NULL : "has more symbols than there is room for";
}

static const struct action *find_action(struct slice name)
{
    for (size_t i = 0; i < COUNT(actions); i++) {
        if (slice_equal(name, slice_of(actions[i].name)))
            return &actions[i];
    }
    return NULL;
}

/* milter.reject and milter.no_action, see the table in the header. */
static const char *soften(const json_t *milter, struct finding *finding)
{
    const json_t *reject = json_object_get(milter, "reject");
    const json_t *no_action = json_object_get(milter, "no_action");

    if ((reject != NULL && !json_is_string(reject)) ||
        (no_action != NULL && !json_is_boolean(no_action)))
        return "\"reject\" or \"no_action\" has a wrong type";
    if (finding->result == FINDING_REJECT && slice_equal(rspamd_text(reject), SLICE("discard")))
        finding->result = FINDING_DISCARD;
    if (finding->result == FINDING_REJECT &&
        slice_equal(rspamd_text(reject), SLICE("quarantine"))) {
        finding->result = FINDING_SPAM;
        finding->wants_quarantine = true;
    }
    if (json_is_true(no_action)) {
        finding->result = FINDING_CLEAN;
        finding->wants_quarantine = false;
    }
    return NULL;
}

static const char *read_reply(const json_t *answer, struct arena *arena, struct finding *finding)
{
    const json_t *messages = json_object_get(answer, "messages");
    const json_t *said = json_object_get(messages, "smtp_message");
    struct slice text = rspamd_text(said);

    if ((messages != NULL && !json_is_object(messages)) || (said != NULL && !json_is_string(said)))
        return "\"messages\" has a wrong type";
    if (finding->result == FINDING_REJECT)
        finding->reply =
            wanted_reply(arena, text.len > 0 ? text : SLICE("Spam message rejected"), 554, "5.7.1");
    if (finding->result == FINDING_TEMPFAIL)
        finding->reply =
            wanted_reply(arena, text.len > 0 ? text : SLICE("Try again later"), 451, "4.7.1");
    return NULL;
}

static const char *read_subject(const json_t *answer, struct arena *arena, struct finding *finding)
{
    const json_t *subject = json_object_get(answer, "subject");

    if (subject != NULL && !json_is_string(subject))
        return "\"subject\" is no text";
    if (finding->result == FINDING_SPAM) /* it is given with `rewrite subject` alone */
        finding->subject = wanted_line(arena, rspamd_text(subject), SUBJECT_MAX);
    return NULL;
}

static const char *read_action(const json_t *answer, struct arena *arena, struct finding *finding)
{
    const json_t *name = json_object_get(answer, "action");
    const json_t *skipped = json_object_get(answer, "is_skipped");

    if (!json_is_string(name))
        return "says no action";
    if (skipped != NULL && !json_is_boolean(skipped))
        return "\"is_skipped\" is neither true nor false";
    const struct action *action = find_action(rspamd_text(name));
    if (action == NULL)
        return wrong_text(arena, "says an unknown action,", rspamd_text(name));
    finding->result = action->result;
    finding->wants_quarantine = action->wants_quarantine;
    return soften(json_object_get(answer, "milter"), finding);
}

static const char *read_answer(const json_t *answer, const struct message *message,
                               struct arena *arena, struct finding *finding)
{
    const json_t *failed = json_object_get(answer, "error");
    const char *error;

    if (!json_is_object(answer))
        return "does not answer with an object";
    if (failed != NULL)
        return wrong_text(arena, "says", rspamd_text(failed));
    if (!has_number(answer, "score", &finding->score) ||
        !has_number(answer, "required_score", &finding->required))
        return "says no score";
    finding->has_score = true;
    if ((error = read_action(answer, arena, finding)) ||
        (error = read_symbols(json_object_get(answer, "symbols"), arena, &finding->symbols)) ||
        (error = read_reply(answer, arena, finding)) ||
        (error = read_subject(answer, arena, finding)))
        return error;
    return rspamd_edits(answer, message, arena, &finding->edits);
}

const char *rspamd_answer(struct slice json, const struct message *message, struct arena *arena,
                          struct finding *finding)
{
    AUTO_BUF text = BUF_INIT(json.len);
    json_error_t where;

    if (buf_add(&text, json))
        return "answers more than there is room for";
    repair_utf8(&text);
    json_t *answer =
        json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    if (answer == NULL)
        return wrong_text(arena, "does not answer with JSON,", slice_of(where.text));
    const char *error = read_answer(answer, message, arena, finding);
    json_decref(answer);
    return error;
}
