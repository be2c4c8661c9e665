/* signd/facts/provider.c - see provider.h. */
#include "signd/facts/provider.h"

/* One value per signature that passes. False: out of memory. */
static bool passing_domains(const struct results *results, struct arena *arena, struct value *out)
{
    struct value *first = NULL;

    for (size_t i = results->claim_count; i-- > 0;) {
        const struct dkim_claim *claim = &results->claims[i];
        if (claim->result != DKIM_PASS)
            continue;
        struct value *value = arena_alloc(arena, sizeof *value);
        if (value == NULL)
            return false;
        value_of_text(value, VALUE_DOMAIN, claim->domain);
        value->next = first;
        first = value;
    }
    if (first == NULL)
        value_of_text(out, VALUE_DOMAIN, SLICE(""));
    else
        *out = *first;
    return true;
}

static void word(struct value *out, const char *text)
{
    value_of_text(out, VALUE_WORD, slice_of(text));
}

static bool dkim_fact(const struct results *results, int id, struct arena *arena, struct value *out)
{
    switch (id) {
    case FACT_DKIM:
        word(out, dkim_result_words[results->dkim]);
        return true;
    case FACT_DKIM_DOMAINS:
        return passing_domains(results, arena, out);
    case FACT_DKIM_ALIGNED:
        value_of_boolean(out, results->is_aligned);
        return true;
    case FACT_DKIM_TESTING:
        value_of_boolean(out, results->is_testing);
        return true;
    case FACT_DKIM_LENGTH:
        value_of_boolean(out, results->has_length);
        return true;
    default: /* FACT_DKIM_COUNT */
        value_of_number(out, (double)(results->claim_count + results->claims_over));
        return true;
    }
}

static bool dmarc_fact(const struct results *results, int id, struct value *out)
{
    bool has_domain = results->dmarc_domain.len > 0;

    switch (id) {
    case FACT_SPF:
        value_of_text(out, VALUE_WORD, results->spf.result);
        return results->spf.is_known;
    case FACT_SPF_DOMAIN:
        value_of_text(out, VALUE_DOMAIN, results->spf.domain);
        return results->spf.is_known;
    case FACT_DMARC:
        word(out, has_domain || results->dmarc.result != DMARC_RESULT_NONE
                      ? dmarc_result_words[results->dmarc.result]
                      : "");
        return true;
    case FACT_DMARC_POLICY:
        word(out, has_domain ? dmarc_policy_words[results->dmarc.policy] : "");
        return true;
    case FACT_DMARC_SPF_ALIGNED:
        value_of_boolean(out, results->dmarc.spf_aligned);
        return true;
    default: /* FACT_DMARC_DKIM_ALIGNED */
        value_of_boolean(out, results->dmarc.dkim_aligned);
        return true;
    }
}

static bool result_fact(const struct fact_subject *subject, const struct fact_ref *ref,
                        struct value *out)
{
    static const struct results nothing;
    const struct results *results = subject->results;
    int id = ref->type->id;

    if (results == NULL && ref->type->type != VALUE_BOOLEAN) {
        value_of_text(out, ref->type->type, SLICE(""));
        return true;
    }
    if (results == NULL)
        results = &nothing;
    return id <= FACT_DKIM_COUNT ? dkim_fact(results, id, subject->of.arena, out)
                                 : dmarc_fact(results, id, out);
}

enum fetch_result fact_provide(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out)
{
    const struct fact_subject *subject = evaluation->request;
    bool is_known = true;

    if (ref->kind != FACT_PLAIN)
        return membership_fact(&subject->membership, evaluation, slot, ref, out);
    if (ref->type->id < MESSAGE_FACTS)
        is_known = message_fact(&subject->of, ref, out);
    else if (ref->type->id == FACT_SIGNED)
        value_of_boolean(out, subject->is_signed);
    else
        is_known = result_fact(subject, ref, out);
    return is_known ? FETCH_KNOWN : FETCH_UNKNOWN;
}
