/* common/rules/stages.c - sets of stages in words; see fact.h. */
#include "common/rules/fact.h"

static const struct {
    struct slice word;
    unsigned stages;
} words[] = {
    { SLICE_INIT("connect"), STAGE_CONNECT }, { SLICE_INIT("helo"), STAGE_HELO },
    { SLICE_INIT("mail"), STAGE_MAIL },       { SLICE_INIT("rcpt"), STAGE_RCPT },
    { SLICE_INIT("data"), STAGES_DATA },      { SLICE_INIT("end-of-message"), STAGES_END },
    { SLICE_INIT("other"), STAGE_OTHER },     { SLICE_INIT("any"), STAGE_ALL },
};

static unsigned word_stages(struct slice word)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (slice_equal(words[i].word, word))
            return words[i].stages;
    return 0;
}

static bool is_gap(char c)
{
    return ascii_is_space(c) || c == ',';
}

bool stages_parse(struct slice text, unsigned *stages, size_t *offset)
{
    unsigned found = 0;
    size_t at = 0;

    while (at < text.len) {
        size_t begin = at;
        while (at < text.len && !is_gap(text.ptr[at]))
            at++;
        if (at == begin) {
            at++;
            continue;
        }
        unsigned more = word_stages(slice_part(text, begin, at - begin));
        if (more == 0) {
            *offset = begin;
            return false;
        }
        found |= more;
    }
    *offset = text.len;
    if (found != 0)
        *stages = found;
    return found != 0;
}

struct slice stages_print(unsigned stages, char out[STAGES_TEXT_MAX + 1])
{
    size_t len = 0;

    out[0] = '\0';
    if (stages == STAGE_ALL)
        len = (size_t)snprintf(out, STAGES_TEXT_MAX, "any");
    for (size_t i = 0; stages != STAGE_ALL && i + 1 < COUNT(words); i++) {
        unsigned here = stages & words[i].stages;
        const char *which = here == words[i].stages                     ? ""
                            : here & (STAGE_DATA_MANY | STAGE_END_MANY) ? " with several recipients"
                                                                        : " with one recipient";
        if (here != 0)
            len += (size_t)snprintf(out + len, STAGES_TEXT_MAX - len, "%s%.*s%s",
                                    len > 0 ? ", " : "", SLICE_ARG(words[i].word), which);
    }
    return (struct slice){ out, len };
}
