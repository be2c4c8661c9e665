/* signd/auth_results.c - see auth_results.h. */
#include "signd/auth_results.h"

#include <string.h>

/* ---- is it ours? ---- */

enum { ID_MAX = 1024 }; /* bytes looked at, of the part before the first `;` */

/* After a comment that begins at `at`; the end of the text when it does not end. */
static size_t skip_comment(struct slice text, size_t at)
{
    unsigned depth = 0;

    for (; at < text.len; at++) {
        if (text.ptr[at] == '\\')
            at++;
        else if (text.ptr[at] == '(')
            depth++;
        else if (text.ptr[at] == ')' && --depth == 0)
            return at + 1;
    }
    return text.len;
}

/* The part before the first `;` without comments, quotes and white space; `between` stands where there was white space or
 * a comment between two other bytes ('\0': nothing does). */
static size_t reduce(struct slice value, char between, char out[ID_MAX])
{
    bool gap = false;
    size_t len = 0;

    for (size_t at = 0; at < value.len && value.ptr[at] != ';' && len + 2 < ID_MAX;) {
        char c = value.ptr[at];
        if (c == '(') {
            at = skip_comment(value, at);
            gap = true;
            continue;
        }
        at++;
        if (ascii_is_space(c)) {
            gap = true;
        } else if (c != '"' && (c != '\\' || at == value.len)) {
            if (gap && len > 0 && between != '\0')
                out[len++] = between;
            gap = false;
            out[len++] = c;
        }
    }
    return len;
}

/* `id`, perhaps with the dot of an absolute name, then the end, a blank or the slash before a version. */
static bool begins_with_id(struct slice text, struct slice id)
{
    struct slice rest = slice_skip(text, id.len);

    if (text.len < id.len || !slice_equal_nocase(slice_part(text, 0, id.len), id))
        return false;
    if (rest.len > 0 && rest.ptr[0] == '.')
        rest = slice_skip(rest, 1);
    return rest.len == 0 || rest.ptr[0] == ' ' || rest.ptr[0] == '/';
}

/* An encoded word, which no id may hold, is decoded by many who look for an id (RFC 5228 2.7.2 tells Sieve to): it may be
 * ours. */
static bool is_encoded(struct slice value)
{
    struct slice head = slice_part(value, 0, slice_find(value, ';'));

    for (size_t at = 0; at + 1 < head.len; at++)
        if (head.ptr[at] == '=' && head.ptr[at + 1] == '?')
            return true;
    return false;
}

static bool only_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.ptr[i]))
            return false;
    return true;
}

bool auth_results_is_ours(struct slice value, struct slice authserv_id)
{
    char text[ID_MAX];
    size_t len = reduce(value, ' ', text);

    if (is_encoded(value) || begins_with_id((struct slice){ text, len }, authserv_id))
        return true;
    /* "mx.(x)example.com" is an id to whoever takes comments out first; a version may follow it. */
    len = reduce(value, '\0', text);
    struct slice joined = { text, len };
    return len >= authserv_id.len &&
           slice_equal_nocase(slice_part(joined, 0, authserv_id.len), authserv_id) &&
           only_digits(slice_skip(joined, authserv_id.len));
}

/* ---- ours ---- */

/* `atext` of RFC 5322, which a token may hold or the local part of an address. */
static bool is_atom_char(char c)
{
    return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_token_char(char c)
{
    return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-^_`{|}~.", c) != NULL);
}

static bool all(struct slice text, bool (*is_one)(char))
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_one(text.ptr[i]))
            return false;
    return true;
}

/* A token, or local-part@domain, which stand without quotes (RFC 8601 2.2, pvalue). */
static bool is_plain(struct slice value)
{
    size_t at = slice_rfind(value, '@');

    if (at == SIZE_MAX)
        return all(value, is_token_char);
    return all(slice_part(value, 0, at), is_atom_char) &&
           all(slice_skip(value, at + 1), is_token_char);
}

static bool is_utf8_or_print(char c)
{
    return ascii_is_print(c) || (unsigned char)c >= 0x80;
}

/* What a field may hold of it; in quotes unless it is plain. A cut value loses its last UTF-8 character when that was cut
 * in two. */
static int put_value(struct buf *out, struct slice value)
{
    size_t len = value.len > AUTH_VALUE_MAX ? AUTH_VALUE_MAX : value.len;
    int rc = 0;

    while (len > 0 && len < value.len && ((unsigned char)value.ptr[len] & 0xc0) == 0x80)
        len--;
    struct slice cut = slice_part(value, 0, len);
    if (is_plain(cut))
        return buf_add(out, cut);
    rc |= buf_put_char(out, '"');
    for (size_t i = 0; i < cut.len; i++) {
        char c = cut.ptr[i];
        if (!is_utf8_or_print(c))
            continue;
        if (c == '"' || c == '\\')
            rc |= buf_put_char(out, '\\');
        rc |= buf_put_char(out, c);
    }
    rc |= buf_put_char(out, '"');
    return rc;
}

/* In parentheses, without any inside. */
static int put_comment(struct buf *out, struct slice comment)
{
    int rc = buf_put(out, " (");

    for (size_t i = 0; i < comment.len && i < AUTH_COMMENT_MAX; i++) {
        char c = comment.ptr[i];
        if (ascii_is_print(c) && c != '(' && c != ')' && c != '\\')
            rc |= buf_put_char(out, c);
    }
    return rc | buf_put_char(out, ')');
}

static int put_result(struct buf *out, const struct auth_result *result)
{
    int rc = buf_printf(out, ";\n\t%s=%s", result->method, result->result);

    if (result->comment.len > 0)
        rc |= put_comment(out, result->comment);
    for (size_t i = 0; i < result->property_count; i++) {
        const struct auth_property *property = &result->properties[i];
        if (property->value.len == 0)
            continue;
        rc |= buf_printf(out, "%s%s.%s=", i == 2 || i == 4 ? "\n\t " : " ", property->ptype,
                         property->name);
        rc |= put_value(out, property->value);
    }
    return rc;
}

int auth_results_print(struct buf *out, struct slice authserv_id, const struct auth_result *results,
                       size_t count)
{
    int rc = put_value(out, authserv_id);

    if (count == 0)
        return rc | buf_put(out, "; none");
    for (size_t i = 0; i < count; i++) {
        AUTO_BUF one =
            BUF_INIT(AUTH_PROPERTIES_MAX * (2 * AUTH_VALUE_MAX + 64) + AUTH_COMMENT_MAX + 64);
        if (put_result(&one, &results[i]) != 0 || one.len > AUTH_FIELD_MAX - out->len ||
            buf_add(out, buf_slice(&one)) != 0)
            return -1;
    }
    return rc;
}
