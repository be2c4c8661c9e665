/* contentd/headers.c - see headers.h. */
#include "contentd/headers.h"

#include "common/base/base64.h"

#include <math.h>

enum { LEVEL_STARS_MAX = 50, FIELD_MAX = 8192, ENCODED_WORD_BYTES = 45 };

enum header_name {
    VIRUS_SCANNED,
    VIRUS_STATUS,
    SPAM_FLAG,
    SPAM_SCORE,
    SPAM_LEVEL,
    SPAM_STATUS,
    SPAM_REPORT,
    UNSCANNED,
    HEADER_NAMES
};

/* Which setting of a chain makes it; 0: always. */
static const struct {
    struct slice name;
    unsigned made_with;
} names[HEADER_NAMES] = {
    [VIRUS_SCANNED] = { SLICE_INIT("X-Virus-Scanned"), CHAIN_VIRUS_HEADERS },
    [VIRUS_STATUS] = { SLICE_INIT("X-Virus-Status"), CHAIN_VIRUS_HEADERS },
    [SPAM_FLAG] = { SLICE_INIT("X-Spam-Flag"), CHAIN_SPAM_HEADERS },
    [SPAM_SCORE] = { SLICE_INIT("X-Spam-Score"), CHAIN_SPAM_HEADERS },
    [SPAM_LEVEL] = { SLICE_INIT("X-Spam-Level"), CHAIN_SPAM_HEADERS },
    [SPAM_STATUS] = { SLICE_INIT("X-Spam-Status"), CHAIN_SPAM_HEADERS },
    [SPAM_REPORT] = { SLICE_INIT("X-Spam-Report"), CHAIN_REPORT_HEADER },
    [UNSCANNED] = { SLICE_INIT("X-Gatehouse-Unscanned"), 0 },
};

static size_t name_number(struct slice name)
{
    size_t n = 0;

    while (n < HEADER_NAMES && !slice_equal_nocase(names[n].name, name))
        n++;
    return n;
}

bool header_is_ours(struct slice name)
{
    return name_number(name) < HEADER_NAMES;
}

/* ---- removing ---- */

static bool field_remove(struct slice name, size_t index, struct arena *arena, struct edits *edits)
{
    return edits_add(edits, arena,
                     &(struct edit){ .kind = EDIT_CHANGE_HEADER, .name = name, .index = index });
}

bool headers_remove(const struct message *message, struct slice name, struct arena *arena,
                    struct edits *edits)
{
    size_t count = 0;

    for (size_t i = 0; i < message->header_count; i++)
        count += slice_equal_nocase(message->headers[i].name, name);
    for (; count > 0; count--)
        if (!field_remove(name, count, arena, edits))
            return false;
    return true;
}

_Static_assert(HEADERS_OURS == (int)HEADER_NAMES, "one count for each name");

void headers_count_ours(const struct message *message, size_t counts[HEADERS_OURS])
{
    size_t all[HEADER_NAMES + 1] = { 0 };

    for (size_t i = 0; i < message->header_count; i++)
        all[name_number(message->headers[i].name)]++;
    memcpy(counts, all, HEADER_NAMES * sizeof *all);
}

/* Those that are forged; 0 for names that may stay. */
static void count_forged(const struct verdict_input *input, const struct chain *chain,
                         size_t counts[HEADERS_OURS])
{
    if (input->ours != NULL)
        memcpy(counts, input->ours, HEADERS_OURS * sizeof *counts);
    else
        headers_count_ours(input->message, counts);
    for (size_t n = 0; n < HEADER_NAMES; n++)
        if (!input->removes_forged && (names[n].made_with & chain->headers) == 0)
            counts[n] = 0;
}

size_t headers_count_forged(const struct verdict_input *input, const struct chain *chain)
{
    size_t counts[HEADERS_OURS], all = 0;

    count_forged(input, chain, counts);
    for (size_t n = 0; n < HEADER_NAMES; n++)
        all += counts[n];
    return all;
}

