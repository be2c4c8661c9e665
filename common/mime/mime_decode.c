/* common/mime/mime_decode.c - see mime_decode.h. */
#include "common/mime/mime_decode.h"

#include <gmime/gmime.h>

static GMimeParserOptions *options; /* read-only once made */

void mime_decode_init(void)
{
    if (options != NULL)
        return;
    g_mime_init();
    options = g_mime_parser_options_new();
}

/* As a C string, unfolded: a line end goes, what follows it is a blank; NUL bytes become blanks. In `arena`; NULL: memory is
 * out. */
static char *plain(struct arena *arena, struct slice raw)
{
    char *text;
    size_t len = 0;

    raw = slice_part(raw, 0, MIME_VALUE_MAX);
    text = arena_alloc(arena, raw.len + 1);
    for (size_t i = 0; text != NULL && i < raw.len; i++)
        if (raw.ptr[i] != '\r' && raw.ptr[i] != '\n')
            text[len++] = raw.ptr[i] == '\0' ? ' ' : raw.ptr[i];
    return text;
}

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Whole characters, MIME_NAME_MAX bytes at most: the first of them. */
static struct slice beginning_of(struct slice line)
{
    if (line.len > MIME_NAME_MAX) {
        line.len = MIME_NAME_MAX;
        while (line.len > 0 && is_inside_character(line.ptr[line.len]))
            line.len--;
    }
    return line;
}

/* The last of them: what a file is, its name says at the end. */
static struct slice end_of(struct slice line)
{
    line = slice_skip(line, line.len > MIME_NAME_MAX ? line.len - MIME_NAME_MAX : 0);
    while (line.len > 0 && is_inside_character(line.ptr[0]))
        line = slice_skip(line, 1);
    return line;
}

/* What GMime gave, in one line, without control characters. */
static struct slice clean(struct arena *arena, struct slice line)
{
    struct slice out;
    char *bytes;

    if (line.ptr == NULL)
        return line;
    bytes = arena_alloc(arena, line.len + 1);
    if (bytes == NULL)
        return (struct slice){ NULL, 0 };
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        bytes[i] = c < 0x20 || c == 0x7f ? ' ' : line.ptr[i];
    }
    out = slice_trim((struct slice){ bytes, line.len });
    return out.len == 0 ? (struct slice){ NULL, 0 } : out;
}

static struct slice take(struct arena *arena, const char *text)
{
    return clean(arena, beginning_of(slice_of(text)));
}

struct slice mime_decode_text(struct arena *arena, struct slice raw)
{
    char *text = plain(arena, raw), *decoded;
    struct slice out = { NULL, 0 };

    if (text == NULL)
        return out;
    decoded = g_mime_utils_header_decode_text(options, text);
    out = take(arena, decoded);
    g_free(decoded);
    return out;
}

uint64_t mime_decode_date(struct slice raw)
{
    char text[200];
    GDateTime *date;
    gint64 seconds;

    snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_part(slice_trim(raw), 0, sizeof text - 1)));
    date = g_mime_utils_header_decode_date(text);
    if (date == NULL)
        return 0;
    seconds = g_date_time_to_unix(date);
    g_date_time_unref(date);
    return seconds > 0 ? (uint64_t)seconds : 0;
}

/* ---- addresses ---- */

struct seeing {
    struct arena *arena;
    mime_see_mailbox *see;
    void *arg;
    size_t count;
    struct slice group; /* name of the innermost one */
};

static void see_one(struct seeing *seeing, InternetAddress *one)
{
    struct slice name = take(seeing->arena, internet_address_get_name(one));

    seeing->count++;
    if (seeing->see != NULL)
        seeing->see(
            seeing->arg,
            take(seeing->arena, internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(one))),
            name.ptr == NULL ? seeing->group : name);
}

/* Groups may stand in groups: not deeper than MIME_VALUE_MAX lets them. */
static void see_list(struct seeing *seeing, InternetAddressList *list)
{
    int count = list == NULL ? 0 : internet_address_list_length(list);

    for (int i = 0; i < count && seeing->count < MIME_ADDRESSES_MAX; i++) {
        InternetAddress *one = internet_address_list_get_address(list, i);
        struct slice outer = seeing->group;
        if (!INTERNET_ADDRESS_IS_GROUP(one)) {
            see_one(seeing, one);
            continue;
        }
        seeing->group = take(seeing->arena, internet_address_get_name(one));
        see_list(seeing, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one)));
        seeing->group = outer;
    }
}

/* How many ")" end every comment that may begin in the text; 0 when each has its own. GMime forgets the memory of an address whose
 * comment does not end (up to MIME_VALUE_MAX bytes of each field). */
static size_t missing_ends(const char *text)
{
    size_t opened = 0, closed = 0, missing = 0;

    for (size_t i = strlen(text); i-- > 0;) {
        closed += text[i] == ')' && (i == 0 || text[i - 1] != '\\');
        opened += text[i] == '(';
        if (opened > closed && opened - closed > missing)
            missing = opened - closed;
    }
    return missing;
}

