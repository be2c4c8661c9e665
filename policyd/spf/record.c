/* policyd/spf/record.c - see record.h. */
#include "policyd/spf/record.h"

#include "policyd/spf/macro.h"

enum argument { ARGUMENT_NONE, ARGUMENT_DOMAIN, ARGUMENT_MAY_BE_DOMAIN, ARGUMENT_NETWORK };

static const struct {
    struct slice name;
    enum spf_mechanism mechanism;
    enum argument argument;
    bool has_prefix; /* a dual-cidr-length may follow */
} mechanisms[] = {
    { SLICE_INIT("all"), SPF_ALL, ARGUMENT_NONE, false },
    { SLICE_INIT("include"), SPF_INCLUDE, ARGUMENT_DOMAIN, false },
    { SLICE_INIT("a"), SPF_A, ARGUMENT_MAY_BE_DOMAIN, true },
    { SLICE_INIT("mx"), SPF_MX, ARGUMENT_MAY_BE_DOMAIN, true },
    { SLICE_INIT("ptr"), SPF_PTR, ARGUMENT_MAY_BE_DOMAIN, false },
    { SLICE_INIT("ip4"), SPF_IP4, ARGUMENT_NETWORK, false },
    { SLICE_INIT("ip6"), SPF_IP6, ARGUMENT_NETWORK, false },
    { SLICE_INIT("exists"), SPF_EXISTS, ARGUMENT_DOMAIN, false },
};

static const struct slice version = SLICE_INIT("v=spf1");

bool spf_record_is_spf1(struct slice txt)
{
    return slice_equal_nocase(slice_part(txt, 0, version.len), version) &&
           (txt.len == version.len || txt.ptr[version.len] == ' ');
}

/* Terms are separated by blanks, and by nothing else. */
static bool next_word(struct slice *rest, struct slice *word)
{
    while (rest->len > 0 && rest->ptr[0] == ' ')
        *rest = slice_skip(*rest, 1);
    if (rest->len == 0)
        return false;
    if (!slice_cut(rest, ' ', word)) {
        *word = *rest;
        *rest = slice_skip(*rest, rest->len);
    }
    return true;
}

/* "0" to `most` in decimal, without leading zeros. */
static const char *read_prefix(struct slice digits, unsigned most, unsigned *bits)
{
    uint64_t number;

    if (digits.len > 3 || (digits.len > 1 && digits.ptr[0] == '0') ||
        !slice_to_u64(digits, &number) || number > most)
        return "bad prefix length";
    *bits = (unsigned)number;
    return NULL;
}

/* Cuts dual-cidr-length, "/24", "//64" or "/24//64", off the end of an argument. */
static const char *cut_prefixes(struct slice *argument, struct spf_term *term)
{
    for (bool may_be_ip6 = true;; may_be_ip6 = false) {
        size_t slash = argument->len;
        while (slash > 0 && ascii_is_digit(argument->ptr[slash - 1]))
            slash--;
        if (slash == argument->len || slash == 0 || argument->ptr[slash - 1] != '/')
            return NULL;
        struct slice digits = slice_skip(*argument, slash);
        bool is_ip6 = slash > 1 && argument->ptr[slash - 2] == '/';
        if (is_ip6 && !may_be_ip6)
            return "prefix length given twice";
        const char *error = is_ip6 ? read_prefix(digits, 128, &term->ip6_bits)
                                   : read_prefix(digits, 32, &term->ip4_bits);
        if (error != NULL)
            return error;
        argument->len = slash - (is_ip6 ? 2 : 1);
        if (!is_ip6)
            return NULL;
    }
}

static const char *read_network(struct slice argument, struct spf_term *term)
{
    struct slice address = argument;
    bool is_ip6 = term->mechanism == SPF_IP6;
    size_t slash = slice_find(argument, '/');

    if (slash != SIZE_MAX) {
        struct slice digits = slice_skip(argument, slash + 1);
        const char *error = is_ip6 ? read_prefix(digits, 128, &term->ip6_bits)
                                   : read_prefix(digits, 32, &term->ip4_bits);
        if (error != NULL)
            return error;
        address.len = slash;
    }
    if ((slice_find(address, ':') != SIZE_MAX) != is_ip6 ||
        !ip_address_parse(address, &term->network))
        return "bad address";
    return NULL;
}

