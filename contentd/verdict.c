/* contentd/verdict.c - see verdict.h. Each step of the order there is a function that decides or does not. */
#include "contentd/verdict.h"

#include "contentd/headers.h"
#include "contentd/verdict_edits.h"

const char *const verdict_source_words[VERDICT_SOURCES + 1] = {
    "none", "rule", "virus", "scanner", "score", "trouble", "oversize", "forged", NULL,
};

/* One verdict being made. */
struct judgement {
    const struct verdict_input *input;
    const struct chain *chain;
    const struct rule_outcome *rules;
    struct recipient_verdict *out;
    bool failed; /* out of memory */
};

static const struct rule_outcome no_rules;

static const struct scanner *scanner_at(const struct judgement *j, size_t place)
{
    return &j->input->scanners[j->chain->order[place]];
}

static const struct finding *finding_at(const struct judgement *j, size_t place)
{
    return &j->input->findings[j->chain->order[place]];
}

static bool is_skipped(const struct judgement *j, size_t place)
{
    return (j->rules->skipped & SCANNER_BIT(j->chain->order[place])) != 0;
}

/* Whether what the scanner itself wants counts: always, unless it gives a score and the chain goes by that alone. */
static bool is_obeyed(const struct judgement *j, const struct finding *finding)
{
    return !finding->has_score || j->chain->obeys_scanners;
}

/* ---- texts ---- */

static struct slice text_make(struct judgement *j, const char *text, struct slice detail)
{
    struct slice made = detail.len == 0 ? arena_copy(j->input->arena, slice_of(text))
                                        : arena_printf(j->input->arena, "%s, %.*s", text,
                                                       SLICE_ARG(slice_part(detail, 0, 200)));

    j->failed = j->failed || made.ptr == NULL;
    return made;
}

/* The reply of a refusal: what is configured, the rest as given. A configured text stays the constant beginning. */
static struct reply reply_make(struct judgement *j, const struct reply *configured, unsigned code,
                               const char *enhanced, const char *text, struct slice detail)
{
    struct reply reply = { .code = code, .enhanced = slice_of(enhanced) };

    if (configured != NULL && configured->code != 0)
        reply.code = configured->code;
    if (configured != NULL && configured->enhanced.len > 0)
        reply.enhanced = configured->enhanced;
    if (configured == NULL || configured->text.len == 0) {
        reply.text = text_make(j, text, detail);
    } else {
        struct slice begin = arena_copy(j->input->arena, configured->text);
        reply.text = begin.ptr == NULL ? begin : text_make(j, begin.ptr, detail);
        j->failed = j->failed || reply.text.ptr == NULL;
    }
    return reply;
}

static bool decide(struct judgement *j, enum verdict_kind kind, enum verdict_source source,
                   struct slice by, struct slice reason)
{
    j->out->kind = kind;
    j->out->source = source;
    j->out->by = by;
    j->out->reason = reason;
    return true;
}

/* ---- 0: what nobody sends in good faith ---- */

static bool judge_forged(struct judgement *j)
{
    size_t count = headers_count_forged(j->input, j->chain);
    struct slice reason;

    if (count <= FORGED_MAX)
        return false;
    reason = arena_printf(j->input->arena, "%zu header fields of filters", count);
    j->failed = j->failed || reason.ptr == NULL;
    j->out->reply =
        reply_make(j, NULL, 554, "5.7.1", "Message has too many header fields of filters",
                   (struct slice){ NULL, 0 });
    return decide(j, VERDICT_REJECT, BY_FORGED, SLICE(""), reason);
}

/* ---- 1: rules ---- */

static bool judge_rules(struct judgement *j)
{
    static const enum verdict_kind kinds[] = {
        [RULES_QUARANTINE] = VERDICT_QUARANTINE,
        [RULES_DISCARD] = VERDICT_DISCARD,
        [RULES_TEMPFAIL] = VERDICT_TEMPFAIL,
        [RULES_REJECT] = VERDICT_REJECT,
    };

    if (j->rules->final == RULES_SILENT || j->rules->final == RULES_ACCEPT)
        return false;
    j->out->reply = j->rules->reply;
    return decide(j, kinds[j->rules->final], BY_RULE, j->rules->rule, j->rules->reason);
}

/* ---- 2: malware, a scanner's own refusal ---- */

static bool judge_virus(struct judgement *j, size_t place)
{
    const struct finding *finding = finding_at(j, place);
    struct slice by = scanner_at(j, place)->name;
    struct slice name = finding->virus.len > 0 ? finding->virus : SLICE("malware");

    if (j->chain->virus == VERDICT_REJECT)
        j->out->reply =
            reply_make(j, &j->chain->virus_reply, 554, "5.7.1", "Message contains malware", name);
    else if (j->chain->virus == VERDICT_TEMPFAIL)
        j->out->reply =
            reply_make(j, &j->chain->virus_reply, 451, "4.7.1", "Message contains malware", name);
    return decide(j, j->chain->virus, BY_VIRUS, by, name);
}