bool headers_remove_forged(const struct verdict_input *input, const struct chain *chain,
                           struct edits *edits)
{
    size_t counts[HEADERS_OURS];

    count_forged(input, chain, counts);
    for (size_t n = 0; n < HEADER_NAMES; n++)
        for (; counts[n] > 0; counts[n]--)
            if (!field_remove(names[n].name, counts[n], input->arena, edits))
                return false;
    return true;
}

/* ---- what was found ---- */

static bool field_add(const struct verdict_input *input, enum header_name name, struct buf *text,
                      struct edits *edits)
{
    struct slice value = header_value_make(input->arena, buf_slice(text));

    return value.ptr != NULL &&
           edits_add(
               edits, input->arena,
               &(struct edit){ .kind = EDIT_ADD_HEADER, .name = names[name].name, .text = value });
}

/* What the chain's scanners say together. */
struct summary {
    const struct finding *virus; /* the first that found malware */
    size_t antivirus; /* scanners for malware that were asked */
    bool is_clean; /* all of them answered so */
    bool has_score; /* a scanner gave one */
};

static struct summary summarise(const struct verdict_input *input, const struct chain *chain,
                                scanner_set skipped)
{
    struct summary sum = { .is_clean = true };

    for (size_t i = 0; i < chain->count; i++) {
        const struct finding *finding = &input->findings[chain->order[i]];
        if ((skipped & SCANNER_BIT(chain->order[i])) != 0)
            continue;
        if (finding->result == FINDING_VIRUS && sum.virus == NULL)
            sum.virus = finding;
        sum.has_score = sum.has_score || finding->has_score;
        if (!input->scanners[chain->order[i]].is_antivirus)
            continue;
        sum.antivirus++;
        sum.is_clean = sum.is_clean && finding->result == FINDING_CLEAN;
    }
    return sum;
}

static bool virus_fields(const struct verdict_input *input, const struct summary *sum,
                         struct edits *edits)
{
    AUTO_BUF scanned = BUF_INIT(FIELD_MAX);
    AUTO_BUF status = BUF_INIT(FIELD_MAX);
    bool failed;

    if (buf_put(&scanned, "gatehouse-contentd") ||
        (input->hostname.len > 0 && buf_printf(&scanned, " at %.*s", SLICE_ARG(input->hostname))))
        return false;
    if (sum->virus != NULL)
        failed = buf_printf(&status, "Infected (%.*s)",
                            SLICE_ARG(slice_part(sum->virus->virus, 0, 200)));
    else
        failed = buf_put(&status, sum->is_clean ? "Clean" : "Unknown");
    return !failed && field_add(input, VIRUS_SCANNED, &scanned, edits) &&
           field_add(input, VIRUS_STATUS, &status, edits);
}

/* Printed without a minus before zero: -0.04 is 0.0. */
static double score_shown(double score)
{
    return score > -0.05 && score < 0.05 ? 0.0 : score;
}

/* The names of the tests, as far as there is room: none is cut. */
static int tests_print(const struct verdict_input *input, const struct chain *chain,
                       scanner_set skipped, struct buf *out)
{
    const char *before = " tests=";
    struct slice test;

    for (size_t i = 0; i < chain->count; i++) {
        struct slice rest = input->findings[chain->order[i]].symbols;
        if ((skipped & SCANNER_BIT(chain->order[i])) != 0)
            continue;
        while (rest.len > 0 && slice_next(&rest, ',', &test)) {
            if (test.len == 0)
                continue;
            if (out->len + test.len + 8 > out->max)
                return 0;
            if (buf_put(out, before) || buf_add(out, test))
                return -1;
            before = ", ";
        }
    }
    return 0;
}

static bool spam_status(const struct verdict_input *input, const struct chain *chain,
                        scanner_set skipped, const struct recipient_verdict *verdict,
                        struct edits *edits)
{
    AUTO_BUF status = BUF_INIT(FIELD_MAX);

