/* common/config/common_params.c - see common_params.h. */
#include "common/config/common_params.h"

#include <arpa/inet.h>

const char *const conf_run_mode_words[] = { "enforce", "shadow", NULL };
const char *const conf_log_level_words[] = { "error", "warning", "info", "debug", NULL };
const char *const conf_log_addresses_words[] = { "full", "domain", "hash", NULL };

static bool is_port(struct slice text)
{
    uint64_t port;

    return slice_to_u64(text, &port) && port > 0 && port <= UINT16_MAX;
}

/* HOST:PORT at `offset` of the whole text; an IPv6 address stands in [ ]. */
static bool check_host_port(struct slice text, size_t offset, struct conf_complaint *out)
{
    size_t colon = slice_rfind(text, ':');
    struct slice host = slice_part(text, 0, colon);

    if (colon == SIZE_MAX || host.len == 0)
        return conf_complain(out, offset, "HOST:PORT is expected here");
    if (slice_find(host, ':') != SIZE_MAX && host.ptr[0] != '[')
        return conf_complain(out, offset, "an IPv6 address is written in [ ]");
    if (!is_port(slice_skip(text, colon + 1)))
        return conf_complain(out, offset + colon + 1, "a port is a number from 1 to 65535");
    return true;
}

/* The database number behind a `/`; none at all is 0. */
static bool check_database(struct slice text, size_t offset, struct conf_complaint *out)
{
    uint64_t number;

    if (slice_to_u64(text, &number) && number <= 65535)
        return true;
    return conf_complain(out, offset, "a database is a number from 0 to 65535");
}

/* [user@]host:port[/db] behind redis:// */
static bool check_redis(struct slice text, size_t offset, struct conf_complaint *out)
{
    size_t at = slice_rfind(text, '@');

    if (at != SIZE_MAX) {
        struct slice user = slice_part(text, 0, at);
        if (user.len == 0 || slice_find(user, ':') != SIZE_MAX)
            return conf_complain(out, offset,
                                 "only a user's name stands before the @; the password belongs "
                                 "into store_password_file");
        text = slice_skip(text, at + 1);
        offset += at + 1;
    }
    size_t slash = slice_find(text, '/');
    if (slash != SIZE_MAX && !check_database(slice_skip(text, slash + 1), offset + slash + 1, out))
        return false;
    return check_host_port(slice_part(text, 0, slash), offset, out);
}

/* host:port,host:port/NAME behind redis+sentinel:// */
static bool check_sentinel(struct slice text, size_t offset, struct conf_complaint *out)
{
    size_t slash = slice_find(text, '/');
    struct slice rest = slice_part(text, 0, slash), host;

    if (slash == SIZE_MAX || slash + 1 == text.len)
        return conf_complain(out, offset + text.len,
                             "the name of the master must end it: HOST:PORT,HOST:PORT/NAME");
    while (slice_next(&rest, ',', &host))
        if (!check_host_port(host, offset + (size_t)(host.ptr - text.ptr), out))
            return false;
    return true;
}

bool conf_check_store(struct slice text, struct conf_complaint *out)
{
    struct slice scheme = slice_part(text, 0, slice_find(text, ':'));
    size_t offset = scheme.len + 3;
    struct slice rest = slice_skip(text, offset);

    if (slice_equal(text, SLICE("memory")))
        return true;
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_space(text.ptr[i]))
            return conf_complain(out, i, "a store has no blanks");
    if (slice_starts_with(text, SLICE("redis://")))
        return check_redis(rest, offset, out);
    if (slice_starts_with(text, SLICE("redis+unix://")))
        return (rest.len > 1 && rest.ptr[0] == '/') ||
               conf_complain(out, offset, "the path of the socket must begin with /");
    if (slice_starts_with(text, SLICE("redis+sentinel://")))
        return check_sentinel(rest, offset, out);
    return conf_complain(out, 0,
                         "it must be memory, redis://HOST:PORT/DB, redis+unix:///PATH or "
                         "redis+sentinel://HOST:PORT,HOST:PORT/NAME");
}

bool conf_check_resolver(struct slice text, struct conf_complaint *out)
{
    size_t at = slice_find(text, '@');
    struct slice address = slice_part(text, 0, at);
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr room;

    if (address.len >= sizeof(copy))
        return conf_complain(out, 0, "it must be an IPv4 or IPv6 address");
    memcpy(copy, address.ptr, address.len);
    copy[address.len] = '\0';
    if (inet_pton(AF_INET, copy, &room) != 1 && inet_pton(AF_INET6, copy, &room) != 1)
        return conf_complain(
            out, 0,
            "\"%s\" is neither an IPv4 nor an IPv6 address; a resolver is ADDRESS or ADDRESS@PORT",
            copy);
    if (at != SIZE_MAX && !is_port(slice_skip(text, at + 1)))
        return conf_complain(out, at + 1, "a port is a number from 1 to 65535");
    return true;
}

bool conf_check_log(struct slice text, struct conf_complaint *out)
{
    if (slice_starts_with(text, SLICE("file:")))
        return (text.len > 5 && text.ptr[5] == '/') ||
               conf_complain(out, 5, "the path of the log file must begin with /");
    if (slice_equal(text, SLICE("syslog")) || slice_equal(text, SLICE("journal")) ||
        slice_equal(text, SLICE("stderr")))
        return true;
    return conf_complain(out, 0, "it must be syslog, journal, stderr or file:PATH");
}
