/* policyd/spf/macro.c - see macro.h. A text is read as pieces: literal runs and macros. Expansion of a domain keeps only
 * its end, of which no name needs more than SPF_NAME_MAX octets, so its length has no bound and needs none. */
#include "policyd/spf/macro.h"

#include <inttypes.h>

struct piece {
    struct slice text; /* what it stands for, unless it has a letter */
    bool is_macro; /* %% %_ %- too: a domain may end in one */
    char letter; /* lower case; 0: none */
    bool is_escaped; /* the letter was a capital: percent-encode what it stands for */
    bool is_reversed;
    size_t parts; /* how many to keep, from the right; 0: all */
    struct slice delimiters; /* empty: the dot */
};

static bool is_one_of(char c, struct slice set)
{
    return slice_find(set, c) != SIZE_MAX;
}

/* "{" is behind us: letter, digits, r, delimiters, "}". */
static const char *read_braces(struct slice *rest, struct piece *piece)
{
    static const struct slice letters = SLICE_INIT("slodiphcrtv"),
                              delimiters = SLICE_INIT(".-+,/_=");
    size_t at = 0;
    bool has_parts = false;

    if (rest->len == 0 || !is_one_of(ascii_lower(rest->ptr[0]), letters))
        return "unknown macro letter";
    piece->letter = ascii_lower(rest->ptr[0]);
    piece->is_escaped = piece->letter != rest->ptr[0];
    for (at = 1; at < rest->len && ascii_is_digit(rest->ptr[at]); at++) {
        has_parts = true;
        if (piece->parts < SIZE_MAX / 20) /* what is more is more than there are anyway */
            piece->parts = piece->parts * 10 + (size_t)(rest->ptr[at] - '0');
    }
    if (has_parts && piece->parts == 0)
        return "macro that keeps 0 parts";
    if (at < rest->len && ascii_lower(rest->ptr[at]) == 'r') {
        piece->is_reversed = true;
        at++;
    }
    size_t from = at;
    while (at < rest->len && is_one_of(rest->ptr[at], delimiters))
        at++;
    piece->delimiters = slice_part(*rest, from, at - from);
    if (at >= rest->len || rest->ptr[at] != '}')
        return "malformed macro";
    *rest = slice_skip(*rest, at + 1);
    return NULL;
}

static const char *read_macro(struct slice *rest, struct piece *piece)
{
    char what = rest->len > 1 ? rest->ptr[1] : '\0';

    *piece = (struct piece){ .is_macro = true };
    *rest = slice_skip(*rest, 2);
    switch (what) {
    case '%':
        piece->text = SLICE("%");
        return NULL;
    case '_':
        piece->text = SLICE(" ");
        return NULL;
    case '-':
        piece->text = SLICE("%20");
        return NULL;
    case '{':
        return read_braces(rest, piece);
    default:
        return "% that begins no macro";
    }
}

/* The next piece of a text that is not empty: a macro, or all that comes before the next one. */
static const char *read_piece(struct slice *rest, bool allows_blanks, struct piece *piece)
{
    size_t len = 0;

    if (rest->ptr[0] == '%')
        return read_macro(rest, piece);
    while (len < rest->len && rest->ptr[len] != '%') {
        char c = rest->ptr[len];
        if (!ascii_is_print(c) || (c == ' ' && !allows_blanks))
            return "character that is not allowed";
        len++;
    }
    *piece = (struct piece){ .text = slice_part(*rest, 0, len) };
    *rest = slice_skip(*rest, len);
    return NULL;
}

/* Checks all pieces; *last is the last one, or as it was for an empty text. */
static const char *check_pieces(struct slice text, bool is_explanation, struct piece *last)
{
    while (text.len > 0) {
        const char *error = read_piece(&text, is_explanation, last);
        if (error != NULL)
            return error;
        if (!is_explanation && last->letter != '\0' && is_one_of(last->letter, SLICE("crt")))
            return "macro that is for explanations only";
    }
    return NULL;
}

/* toplabel of RFC 7208 7.1: letters, digits and inner hyphens, not digits alone. */
static bool is_top_label(struct slice label)
{
    bool is_number = true;

    if (label.len == 0 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-')
            return false;
        is_number = is_number && ascii_is_digit(label.ptr[i]);
    }
    return !is_number;
}

const char *spf_domain_spec_check(struct slice spec)
{
    struct piece last = { .is_macro = false };
    const char *error;

    if (spec.len == 0)
        return "missing domain";
    error = check_pieces(spec, false, &last);
    if (error != NULL || last.is_macro)
        return error;
    struct slice end = spf_name_without_dot(last.text);
    size_t dot = slice_rfind(end, '.');
    if (dot == SIZE_MAX || !is_top_label(slice_skip(end, dot + 1)))
        return "domain without a top-level domain";
    return NULL;
}

const char *spf_macro_string_check(struct slice text)
{
    struct piece last;
    return check_pieces(text, false, &last);
}

const char *spf_explain_string_check(struct slice text)
{
    struct piece last;
    return check_pieces(text, true, &last);
}

bool spf_macro_uses_validated(struct slice text)
{
    struct piece piece;

    while (text.len > 0) {
        if (read_piece(&text, true, &piece) != NULL)
            return false;
        if (piece.letter == 'p')
            return true;
    }
    return false;
}

