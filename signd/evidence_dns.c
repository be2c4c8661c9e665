/* signd/evidence_dns.c - see evidence_dns.h. */
#include "signd/evidence_dns.h"

#include "common/dkim/record.h"

struct key_ask {
    struct dns_ask ask; /* first member */
    struct evidence_dns *evidence;
    struct dkim_claim *claim;
};

struct policy_ask {
    struct dns_ask ask; /* first member */
    struct evidence_dns *evidence;
    struct from_policy *policy;
    struct slice organizational; /* to ask when the domain itself has none */
    bool asks_organizational;
};

struct evidence_dns {
    struct dns *dns;
    struct arena *arena;
    struct key_ask *keys;
    size_t key_count;
    struct policy_ask *policies;
    size_t policy_count;
    size_t pending;
    bool is_starting;
    void (*done)(void *arg);
    void *arg;
};

static void one_is_there(struct evidence_dns *evidence)
{
    evidence->pending--;
    if (evidence->pending == 0 && !evidence->is_starting)
        evidence->done(evidence->arg);
}

/* ---- keys ---- */

/* Of several records the first that is one of a key: the RFC leaves it open (RFC 6376 3.6.2.2). */
static void take_key(struct key_ask *key)
{
    const struct dns_answer *answer = &key->ask.answer;
    struct dkim_claim *claim = key->claim;
    struct dkim_record record;
    const char *error;

    if (answer->status != DNS_DATA) {
        claim->key_state = answer->status == DNS_FAILED ? CLAIM_KEY_TEMPERROR : CLAIM_KEY_NONE;
        return;
    }
    claim->key_state = CLAIM_KEY_FOUND;
    claim->key = answer->records[0].text;
    for (size_t i = answer->count; i-- > 0;)
        if (dkim_record_parse(answer->records[i].text, &record, &error))
            claim->key = answer->records[i].text;
}

static void key_done(struct dns_ask *ask)
{
    struct key_ask *key = (struct key_ask *)ask;

    take_key(key);
    one_is_there(key->evidence);
}

static void ask_key(struct evidence_dns *evidence, struct key_ask *key, struct dkim_claim *claim)
{
    char name[CLAIM_NAME_MAX + 1];

    claim_key_name(claim, name);
    *key = (struct key_ask){ .ask = { .arena = evidence->arena, .done = key_done },
                             .evidence = evidence,
                             .claim = claim };
    claim->key_state = CLAIM_KEY_TEMPERROR;
    evidence->pending++;
    if (dns_ask(evidence->dns, &key->ask, slice_of(name), RR_TXT))
        key_done(&key->ask);
}

/* ---- policies ---- */

/* The records that are DMARC's, of which there may be one. */
static enum dmarc_lookup judge_answer(const struct dns_answer *answer, struct dmarc_record *record)
{
    const struct dns_record *found = NULL;

    if (answer->status == DNS_FAILED)
        return DMARC_LOOKUP_TEMPERROR;
    for (size_t i = 0; i < answer->count; i++) {
        if (!dmarc_is_record(answer->records[i].text))
            continue;
        if (found != NULL)
            return DMARC_LOOKUP_BAD;
        found = &answer->records[i];
    }
    if (found == NULL)
        return DMARC_LOOKUP_NONE;
    return dmarc_record_parse(found->text, record) ? DMARC_LOOKUP_FOUND : DMARC_LOOKUP_BAD;
}

static void ask_policy(struct policy_ask *ask, struct slice domain);

static void policy_done(struct dns_ask *dns_ask)
{
    struct policy_ask *ask = (struct policy_ask *)dns_ask;
    struct from_policy *policy = ask->policy;

    policy->lookup = judge_answer(&dns_ask->answer, &policy->record);
    policy->is_organizational = ask->asks_organizational;
    if (policy->lookup == DMARC_LOOKUP_NONE && !ask->asks_organizational &&
        !slice_equal(ask->organizational, policy->domain)) {
        ask->asks_organizational = true;
        ask_policy(ask, ask->organizational);
        return;
    }
    one_is_there(ask->evidence);
}

static void ask_policy(struct policy_ask *ask, struct slice domain)
{
    char name[DNS_NAME_MAX + 16];
    int len = snprintf(name, sizeof name, "_dmarc.%.*s", SLICE_ARG(domain));

    ask->ask = (struct dns_ask){ .arena = ask->evidence->arena, .done = policy_done };
    ask->policy->lookup = DMARC_LOOKUP_TEMPERROR;
    if (len > DNS_NAME_MAX) /* no such name can exist */
        ask->ask.answer.status = DNS_NO_DOMAIN;
    else if (!dns_ask(ask->evidence->dns, &ask->ask, slice_of(name), RR_TXT))
        return;
    policy_done(&ask->ask);
}

/* ---- all ---- */

static bool make_room(struct evidence_dns *evidence, size_t claims, size_t policies)
{
    evidence->keys = arena_alloc_array(evidence->arena, claims + 1, sizeof *evidence->keys);
    evidence->policies =
        arena_alloc_array(evidence->arena, policies + 1, sizeof *evidence->policies);
    return evidence->keys != NULL && evidence->policies != NULL;
}

static void ask_all(struct evidence_dns *evidence, struct dkim_claim *claims, size_t claim_count,
                    struct from_policy *policies, size_t policy_count)
{
    for (size_t i = 0; i < claim_count; i++)
        if (claims[i].is_ready)
            ask_key(evidence, &evidence->keys[evidence->key_count++], &claims[i]);
    for (size_t i = 0; i < policy_count; i++) {
        struct policy_ask *ask = &evidence->policies[evidence->policy_count++];
        *ask = (struct policy_ask){ .evidence = evidence,
                                    .policy = &policies[i],
                                    .organizational =
                                        dmarc_organizational_domain(policies[i].domain) };
        evidence->pending++;
        ask_policy(ask, policies[i].domain);
    }
}

bool evidence_dns_start(struct dns *dns, struct arena *arena, struct dkim_claim *claims,
                        size_t claim_count, struct from_policy *policies, size_t policy_count,
                        void (*done)(void *arg), void *arg, struct evidence_dns **out)
{
    struct evidence_dns *evidence = arena_alloc(arena, sizeof *evidence);

    *out = NULL;
    for (size_t i = 0; i < policy_count; i++)
        policies[i].lookup = DMARC_LOOKUP_TEMPERROR;
    if (evidence == NULL)
        return true;
    *evidence = (struct evidence_dns){
        .dns = dns, .arena = arena, .is_starting = true, .done = done, .arg = arg
    };
    if (!make_room(evidence, claim_count, policy_count))
        return true;
    ask_all(evidence, claims, claim_count, policies, policy_count);
    evidence->is_starting = false;
    if (evidence->pending == 0)
        return true;
    *out = evidence;
    return false;
}

void evidence_dns_abandon(struct evidence_dns **evidence)
{
    if (*evidence == NULL)
        return;
    for (size_t i = 0; i < (*evidence)->key_count; i++)
        dns_abandon(&(*evidence)->keys[i].ask);
    for (size_t i = 0; i < (*evidence)->policy_count; i++)
        dns_abandon(&(*evidence)->policies[i].ask);
    *evidence = NULL;
}
