/* contentd/scan_values.c - see scan_values.h. */
#include "contentd/scan_values.h"

#include "common/base/suggest.h"

#define NUMBER_MOST 1000000.0

/* `there is no kind "clam"; did you mean clamd?` */
static bool unknown_word(struct conf_complaint *out, const char *what, struct slice word,
                         const struct suggest *best)
{
    if (best->name.ptr != NULL)
        return conf_complain(out, 0, "there is no %s \"%.*s\"; did you mean %.*s?", what,
                             SLICE_ARG(slice_part(word, 0, 60)), SLICE_ARG(best->name));
    return conf_complain(out, 0, "there is no %s \"%.*s\"", what,
                         SLICE_ARG(slice_part(word, 0, 60)));
}

/* The first word, and what follows it. */
static struct slice first_word(struct slice text, struct slice *rest)
{
    struct slice trimmed = slice_trim(text);
    size_t len = 0;

    while (len < trimmed.len && !ascii_is_space(trimmed.ptr[len]))
        len++;
    *rest = slice_trim(slice_skip(trimmed, len));
    return slice_part(trimmed, 0, len);
}

static size_t offset_in(struct slice text, struct slice part)
{
    return part.ptr == NULL || text.ptr == NULL ? 0 : (size_t)(part.ptr - text.ptr);
}

bool scan_parse_kind(struct slice text, const struct scanner_kind **kind, struct slice *addresses,
                     struct conf_complaint *out)
{
    static const struct scanner_kind *const kinds[] = { &clamd_kind, &rspamd_kind, &spamd_kind,
                                                        &icap_kind, &milter_kind };
    struct slice rest, word = first_word(text, &rest);
    struct suggest best = suggest_for(word);

    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!slice_equal(slice_of(kinds[i]->name), word)) {
            suggest_offer(&best, slice_of(kinds[i]->name));
            continue;
        }
        if (rest.len == 0)
            return conf_complain(out, offset_in(text, rest),
                                 "an address is missing after %s: unix:PATH or inet:HOST:PORT",
                                 kinds[i]->name);
        *kind = kinds[i];
        *addresses = rest;
        return true;
    }
    return unknown_word(out, "kind of scanner", word, &best);
}

bool scan_parse_number(struct slice text, double *number, struct conf_complaint *out)
{
    double value;

    if (!slice_to_double(slice_trim(text), &value) || value > NUMBER_MOST || value < -NUMBER_MOST)
        return conf_complain(out, 0, "not a number such as 6 or 1.5, at most 1000000");
    *number = value;
    return true;
}

static bool parse_reply_of(struct slice text, struct slice whole, const char *classes,
                           struct reply *reply, struct conf_complaint *out)
{
    const char *error;

    if (!reply_parse(text, classes, reply, &error))
        return conf_complain(out, offset_in(whole, text), "%s", error);
    if (reply->text.len > REPLY_MAX / 2)
        return conf_complain(out, offset_in(whole, reply->text), "the text is longer than %d bytes",
                             REPLY_MAX / 2);
    return true;
}

bool scan_parse_virus(struct slice text, enum verdict_kind *kind, struct reply *reply,
                      struct conf_complaint *out)
{
    struct slice rest, word = first_word(text, &rest);
    struct suggest best = suggest_for(word);
    enum verdict_kind found = VERDICT_KINDS;

    for (enum verdict_kind i = VERDICT_QUARANTINE; i < VERDICT_KINDS; i++) {
        suggest_offer(&best, slice_of(verdict_words[i]));
        if (slice_equal(slice_of(verdict_words[i]), word))
            found = i;
    }
    if (found == VERDICT_KINDS)
        return unknown_word(out, "such action", word, &best);
    *reply = (struct reply){ 0 };
    if (found == VERDICT_REJECT || found == VERDICT_TEMPFAIL) {
        if (!parse_reply_of(rest, text, found == VERDICT_REJECT ? "5" : "4", reply, out))
            return false;
    } else if (rest.len > 0) {
        return conf_complain(out, offset_in(text, rest), "%s takes nothing after it",
                             verdict_words[found]);
    }
    *kind = found;
    return true;
}

bool scan_parse_reply(struct slice text, struct reply *reply, struct conf_complaint *out)
{
    return parse_reply_of(text, text, "5", reply, out);
}

bool scan_parse_headers(struct slice word, unsigned *bit, struct conf_complaint *out)
{
    static const struct {
        struct slice word;
        unsigned bit;
    } words[] = {
        { SLICE_INIT("virus"), CHAIN_VIRUS_HEADERS },
        { SLICE_INIT("spam"), CHAIN_SPAM_HEADERS },
        { SLICE_INIT("report"), CHAIN_REPORT_HEADER },
    };
    struct suggest best = suggest_for(word);

    for (size_t i = 0; i < COUNT(words); i++) {
        suggest_offer(&best, words[i].word);
        if (slice_equal(words[i].word, word)) {
            *bit = words[i].bit;
            return true;
        }
    }
    return unknown_word(out, "such group of header fields", word, &best);
}

/* ---- for the table ---- */

bool scan_check_kind(struct slice text, struct conf_complaint *out)
{
    const struct scanner_kind *kind;
    struct slice addresses;

    return scan_parse_kind(text, &kind, &addresses, out);
}

bool scan_check_number(struct slice text, struct conf_complaint *out)
{
    double number;

    return text.len == 0 || scan_parse_number(text, &number, out);
}

bool scan_check_virus(struct slice text, struct conf_complaint *out)
{
    enum verdict_kind kind;
    struct reply reply;

    return scan_parse_virus(text, &kind, &reply, out);
}

bool scan_check_reply(struct slice text, struct conf_complaint *out)
{
    struct reply reply;

    return scan_parse_reply(text, &reply, out);
}

bool scan_check_headers(struct slice word, struct conf_complaint *out)
{
    unsigned bit;

    return scan_parse_headers(word, &bit, out);
}
