/* contentd/inspection_verdict.c - all is known: verdicts of all recipients, and the plan; see inspection_impl.h. */
#include "contentd/inspection_impl.h"

#include "common/observe/log.h"

enum { COPIES_MAX = 100, REPLY_TEXT_MAX = 300 };

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

/* Rules have said nothing. */
static bool is_plain(const struct rule_outcome *outcome)
{
    return outcome->final == RULES_SILENT && !outcome->is_tagged && outcome->skipped == 0 &&
           outcome->edits.count == 0 && outcome->score <= 0 && outcome->score >= 0;
}

/* Parties of one chain of whom rules say nothing have the same verdict: it is made once. */
static bool judge_parties(struct inspection *inspection)
{
    const struct verdict_input input = inspection_input(inspection);
    const struct party *plain = NULL;

    for (size_t i = 0; i < inspection->parties.count; i++) {
        struct party *party = &inspection->parties.parties[i];
        if (plain != NULL && plain->chain == party->chain && is_plain(&party->outcome)) {
            party->verdict = plain->verdict;
            continue;
        }
        if (!verdict_make(&input, party->chain, &party->outcome, &party->verdict) ||
            !reply_sign(inspection, &party->verdict))
            return false;
        if (is_plain(&party->outcome))
            plain = party;
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
        verdicts[n] = &inspection->parties.parties[inspection->parties.party_of[n]].verdict;
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

    random_reference(decided->reference);
    decided->parties = &inspection->parties;
    return judge_parties(inspection) && judge_recipients(inspection) &&
           mixed_plan(&settings, inspection->message, decided->verdicts, inspection->arena,
                      &decided->plan);
}
