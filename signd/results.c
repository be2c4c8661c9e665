/* signd/results.c - see results.h. */
#include "signd/results.h"

#include "common/mail/address.h"

/* ---- all signatures together ---- */

/* The better result: one that passes, then one of which nobody knows, then those that are none. */
static unsigned rank(enum dkim_result result)
{
    static const unsigned ranks[] = {
        [DKIM_NONE] = 0,   [DKIM_PERMERROR] = 1, [DKIM_NEUTRAL] = 2, [DKIM_FAIL] = 3,
        [DKIM_POLICY] = 4, [DKIM_TEMPERROR] = 5, [DKIM_PASS] = 6,
    };

    return ranks[result];
}

static bool is_of_a_from_domain(const struct results *results, struct slice domain)
{
    for (size_t i = 0; i < results->policy_count; i++)
        if (dmarc_is_aligned(results->policies[i].domain, domain, false))
            return true;
    return false;
}

static void judge_dkim(struct results *results)
{
    for (size_t i = 0; i < results->claim_count; i++) {
        const struct dkim_claim *claim = &results->claims[i];
        if (rank(claim->result) > rank(results->dkim))
            results->dkim = claim->result;
        if (claim->result != DKIM_PASS)
            continue;
        results->is_aligned = results->is_aligned || is_of_a_from_domain(results, claim->domain);
        results->is_testing = results->is_testing || claim->is_testing;
        results->has_length = results->has_length || claim->has_length;
    }
}

/* ---- DMARC ---- */

static struct dmarc_evidence evidence_of_spf(const struct results *results)
{
    struct slice result = results->spf.result;
    bool is_open =
        !results->spf.is_known || result.len == 0 || slice_equal(result, SLICE("temperror"));

    return (struct dmarc_evidence){
        .is_spf = true,
        .result = slice_equal(result, SLICE("pass")) ? EVIDENCE_PASS
                  : is_open                          ? EVIDENCE_TEMPERROR
                                                     : EVIDENCE_FAIL,
        .domain = results->spf.domain.len > 0 ? results->spf.domain : results->sender_domain,
    };
}

static size_t collect_evidence(const struct results *results, struct dmarc_evidence *evidence)
{
    size_t count = 0;

    evidence[count++] = evidence_of_spf(results);
    for (size_t i = 0; i < results->claim_count; i++) {
        const struct dkim_claim *claim = &results->claims[i];
        if (claim->result == DKIM_PASS || claim->result == DKIM_TEMPERROR)
            evidence[count++] = (struct dmarc_evidence){
                .result = claim->result == DKIM_PASS ? EVIDENCE_PASS : EVIDENCE_TEMPERROR,
                .domain = claim->domain,
            };
    }
    return count;
}

static void judge_dmarc(struct results *results, const struct dmarc_evidence *evidence,
                        size_t count)
{
    for (size_t i = 0; i < results->policy_count; i++) {
        const struct from_policy *policy = &results->policies[i];
        const struct dmarc_input input = { .from_domain = policy->domain,
                                           .lookup = policy->lookup,
                                           .record = &policy->record,
                                           .is_organizational = policy->is_organizational,
                                           .evidence = evidence,
                                           .evidence_count = count,
                                           .draw = results->draw };
        struct dmarc_verdict verdict;
        dmarc_evaluate(&input, &verdict);
        if (i > 0 && !dmarc_is_stricter(&verdict, &results->dmarc))
            continue;
        results->dmarc = verdict;
        results->dmarc_domain = policy->domain;
    }
    bool is_unsure = results->has_more_domains || results->policy_count == 0;
    if (is_unsure && results->dmarc.policy == DMARC_NONE)
        results->dmarc.result = DMARC_PERMERROR;
}

bool results_judge(struct results *results, struct arena *arena)
{
    struct dmarc_evidence *evidence =
        arena_alloc_array(arena, results->claim_count + 1, sizeof *evidence);

    if (evidence == NULL)
        return false;
    judge_dkim(results);
    judge_dmarc(results, evidence, collect_evidence(results, evidence));
    return true;
}

/* ---- Received-SPF ---- */

/* The constant text of a result; NULL: it is none. */
static const char *spf_word(struct slice result)
{
    for (size_t i = 0; message_spf_results[i] != NULL; i++)
        if (slice_equal(result, slice_of(message_spf_results[i])))
            return message_spf_results[i];
    return NULL;
}

/* After the result and its comment: `key=value;` pairs. A comment with parentheses in it is not ours. */
static struct slice after_comment(struct slice rest)
{
    rest = slice_trim(rest);
    if (!slice_starts_with(rest, SLICE("(")))
        return rest;
    size_t end = slice_find(rest, ')');
    return end == SIZE_MAX ? (struct slice){ NULL, 0 } : slice_skip(rest, end + 1);
}

static struct slice unquoted(struct slice value)
{
    value = slice_trim(value);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = slice_part(value, 1, value.len - 2);
    return value;
}

/* The value of a key; absent: it is not there. */
static struct slice pair_value(struct slice rest, const char *wanted)
{
    struct slice pair, key;

    while (slice_next(&rest, ';', &pair)) {
        struct slice value = pair;
        if (slice_cut(&value, '=', &key) && slice_equal_nocase(slice_trim(key), slice_of(wanted)))
            return unquoted(value);
    }
    return (struct slice){ NULL, 0 };
}