    if (buf_printf(&status, "%s, score=%.1f", verdict->is_tagged ? "Yes" : "No",
                   score_shown(verdict->score)) ||
        (isfinite(chain->tag) && buf_printf(&status, " required=%.1f", chain->tag)) ||
        tests_print(input, chain, skipped, &status))
        return false;
    return field_add(input, SPAM_STATUS, &status, edits);
}

static bool spam_fields(const struct verdict_input *input, const struct chain *chain,
                        scanner_set skipped, const struct recipient_verdict *verdict,
                        struct edits *edits)
{
    AUTO_BUF flag = BUF_INIT(FIELD_MAX);
    AUTO_BUF score = BUF_INIT(FIELD_MAX);
    AUTO_BUF level = BUF_INIT(FIELD_MAX);

    if (buf_put(&flag, "YES") || buf_printf(&score, "%.1f", score_shown(verdict->score)))
        return false;
    for (double star = 1; star <= verdict->score && star <= LEVEL_STARS_MAX; star++)
        if (buf_put_char(&level, '*'))
            return false;
    return (!verdict->is_tagged || field_add(input, SPAM_FLAG, &flag, edits)) &&
           field_add(input, SPAM_SCORE, &score, edits) &&
           (level.len == 0 || field_add(input, SPAM_LEVEL, &level, edits)) &&
           spam_status(input, chain, skipped, verdict, edits);
}

/* Every line of it a line of the field. */
static int report_print(struct slice report, struct buf *out)
{
    struct slice line = { NULL, 0 };
    bool has_more = true;

    while (has_more) {
        has_more = slice_cut(&report, '\n', &line);
        line = slice_trim(has_more ? line : report);
        if (line.len == 0)
            continue;
        if (out->len + line.len + 3 > out->max)
            return 0;
        if (buf_put(out, out->len > 0 ? "\n " : "") || buf_add(out, line))
            return -1;
    }
    return 0;
}

/* The first report of the chain's scanners, for mail that is tagged. */
static bool report_field(const struct verdict_input *input, const struct chain *chain,
                         scanner_set skipped, struct edits *edits)
{
    AUTO_BUF text = BUF_INIT(FIELD_MAX);

    for (size_t i = 0; i < chain->count; i++) {
        struct slice report = input->findings[chain->order[i]].report;
        if (report.len == 0 || (skipped & SCANNER_BIT(chain->order[i])) != 0)
            continue;
        return report_print(report, &text) == 0 && field_add(input, SPAM_REPORT, &text, edits);
    }
    return true;
}

/* What the field says of a scanner; NULL: nothing. One whose finding is missing is in trouble when mail is delivered all the same;
 * otherwise another one has decided. */
static const char *unscanned_word(enum finding_result result, enum verdict_kind kind)
{
    bool is_missing = result == FINDING_NONE || result == FINDING_CANCELLED;

    if (result == FINDING_TROUBLE || (is_missing && kind == VERDICT_DELIVER))
        return finding_words[FINDING_TROUBLE];
    return result == FINDING_OVERSIZE ? finding_words[result] : NULL;
}

static bool unscanned_field(const struct verdict_input *input, const struct chain *chain,
                            scanner_set skipped, enum verdict_kind kind, struct edits *edits)
{
    AUTO_BUF text = BUF_INIT(FIELD_MAX);

    for (size_t i = 0; i < chain->count; i++) {
        const struct scanner *scanner = &input->scanners[chain->order[i]];
        const char *word = unscanned_word(input->findings[chain->order[i]].result, kind);
        if (word == NULL || (skipped & SCANNER_BIT(chain->order[i])) != 0)
            continue;
        if (buf_printf(&text, "%s%.*s (%s)", text.len > 0 ? ", " : "", SLICE_ARG(scanner->name),
                       word))
            return false;
    }
    return text.len == 0 || field_add(input, UNSCANNED, &text, edits);
}

