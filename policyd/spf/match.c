/* policyd/spf/match.c - the mechanisms that compare the client with something (RFC 7208 section 5), and the client's
 * validated names (5.5). */
#include "policyd/spf/spf_impl.h"

static enum spf_dns_status lookup(struct spf_check *check, struct slice name, enum spf_rr type,
                                  struct spf_answer *out)
{
    return check->dns->lookup(check->dns->arg, name, type, out);
}

static bool client_is_ipv4(const struct spf_check *check)
{
    return ip_address_is_ipv4(&check->query->client);
}

/* The same first bits, of addresses of one family. */
static bool is_in_network(const struct ip_address *client, const struct ip_address *address,
                          const struct spf_term *term)
{
    unsigned bits = ip_address_is_ipv4(client) ? term->ip4_bits + IPV4_PREFIX_BITS : term->ip6_bits;
    size_t bytes = bits / 8;

    if (memcmp(client->bytes, address->bytes, bytes) != 0)
        return false;
    return bits % 8 == 0 ||
           ((client->bytes[bytes] ^ address->bytes[bytes]) & (0xff00u >> bits % 8) & 0xff) == 0;
}

static bool is_in_answer(const struct spf_check *check, const struct spf_answer *answer,
                         const struct spf_term *term)
{
    for (size_t i = 0; i < answer->count; i++) {
        if (is_in_network(&check->query->client, &answer->addresses[i], term))
            return true;
    }
    return false;
}

static enum spf_match failed(struct spf_note *note, const char *error, struct slice about)
{
    note->error = error;
    note->about = about;
    return SPF_MATCH_TEMPERROR;
}

/* Whether the client is one of a name's addresses, or in the same network as one. */
static enum spf_match match_host(struct spf_check *check, struct slice name,
                                 const struct spf_term *term, struct spf_note *note)
{
    struct spf_answer answer;

    switch (lookup(check, name, client_is_ipv4(check) ? SPF_RR_A : SPF_RR_AAAA, &answer)) {
    case SPF_DNS_WAIT:
        return SPF_MATCH_WAIT;
    case SPF_DNS_FAILED:
        return failed(note, "lookup of addresses failed", name);
    case SPF_DNS_NOTHING:
        note->is_void = true;
        return SPF_MATCH_NO;
    case SPF_DNS_FOUND:
    default:
        return is_in_answer(check, &answer, term) ? SPF_MATCH_YES : SPF_MATCH_NO;
    }
}

/* All exchangers' addresses are asked for at once. A match counts even if another one's look-up has failed: the order
 * of exchangers, and of answers, decides nothing. */
static enum spf_match match_exchangers(struct spf_check *check, const struct spf_answer *mx,
                                       const struct spf_term *term, struct spf_note *note)
{
    enum spf_match all = SPF_MATCH_NO;

    for (size_t i = 0; i < mx->count; i++) {
        struct slice name = spf_name_without_dot(mx->texts[i]);
        enum spf_match one =
            spf_name_is_valid(name) ? match_host(check, name, term, note) : SPF_MATCH_NO;
        if (one == SPF_MATCH_YES)
            return SPF_MATCH_YES;
        if (one == SPF_MATCH_WAIT || (one == SPF_MATCH_TEMPERROR && all == SPF_MATCH_NO))
            all = one;
    }
    return all;
}

static enum spf_match match_mx(struct spf_check *check, struct slice name,
                               const struct spf_term *term, struct spf_note *note)
{
    struct spf_answer answer;

    switch (lookup(check, name, SPF_RR_MX, &answer)) {
    case SPF_DNS_WAIT:
        return SPF_MATCH_WAIT;
    case SPF_DNS_FAILED:
        return failed(note, "lookup of mail exchangers failed", name);
    case SPF_DNS_NOTHING:
        note->is_void = true;
        return SPF_MATCH_NO;
    case SPF_DNS_FOUND:
    default:
        if (answer.count <= SPF_MX_MAX)
            return match_exchangers(check, &answer, term, note);
        note->error = "too many mail exchangers";
        note->about = name;
        return SPF_MATCH_PERMERROR;
    }
}

static enum spf_match match_exists(struct spf_check *check, struct slice name,
                                   struct spf_note *note)
{
    struct spf_answer answer;

    switch (lookup(check, name, SPF_RR_A, &answer)) { /* whatever the client's family */
    case SPF_DNS_WAIT:
        return SPF_MATCH_WAIT;
    case SPF_DNS_FAILED:
        return failed(note, "lookup of an address failed", name);
    case SPF_DNS_NOTHING:
        note->is_void = true;
        return SPF_MATCH_NO;
    case SPF_DNS_FOUND:
    default:
        return SPF_MATCH_YES;
    }
}

/* ---- the client's names ---- */