static bool is_decisive(const struct judgement *j, size_t place)
{
    const struct finding *finding = finding_at(j, place);

    if (is_skipped(j, place))
        return false;
    return finding->result == FINDING_VIRUS ||
           ((finding->result == FINDING_REJECT || finding->result == FINDING_DISCARD) &&
            is_obeyed(j, finding));
}

static bool judge_refusal(struct judgement *j, size_t place)
{
    const struct finding *finding = finding_at(j, place);
    struct slice by = scanner_at(j, place)->name;

    if (finding->result == FINDING_VIRUS)
        return judge_virus(j, place);
    if (finding->result == FINDING_DISCARD)
        return decide(j, VERDICT_DISCARD, BY_SCANNER, by, finding->reply.text);
    j->out->reply = reply_make(j, &finding->reply, 554, "5.7.1",
                               "Message refused by content filter", (struct slice){ NULL, 0 });
    return decide(j, VERDICT_REJECT, BY_SCANNER, by, j->out->reply.text);
}

static bool judge_decisive(struct judgement *j)
{
    for (size_t place = 0; place < j->chain->count; place++)
        if (is_decisive(j, place))
            return judge_refusal(j, place);
    return false;
}

/* ---- 3, 5, 6: the score ---- */

double verdict_scanner_score(const struct verdict_input *input, const struct chain *chain,
                             scanner_set skipped)
{
    double score = 0;

    for (size_t place = 0; place < chain->count; place++) {
        size_t n = chain->order[place];
        if ((skipped & SCANNER_BIT(n)) == 0 && input->findings[n].has_score)
            score += input->scanners[n].weight * input->findings[n].score;
    }
    return score;
}

/* After a rule's accept no score counts. */
static bool reaches(const struct judgement *j, double threshold)
{
    return j->rules->final != RULES_ACCEPT && j->out->score >= threshold;
}

static bool judge_score(struct judgement *j, double threshold, enum verdict_kind kind)
{
    if (!reaches(j, threshold))
        return false;
    struct slice reason = arena_printf(j->input->arena, "score %.1f", j->out->score);
    j->failed = j->failed || reason.ptr == NULL;
    if (kind == VERDICT_REJECT)
        j->out->reply =
            reply_make(j, &j->chain->reject_reply, 554, "5.7.1", "Message looks like spam", reason);
    return decide(j, kind, BY_SCORE, SLICE(""), reason);
}

static bool judge_tag(const struct judgement *j)
{
    if (j->rules->is_tagged || reaches(j, j->chain->tag))
        return true;
    for (size_t place = 0; j->chain->obeys_scanners && place < j->chain->count; place++)
        if (!is_skipped(j, place) && finding_at(j, place)->result == FINDING_SPAM &&
            j->rules->final != RULES_ACCEPT)
            return true;
    return false;
}

/* ---- 4 and 5: trouble ---- */

/* What the settings of a scanner say of a message that it has not scanned. A finding that is missing, or was given up as not
 * needed though nothing was decided, is trouble. */
static bool is_unscanned(const struct finding *finding)
{
    return finding->result == FINDING_TROUBLE || finding->result == FINDING_OVERSIZE ||
           finding->result == FINDING_NONE || finding->result == FINDING_CANCELLED;
}

static enum verdict_kind unscanned_kind(const struct scanner *scanner,
                                        const struct finding *finding)
{
    enum scanner_trouble setting =
        finding->result == FINDING_OVERSIZE ? scanner->oversize : scanner->trouble;

    return setting == SCANNER_TEMPFAIL     ? VERDICT_TEMPFAIL
           : setting == SCANNER_QUARANTINE ? VERDICT_QUARANTINE
                                           : VERDICT_DELIVER;
}

static bool judge_unscanned(struct judgement *j, size_t place, enum verdict_kind kind)
{
    const struct finding *finding = finding_at(j, place);
    bool is_oversize = finding->result == FINDING_OVERSIZE;
    struct slice by = scanner_at(j, place)->name;

    if (kind == VERDICT_TEMPFAIL)
        j->out->reply = reply_make(j, NULL, 451, "4.7.1",
                                   is_oversize ? "Message is too large to be scanned"
                                               : "Message cannot be scanned now, try again later",
                                   by);
    struct slice reason = finding->error.len > 0 ? finding->error
                          : is_oversize          ? SLICE("too large to be scanned")
                                                 : SLICE("no answer");
    return decide(j, kind, is_oversize ? BY_OVERSIZE : BY_TROUBLE, by, reason);
}

static bool judge_tempfail(struct judgement *j)
{
    for (size_t place = 0; place < j->chain->count; place++) {
        const struct finding *finding = finding_at(j, place);
        if (is_skipped(j, place))
            continue;
        if (is_unscanned(finding) &&
            unscanned_kind(scanner_at(j, place), finding) == VERDICT_TEMPFAIL)
            return judge_unscanned(j, place, VERDICT_TEMPFAIL);
        if (finding->result != FINDING_TEMPFAIL || !is_obeyed(j, finding))
            continue;
        j->out->reply = reply_make(j, &finding->reply, 451, "4.7.1",
                                   "Message deferred by content filter", (struct slice){ NULL, 0 });
        return decide(j, VERDICT_TEMPFAIL, BY_SCANNER, scanner_at(j, place)->name,
                      j->out->reply.text);
    }
    return false;
}

