/* signd/claims.c - see claims.h. */
#include "signd/claims.h"

#include <string.h>

#include "common/dkim/tags.h"
#include "common/mail/address.h"

const char *const dkim_result_words[] = { "none",    "pass",      "fail",      "policy",
                                          "neutral", "temperror", "permerror", NULL };

void claim_key_name(const struct dkim_claim *claim, char out[CLAIM_NAME_MAX + 1])
{
    snprintf(out, CLAIM_NAME_MAX + 1, "%.*s._domainkey.%.*s", SLICE_ARG(claim->selector),
             SLICE_ARG(claim->domain));
}

static void refuse(struct dkim_claim *claim, enum dkim_result result, const char *comment)
{
    if (claim->comment != NULL)
        return; /* the first reason counts */
    claim->result = result;
    claim->comment = comment;
}

static void take_signature(struct dkim_claim *claim, struct slice value)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len && len + 1 < sizeof claim->signature; i++)
        if (!ascii_is_space(value.ptr[i]))
            claim->signature[len++] = value.ptr[i];
    claim->signature[len] = '\0';
}

/* A domain in normal form; absent when it is none. */
static struct slice domain_of(struct slice text, struct arena *arena)
{
    struct slice domain, none = { NULL, 0 };

    if (text.len == 0 || address_normalise_domain(text, arena, &domain) != ADDRESS_NORMAL)
        return none;
    return address_is_valid_domain(domain) && domain.ptr[0] != '[' ? domain : none;
}

/* i= lies in d= (RFC 6376 3.5): its domain is d= or below it. */
static bool is_identity_of(struct slice identity, struct slice domain, struct arena *arena)
{
    size_t at = slice_rfind(identity, '@');

    if (at == SIZE_MAX)
        return false;
    struct slice own = domain_of(slice_skip(identity, at + 1), arena);
    if (own.len < domain.len || !slice_ends_with(own, domain))
        return false;
    return own.len == domain.len || own.ptr[own.len - domain.len - 1] == '.';
}

static void check_algorithm(struct dkim_claim *claim)
{
    if (slice_equal_nocase(claim->algorithm, SLICE("rsa-sha1")))
        refuse(claim, DKIM_POLICY, "SHA-1 proves nothing any more"); /* RFC 8301 3.1 */
    else if (!slice_equal_nocase(claim->algorithm, SLICE("rsa-sha256")) &&
             !slice_equal_nocase(claim->algorithm, SLICE("ed25519-sha256")))
        refuse(claim, DKIM_PERMERROR, "unknown algorithm");
}

/* Numbers of tags that may be missing. False: there, but no number. */
static bool read_number(struct slice value, uint64_t *out)
{
    return value.ptr == NULL || slice_to_u64(value, out);
}

static void check_times(struct dkim_claim *claim, const struct dkim_tags *tags, uint64_t now_s)
{
    uint64_t made = 0, expires = UINT64_MAX, length;

    if (!read_number(dkim_tag_value(tags, "t"), &made) ||
        !read_number(dkim_tag_value(tags, "x"), &expires) ||
        !read_number(dkim_tag_value(tags, "l"), &length))
        refuse(claim, DKIM_NEUTRAL, "a number that is none");
    else if (expires <= made)
        refuse(claim, DKIM_PERMERROR, "it expires before it was made");
    else if (expires < now_s)
        refuse(claim, DKIM_FAIL, "signature expired");
}

/* The library looks for each of them among all fields of the message: thousands, of which everybody can have as many as he likes, take
 * seconds. */
static void check_signed_fields(struct dkim_claim *claim, struct slice names)
{
    size_t count = 1;

    if (!dkim_list_has(names, SLICE("from")))
        refuse(claim, DKIM_PERMERROR, "From is not signed");
    for (size_t i = 0; i < names.len; i++)
        count += names.ptr[i] == ':';
    if (count > CLAIM_FIELDS_MAX)
        refuse(claim, DKIM_POLICY, "it names too many fields");
}

static void check_tags(struct dkim_claim *claim, const struct dkim_tags *tags, uint64_t now_s,
                       struct arena *arena)
{
    static const char *const required[] = { "v", "a", "b", "bh", "d", "h", "s" };