static const char *read_domain(struct slice spec, struct spf_term *term)
{
    const char *error = spf_domain_spec_check(spec);

    if (error == NULL)
        term->domain_spec = spec;
    return error;
}

/* What follows the name of mechanism number `at`. */
static const char *read_argument(size_t at, struct slice argument, struct spf_term *term)
{
    const char *error = mechanisms[at].has_prefix ? cut_prefixes(&argument, term) : NULL;

    if (error != NULL)
        return error;
    bool has_colon = argument.len > 0 && argument.ptr[0] == ':';
    if (argument.len > 0 && !has_colon)
        return "malformed argument";
    switch (mechanisms[at].argument) {
    case ARGUMENT_NONE:
        return has_colon ? "argument where none is allowed" : NULL;
    case ARGUMENT_NETWORK:
        return has_colon ? read_network(slice_skip(argument, 1), term) : "missing address";
    case ARGUMENT_MAY_BE_DOMAIN:
        return has_colon ? read_domain(slice_skip(argument, 1), term) : NULL;
    case ARGUMENT_DOMAIN:
    default:
        return has_colon ? read_domain(slice_skip(argument, 1), term) : "missing domain";
    }
}

static const char *read_directive(struct slice text, struct spf_term *out)
{
    struct spf_term term = { .text = text, .qualifier = '+', .ip4_bits = 32, .ip6_bits = 128 };
    size_t len = 0;

    if (slice_find(SLICE("+-~?"), text.ptr[0]) != SIZE_MAX) {
        term.qualifier = text.ptr[0];
        text = slice_skip(text, 1);
    }
    while (len < text.len && text.ptr[len] != ':' && text.ptr[len] != '/')
        len++;
    struct slice name = slice_part(text, 0, len);
    for (size_t i = 0; i < COUNT(mechanisms); i++) {
        if (!slice_equal_nocase(name, mechanisms[i].name))
            continue;
        term.mechanism = mechanisms[i].mechanism;
        const char *error = read_argument(i, slice_skip(text, len), &term);
        if (error == NULL)
            *out = term;
        return error;
    }
    return "unknown mechanism";
}

/* name "=" at the beginning makes a modifier: `=` before any `:` or `/`, after a name with nothing odd in it. */
static bool is_modifier(struct slice text, struct slice *name, struct slice *value)
{
    size_t len = 0;

    if (!ascii_is_alpha(text.ptr[0]))
        return false;
    while (len < text.len &&
           (ascii_is_alnum(text.ptr[len]) || slice_find(SLICE("-_."), text.ptr[len]) != SIZE_MAX))
        len++;
    if (len == text.len || text.ptr[len] != '=')
        return false;
    *name = slice_part(text, 0, len);
    *value = slice_skip(text, len + 1);
    return true;
}

static const char *read_modifier(struct slice name, struct slice value, struct spf_record *record)
{
    struct slice *known = slice_equal_nocase(name, SLICE("redirect")) ? &record->redirect
                          : slice_equal_nocase(name, SLICE("exp"))    ? &record->exp
                                                                      : NULL;
    if (known == NULL)
        return spf_macro_string_check(value);
    if (known->ptr != NULL)
        return "modifier given twice";
    *known = value;
    return spf_domain_spec_check(value);
}

bool spf_record_parse(struct slice txt, struct spf_record *out, struct spf_syntax_error *error)
{
    struct spf_record record = { .terms = slice_skip(txt, version.len) };
    struct slice rest = record.terms, word, name, value;
    struct spf_term term;

    while (next_word(&rest, &word)) {
        const char *what = is_modifier(word, &name, &value) ? read_modifier(name, value, &record)
                                                            : read_directive(word, &term);
        if (what != NULL) {
            *error = (struct spf_syntax_error){ what, word };
            return false;
        }
    }
    *out = record;
    return true;
}

bool spf_record_next(struct slice *rest, struct spf_term *out)
{
    struct slice word, name, value;

    while (next_word(rest, &word)) {
        if (!is_modifier(word, &name, &value) && read_directive(word, out) == NULL)
            return true;
    }
    return false;
}
