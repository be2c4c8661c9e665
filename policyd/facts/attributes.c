/* policyd/facts/attributes.c - facts that follow from what Postfix sent, and from the time. */
#include "policyd/facts/facts.h"

#include "common/base/clock.h"
#include "common/mail/address.h"

#include <time.h>

static const enum value_type attribute_types[POLICY_ATTRIBUTES] = {
    [ATTR_HELO_NAME] = VALUE_DOMAIN,
    [ATTR_CLIENT_NAME] = VALUE_DOMAIN,
    [ATTR_REVERSE_CLIENT_NAME] = VALUE_DOMAIN,
    [ATTR_ETRN_DOMAIN] = VALUE_DOMAIN,
    [ATTR_SENDER] = VALUE_MAILBOX,
    [ATTR_RECIPIENT] = VALUE_MAILBOX,
    [ATTR_SASL_USERNAME] = VALUE_MAILBOX,
    [ATTR_SASL_SENDER] = VALUE_MAILBOX,
    [ATTR_CLIENT_ADDRESS] = VALUE_ADDRESS,
    [ATTR_SERVER_ADDRESS] = VALUE_ADDRESS,
    [ATTR_RECIPIENT_COUNT] = VALUE_NUMBER,
    [ATTR_SIZE] = VALUE_NUMBER,
    [ATTR_ENCRYPTION_KEYSIZE] = VALUE_NUMBER,
    [ATTR_CLIENT_PORT] = VALUE_NUMBER,
    [ATTR_SERVER_PORT] = VALUE_NUMBER,
    [ATTR_PROTOCOL_STATE] = VALUE_WORD,
    [ATTR_PROTOCOL_NAME] = VALUE_WORD,
    [ATTR_SASL_METHOD] = VALUE_WORD,
    [ATTR_CCERT_FINGERPRINT] = VALUE_WORD,
    [ATTR_CCERT_PUBKEY_FINGERPRINT] = VALUE_WORD,
    [ATTR_ENCRYPTION_PROTOCOL] = VALUE_WORD,
    [ATTR_ENCRYPTION_CIPHER] = VALUE_WORD,
    [ATTR_STRESS] = VALUE_WORD,
}; /* all others: VALUE_TEXT, which is 0 */

static void value_text(struct value *out, enum value_type type, struct slice text)
{
    *out = (struct value){ .type = type,
                           .is_empty = text.len == 0,
                           .text = text.ptr == NULL ? SLICE("") : text };
}

/* An IPv6 address can be spelt in many ways, an IPv4 one as `::ffff:192.0.2.7`: the text is the one normal spelling. */
static bool value_address(struct value *out, struct slice text, struct arena *arena)
{
    char normal[IPNET_TEXT_MAX];
    struct ip_address address;

    value_text(out, VALUE_ADDRESS, text);
    if (!ip_address_parse(text, &address)) {
        out->is_empty = true; /* "unknown", or a socket that is no IP */
        return true;
    }
    out->net = ipnet_of(&address);
    if (slice_find(text, ':') == SIZE_MAX)
        return true;
    size_t len = ipnet_print(&out->net, normal);
    if (!slice_equal(text, (struct slice){ normal, len }))
        out->text = arena_copy(arena, (struct slice){ normal, len });
    return out->text.ptr != NULL;
}

static void value_number(struct value *out, struct slice text)
{
    uint64_t number = 0;

    value_text(out, VALUE_NUMBER, text);
    if (slice_to_u64(text, &number))
        out->number = (double)number;
    else
        out->is_empty = true;
}

static bool value_mailbox(struct value *out, struct slice text,
                          const struct attribute_settings *settings, struct arena *arena)
{
    struct slice mailbox;

    if (address_normalise_mailbox(text, arena, &mailbox) == ADDRESS_NO_MEMORY)
        return false;
    if (settings->strip_extension)
        mailbox = address_strip_extension(mailbox, settings->delimiters, arena);
    if (mailbox.ptr == NULL && text.ptr != NULL)
        return false;
    value_text(out, VALUE_MAILBOX, mailbox);
    return true;
}