bool results_spf_of_field(struct slice value, struct slice receiver, struct arena *arena,
                          struct spf_finding *out)
{
    struct slice rest = slice_trim(value), word, domain = { NULL, 0 };
    size_t end = 0;

    while (end < rest.len && !ascii_is_space(rest.ptr[end]))
        end++;
    word = slice_part(rest, 0, end);
    if (spf_word(word) == NULL)
        return false;
    rest = after_comment(slice_skip(rest, end));
    if (receiver.len == 0 || !slice_equal_nocase(pair_value(rest, "receiver"), receiver))
        return false;
    struct slice from = pair_value(rest, "envelope-from");
    size_t at = slice_rfind(from, '@');
    struct slice name = at == SIZE_MAX ? pair_value(rest, "helo") : slice_skip(from, at + 1);
    if (name.len > 0 && name.ptr[name.len - 1] == '>')
        name.len--;
    if (address_normalise_domain(name, arena, &domain) == ADDRESS_NO_MEMORY)
        return false;
    *out = (struct spf_finding){ .is_known = true, .result = word, .domain = domain };
    return true;
}

/* ---- Authentication-Results ---- */

static void add_property(struct auth_result *result, const char *ptype, const char *name,
                         struct slice value)
{
    if (value.len > 0)
        result->properties[result->property_count++] = (struct auth_property){ ptype, name, value };
}

static struct auth_result spf_entry(const char *word, const struct auth_envelope *envelope)
{
    struct auth_result entry = { .method = "spf", .result = word };

    add_property(&entry, "smtp", "mailfrom", envelope->sender);
    if (envelope->sender.len == 0)
        add_property(&entry, "smtp", "helo", envelope->helo);
    return entry;
}

/* "2048-bit key", "256-bit key, testing", why it does not pass. */
static bool dkim_comment(const struct dkim_claim *claim, struct arena *arena, struct slice *out)
{
    AUTO_BUF text = BUF_INIT(2 * AUTH_COMMENT_MAX);
    int rc = 0;

    if (claim->comment != NULL)
        rc |= buf_put(&text, claim->comment);
    if (claim->key_bits > 0)
        rc |= buf_printf(&text, "%s%u-bit key", text.len > 0 ? ", " : "", claim->key_bits);
    if (claim->result == DKIM_PASS && claim->is_testing)
        rc |= buf_put(&text, ", testing");
    if (claim->result == DKIM_PASS && claim->has_length)
        rc |= buf_put(&text, ", not all of the body is signed");
    *out = arena_copy(arena, buf_slice(&text));
    return rc == 0 && (text.len == 0 || out->ptr != NULL);
}

static bool dkim_entry(const struct dkim_claim *claim, struct arena *arena, struct auth_result *out)
{
    *out = (struct auth_result){ .method = "dkim", .result = dkim_result_words[claim->result] };
    add_property(out, "header", "d", claim->domain);
    add_property(out, "header", "i", claim->identity);
    add_property(out, "header", "s", claim->selector);
    add_property(out, "header", "a", claim->algorithm);
    add_property(out, "header", "b", slice_of(claim->signature));
    return dkim_comment(claim, arena, &out->comment);
}

static bool dmarc_entry(const struct results *results, struct arena *arena, struct auth_result *out)
{
    const struct dmarc_verdict *verdict = &results->dmarc;

    *out = (struct auth_result){ .method = "dmarc", .result = dmarc_result_words[verdict->result] };
    add_property(out, "header", "from", results->dmarc_domain);
    if (results->policy_count == 0)
        out->comment = SLICE("no domain in From");
    if (verdict->result == DMARC_RESULT_NONE || verdict->result == DMARC_PERMERROR)
        return true;
    out->comment = arena_printf(arena, "p=%s dis=%s", dmarc_policy_words[verdict->published],
                                dmarc_policy_words[verdict->policy]);
    return out->comment.ptr != NULL;
}

static bool verified_entries(const struct results *results, const struct auth_envelope *envelope,
                             struct arena *arena, struct auth_result *list, size_t *count)
{
    const char *spf = spf_word(results->spf.result);

    if (spf != NULL)
        list[(*count)++] = spf_entry(spf, envelope);
    for (size_t i = 0; i < results->claim_count; i++)
        if (!dkim_entry(&results->claims[i], arena, &list[(*count)++]))
            return false;
    if (results->claim_count == 0)
        list[(*count)++] = (struct auth_result){ .method = "dkim", .result = "none" };
    bool is_judged = results->dmarc_domain.len > 0 || results->dmarc.result != DMARC_RESULT_NONE;
    return !is_judged || dmarc_entry(results, arena, &list[(*count)++]);
}

bool results_list(const struct results *results, const struct auth_envelope *envelope,
                  struct arena *arena, struct auth_result **out, size_t *count)
{
    size_t most = (results == NULL ? 0 : results->claim_count) + 4; /* auth, spf, no dkim, dmarc */

    *count = 0;
    *out = arena_alloc_array(arena, most, sizeof **out);
    if (*out == NULL)
        return false;
    if (envelope->login.len > 0) {
        struct auth_result *entry = &(*out)[(*count)++];
        *entry = (struct auth_result){ .method = "auth", .result = "pass" };
        add_property(entry, "smtp", "auth", envelope->login);
    }
    return results == NULL || verified_entries(results, envelope, arena, *out, count);
}
