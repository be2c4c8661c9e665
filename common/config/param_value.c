/* common/config/param_value.c - see param_value.h. */
#include "common/config/param_value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/un.h>

#include "common/base/suggest.h"
#include "common/base/units.h"

#define PATH_LEN_MAX 4095

bool conf_complain(struct conf_complaint *out, size_t offset, const char *format, ...)
{
    va_list args;

    *out = (struct conf_complaint){ .offset = offset };
    va_start(args, format);
    vsnprintf(out->text, sizeof(out->text), format, args);
    va_end(args);
    return false;
}

/* Long values are cut in messages. */
static struct slice shown(struct slice text)
{
    return slice_part(text, 0, 80);
}

/* ---- numbers ---- */

static struct units_text number_print(enum conf_type type, uint64_t number)
{
    struct units_text out;

    if (type == CONF_TIME)
        return units_print_time(number);
    if (type == CONF_SIZE)
        return units_print_size(number);
    snprintf(out.text, sizeof(out.text), type == CONF_MODE ? "%#04" PRIo64 : "%" PRIu64, number);
    return out;
}

static bool octal_parse(struct slice text, uint64_t *number, const char **error)
{
    uint64_t sum = 0;

    *error = "is no octal number, such as 0660";
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '7')
            return false;
        sum = sum * 8 + (uint64_t)(text.ptr[i] - '0');
    }
    *number = sum;
    return true;
}

static bool integer_parse(struct slice text, uint64_t *number, const char **error)
{
    *error = "is no whole number";
    return slice_to_u64(text, number);
}

static bool number_parse(const struct conf_param *row, struct slice text, uint64_t *number,
                         struct conf_complaint *out)
{
    const char *error = NULL;
    bool ok = row->type == CONF_TIME   ? units_parse_time(text, number, &error)
              : row->type == CONF_SIZE ? units_parse_size(text, number, &error)
              : row->type == CONF_MODE ? octal_parse(text, number, &error)
                                       : integer_parse(text, number, &error);

    if (!ok)
        return conf_complain(
            out, 0, "\"%.*s\" %s%s", SLICE_ARG(shown(text)), error,
            slice_find(text, '#') == SIZE_MAX ? "" : " (a comment needs a line of its own)");
    if (*number < row->least)
        return conf_complain(out, 0, "%.*s is too little: the least is %s", SLICE_ARG(shown(text)),
                             number_print(row->type, row->least).text);
    if (row->most > 0 && *number > row->most)
        return conf_complain(out, 0, "%.*s is too much: the most is %s", SLICE_ARG(shown(text)),
                             number_print(row->type, row->most).text);
    return true;
}

static bool number_set(const struct conf_param *row, struct slice text, void *field,
                       struct conf_complaint *out)
{
    uint64_t number;

    if (!number_parse(row, text, &number, out))
        return false;
    if (row->type == CONF_MODE)
        *(unsigned *)field = (unsigned)number; /* five octal digits at most */
    else
        *(uint64_t *)field = number;
    return true;
}

/* ---- words ---- */

static int words_usage(const struct conf_param *row, struct buf *out)
{
    for (size_t i = 0; row->words[i] != NULL; i++) {
        const char *gap = i == 0 ? "" : row->words[i + 1] == NULL ? " or " : ", ";
        if (buf_printf(out, "%s%s", gap, row->words[i]))
            return -1;
    }
    return 0;
}

static bool boolean_set(struct slice text, bool *field, struct conf_complaint *out)
{
    bool is_yes = slice_equal(text, SLICE("yes"));

    if (!is_yes && !slice_equal(text, SLICE("no")))
        return conf_complain(out, 0, "\"%.*s\" is neither yes nor no", SLICE_ARG(shown(text)));
    *field = is_yes;
    return true;
}

static bool word_set(const struct conf_param *row, struct slice text, unsigned *field,
                     struct conf_complaint *out)
{
    AUTO_BUF all = BUF_INIT(256);
    struct suggest best = suggest_for(text);