static int hex_digit(char c)
{
    const char digits[] = "0123456789ABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* Postfix sends names of certificates as xtext (RFC 3461 section 4): `+20` is a blank. What is no such code stays. */
static bool value_xtext(struct value *out, struct slice text, struct arena *arena)
{
    size_t len = 0;

    value_text(out, VALUE_TEXT, text);
    if (slice_find(text, '+') == SIZE_MAX)
        return true;
    char *plain = arena_alloc(arena, text.len);
    if (plain == NULL)
        return false;
    for (size_t i = 0; i < text.len; i++, len++) {
        bool is_coded = text.ptr[i] == '+' && text.len - i > 2 && hex_digit(text.ptr[i + 1]) >= 0 &&
                        hex_digit(text.ptr[i + 2]) >= 0;
        plain[len] = text.ptr[i];
        if (is_coded) {
            plain[len] = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
            i += 2;
        }
    }
    out->text = (struct slice){ plain, len };
    return true;
}

static bool attribute_value(const struct policy_request *req,
                            const struct attribute_settings *settings, enum policy_attribute attr,
                            struct arena *arena, struct value *out)
{
    struct slice text = req->attr[attr], domain;
    enum value_type type = attribute_types[attr];

    switch (type) {
    case VALUE_ADDRESS:
        return value_address(out, text, arena);
    case VALUE_NUMBER:
        value_number(out, text);
        return true;
    case VALUE_MAILBOX:
        return value_mailbox(out, text, settings, arena);
    case VALUE_DOMAIN:
        if (address_normalise_domain(text, arena, &domain) == ADDRESS_NO_MEMORY)
            return false;
        value_text(out, VALUE_DOMAIN, domain);
        return true;
    case VALUE_TEXT:
        if (attr == ATTR_CCERT_SUBJECT || attr == ATTR_CCERT_ISSUER)
            return value_xtext(out, text, arena);
        break;
    case VALUE_WORD:
    case VALUE_BOOLEAN:
        break;
    }
    value_text(out, type, text);
    return true;
}

static bool domain_of(const struct policy_request *req, const struct attribute_settings *settings,
                      enum policy_attribute attr, struct arena *arena, struct value *out)
{
    struct value mailbox;

    if (!attribute_value(req, settings, attr, arena, &mailbox))
        return false;
    value_text(out, VALUE_DOMAIN, address_domain(mailbox.text));
    return true;
}

static bool client_net(const struct policy_request *req, struct arena *arena, struct value *out)
{
    char text[IPNET_TEXT_MAX];
    struct value address;

    if (!value_address(&address, req->attr[ATTR_CLIENT_ADDRESS], arena))
        return false;
    struct ipnet net = ipnet_mask(&address.net, 24, 64);
    size_t len = ipnet_print(&net, text);
    *out = (struct value){ .type = VALUE_ADDRESS, .is_empty = address.is_empty, .net = net };
    out->text = arena_copy(arena, (struct slice){ text, len });
    return out->text.ptr != NULL;
}

static bool helo_is_address(struct slice helo)
{
    struct ip_address address;

    return ip_address_parse_literal(helo, &address) || ip_address_parse(helo, &address);
}

static void local_time(uint64_t wall_ms, int id, struct value *out)
{
    static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
    time_t seconds = (time_t)(wall_ms / SECOND);
    struct tm now = { .tm_wday = 0 };

    localtime_r(&seconds, &now);
    if (id == FACT_WEEKDAY)
        value_text(out, VALUE_WORD, slice_of(names[now.tm_wday]));
    else
        *out = (struct value){ .type = VALUE_NUMBER, .number = now.tm_hour };
}

static void value_boolean(struct value *out, bool is_true)
{
    *out = (struct value){ .type = VALUE_BOOLEAN, .boolean = is_true };
}

bool attribute_fact(const struct policy_request *req, const struct attribute_settings *settings,
                    uint64_t wall_ms, int id, struct arena *arena, struct value *out)
{
    if (id >= 0 && id < POLICY_ATTRIBUTES)
        return attribute_value(req, settings, (enum policy_attribute)id, arena, out);
    switch (id) {
    case FACT_SENDER_DOMAIN:
        return domain_of(req, settings, ATTR_SENDER, arena, out);
    case FACT_RECIPIENT_DOMAIN:
        return domain_of(req, settings, ATTR_RECIPIENT, arena, out);
    case FACT_SASL_DOMAIN:
        return domain_of(req, settings, ATTR_SASL_USERNAME, arena, out);
    case FACT_CLIENT_NET:
        return client_net(req, arena, out);
    case FACT_HELO_IS_ADDRESS:
        value_boolean(out, helo_is_address(req->attr[ATTR_HELO_NAME]));
        return true;
    case FACT_AUTHENTICATED:
        value_boolean(out, req->attr[ATTR_SASL_USERNAME].len > 0);
        return true;
    case FACT_ENCRYPTED:
        value_boolean(out, req->attr[ATTR_ENCRYPTION_PROTOCOL].len > 0);
        return true;
    case FACT_HOUR:
    case FACT_WEEKDAY:
        local_time(wall_ms, id, out);
        return true;
    default:
        return false;
    }
}
