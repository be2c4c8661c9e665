/* policyd/facts/dns_checks.c - see dns_checks.h. */
#include "policyd/facts/dns_checks.h"

#include "common/mail/address.h"
#include "policyd/facts/dns_facts.h"

static void value_word(struct value *out, const char *word)
{
    *out = (struct value){ .type = VALUE_WORD, .text = slice_of(word) };
}

static void value_nothing(struct value *out, enum value_type type)
{
    *out = (struct value){ .type = type, .is_empty = true, .text = SLICE("") };
}

/* A fact of the request's own; empty when it is not there. */
static struct slice domain_fact(const struct fact_request *request, int id)
{
    struct mailbox_settings settings = policy_attributes(request->policy);
    struct value value;

    if (!attribute_fact(request->req, &settings, request->wall_ms, id, request->arena, &value))
        return SLICE("");
    return value.text;
}

/* ---- addresses of names ---- */

/* What is known of a name's A and AAAA records, asked for together. */
struct name_addresses {
    const struct dns_answer *answers[2]; /* NULL: on its way */
};

static struct name_addresses addresses_ask(struct fact_request *request, struct slice name)
{
    return (struct name_addresses){ { dns_fact_ask(request, name, RR_A),
                                      dns_fact_ask(request, name, RR_AAAA) } };
}

/* How far the addresses of some names are known. */
struct gathered {
    struct mx_addresses found;
    bool waits, failed;
};

static void gather(struct fact_request *request, struct slice name, struct gathered *gathered)
{
    struct name_addresses addresses = addresses_ask(request, name);

    for (size_t i = 0; i < COUNT(addresses.answers); i++) {
        const struct dns_answer *answer = addresses.answers[i];
        gathered->waits |= answer == NULL;
        gathered->failed |= answer != NULL && answer->status == DNS_FAILED;
        for (size_t k = 0; answer != NULL && k < answer->count; k++)
            mx_addresses_add(&gathered->found, &answer->records[k].address);
    }
}

/* One address that can be reached is enough: then nothing else is waited for. */
static enum fetch_result gathered_word(const struct gathered *gathered, struct value *out)
{
    if (!gathered->found.has_public && (gathered->waits || gathered->failed))
        return gathered->waits ? FETCH_STARTED : FETCH_UNKNOWN;
    value_word(out, mx_addresses_word(&gathered->found));
    return FETCH_KNOWN;
}

/* ---- MX ---- */

static bool is_loop(const struct ip_address *address)
{
    static const struct ip_address unspecified, loopback = { { [15] = 1 } };

    if (ip_address_is_ipv4(address))
        return address->bytes[12] == 127 || address->bytes[12] == 0;
    return ip_address_equal(address, &unspecified) || ip_address_equal(address, &loopback);
}

void mx_addresses_add(struct mx_addresses *addresses, const struct ip_address *address)
{
    if (is_loop(address))
        addresses->has_loop = true;
    else if (ip_address_is_private(address))
        addresses->has_private = true;
    else
        addresses->has_public = true;
}

const char *mx_addresses_word(const struct mx_addresses *addresses)
{
    if (addresses->has_public)
        return "ok";
    if (addresses->has_private)
        return "private";
    return addresses->has_loop ? "loop" : "none";
}

size_t mx_hosts(const struct dns_answer *answer, struct slice out[MX_HOSTS_MAX])
{
    uint16_t preferences[MX_HOSTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        size_t at = count;
        if (record->text.len == 0)
            continue;
        while (at > 0 && preferences[at - 1] > record->preference)
            at--;
        if (at == MX_HOSTS_MAX)
            continue;
        if (count < MX_HOSTS_MAX)
            count++;
        for (size_t k = count - 1; k > at; k--) {
            out[k] = out[k - 1];
            preferences[k] = preferences[k - 1];
        }
        out[at] = record->text;
        preferences[at] = record->preference;
    }
    return count;
}

static enum fetch_result mx_of_hosts(struct fact_request *request, const struct dns_answer *mx,
                                     struct value *out)
{
    struct gathered gathered = { .waits = false };
    struct slice hosts[MX_HOSTS_MAX];
    size_t count = mx_hosts(mx, hosts);

    if (count == 0) { /* RFC 7505 */
        value_word(out, "null");
        return FETCH_KNOWN;
    }
    for (size_t i = 0; i < count; i++)
        gather(request, hosts[i], &gathered);
    return gathered_word(&gathered, out);
}

/* RFC 5321 5.1: without MX records the domain itself takes its mail. */
static enum fetch_result mx_of_domain(struct fact_request *request, struct slice domain,
                                      struct value *out)
{
    struct gathered gathered = { .waits = false };

    gather(request, domain, &gathered);
    return gathered_word(&gathered, out);
}

static enum fetch_result mx_fact(struct fact_request *request, struct slice domain,
                                 struct value *out)
{
    struct gathered literal = { .waits = false };
    struct ip_address address;