    for (unsigned i = 0; row->words[i] != NULL; i++) {
        struct slice word = slice_of(row->words[i]);
        if (slice_equal(text, word)) {
            *field = i;
            return true;
        }
        suggest_offer(&best, word);
    }
    if (best.name.ptr != NULL)
        return conf_complain(out, 0, "\"%.*s\" is unknown; did you mean %.*s?",
                             SLICE_ARG(shown(text)), SLICE_ARG(best.name));
    words_usage(row, &all);
    return conf_complain(out, 0, "\"%.*s\" is unknown; it must be %s", SLICE_ARG(shown(text)),
                         buf_text(&all));
}

/* ---- texts ---- */

static bool text_set(const struct conf_param *row, struct slice text, struct slice *field,
                     struct conf_complaint *out)
{
    if (text.len < row->least)
        return conf_complain(out, 0, "it must have at least %" PRIu64 " bytes", row->least);
    if (row->most > 0 && text.len > row->most)
        return conf_complain(out, 0, "it must have at most %" PRIu64 " bytes", row->most);
    if (row->check != NULL && !row->check(text, out))
        return false;
    *field = text;
    return true;
}

static bool path_set(const struct conf_param *row, struct slice text, struct slice *field,
                     struct conf_complaint *out)
{
    if (text.len > 0 && text.ptr[0] != '/')
        return conf_complain(out, 0, "\"%.*s\" is no absolute path: it must begin with /",
                             SLICE_ARG(shown(text)));
    if (text.len > PATH_LEN_MAX)
        return conf_complain(out, 0, "the path is longer than %d bytes", PATH_LEN_MAX);
    if (text.len > 0 && row->check != NULL && !row->check(text, out))
        return false;
    *field = text;
    return true;
}

/* ---- lists ---- */

static bool is_separator(char c)
{
    return c == ',' || ascii_is_space(c);
}

/* The next item of a list separated by commas or blanks, as in main.cf; empty ones are passed over. */
static bool next_item(struct slice *rest, struct slice *item)
{
    size_t len = 0;

    while (rest->len > 0 && is_separator(rest->ptr[0]))
        *rest = slice_skip(*rest, 1);
    while (len < rest->len && !is_separator(rest->ptr[len]))
        len++;
    *item = slice_part(*rest, 0, len);
    *rest = slice_skip(*rest, len);
    return len > 0;
}

static bool count_items(const struct conf_param *row, struct slice text, size_t *count,
                        struct conf_complaint *out)
{
    struct slice rest = text, item;

    for (*count = 0; next_item(&rest, &item); (*count)++)
        if (row->most > 0 && *count == row->most)
            return conf_complain(out, (size_t)(item.ptr - text.ptr),
                                 "only %" PRIu64 " can be given here", row->most);
    if (*count < row->least)
        return conf_complain(out, 0, "at least %" PRIu64 " must be given", row->least);
    return true;
}

static bool list_set(const struct conf_param *row, struct slice text, struct arena *arena,
                     struct conf_list *field, struct conf_complaint *out)
{
    struct slice rest = text, *items;
    size_t count;

    if (!count_items(row, text, &count, out))
        return false;
    items = arena_alloc_array(arena, count, sizeof(*items));
    if (items == NULL)
        return conf_complain(out, 0, "memory is out");
    for (size_t i = 0; i < count; i++) {
        next_item(&rest, &items[i]);
        if (row->check != NULL && !row->check(items[i], out)) {
            out->offset += (size_t)(items[i].ptr - text.ptr);
            return false;
        }
    }
    *field = (struct conf_list){ items, count };
    return true;
}

/* ---- addresses to listen on ---- */

static bool unix_parse(struct conf_listen *listen, struct conf_complaint *out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct slice path = slice_skip(listen->text, 5);

    if (path.len == 0 || path.ptr[0] != '/')
        return conf_complain(out, 5, "the path of a unix socket must begin with /");
    if (path.len >= sizeof(address.sun_path))
        return conf_complain(out, 5, "the path of a unix socket has at most %zu bytes",
                             sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path.ptr, path.len);
    listen->path = path;
    memcpy(&listen->address, &address, sizeof(address));
    listen->address_len = sizeof(address);
    return true;
}

