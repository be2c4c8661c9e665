/* common/mail/address.c - see address.h. The only user of libidn2 and libunistring. Nearly all addresses are plain
 * ASCII: a scan tells whether a text is normal as it is, needs only lower case, or needs the libraries. */
#include "common/mail/address.h"

#include "common/mail/ipnet.h"

#include <idn2.h>
#include <uninorm.h>
#include <unistr.h>

enum { LABEL_MAX = 63, NAME_OCTETS_MAX = 253, IDN_INPUT_MAX = 4 * ADDRESS_DOMAIN_MAX };

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80)
            return false;
    return true;
}

/* ASCII without capitals: its own normal form. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] >= 0x80 || (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z'))
            return false;
    return true;
}

static bool is_quoted(struct slice local)
{
    return local.len >= 2 && local.ptr[0] == '"' && local.ptr[local.len - 1] == '"';
}

struct slice address_local(struct slice mailbox)
{
    return slice_part(mailbox, 0, slice_rfind(mailbox, '@'));
}

struct slice address_domain(struct slice mailbox)
{
    size_t at = slice_rfind(mailbox, '@');

    return at == SIZE_MAX ? (struct slice){ NULL, 0 } : slice_skip(mailbox, at + 1);
}

struct slice address_local_base(struct slice mailbox, struct slice delimiters)
{
    struct slice local = address_local(mailbox);

    for (size_t i = 1; i < local.len; i++)
        if (slice_find(delimiters, local.ptr[i]) != SIZE_MAX)
            return slice_part(local, 0, i);
    return local;
}

struct slice address_strip_extension(struct slice mailbox, struct slice delimiters,
                                     struct arena *arena)
{
    struct slice local = address_local(mailbox), base = address_local_base(mailbox, delimiters);
    struct slice rest = slice_skip(mailbox, local.len); /* the @ and the domain, or nothing */

    if (base.len == local.len)
        return mailbox;
    char *joined = arena_alloc(arena, base.len + rest.len + 1);
    if (joined == NULL)
        return (struct slice){ NULL, 0 };
    memcpy(joined, base.ptr, base.len);
    memcpy(joined + base.len, rest.ptr, rest.len);
    return (struct slice){ joined, base.len + rest.len };
}

bool address_parent_domain(struct slice *domain)
{
    size_t dot = slice_find(*domain, '.');

    if (dot == SIZE_MAX || dot + 1 == domain->len || domain->ptr[0] == '[')
        return false;
    *domain = slice_skip(*domain, dot + 1);
    return true;
}

static bool is_valid_label(struct slice label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' ||
        label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] != '_')
            return false;
    return true;
}

bool address_is_valid_domain(struct slice domain)
{
    struct ip_address literal;
    struct slice label;

    if (domain.len == 0 || domain.len > NAME_OCTETS_MAX)
        return false;
    if (domain.ptr[0] == '[')
        return ip_address_parse_literal(domain, &literal);
    while (slice_cut(&domain, '.', &label))
        if (!is_valid_label(label))
            return false;
    return is_valid_label(domain);
}

bool address_is_valid_mailbox(struct slice mailbox)
{
    struct slice local = address_local(mailbox);

    if (local.len == 0 || local.len > ADDRESS_LOCAL_MAX || mailbox.len > ADDRESS_PATH_MAX)
        return false;
    for (size_t i = 0; i < local.len; i++)
        if ((unsigned char)local.ptr[i] < 0x20 || local.ptr[i] == 0x7f)
            return false;
    return u8_check((const uint8_t *)local.ptr, local.len) == NULL &&
           address_is_valid_domain(address_domain(mailbox));
}

/* The length of a quoted string at the start of `text`; 0: there is none, or no end of it. */
static size_t quoted_length(struct slice text)
{
    for (size_t i = 1; i < text.len; i++)
        if (text.ptr[i] == '"')
            return text.ptr[0] == '"' ? i + 1 : 0;
        else if (text.ptr[i] == '\\')
            i++;
    return 0;
}

