/* common/net/redis_url.c - see redis_url.h. */
#include "common/net/redis_url.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fd.h"

enum { SECRETS_FILE_MAX = 4096 };

static const unsigned db_most = 65535;

/* A copy with a NUL; false when it is too long or contains one itself. */
static bool copy_text(struct slice text, char *out, size_t size)
{
    if (text.len >= size || (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
        return false;
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool cut_prefix(struct slice *text, const char *prefix)
{
    struct slice head = slice_of(prefix);

    if (!slice_starts_with(*text, head))
        return false;
    *text = slice_skip(*text, head.len);
    return true;
}

static bool parse_number(struct slice text, uint64_t most, uint64_t *out)
{
    uint64_t number;

    if (!slice_to_u64(text, &number) || number > most)
        return false;
    *out = number;
    return true;
}

static const char *parse_db(struct slice text, struct redis_url *url)
{
    uint64_t db;

    if (!parse_number(text, db_most, &db))
        return "the database is a number from 0 to 65535";
    url->db = (unsigned)db;
    return NULL;
}

/* `?db=N` off the end of *text, if it is there. */
static const char *cut_query(struct slice *text, struct redis_url *url)
{
    struct slice query = *text, head;

    if (!slice_cut(&query, '?', &head))
        return NULL;
    *text = head;
    if (!cut_prefix(&query, "db="))
        return "after ? only db=NUMBER is known";
    return parse_db(query, url);
}

static bool is_host_char(char c)
{
    return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
}

/* host, host:port, [v6]:port */
static const char *parse_host(struct slice text, uint16_t port, struct redis_host *out)
{
    struct slice name = text, rest = { NULL, 0 };
    uint64_t number = port;

    if (cut_prefix(&text, "[")) {
        if (!slice_cut(&text, ']', &name))
            return "[ without ]";
        rest = text;
        if (rest.len > 0 && !cut_prefix(&rest, ":"))
            return "after ] only :PORT may follow";
    } else if (slice_cut(&text, ':', &name)) {
        rest = text;
        if (slice_find(rest, ':') != SIZE_MAX)
            return "an IPv6 address is written in brackets, [::1]:6379";
        if (rest.len == 0)
            return "the port is missing after the colon";
    } else {
        name = text;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_host_char(name.ptr[i]))
            return "a host is a name or an address";
    }
    if (name.len == 0 || !copy_text(name, out->name, sizeof(out->name)))
        return "the host is missing or too long";
    if (rest.len > 0 && (!parse_number(rest, UINT16_MAX, &number) || number == 0))
        return "the port is a number from 1 to 65535";
    out->port = (uint16_t)number;
    return NULL;
}

static const char *cut_user(struct slice *text, struct redis_url *url)
{
    struct slice user;
    size_t at = slice_rfind(*text, '@');

    if (at == SIZE_MAX)
        return NULL;
    user = slice_part(*text, 0, at);
    *text = slice_skip(*text, at + 1);
    if (slice_find(user, ':') != SIZE_MAX)
        return "a password does not belong in the URL, it is read from a file";
    if (user.len == 0 || !copy_text(user, url->user, sizeof(url->user)))
        return "the user is empty or too long";
    return NULL;
}

static const char *parse_unix(struct slice text, struct redis_url *url)
{
    const char *error = cut_query(&text, url);

    if (error != NULL)
        return error;
    if (!slice_starts_with(text, SLICE("/")))
        return "the path is absolute: redis+unix:///path";
    if (!copy_text(text, url->path, sizeof(url->path)))
        return "the path of a socket has at most 107 bytes";
    return NULL;
}

static const char *parse_tcp(struct slice text, struct redis_url *url)
{
    struct slice host;
    const char *error = cut_user(&text, url);

    if (error != NULL)
        return error;
    if (slice_cut(&text, '/', &host)) {
        error = text.len > 0 ? parse_db(text, url) : NULL;
        if (error != NULL)
            return error;
    } else {
        host = text;
    }
    url->host_count = 1;
    return parse_host(host, REDIS_PORT, &url->hosts[0]);
}

static const char *parse_sentinel(struct slice text, struct redis_url *url)
{
    struct slice hosts, host;
    const char *error = cut_user(&text, url);

    if (error == NULL)
        error = cut_query(&text, url);
    if (error != NULL)
        return error;
    if (!slice_cut(&text, '/', &hosts) || text.len == 0)
        return "the name of the master is missing: redis+sentinel://HOST:PORT/NAME";
    if (!copy_text(text, url->master, sizeof(url->master)))
        return "the name of the master is too long";
    while (slice_next(&hosts, ',', &host)) {
        if (url->host_count == REDIS_HOSTS_MAX)
            return "at most 8 sentinels";
        error = parse_host(host, REDIS_SENTINEL_PORT, &url->hosts[url->host_count]);
        if (error != NULL)
            return error;
        url->host_count++;
    }
    return url->host_count == 0 ? "the sentinels are missing" : NULL;
}

bool redis_url_parse(struct slice text, struct redis_url *out, const char **error)
{
    struct redis_url url = { 0 };

    if (cut_prefix(&text, "redis://")) {
        url.kind = REDIS_URL_TCP;
        *error = parse_tcp(text, &url);
    } else if (cut_prefix(&text, "redis+unix://")) {
        url.kind = REDIS_URL_UNIX;
        *error = cut_user(&text, &url);
        if (*error == NULL)
            *error = parse_unix(text, &url);
    } else if (cut_prefix(&text, "redis+sentinel://")) {
        url.kind = REDIS_URL_SENTINEL;
        *error = parse_sentinel(text, &url);
    } else {
        *error = "begins with redis://, redis+unix:// or redis+sentinel://";
    }
    if (*error != NULL)
        return false;
    *out = url;
    return true;
}

static const char *parse_secret_line(struct slice line, struct redis_secrets *secrets)
{
    struct slice name;

    if (slice_trim(line).len == 0 || line.ptr[0] == '#')
        return NULL;
    if (!slice_cut(&line, '=', &name))
        return "after the first line: sentinel_user = NAME or sentinel_password = TEXT";
    name = slice_trim(name);
    line = slice_trim(line);
    if (slice_equal(name, SLICE("sentinel_user")))
        return copy_text(line, secrets->sentinel_user, sizeof(secrets->sentinel_user))
                   ? NULL
                   : "sentinel_user has at most 64 bytes";
    if (slice_equal(name, SLICE("sentinel_password")))
        return copy_text(line, secrets->sentinel_password, sizeof(secrets->sentinel_password))
                   ? NULL
                   : "sentinel_password has at most 128 bytes";
    return "after the first line: sentinel_user = NAME or sentinel_password = TEXT";
}

bool redis_secrets_parse(struct slice text, struct redis_secrets *out, const char **error)
{
    struct redis_secrets secrets = { 0 };
    struct slice line;

    *error = NULL;
    if (!slice_cut(&text, '\n', &line)) {
        line = text;
        text.len = 0;
    }
    if (!copy_text(slice_trim(line), secrets.password, sizeof(secrets.password)))
        *error = "the password has at most 128 bytes";
    while (*error == NULL && text.len > 0) {
        if (!slice_cut(&text, '\n', &line)) {
            line = text;
            text.len = 0;
        }
        *error = parse_secret_line(line, &secrets);
    }
    if (*error != NULL)
        return false;
    *out = secrets;
    return true;
}

bool redis_secrets_read(const char *path, struct redis_secrets *out, const char **error)
{
    char text[SECRETS_FILE_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : fd_read(fd, text, sizeof text);
    bool is_whole = len >= 0 && len <= SECRETS_FILE_MAX;

    if (!is_whole)
        *error = strerror(len < 0 ? errno : EFBIG);
    bool ok = is_whole && redis_secrets_parse((struct slice){ text, (size_t)len }, out, error);
    if (fd >= 0)
        close(fd);
    explicit_bzero(text, sizeof text);
    return ok;
}