/* A numeric address in `host`, a port, into the listener. */
static bool inet_fill(struct conf_listen *listen, struct slice host, bool is_ipv6, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    if (is_ipv6 && inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        memcpy(&listen->address, &in6, sizeof(in6));
        listen->address_len = sizeof(in6);
        return true;
    }
    if (!is_ipv6 && inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
        memcpy(&listen->address, &in4, sizeof(in4));
        listen->address_len = sizeof(in4);
        return true;
    }
    return false;
}

static bool inet_parse(struct conf_listen *listen, struct conf_complaint *out)
{
    struct slice host = slice_skip(listen->text, 5);
    size_t colon = slice_rfind(host, ':');
    struct slice port = slice_skip(host, colon == SIZE_MAX ? host.len : colon + 1);
    uint64_t number;
    bool is_ipv6;

    host = slice_part(host, 0, colon);
    if (!slice_to_u64(port, &number) || number == 0 || number > UINT16_MAX)
        return conf_complain(out, 5 + (colon == SIZE_MAX ? host.len : colon + 1),
                             "a port from 1 to 65535 must end it: inet:ADDRESS:PORT");
    is_ipv6 = slice_starts_with(host, SLICE("[")) && slice_ends_with(host, SLICE("]"));
    if (is_ipv6)
        host = slice_part(host, 1, host.len - 2);
    if (!inet_fill(listen, host, is_ipv6, (uint16_t)number))
        return conf_complain(out, 5,
                             "\"%.*s\" is neither an IPv4 address nor an IPv6 address in [ ] "
                             "(all addresses are 0.0.0.0 or [::])",
                             SLICE_ARG(shown(host)));
    return true;
}

static bool listen_parse(struct conf_listen *listen, struct conf_complaint *out)
{
    if (slice_starts_with(listen->text, SLICE("unix:")))
        return unix_parse(listen, out);
    if (slice_starts_with(listen->text, SLICE("inet:")))
        return inet_parse(listen, out);
    return conf_complain(out, 0, "\"%.*s\" is neither unix:PATH nor inet:ADDRESS:PORT",
                         SLICE_ARG(shown(listen->text)));
}

static bool same_address(const struct conf_listen *a, const struct conf_listen *b)
{
    return a->address_len == b->address_len &&
           memcmp(&a->address, &b->address, a->address_len) == 0;
}

static bool listens_set(const struct conf_param *row, struct slice text, struct arena *arena,
                        struct conf_listens *field, struct conf_complaint *out)
{
    struct slice rest = text;
    struct conf_listen *items;
    size_t count;

    if (!count_items(row, text, &count, out))
        return false;
    items = arena_alloc_array(arena, count, sizeof(*items));
    if (items == NULL)
        return conf_complain(out, 0, "memory is out");
    for (size_t i = 0; i < count; i++) {
        next_item(&rest, &items[i].text);
        size_t at = (size_t)(items[i].text.ptr - text.ptr);
        if (!listen_parse(&items[i], out)) {
            out->offset += at;
            return false;
        }
        for (size_t j = 0; j < i; j++)
            if (same_address(&items[i], &items[j]))
                return conf_complain(out, at, "%.*s is given twice",
                                     SLICE_ARG(shown(items[i].text)));
    }
    *field = (struct conf_listens){ items, count };
    return true;
}

/* ---- any value ---- */

static bool may_be_empty(const struct conf_param *row)
{
    switch (row->type) {
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_LIST:
    case CONF_LISTEN:
        return row->least == 0 && row->initial != NULL;
    case CONF_PAIRS:
        return true;
    case CONF_BOOLEAN:
    case CONF_INTEGER:
    case CONF_SIZE:
    case CONF_TIME:
    case CONF_MODE:
    case CONF_WORD:
        break;
    }
    return false;
}