/* Control bytes, blanks, and what RFC 5321 has in quoted strings alone. */
static bool has_special(struct slice text, struct slice but)
{
    static const struct slice special = SLICE_INIT("()<>@,;:\\\"[]\x7f");

    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= ' ' || (slice_find(special, text.ptr[i]) != SIZE_MAX &&
                                                  slice_find(but, text.ptr[i]) == SIZE_MAX))
            return true;
    return false;
}

bool address_is_plainly_written(struct slice mailbox)
{
    bool is_quoted_local = slice_starts_with(mailbox, SLICE("\""));
    size_t at = is_quoted_local ? quoted_length(mailbox) : slice_find(mailbox, '@');
    struct slice domain = slice_skip(mailbox, at == SIZE_MAX ? mailbox.len : at + 1);

    if (is_quoted_local ? at == 0 : has_special(slice_part(mailbox, 0, at), SLICE("")))
        return false;
    if (at >= mailbox.len)
        return true;
    if (mailbox.ptr[at] != '@' || domain.len == 0)
        return false;
    if (slice_starts_with(domain, SLICE("[")) && slice_ends_with(domain, SLICE("]")))
        return !has_special(slice_part(domain, 1, domain.len - 2), SLICE(":"));
    return !has_special(domain, SLICE(""));
}

/* A text being put together; bounded, so that nothing long is ever copied. */
struct draft {
    char text[ADDRESS_MAX];
    size_t len, max;
};

/* Adds `text` in lower case. What does not fit is dropped. */
static enum address_form draft_add(struct draft *draft, struct slice text)
{
    struct slice fits = slice_part(text, 0, draft->max - draft->len);

    for (size_t i = 0; i < fits.len; i++)
        draft->text[draft->len++] = ascii_lower(fits.ptr[i]);
    return fits.len == text.len ? ADDRESS_NORMAL : ADDRESS_ODD;
}

/* IDNA2008 with the mapping of UTS 46, which also lowers the case. What that yields is checked: it maps full-width forms
 * of "@" and blanks to ASCII, too. */
static enum address_form idn_add(struct draft *draft, struct slice domain)
{
    char source[IDN_INPUT_MAX + 1];
    char *ascii = NULL;
    enum address_form form = ADDRESS_ODD;

    if (domain.len > IDN_INPUT_MAX || memchr(domain.ptr, '\0', domain.len) != NULL)
        return ADDRESS_ODD;
    memcpy(source, domain.ptr, domain.len);
    source[domain.len] = '\0';
    int rc = idn2_to_ascii_8z(source, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc == IDN2_OK && ascii[0] != '[' && address_is_valid_domain(slice_of(ascii)))
        form = draft_add(draft, slice_of(ascii));
    else if (rc == IDN2_MALLOC)
        form = ADDRESS_NO_MEMORY;
    idn2_free(ascii);
    return form;
}

/* "[IPv6:2001:DB8::1]" as "[ipv6:2001:db8::1]": one spelling for each address. */
static enum address_form literal_add(struct draft *draft, const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_MAX];
    size_t len = ip_address_print(address, text);

    draft_add(draft, ip_address_is_ipv4(address) ? SLICE("[") : SLICE("[ipv6:"));
    draft_add(draft, (struct slice){ text, len });
    return draft_add(draft, SLICE("]"));
}

static bool has_final_dot(struct slice domain)
{
    return domain.len > 1 && domain.ptr[domain.len - 1] == '.' && domain.ptr[domain.len - 2] != '.';
}

static enum address_form domain_draft(struct draft *draft, struct slice domain)
{
    struct ip_address literal;
    enum address_form form = ADDRESS_ODD;

    draft->len = 0;
    draft->max = ADDRESS_DOMAIN_MAX;
    if (has_final_dot(domain))
        domain.len--;
    if (ip_address_parse_literal(domain, &literal))
        return literal_add(draft, &literal);
    if (!is_ascii(domain)) {
        form = idn_add(draft, domain);
        if (form != ADDRESS_ODD)
            return form;
    } else if (domain.len <= ADDRESS_DOMAIN_MAX) {
        form = ADDRESS_NORMAL;
    }
    if (domain.len > ADDRESS_DOMAIN_MAX)
        domain = slice_skip(domain, domain.len - ADDRESS_DOMAIN_MAX);
    draft_add(draft, domain);
    return form;
}

