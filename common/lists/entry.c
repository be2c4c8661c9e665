/* common/lists/entry.c - see entry.h. */
#include "common/lists/entry.h"

#include "common/lists/list.h"

static bool only_has(struct slice text, const char *signs)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_alnum(text.ptr[i]) && (unsigned char)text.ptr[i] < 0x80 &&
            (text.ptr[i] == '\0' || strchr(signs, text.ptr[i]) == NULL))
            return false;
    return true;
}

static bool is_digits(struct slice text, const char *signs)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.ptr[i]) &&
            (text.ptr[i] == '\0' || strchr(signs, text.ptr[i]) == NULL))
            return false;
    return true;
}

/* "A1:B2:...", as a certificate's fingerprint is spelt: no address has so many pairs. */
static bool is_fingerprint(struct slice text)
{
    if (text.len < 16 * 3 - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (i % 3 == 2 ? text.ptr[i] != ':' : isxdigit((unsigned char)text.ptr[i]) == 0)
            return false;
    return text.len % 3 == 2;
}

/* Not a word or a domain: has what only addresses and networks have. "4711" is a word (a number). */
static bool is_like_net(struct slice text)
{
    if (text.ptr[0] == '[' || is_fingerprint(text))
        return false;
    if (slice_find(text, ':') != SIZE_MAX)
        return true;
    return ascii_is_digit(text.ptr[0]) && is_digits(text, "./") && !is_digits(text, "");
}

bool entry_is_word(struct slice text)
{
    return text.len > 0 && strchr("!@.", text.ptr[0]) == NULL && !is_like_net(text);
}

bool entry_has_control_byte(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static const char *domain_parse(struct slice text, struct arena *arena, struct entry *out)
{
    enum address_form form = address_normalise_domain(text, arena, &out->name);

    if (form == ADDRESS_NO_MEMORY)
        return "out of memory";
    if (form == ADDRESS_ODD || !address_is_valid_domain(out->name))
        return slice_find(text, '*') == SIZE_MAX
                   ? "not a domain name"
                   : "not a domain name; `.example.com` is it and everything below";
    return NULL;
}

static const char *mailbox_parse(struct slice text, struct arena *arena, struct entry *out)
{
    enum address_form form = address_normalise_mailbox(text, arena, &out->name);

    if (form == ADDRESS_NO_MEMORY)
        return "out of memory";
    if (form == ADDRESS_ODD || out->name.len > ENTRY_MAX ||
        !address_is_valid_domain(address_domain(out->name)))
        return "not a mailbox: user@example.com, or @example.com for all of a domain";
    return NULL;
}

static const char *word_parse(struct slice text, struct arena *arena, struct entry *out)
{
    enum address_form form = address_normalise_mailbox(text, arena, &out->name);

    return form == ADDRESS_NO_MEMORY ? "out of memory"
           : form == ADDRESS_ODD     ? "not valid UTF-8"
                                     : NULL;
}

static const char *name_parse(struct slice text, struct arena *arena, struct entry *out)
{
    char first = text.ptr[0];

    if (first == '@' || first == '.') {
        out->kind = first == '@' ? ENTRY_AT : ENTRY_BELOW;
        return domain_parse(slice_skip(text, 1), arena, out);
    }
    if (slice_find(text, '@') != SIZE_MAX)
        return mailbox_parse(text, arena, out);
    if (first == '[' || (slice_find(text, '.') != SIZE_MAX && only_has(text, "-._*")))
        return domain_parse(text, arena, out);
    return word_parse(text, arena, out);
}

bool entry_parse(struct slice text, struct arena *arena, struct entry *out,
                 char error[ENTRY_ERROR_MAX])
{
    struct entry entry = { .kind = ENTRY_NAME };
    const char *wrong = NULL;

    if (slice_starts_with(text, SLICE("!"))) {
        entry.excluded = true;
        text = slice_skip(text, 1);
    }
    if (text.len == 0)
        wrong = "an entry is missing";
    else if (text.len > ENTRY_MAX)
        wrong = "longer than 320 bytes";
    else if (entry_has_control_byte(text) || text.ptr[0] == ' ' || text.ptr[0] == '!')
        wrong = "not an address, network, domain, mailbox or word";
    else if (is_like_net(text))
        entry.kind = ENTRY_NET;
    else
        wrong = name_parse(text, arena, &entry);
    if (wrong != NULL)
        snprintf(error, ENTRY_ERROR_MAX, "%s", wrong);
    if (wrong != NULL || (entry.kind == ENTRY_NET && !ipnet_parse(text, &entry.net, error)))
        return false;
    *out = entry;
    return true;
}

char entry_sign(enum entry_kind kind)
{
    return (char)(kind == ENTRY_AT ? '@' : kind == ENTRY_BELOW ? '.' : 0);
}

int entry_print(struct buf *out, const struct entry *entry)
{
    char text[IPNET_TEXT_MAX];

    if (entry->excluded && buf_put_char(out, '!'))
        return -1;
    if (entry->kind == ENTRY_NET) {
        ipnet_print(&entry->net, text);
        return buf_put(out, text);
    }
    if (entry_sign(entry->kind) != 0 && buf_put_char(out, entry_sign(entry->kind)))
        return -1;
    return buf_add(out, entry->name);
}

unsigned net_specificity(const struct ipnet *net)
{
    return 1 + net->bits;
}

static struct slice last_labels(struct slice domain)
{
    size_t labels = 1;

    for (size_t i = domain.len; i-- > 0;)
        if (domain.ptr[i] == '.' && ++labels > CANDIDATE_LABELS)
            return slice_skip(domain, i + 1);
    return domain;
}

static size_t below_candidates(struct slice domain, struct candidate *out)
{
    size_t count = 0;

    if (domain.len == 0)
        return 0;
    domain = last_labels(domain);
    do {
        out[count++] =
            (struct candidate){ domain, ENTRY_BELOW, LEVEL_BELOW + (unsigned)domain.len };
    } while (address_parent_domain(&domain) && count < CANDIDATE_LABELS);
    return count;
}

/* "bob@example.com" in `scratch`; the same text when there is no extension. */
static struct slice without_extension(struct slice mailbox, char scratch[ENTRY_MAX])
{
    struct slice base = address_local_base(mailbox, SLICE(LIST_DELIMITERS));
    struct slice rest = slice_skip(mailbox, address_local(mailbox).len);

    if (base.len + rest.len == mailbox.len || mailbox.len > ENTRY_MAX)
        return mailbox;
    memcpy(scratch, base.ptr, base.len);
    memcpy(scratch + base.len, rest.ptr, rest.len);
    return (struct slice){ scratch, base.len + rest.len };
}

static size_t mailbox_candidates(struct slice mailbox, struct candidate *out, char *scratch)
{
    struct slice base = without_extension(mailbox, scratch), domain = address_domain(mailbox);
    size_t count = 0;

    out[count++] = (struct candidate){ mailbox, ENTRY_NAME, LEVEL_EXACT };
    if (base.len < mailbox.len)
        out[count++] = (struct candidate){ base, ENTRY_NAME, LEVEL_BASE };
    if (domain.len == 0)
        return count;
    out[count++] = (struct candidate){ domain, ENTRY_NAME | ENTRY_AT, LEVEL_DOMAIN };
    return count + below_candidates(domain, out + count);
}

/* A text, word or number, in lower case. */
static size_t word_candidates(const struct value *subject, struct candidate *out, char *scratch)
{
    struct slice text = subject->text;
    char number[32];

    if (subject->type == VALUE_NUMBER && text.len == 0) {
        int len = snprintf(number, sizeof number, "%.15g", subject->number);
        text = (struct slice){ number, len < 0 ? 0 : (size_t)len };
    }
    if (text.len == 0 || text.len > ENTRY_MAX)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        scratch[i] = ascii_lower(text.ptr[i]);
    out[0] = (struct candidate){ { scratch, text.len }, ENTRY_NAME, LEVEL_EXACT };
    return 1;
}

size_t candidates_of(const struct value *subject, struct candidate out[CANDIDATES_MAX],
                     char scratch[ENTRY_MAX])
{
    if (subject->is_empty)
        return 0;
    switch (subject->type) {
    case VALUE_MAILBOX:
        return subject->text.len == 0 ? 0 : mailbox_candidates(subject->text, out, scratch);
    case VALUE_DOMAIN:
        if (subject->text.len == 0)
            return 0;
        out[0] = (struct candidate){ subject->text, ENTRY_NAME, LEVEL_EXACT };
        return 1 + below_candidates(subject->text, out + 1);
    case VALUE_TEXT:
    case VALUE_WORD:
    case VALUE_NUMBER:
        return word_candidates(subject, out, scratch);
    case VALUE_ADDRESS:
    case VALUE_BOOLEAN:
        break;
    }
    return 0;
}