size_t spf_macro_dotted(const struct ip_address *address, char out[SPF_DOTTED_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    char text[IP_ADDRESS_TEXT_MAX];
    size_t len = 0;

    if (ip_address_is_ipv4(address)) {
        len = ip_address_print(address, text);
        memcpy(out, text, len);
        return len;
    }
    for (size_t i = 0; i < 16; i++) {
        if (i > 0)
            out[len++] = '.';
        out[len++] = hex[address->bytes[i] >> 4];
        out[len++] = '.';
        out[len++] = hex[address->bytes[i] & 0xf];
    }
    return len;
}

/* ---- expansion ---- */

struct expansion {
    char *data; /* SPF_EXPANSION_MAX bytes */
    size_t len;
    bool keeps_end; /* when there is no room: the beginning goes, not what is to come */
    bool is_cut;
};

static void put(struct expansion *out, char c)
{
    if (out->len == SPF_EXPANSION_MAX) {
        out->is_cut = true;
        if (!out->keeps_end)
            return;
        out->len = SPF_EXPANSION_MAX / 2;
        memmove(out->data, out->data + SPF_EXPANSION_MAX - out->len, out->len);
    }
    out->data[out->len++] = c;
}

static void put_escaped(struct expansion *out, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)c;

    if (ascii_is_alnum(c) || is_one_of(c, SLICE("-._~"))) {
        put(out, c);
        return;
    }
    put(out, '%');
    put(out, hex[byte >> 4]);
    put(out, hex[byte & 0xf]);
}

static void put_part(struct expansion *out, const struct piece *piece, struct slice part)
{
    for (size_t i = 0; i < part.len; i++) {
        if (piece->is_escaped)
            put_escaped(out, part.ptr[i]);
        else
            put(out, part.ptr[i]);
    }
}

static bool is_delimiter(const struct piece *piece, char c)
{
    return piece->delimiters.len > 0 ? is_one_of(c, piece->delimiters) : c == '.';
}

/* Cuts the first (last) part off; false when *rest was the only one. */
static bool cut_first(const struct piece *piece, struct slice *rest, struct slice *part)
{
    size_t at = 0;

    while (at < rest->len && !is_delimiter(piece, rest->ptr[at]))
        at++;
    *part = slice_part(*rest, 0, at);
    if (at == rest->len)
        return false;
    *rest = slice_skip(*rest, at + 1);
    return true;
}

static bool cut_last(const struct piece *piece, struct slice *rest, struct slice *part)
{
    size_t at = rest->len;

    while (at > 0 && !is_delimiter(piece, rest->ptr[at - 1]))
        at--;
    *part = slice_skip(*rest, at);
    if (at == 0)
        return false;
    rest->len = at - 1;
    return true;
}

/* Splits the value, reverses it, keeps the parts on the right and joins them with dots (7.3). Reversed, the parts on the
 * right are the first ones of the value. */
static void put_value(struct expansion *out, const struct piece *piece, struct slice value)
{
    size_t count = 1, drop = 0, at = 0;
    struct slice part;
    bool is_more = true;

    for (size_t i = 0; i < value.len; i++)
        count += is_delimiter(piece, value.ptr[i]);
    if (piece->parts > 0 && piece->parts < count)
        drop = count - piece->parts;
    while (is_more) {
        is_more =
            piece->is_reversed ? cut_last(piece, &value, &part) : cut_first(piece, &value, &part);
        if (at++ < drop)
            continue;
        if (at > drop + 1)
            put(out, '.');
        put_part(out, piece, part);
    }
}

static struct slice or_unknown(struct slice value)
{
    return value.len > 0 ? value : SLICE("unknown");
}

/* What a letter stands for, in `room` where it has to be made. */
static struct slice value_of(char letter, const struct spf_macro_values *values,
                             char room[SPF_DOTTED_MAX + 1])
{
    switch (letter) {
    case 's':
        return values->sender;
    case 'l':
        return values->local;
    case 'o':
        return values->sender_domain;
    case 'd':
        return values->domain;
    case 'h':
        return values->helo_name;
    case 'p':
        return or_unknown(values->validated);
    case 'r':
        return or_unknown(values->receiver);
    case 'v':
        return ip_address_is_ipv4(&values->client) ? SLICE("in-addr") : SLICE("ip6");
    case 'i':
        return (struct slice){ room, spf_macro_dotted(&values->client, room) };
    case 'c':
        return (struct slice){ room, ip_address_print(&values->client, room) };
    default: /* t */
        return (struct slice){ room,
                               (size_t)snprintf(room, SPF_DOTTED_MAX, "%" PRIu64, values->wall_s) };
    }
}

static void expand(struct slice text, const struct spf_macro_values *values, struct expansion *out)
{
    static const struct piece plain = { .is_macro = false };
    char room[SPF_DOTTED_MAX + 1];
    struct piece piece;

    while (text.len > 0 && (out->keeps_end || !out->is_cut)) {
        if (read_piece(&text, true, &piece) != NULL)
            return;
        if (piece.letter == '\0')
            put_part(out, &plain, piece.text);
        else
            put_value(out, &piece, value_of(piece.letter, values, room));
    }
}

struct slice spf_macro_domain(struct slice spec, const struct spf_macro_values *values,
                              char out[SPF_EXPANSION_MAX])
{
    struct expansion expansion = { .data = out, .keeps_end = true };

    expand(spec, values, &expansion);
    struct slice name = spf_name_without_dot((struct slice){ out, expansion.len });
    return spf_name_cut(name, expansion.is_cut);
}

struct slice spf_macro_explain(struct slice text, const struct spf_macro_values *values,
                               char out[SPF_EXPANSION_MAX])
{
    struct expansion expansion = { .data = out };

    expand(text, values, &expansion);
    for (size_t i = 0; i < expansion.len; i++) {
        if (!ascii_is_print(out[i]))
            out[i] = '?';
    }
    return (struct slice){ out, expansion.len };
}