/* The client's names, at most SPF_PTR_MAX; a failure counts as none (5.5). False: the answer is missing. */
static bool client_names(struct spf_check *check, struct spf_answer *out, bool *is_void)
{
    char dotted[SPF_DOTTED_MAX], name[SPF_DOTTED_MAX + sizeof ".in-addr.arpa"];
    bool is_ipv4 = client_is_ipv4(check);
    struct slice from = { dotted, spf_macro_dotted(&check->query->client, dotted) };
    size_t len = 0;

    while (from.len > 0) { /* dotted, backwards */
        size_t dot = slice_rfind(from, '.');
        size_t part = dot == SIZE_MAX ? 0 : dot + 1;
        memcpy(name + len, from.ptr + part, from.len - part);
        len += from.len - part;
        name[len++] = '.';
        from.len = part > 0 ? part - 1 : 0;
    }
    struct slice end = is_ipv4 ? SLICE("in-addr.arpa") : SLICE("ip6.arpa");
    memcpy(name + len, end.ptr, end.len);
    enum spf_dns_status status =
        lookup(check, (struct slice){ name, len + end.len }, SPF_RR_PTR, out);
    if (status == SPF_DNS_WAIT)
        return false;
    *is_void = status == SPF_DNS_NOTHING;
    if (status != SPF_DNS_FOUND)
        out->count = 0;
    if (out->count > SPF_PTR_MAX)
        out->count = SPF_PTR_MAX;
    return true;
}

/* Whether the client is one of a name's addresses; a failure counts as not. */
static enum spf_match is_validated(struct spf_check *check, struct slice name)
{
    static const struct spf_term exactly = { .ip4_bits = 32, .ip6_bits = 128 };
    struct spf_note ignored;

    if (!spf_name_is_valid(name))
        return SPF_MATCH_NO;
    enum spf_match match = match_host(check, name, &exactly, &ignored);
    return match == SPF_MATCH_TEMPERROR ? SPF_MATCH_NO : match;
}

bool spf_validated_name(struct spf_check *check, struct slice domain, struct slice *out)
{
    struct spf_answer names;
    struct slice best = { "", 0 };
    bool waits = false, is_best_within = false, is_void;

    if (!client_names(check, &names, &is_void))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        struct slice name = spf_name_without_dot(names.texts[i]);
        bool is_within = spf_name_is_within(name, domain);
        bool is_better = best.len == 0 || (is_within && !is_best_within) ||
                         (is_within && name.len == domain.len);
        enum spf_match match = is_validated(check, name);
        waits = waits || match == SPF_MATCH_WAIT;
        if (match == SPF_MATCH_YES && is_better) {
            best = name;
            is_best_within = is_within;
        }
    }
    if (!waits)
        *out = best;
    return !waits;
}

/* Only names that would match are validated. */
static enum spf_match match_ptr(struct spf_check *check, struct slice domain, struct spf_note *note)
{
    struct spf_answer names;
    enum spf_match all = SPF_MATCH_NO;

    if (!client_names(check, &names, &note->is_void))
        return SPF_MATCH_WAIT;
    for (size_t i = 0; i < names.count; i++) {
        struct slice name = spf_name_without_dot(names.texts[i]);
        if (!spf_name_is_within(name, domain))
            continue;
        enum spf_match one = is_validated(check, name);
        if (one == SPF_MATCH_YES)
            return SPF_MATCH_YES;
        if (one == SPF_MATCH_WAIT)
            all = SPF_MATCH_WAIT;
    }
    return all;
}

/* ---- terms ---- */

bool spf_target(struct spf_check *check, struct slice spec, struct slice *out)
{
    struct slice domain = check->frames[check->depth].domain;

    check->values.domain = domain;
    if (spf_macro_uses_validated(spec) &&
        !spf_validated_name(check, domain, &check->values.validated))
        return false;
    *out = spf_macro_domain(spec, &check->values, check->room);
    return true;
}

static enum spf_match match_network(const struct spf_check *check, const struct spf_term *term)
{
    bool is_family = client_is_ipv4(check) == (term->mechanism == SPF_IP4);

    return is_family && is_in_network(&check->query->client, &term->network, term) ? SPF_MATCH_YES
                                                                                   : SPF_MATCH_NO;
}

enum spf_match spf_term_match(struct spf_check *check, struct spf_note *note)
{
    const struct spf_frame *frame = &check->frames[check->depth];
    const struct spf_term *term = &frame->term;
    struct slice name = frame->domain;

    *note = (struct spf_note){ .error = NULL };
    if (term->mechanism == SPF_ALL)
        return SPF_MATCH_YES;
    if (term->mechanism == SPF_IP4 || term->mechanism == SPF_IP6)
        return match_network(check, term);
    if (term->domain_spec.ptr != NULL && !spf_target(check, term->domain_spec, &name))
        return SPF_MATCH_WAIT;
    if (!spf_name_is_valid(name)) /* cannot exist (4.8), nor be asked for */
        return SPF_MATCH_NO;
    switch (term->mechanism) {
    case SPF_A:
        return match_host(check, name, term, note);
    case SPF_MX:
        return match_mx(check, name, term, note);
    case SPF_PTR:
        return match_ptr(check, name, note);
    case SPF_EXISTS:
        return match_exists(check, name, note);
    case SPF_ALL:
    case SPF_IP4:
    case SPF_IP6:
    case SPF_INCLUDE:
    default:
        return SPF_MATCH_NO; /* not here */
    }
}