    for (size_t i = 0; i < COUNT(required); i++)
        if (dkim_tag_value(tags, required[i]).len == 0)
            refuse(claim, DKIM_PERMERROR, "a required tag is missing");
    if (!slice_equal(dkim_tag_value(tags, "v"), SLICE("1")))
        refuse(claim, DKIM_PERMERROR, "unknown version");
    if (claim->domain.ptr == NULL || claim->selector.ptr == NULL)
        refuse(claim, DKIM_PERMERROR, "no proper domain or selector");
    check_algorithm(claim);
    check_signed_fields(claim, dkim_tag_value(tags, "h"));
    if (claim->identity.ptr != NULL && claim->domain.ptr != NULL &&
        !is_identity_of(claim->identity, claim->domain, arena))
        refuse(claim, DKIM_PERMERROR, "i= is not in d=");
    check_times(claim, tags, now_s);
}

/* The body's part of c=, "header/body"; without one it is simple (RFC 6376 3.5). */
static bool read_canonicalization(struct slice text, enum canonicalization *body)
{
    struct slice word = text, header;
    bool has_body = slice_cut(&word, '/', &header);

    *body = has_body && slice_equal_nocase(word, SLICE("relaxed")) ? CANONICAL_RELAXED
                                                                   : CANONICAL_SIMPLE;
    return !has_body || *body == CANONICAL_RELAXED || slice_equal_nocase(word, SLICE("simple"));
}

static bool read_body_hash(struct slice text, unsigned char out[DKIM_DIGEST_LEN])
{
    AUTO_BUF packed = BUF_INIT(2 * DKIM_DIGEST_LEN), bytes = BUF_INIT(DKIM_DIGEST_LEN);

    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_space(text.ptr[i]) && buf_put_char(&packed, text.ptr[i]) != 0)
            return false;
    if (!base64_parse(&bytes, buf_slice(&packed)) || bytes.len != DKIM_DIGEST_LEN)
        return false;
    memcpy(out, bytes.data, DKIM_DIGEST_LEN);
    return true;
}

static void read_claim(struct dkim_claim *claim, uint64_t now_s, struct arena *arena)
{
    struct dkim_tags tags;
    const char *error;

    if (!dkim_tags_parse(claim->field->value, &tags, &error)) {
        refuse(claim, DKIM_NEUTRAL, error);
        return;
    }
    claim->domain = domain_of(dkim_tag_value(&tags, "d"), arena);
    claim->selector = domain_of(dkim_tag_value(&tags, "s"), arena);
    claim->identity = dkim_tag_value(&tags, "i");
    claim->algorithm = dkim_tag_value(&tags, "a");
    claim->has_length = dkim_tag_value(&tags, "l").ptr != NULL;
    claim->has_body_hash = read_canonicalization(dkim_tag_value(&tags, "c"), &claim->body) &&
                           read_body_hash(dkim_tag_value(&tags, "bh"), claim->body_hash);
    take_signature(claim, dkim_tag_value(&tags, "b"));
    if (claim->domain.len + claim->selector.len + strlen("._domainkey.") > CLAIM_NAME_MAX)
        refuse(claim, DKIM_PERMERROR, "no proper domain or selector");
    check_tags(claim, &tags, now_s, arena);
    claim->is_ready = claim->comment == NULL;
}

int claims_read(const struct message *message, size_t max, uint64_t now_s, struct arena *arena,
                struct dkim_claim **out, size_t *count, size_t *over)
{
    size_t all = 0;

    for (size_t i = 0; i < message->header_count; i++)
        all += message_header_is(&message->headers[i], SLICE("DKIM-Signature"));
    *count = all < max ? all : max;
    *over = all - *count;
    *out = NULL;
    if (*count == 0)
        return 0;
    struct dkim_claim *claims = arena_alloc_array(arena, *count, sizeof *claims);
    if (claims == NULL)
        return -1;
    for (size_t i = 0, n = 0; n < *count; i++) {
        if (!message_header_is(&message->headers[i], SLICE("DKIM-Signature")))
            continue;
        claims[n].field = &message->headers[i];
        read_claim(&claims[n++], now_s, arena);
    }
    *out = claims;
    return 0;
}