bool param_value_parse(const struct conf_param *row, struct slice text, struct arena *arena,
                       void *field, struct conf_complaint *out)
{
    if (text.len == 0 && !may_be_empty(row))
        return conf_complain(out, 0, "a value is missing");
    switch (row->type) {
    case CONF_BOOLEAN:
        return boolean_set(text, field, out);
    case CONF_INTEGER:
    case CONF_SIZE:
    case CONF_TIME:
    case CONF_MODE:
        return number_set(row, text, field, out);
    case CONF_WORD:
        return word_set(row, text, field, out);
    case CONF_TEXT:
        return text_set(row, text, field, out);
    case CONF_PATH:
        return path_set(row, text, field, out);
    case CONF_LIST:
        return list_set(row, text, arena, field, out);
    case CONF_LISTEN:
        return listens_set(row, text, arena, field, out);
    case CONF_PAIRS:
        break;
    }
    return conf_complain(out, 0, "it has no value of its own");
}

/* The numbers behind two texts; words and texts are what is written. */
bool param_value_equal(const struct conf_param *row, struct slice a, struct slice b)
{
    struct conf_complaint unused;
    uint64_t number_a, number_b;
    bool is_number = row->type == CONF_INTEGER || row->type == CONF_SIZE ||
                     row->type == CONF_TIME || row->type == CONF_MODE;

    if (slice_equal(a, b))
        return true;
    return is_number && number_parse(row, a, &number_a, &unused) &&
           number_parse(row, b, &number_b, &unused) && number_a == number_b;
}

size_t param_value_size(enum conf_type type)
{
    static const size_t sizes[] = {
        [CONF_BOOLEAN] = sizeof(bool),
        [CONF_INTEGER] = sizeof(uint64_t),
        [CONF_SIZE] = sizeof(uint64_t),
        [CONF_TIME] = sizeof(uint64_t),
        [CONF_MODE] = sizeof(unsigned),
        [CONF_WORD] = sizeof(unsigned),
        [CONF_TEXT] = sizeof(struct slice),
        [CONF_PATH] = sizeof(struct slice),
        [CONF_LIST] = sizeof(struct conf_list),
        [CONF_LISTEN] = sizeof(struct conf_listens),
        [CONF_PAIRS] = sizeof(struct conf_pairs),
    };

    return sizes[type];
}

static int range_usage(const struct conf_param *row, const char *type, struct buf *out)
{
    if (row->most > 0)
        return buf_printf(out, "%s, %s to %s", type, number_print(row->type, row->least).text,
                          number_print(row->type, row->most).text);
    if (row->least > 0)
        return buf_printf(out, "%s, %s or more", type, number_print(row->type, row->least).text);
    return buf_put(out, type);
}

static int list_usage(const struct conf_param *row, const char *one, const char *many,
                      struct buf *out)
{
    if (row->most == 1)
        return buf_put(out, one);
    if (row->least > 0 || row->most == 0)
        return range_usage(row, many, out);
    return buf_printf(out, "%s, at most %" PRIu64, many, row->most);
}

int param_value_usage(const struct conf_param *row, struct buf *out)
{
    switch (row->type) {
    case CONF_BOOLEAN:
        return buf_put(out, "yes or no");
    case CONF_INTEGER:
        return range_usage(row, "number", out);
    case CONF_SIZE:
        return range_usage(row, "size", out);
    case CONF_TIME:
        return range_usage(row, "time", out);
    case CONF_MODE:
        return range_usage(row, "octal permissions", out);
    case CONF_WORD:
        return words_usage(row, out);
    case CONF_TEXT:
        return buf_put(out, "text");
    case CONF_PATH:
        return buf_put(out, "file name");
    case CONF_LIST:
        return list_usage(row, "text", "list", out);
    case CONF_LISTEN:
        return list_usage(row, "address", "addresses", out);
    case CONF_PAIRS:
        break;
    }
    return buf_put(out, "any number of lines");
}

int param_example_name(const struct conf_param *row, struct buf *out)
{
    struct slice name = slice_of(row->name);
    size_t star = row->star == NULL ? SIZE_MAX : slice_find(name, '*');

    if (star == SIZE_MAX)
        return buf_add(out, name);
    return buf_add(out, slice_part(name, 0, star)) || buf_put(out, row->star) ? -1 : 0;
}