static bool judge_quarantine(struct judgement *j)
{
    for (size_t place = 0; place < j->chain->count; place++) {
        const struct finding *finding = finding_at(j, place);
        if (is_skipped(j, place))
            continue;
        if (is_unscanned(finding) &&
            unscanned_kind(scanner_at(j, place), finding) == VERDICT_QUARANTINE)
            return judge_unscanned(j, place, VERDICT_QUARANTINE);
        if (finding->wants_quarantine && is_obeyed(j, finding))
            return decide(j, VERDICT_QUARANTINE, BY_SCANNER, scanner_at(j, place)->name,
                          finding->reply.text);
    }
    return judge_score(j, j->chain->quarantine, VERDICT_QUARANTINE);
}

/* ---- all together ---- */

bool verdict_make(const struct verdict_input *input, const struct chain *chain,
                  const struct rule_outcome *rules, struct recipient_verdict *out)
{
    struct judgement j = { .input = input, .chain = chain, .rules = rules, .out = out };

    if (rules == NULL)
        j.rules = &no_rules;
    *out = (struct recipient_verdict){ .kind = VERDICT_DELIVER, .by = SLICE("") };
    edits_init(&out->edits);
    out->score = j.rules->score + verdict_scanner_score(input, chain, j.rules->skipped);
    out->is_tagged = judge_tag(&j);
    if (judge_forged(&j))
        return !j.failed;
    if (!judge_rules(&j) && !judge_decisive(&j) &&
        !judge_score(&j, chain->reject, VERDICT_REJECT) && !judge_tempfail(&j))
        judge_quarantine(&j);
    if (out->source == BY_NOTHING && reaches(&j, chain->tag))
        judge_score(&j, chain->tag, VERDICT_DELIVER);
    out->redirect = j.rules->redirect;
    if (out->kind == VERDICT_DELIVER && j.rules->rule.len > 0)
        decide(&j, VERDICT_DELIVER, BY_RULE, j.rules->rule, j.rules->reason);
    return !j.failed &&
           (out->kind == VERDICT_TEMPFAIL || verdict_edits_make(input, chain, j.rules, out));
}

/* What a scanner said about this recipient alone; NULL: nothing. */
static const struct finding_recipient *refused_alone(const struct finding *finding, size_t n)
{
    size_t low = 0, high = finding->recipient_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (finding->recipients[middle].index < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < finding->recipient_count && finding->recipients[low].index == n
               ? &finding->recipients[low]
               : NULL;
}

static bool judge_alone(struct judgement *j, size_t n, enum finding_result result)
{
    for (size_t place = 0; place < j->chain->count; place++) {
        const struct finding_recipient *said = refused_alone(finding_at(j, place), n);
        bool is_reject = result == FINDING_REJECT;
        if (said == NULL || said->result != result || is_skipped(j, place))
            continue;
        j->out->reply = is_reject ? reply_make(j, &said->reply, 554, "5.7.1", "Recipient refused",
                                               (struct slice){ NULL, 0 })
                                  : reply_make(j, &said->reply, 451, "4.7.1", "Recipient deferred",
                                               (struct slice){ NULL, 0 });
        return decide(j, is_reject ? VERDICT_REJECT : VERDICT_TEMPFAIL, BY_SCANNER,
                      scanner_at(j, place)->name, j->out->reply.text);
    }
    return false;
}

bool verdict_make_own(const struct verdict_input *input, const struct chain *chain,
                      const struct rule_outcome *rules, const struct recipient_verdict *common,
                      size_t n, struct recipient_verdict *out)
{
    struct recipient_verdict own = *common;
    struct judgement j = {
        .input = input, .chain = chain, .rules = rules == NULL ? &no_rules : rules, .out = &own
    };

    if (common->kind >= VERDICT_DISCARD && common->kind != VERDICT_TEMPFAIL)
        return false;
    if (common->source == BY_RULE && common->kind != VERDICT_DELIVER)
        return false;
    if (!judge_alone(&j, n, FINDING_REJECT) &&
        (common->kind == VERDICT_TEMPFAIL || !judge_alone(&j, n, FINDING_TEMPFAIL)))
        return false;
    *out = own;
    return true;
}

scanner_set verdict_awaits(const struct verdict_input *input, const struct chain *chain,
                           const struct rule_outcome *rules, scanner_set wanted)
{
    struct judgement j = { .input = input,
                           .chain = chain,
                           .rules = rules == NULL ? &no_rules : rules };
    bool is_decided = j.rules->final != RULES_SILENT && j.rules->final != RULES_ACCEPT;
    scanner_set awaited = 0;

    for (size_t place = 0; place < chain->count; place++) {
        scanner_set bit = SCANNER_BIT(chain->order[place]);
        if (is_skipped(&j, place))
            continue;
        if (finding_at(&j, place)->result == FINDING_NONE && (!is_decided || (wanted & bit) != 0))
            awaited |= bit;
        is_decided = is_decided || is_decisive(&j, place);
    }
    return awaited;
}