/* NULL: memory is out. */
static char *with_comments_ended(struct arena *arena, char *text)
{
    size_t len = strlen(text), missing = missing_ends(text);
    char *out = missing == 0 ? text : arena_alloc(arena, len + 1 + missing + 1);

    if (missing == 0 || out == NULL)
        return out;
    memcpy(out, text, len);
    out[len] = ' '; /* after a backslash at the end */
    memset(out + len + 1, ')', missing);
    return out;
}

/* Puts `to` for every `from` that is neither quoted nor in a comment; whether there was one. */
static bool replace_bare(char *text, char from, char to)
{
    bool is_quoted = false, found = false;
    size_t comments = 0;

    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0' && (is_quoted || comments > 0)) {
            at++;
        } else if (*at == '"' && comments == 0) {
            is_quoted = !is_quoted;
        } else if (!is_quoted && *at == '(') {
            comments++;
        } else if (!is_quoted && *at == ')' && comments > 0) {
            comments--;
        } else if (!is_quoted && comments == 0 && *at == from) {
            *at = to;
            found = true;
        }
    }
    return found;
}

/* A semicolon ends a group; where there is none, some programs show another mailbox behind it, as behind a comma. Changes `text`. */
static void separate_mailboxes(char *text)
{
    if (!replace_bare(text, ':', ':'))
        replace_bare(text, ';', ',');
}

size_t mime_decode_mailboxes(struct arena *arena, struct slice raw, mime_see_mailbox *see,
                             void *arg)
{
    struct seeing seeing = { .arena = arena, .see = see, .arg = arg };
    char *text = plain(arena, raw);

    if (text != NULL) {
        separate_mailboxes(text);
        text = with_comments_ended(arena, text);
    }
    InternetAddressList *list = text == NULL ? NULL : internet_address_list_parse(options, text);
    see_list(&seeing, list);
    if (list != NULL)
        g_object_unref(list);
    return seeing.count;
}

/* ---- Content-* ---- */

/* The boundary as it stands there. GMime decodes a parameter that looks like an encoded word (=?...), which no mail program
 * does with a boundary: parts could hide behind it. So it is not shown the question marks. Changes `text`. */
static struct slice literal_boundary(struct arena *arena, char *text)
{
    enum { STAND_IN = 1 };
    struct slice boundary = { NULL, 0 }, copy;

    for (char *at = text; (at = strstr(at, "=?")) != NULL;)
        at[1] = STAND_IN;
    GMimeContentType *parsed = g_mime_content_type_parse(options, text);
    if (parsed == NULL)
        return boundary;
    copy = arena_copy(arena, slice_of(g_mime_content_type_get_parameter(parsed, "boundary")));
    char *bytes = plain(arena, copy);
    for (size_t i = 0; bytes != NULL && bytes[i] != '\0'; i++)
        if (bytes[i] == STAND_IN)
            bytes[i] = '?';
    g_object_unref(parsed);
    return copy.ptr == NULL ? boundary : take(arena, bytes);
}

/* A type that is none counts as text/plain (RFC 2045 5.2). GMime drops its parameters with it; mail programs look at them. */
static char *with_type(struct arena *arena, char *text)
{
    size_t type_len = strcspn(text, ";");
    struct slice whole;

    if (memchr(text, '/', type_len) != NULL)
        return text;
    whole = arena_printf(arena, "text/plain%s", text + type_len);
    return whole.ptr == NULL ? NULL : plain(arena, whole);
}

bool mime_decode_type(struct arena *arena, struct slice raw, struct mime_type *out)
{
    char *text = plain(arena, raw), *type;
    GMimeContentType *parsed;

    *out = (struct mime_type){ .type = { NULL, 0 } };
    if (text != NULL)
        text = with_type(arena, text);
    parsed = text == NULL ? NULL : g_mime_content_type_parse(options, text);
    if (parsed == NULL)
        return text != NULL;
    type = g_mime_content_type_get_mime_type(parsed);
    for (char *c = type; c != NULL && *c != '\0'; c++)
        *c = ascii_lower(*c);
    out->type = take(arena, type);
    if (strstr(text, "=?") != NULL)
        out->boundary = literal_boundary(arena, text);
    if (out->boundary.ptr == NULL)
        out->boundary = take(arena, g_mime_content_type_get_parameter(parsed, "boundary"));
    g_free(type);
    g_object_unref(parsed);
    return true;
}

static const char *const name_parameters[] = { "filename", "name" };

bool mime_decode_disposition(struct arena *arena, struct slice raw, struct mime_disposition *out)
{
    char *text = plain(arena, raw);
    GMimeContentDisposition *parsed;

    *out = (struct mime_disposition){ .is_attachment = false };
    parsed = text == NULL ? NULL : g_mime_content_disposition_parse(options, text);
    if (parsed == NULL)
        return text != NULL;
    out->is_attachment = g_mime_content_disposition_is_attachment(parsed);
    for (size_t i = 0; i < COUNT(out->names); i++) {
        const char *name = g_mime_content_disposition_get_parameter(parsed, name_parameters[i]);
        out->names[i] = clean(arena, end_of(slice_of(name)));
    }
    g_object_unref(parsed);
    return true;
}
