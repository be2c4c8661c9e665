/* contentd/inspection_verdict.c - all is known: verdicts of all recipients, and the plan; see inspection_impl.h. */
#include "contentd/inspection_impl.h"

#include "common/observe/log.h"
#include "contentd/headers.h"

enum { COPIES_MAX = 100, RECENT = 8, REPLY_TEXT_MAX = 300 };

/* ", ref=abc" at the end of a refusal; the text gives way. */
static bool reply_sign(const struct inspection *inspection, struct recipient_verdict *verdict)
{
    if (verdict->kind != VERDICT_REJECT && verdict->kind != VERDICT_TEMPFAIL)
        return true;
    verdict->reply.text =
        arena_printf(inspection->arena, "%.*s, ref=%s",
                     SLICE_ARG(slice_part(verdict->reply.text, 0, REPLY_TEXT_MAX)),
                     inspection->decided.reference);
    return verdict->reply.text.ptr != NULL;
}

static bool same_edits(const struct edits *a, const struct edits *b)
{
    const struct edit *x = a->first, *y = b->first;

    if (a->count != b->count)
        return false;
    for (; x != NULL && y != NULL; x = x->next, y = y->next)
        if (!edit_equal(x, y))
            return false;
    return true;
}

/* Rules have said the same of both. */
static bool same_outcome(const struct rule_outcome *a, const struct rule_outcome *b)
{
    return a->final == b->final && a->is_tagged == b->is_tagged && a->skipped == b->skipped &&
           a->score >= b->score && a->score <= b->score && slice_equal(a->rule, b->rule) &&
           slice_equal(a->reason, b->reason) && slice_equal(a->redirect, b->redirect) &&
           slice_equal(a->subject_prefix, b->subject_prefix) && a->reply.code == b->reply.code &&
           slice_equal(a->reply.enhanced, b->reply.enhanced) &&
           slice_equal(a->reply.text, b->reply.text) && same_edits(&a->edits, &b->edits);
}

/* The verdict of a party judged lately that is the same for this one; NULL: there is none. */
static const struct party *judged_alike(const struct party *const recent[RECENT],
                                        const struct party *party)
{
    for (size_t i = 0; i < RECENT; i++)
        if (recent[i] != NULL && recent[i]->chain == party->chain &&
            same_outcome(&recent[i]->outcome, &party->outcome))
            return recent[i];
    return NULL;
}

/* Parties of one chain of whom rules say the same have the same verdict: it is made once, and so are its edits. */
static bool judge_parties(struct inspection *inspection)
{
    const struct party *recent[RECENT] = { NULL };
    struct verdict_input input = inspection_input(inspection);
    size_t made = 0, ours[HEADERS_OURS];

    headers_count_ours(inspection->message, ours);
    input.ours = ours;
    for (size_t i = 0; i < inspection->parties.count; i++) {
        struct party *party = &inspection->parties.parties[i];
        const struct party *alike = judged_alike(recent, party);
        if (alike != NULL) {
            party->verdict = alike->verdict;
            party->common = alike->common;
            continue;
        }
        if (!verdict_make(&input, party->chain, &party->outcome, &party->verdict) ||
            !reply_sign(inspection, &party->verdict))
            return false;
        party->common = &party->verdict;
        recent[made++ % RECENT] = party;
    }
    return true;
}

/* Does a scanner say something of one recipient alone? */
static bool has_own_words(const struct inspection *inspection)
{
    const struct decided *decided = &inspection->decided;

    for (size_t n = 0; n < setup_scan(decided->setup)->scanner_count; n++)
        if (decided->findings[n].recipient_count > 0)
            return true;
    return false;
}

static bool judge_alone(struct inspection *inspection, size_t n,
                        const struct recipient_verdict **out)
{
    const struct verdict_input input = inspection_input(inspection);
    const struct party *party = &inspection->parties.parties[inspection->parties.party_of[n]];
    struct recipient_verdict own, *kept;

    if (!verdict_make_own(&input, party->chain, &party->outcome, &party->verdict, n, &own))
        return true;
    kept = arena_alloc(inspection->arena, sizeof *kept);
    if (kept == NULL)
        return false;
    *kept = own;
    *out = kept;
    return reply_sign(inspection, kept);
}

static bool judge_recipients(struct inspection *inspection)
{
    size_t count = inspection->message->recipient_count;
    const struct recipient_verdict **verdicts =
        arena_alloc_array(inspection->arena, count + 1, sizeof *verdicts);
    bool has_own = has_own_words(inspection);

    if (verdicts == NULL)
        return false;
    for (size_t n = 0; n < count; n++) {
        verdicts[n] = inspection->parties.parties[inspection->parties.party_of[n]].common;
        if (has_own && !judge_alone(inspection, n, &verdicts[n]))
            return false;
    }
    inspection->decided.verdicts = verdicts;
    return true;
}

bool inspection_judge(struct inspection *inspection)
{
    struct decided *decided = &inspection->decided;
    const struct contentd_config *config = decided->setup->parts.config;
    const struct mixed_settings settings = { .mode = config->mixed,
                                             .can_release = config->release.len > 0,
                                             .copies_max = COPIES_MAX };

    reference_make(decided->reference, inspection->explained != NULL);
    decided->parties = &inspection->parties;
    return judge_parties(inspection) && judge_recipients(inspection) &&
           mixed_plan(&settings, inspection->message, decided->verdicts, inspection->arena,
                      &decided->plan);
}