/* NFC, lower case, NFC again: "H" with a line below has a composed form only in lower case. */
static enum address_form nfc_add(struct draft *draft, struct slice local)
{
    size_t once_len = 0, len = 0;
    enum address_form form = ADDRESS_NO_MEMORY;

    if (local.len > 4 * ADDRESS_MAX || u8_check((const uint8_t *)local.ptr, local.len) != NULL) {
        draft_add(draft, local);
        return ADDRESS_ODD;
    }
    uint8_t *once =
        u8_normalize(UNINORM_NFC, (const uint8_t *)local.ptr, local.len, NULL, &once_len);
    if (once == NULL)
        return ADDRESS_NO_MEMORY;
    for (size_t i = 0; i < once_len; i++)
        once[i] = (uint8_t)ascii_lower((char)once[i]);
    uint8_t *twice = u8_normalize(UNINORM_NFC, once, once_len, NULL, &len);
    if (twice != NULL)
        form = draft_add(draft, (struct slice){ (const char *)twice, len });
    free(once);
    free(twice);
    return form;
}

/* What a quoted string means (RFC 5321 4.1.2), into `space`. The text itself when it is none, and when without its quotes
 * it would be empty or look quoted again. */
static struct slice unquote(struct slice local, char space[ADDRESS_MAX])
{
    size_t len = 0;

    if (!is_quoted(local) || local.len > ADDRESS_MAX)
        return local;
    for (size_t i = 1; i < local.len - 1; i++) {
        if (local.ptr[i] == '"' || (local.ptr[i] == '\\' && ++i == local.len - 1))
            return local;
        space[len++] = local.ptr[i];
    }
    struct slice plain = { space, len };
    return len == 0 || is_quoted(plain) ? local : plain;
}

static enum address_form local_draft(struct draft *draft, struct slice local, size_t max)
{
    draft->len = 0;
    draft->max = max;
    return is_ascii(local) ? draft_add(draft, local) : nfc_add(draft, local);
}

static enum address_form finish(enum address_form form, struct slice copy, struct slice *out)
{
    if (form == ADDRESS_NO_MEMORY || copy.ptr == NULL)
        return ADDRESS_NO_MEMORY;
    *out = copy;
    return form;
}

static bool domain_is_normal(struct slice domain)
{
    return domain.len <= ADDRESS_DOMAIN_MAX && !has_final_dot(domain) &&
           (domain.len == 0 || domain.ptr[0] != '[') && is_plain(domain);
}

enum address_form address_normalise_domain(struct slice text, struct arena *arena,
                                           struct slice *out)
{
    struct draft draft;

    if (domain_is_normal(text)) {
        *out = text;
        return ADDRESS_NORMAL;
    }
    enum address_form form = domain_draft(&draft, text);
    return finish(form, arena_copy(arena, (struct slice){ draft.text, draft.len }), out);
}

enum address_form address_normalise_mailbox(struct slice text, struct arena *arena,
                                            struct slice *out)
{
    struct slice local = address_local(text), domain = address_domain(text);
    struct draft left, right;
    char space[ADDRESS_MAX];

    if (text.len <= ADDRESS_MAX && is_plain(local) && !is_quoted(local) &&
        domain_is_normal(domain)) {
        *out = text;
        return ADDRESS_NORMAL;
    }
    if (domain.ptr == NULL || is_quoted(text)) { /* without a domain: a login, "postmaster" */
        enum address_form form = local_draft(&left, text, ADDRESS_MAX);
        return finish(form, arena_copy(arena, (struct slice){ left.text, left.len }), out);
    }
    enum address_form domain_form = domain_draft(&right, domain);
    enum address_form local_form =
        local_draft(&left, unquote(local, space), ADDRESS_MAX - 1 - right.len);
    enum address_form form = local_form > domain_form ? local_form : domain_form; /* the worse */
    char *joined = arena_alloc(arena, left.len + 1 + right.len);
    if (joined == NULL)
        return ADDRESS_NO_MEMORY;
    memcpy(joined, left.text, left.len);
    joined[left.len] = '@';
    memcpy(joined + left.len + 1, right.text, right.len);
    return finish(form, (struct slice){ joined, left.len + 1 + right.len }, out);
}