    if (domain.len == 0) {
        value_nothing(out, VALUE_WORD);
        return FETCH_KNOWN;
    }
    if (ip_address_parse_literal(domain, &address)) {
        mx_addresses_add(&literal.found, &address);
        return gathered_word(&literal, out);
    }
    const struct dns_answer *mx = dns_fact_ask(request, domain, RR_MX);
    if (mx == NULL)
        return FETCH_STARTED;
    switch (mx->status) {
    case DNS_DATA:
        return mx_of_hosts(request, mx, out);
    case DNS_NO_DATA:
        return mx_of_domain(request, domain, out);
    case DNS_NO_DOMAIN:
        value_word(out, "nxdomain");
        return FETCH_KNOWN;
    case DNS_FAILED:
        break;
    }
    return FETCH_UNKNOWN;
}

static enum fetch_result domain_exists(struct fact_request *request, struct slice domain,
                                       struct value *out)
{
    struct ip_address address;
    bool exists = ip_address_parse_literal(domain, &address);

    if (domain.len == 0) {
        value_nothing(out, VALUE_BOOLEAN);
        return FETCH_KNOWN;
    }
    if (!exists) {
        const struct dns_answer *mx =
            dns_fact_ask(request, domain, RR_MX); /* sender_mx needs it, too */
        if (mx == NULL)
            return FETCH_STARTED;
        if (mx->status == DNS_FAILED)
            return FETCH_UNKNOWN;
        exists = mx->status != DNS_NO_DOMAIN;
    }
    *out = (struct value){ .type = VALUE_BOOLEAN, .boolean = exists };
    return FETCH_KNOWN;
}

/* ---- HELO ---- */

/* Among the addresses of a name: is there the client's, are there others, is something missing. */
static enum fetch_result helo_of_name(struct fact_request *request, struct slice name,
                                      const struct ip_address *client, struct value *out)
{
    struct name_addresses addresses = addresses_ask(request, name);
    bool waits = false, failed = false, has_others = false, is_client = false;

    for (size_t i = 0; i < COUNT(addresses.answers); i++) {
        const struct dns_answer *answer = addresses.answers[i];
        waits |= answer == NULL;
        failed |= answer != NULL && answer->status == DNS_FAILED;
        for (size_t k = 0; answer != NULL && k < answer->count; k++) {
            has_others = true;
            is_client |= ip_address_equal(&answer->records[k].address, client);
        }
    }
    if (!is_client && (waits || failed))
        return waits ? FETCH_STARTED : FETCH_UNKNOWN;
    value_word(out, is_client ? "ok" : has_others ? "mismatch" : "none");
    return FETCH_KNOWN;
}

static enum fetch_result helo_fact(struct fact_request *request, struct value *out)
{
    struct slice helo = domain_fact(request, ATTR_HELO_NAME);
    struct ip_address client, literal;

    if (helo.len == 0) {
        value_nothing(out, VALUE_WORD);
        return FETCH_KNOWN;
    }
    if (!ip_address_parse(request->req->attr[ATTR_CLIENT_ADDRESS], &client))
        return FETCH_UNKNOWN;
    if (ip_address_parse_literal(helo, &literal)) {
        value_word(out, ip_address_equal(&literal, &client) ? "ok" : "mismatch");
        return FETCH_KNOWN;
    }
    if (ip_address_parse(helo, &literal) || slice_find(helo, '.') == SIZE_MAX ||
        !address_is_valid_domain(helo)) {
        value_word(out, "invalid");
        return FETCH_KNOWN;
    }
    return helo_of_name(request, helo, &client, out);
}

static enum fetch_result dns_check(struct fact_request *request, const struct fact_ref *ref,
                                   struct value *out)
{
    switch (ref->type->id) {
    case FACT_SENDER_MX:
        return mx_fact(request, domain_fact(request, FACT_SENDER_DOMAIN), out);
    case FACT_RECIPIENT_MX:
        return mx_fact(request, domain_fact(request, FACT_RECIPIENT_DOMAIN), out);
    case FACT_SENDER_DOMAIN_EXISTS:
        return domain_exists(request, domain_fact(request, FACT_SENDER_DOMAIN), out);
    default:
        return helo_fact(request, out);
    }
}

enum fetch_result dns_check_fact(struct evaluation *evaluation, size_t slot,
                                 const struct fact_ref *ref, struct value *out)
{
    return dns_fact_get(evaluation, slot, ref, dns_check, out);
}

/* ---- the client's name ---- */

static bool is_name(struct slice name)
{
    return name.len > 0 && !slice_equal_nocase(name, SLICE("unknown"));
}

void client_rdns_fact(const struct policy_request *req, struct value *out)
{
    if (is_name(req->attr[ATTR_CLIENT_NAME]))
        value_word(out, "verified");
    else
        value_word(out, is_name(req->attr[ATTR_REVERSE_CLIENT_NAME]) ? "unverified" : "none");
}
