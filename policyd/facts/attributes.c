/* policyd/facts/attributes.c - facts that follow from what Postfix sent, and from the time. */
#include "policyd/facts/facts.h"

#include "common/mail/address.h"

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

    value_of_text(out, VALUE_TEXT, text);
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
                            const struct mailbox_settings *settings, enum policy_attribute attr,
                            struct arena *arena, struct value *out)
{
    struct slice text = req->attr[attr];
    enum value_type type = attribute_types[attr];

    switch (type) {
    case VALUE_ADDRESS:
        return value_of_address(out, text, arena);
    case VALUE_NUMBER:
        value_of_digits(out, text);
        return true;
    case VALUE_MAILBOX:
        return value_of_mailbox(out, text, settings, arena);
    case VALUE_DOMAIN:
        return value_of_domain(out, text, arena);
    case VALUE_TEXT:
        if (attr == ATTR_CCERT_SUBJECT || attr == ATTR_CCERT_ISSUER)
            return value_xtext(out, text, arena);
        break;
    case VALUE_WORD:
    case VALUE_BOOLEAN:
        break;
    }
    value_of_text(out, type, text);
    return true;
}

static bool helo_is_address(struct slice helo)
{
    struct ip_address address;

    return ip_address_parse_literal(helo, &address) || ip_address_parse(helo, &address);
}

bool attribute_fact(const struct policy_request *req, const struct mailbox_settings *settings,
                    uint64_t wall_ms, int id, struct arena *arena, struct value *out)
{
    if (id >= 0 && id < POLICY_ATTRIBUTES)
        return attribute_value(req, settings, (enum policy_attribute)id, arena, out);
    switch (id) {
    case FACT_SENDER_DOMAIN:
        return value_of_mailbox_domain(out, req->attr[ATTR_SENDER], settings, arena);
    case FACT_RECIPIENT_DOMAIN:
        return value_of_mailbox_domain(out, req->attr[ATTR_RECIPIENT], settings, arena);
    case FACT_SASL_DOMAIN:
        return value_of_mailbox_domain(out, req->attr[ATTR_SASL_USERNAME], settings, arena);
    case FACT_CLIENT_NET:
        return value_of_net(out, req->attr[ATTR_CLIENT_ADDRESS], arena);
    case FACT_HELO_IS_ADDRESS:
        value_of_boolean(out, helo_is_address(req->attr[ATTR_HELO_NAME]));
        return true;
    case FACT_AUTHENTICATED:
        value_of_boolean(out, req->attr[ATTR_SASL_USERNAME].len > 0);
        return true;
    case FACT_ENCRYPTED:
        value_of_boolean(out, req->attr[ATTR_ENCRYPTION_PROTOCOL].len > 0);
        return true;
    case FACT_HOUR:
        value_of_hour(out, wall_ms);
        return true;
    case FACT_WEEKDAY:
        value_of_weekday(out, wall_ms);
        return true;
    default:
        return false;
    }
}