bool headers_add(const struct verdict_input *input, const struct chain *chain, scanner_set skipped,
                 const struct recipient_verdict *verdict, struct edits *edits)
{
    struct summary sum = summarise(input, chain, skipped);

    if ((chain->headers & CHAIN_VIRUS_HEADERS) != 0 && sum.antivirus > 0 &&
        !virus_fields(input, &sum, edits))
        return false;
    if ((chain->headers & CHAIN_SPAM_HEADERS) != 0 && (sum.has_score || verdict->is_tagged) &&
        !spam_fields(input, chain, skipped, verdict, edits))
        return false;
    if ((chain->headers & CHAIN_REPORT_HEADER) != 0 && verdict->is_tagged &&
        !report_field(input, chain, skipped, edits))
        return false;
    return unscanned_field(input, chain, skipped, verdict->kind, edits);
}

/* ---- the subject ---- */

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i]))
            return false;
    return true;
}

/* How many bytes of the UTF-8 text fit into one encoded word without cutting a character. */
static size_t word_bytes(struct slice text)
{
    size_t len = text.len < ENCODED_WORD_BYTES ? text.len : ENCODED_WORD_BYTES;

    while (len < text.len && len > 1 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return len;
}

/* The prefix as it stands in the field, blank included. Between two encoded words a blank does not show (RFC 2047 6.2): it is
 * part of the word then. */
static int prefix_put(struct buf *out, struct slice prefix, struct arena *arena)
{
    if (is_ascii(prefix))
        return buf_add(out, prefix) || buf_put_char(out, ' ') ? -1 : 0;
    struct slice rest = arena_printf(arena, "%.*s ", SLICE_ARG(prefix));
    while (rest.len > 0) {
        size_t len = word_bytes(rest);
        if (buf_put(out, "=?UTF-8?B?") || base64_print(out, rest.ptr, len) || buf_put(out, "?= "))
            return -1;
        rest = slice_skip(rest, len);
    }
    return out->len == 0 ? -1 : 0;
}

bool headers_set_subject(const struct message *message, struct slice subject, struct arena *arena,
                         struct edits *edits)
{
    bool is_there = message_header_find(message, SLICE("Subject"), 1) != NULL;
    struct edit edit = { .kind = is_there ? EDIT_CHANGE_HEADER : EDIT_ADD_HEADER,
                         .name = SLICE("Subject"),
                         .text = header_value_make(arena, slice_trim(subject)),
                         .index = is_there ? 1 : 0 };

    return edit.text.ptr != NULL && edits_add(edits, arena, &edit);
}

/* Of the message as the edits leave it; empty: there is none. */
static struct slice subject_now(const struct message *message, const struct edits *edits)
{
    const struct message_header *field = message_header_find(message, SLICE("Subject"), 1);
    struct slice subject = field == NULL ? SLICE("") : field->value;

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_CHANGE_HEADER && edit->index == 1 &&
            slice_equal_nocase(edit->name, SLICE("Subject")))
            subject = edit->text.ptr == NULL ? SLICE("") : edit->text;
    return slice_trim(subject);
}

bool headers_tag_subject(const struct message *message, struct slice prefix, struct arena *arena,
                         struct edits *edits)
{
    AUTO_BUF text = BUF_INIT(MESSAGE_HEADER_BYTES_MAX + FIELD_MAX);
    struct slice old = subject_now(message, edits);

    prefix = slice_trim(prefix);
    if (prefix.len == 0)
        return true;
    if (prefix_put(&text, slice_part(prefix, 0, FIELD_MAX / 8), arena))
        return false;
    if (slice_starts_with(old, slice_trim(buf_slice(&text))))
        return true;
    return !buf_add(&text, old) && headers_set_subject(message, buf_slice(&text), arena, edits);
}
