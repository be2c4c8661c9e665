/* common/policy/manual.c - see manual.h. */
#include "common/policy/manual.h"

/* ---- stages ---- */

#define NOT_OTHER (STAGE_ALL & ~(unsigned)STAGE_OTHER)

static int put_stages(unsigned stages, struct buf *out)
{
    static const struct {
        const char *words;
        unsigned stages;
    } ranges[] = {
        { "any stage", NOT_OTHER },
        { "helo and later", NOT_OTHER & ~(unsigned)STAGE_CONNECT },
        { "mail and later", STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END },
        { "rcpt and later", STAGE_RCPT | STAGES_DATA | STAGES_END },
        { "data and later", STAGES_DATA | STAGES_END },
    };
    char text[STAGES_TEXT_MAX + 1];

    for (size_t i = 0; i < COUNT(ranges); i++)
        if ((stages & NOT_OTHER) == ranges[i].stages)
            return buf_put(out, ranges[i].words);
    return buf_add(out, stages_print(stages, text));
}

/* ---- facts ---- */

static int put_words(const char *const *words, struct buf *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *before = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
        if (buf_put(out, before) || buf_put(out, words[i]))
            return -1;
    }
    return 0;
}

int manual_fact(const void *rows, size_t i, struct buf *name, struct buf *sort, struct buf *doc)
{
    const struct fact_type *fact = &((const struct fact_type *)rows)[i];

    if (buf_put(name, fact->name) || buf_put(doc, fact->doc))
        return -1;
    if (fact->words != NULL ? put_words(fact->words, sort)
                            : buf_put(sort, value_type_name(fact->type)))
        return -1;
    return buf_put(sort, "; ") || put_stages(fact->stages, sort) ? -1 : 0;
}

/* ---- actions ---- */

static const char *argument_of(const struct action_type *action)
{
    switch (action->argument) {
    case ARG_NONE:
        return "";
    case ARG_REPLY:
        return " [CODE] [TEXT]";
    case ARG_TEXT:
        return " TEXT";
    case ARG_OPT_TEXT:
        return " [TEXT]";
    case ARG_HEADER:
        return " NAME: TEXT";
    case ARG_HEADER_NAME:
        return " FIELD";
    case ARG_MAILBOX:
        return " ADDRESS";
    case ARG_WORD:
        return " NAME";
    case ARG_LIMITS:
        return " LIMIT, ...";
    case ARG_DURATION:
        return " TIME";
    case ARG_NUMBER:
        return " NUMBER";
    }
    return "";
}

int manual_action(const void *rows, size_t i, struct buf *name, struct buf *sort, struct buf *doc)
{
    const struct action_type *action = &((const struct action_type *)rows)[i];

    if (buf_put(name, action->name) || buf_put(name, argument_of(action)) ||
        buf_put(sort, action->kind == ACTION_FINAL ? "final; " : "goes on; ") ||
        (action->argument == ARG_LIMITS ? buf_put(sort, "where its limits are charged")
                                        : put_stages(action->default_stages, sort)) ||
        buf_put(doc, action->doc))
        return -1;
    return action->default_text == NULL
               ? 0
               : buf_printf(doc, " Without a text: %s.", action->default_text);
}
