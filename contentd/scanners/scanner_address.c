/* contentd/scanners/scanner_address.c - see scanner_address.h. */
#include "contentd/scanners/scanner_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool unix_parse(struct slice path, struct scanner_address *out, const char **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (path.len == 0 || path.ptr[0] != '/') {
        *error = "the path of a unix socket must begin with /";
        return false;
    }
    if (path.len >= sizeof(address.sun_path)) {
        *error = "the path of a unix socket has at most 107 bytes";
        return false;
    }
    memcpy(address.sun_path, path.ptr, path.len);
    memcpy(&out->socket, &address, sizeof(address));
    out->length = sizeof(address);
    return true;
}

bool scanner_address_numeric(const char *text, uint16_t port, struct sockaddr_storage *socket,
                             socklen_t *length)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (inet_pton(AF_INET, text, &in4.sin_addr) == 1) {
        memcpy(socket, &in4, sizeof(in4));
        *length = sizeof(in4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
        memcpy(socket, &in6, sizeof(in6));
        *length = sizeof(in6);
        return true;
    }
    return false;
}

static bool is_host_name(struct slice host)
{
    if (host.len == 0 || host.len >= SCANNER_HOST_SIZE || host.ptr[0] == '-' || host.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!ascii_is_alnum(host.ptr[i]) && memchr("-._", host.ptr[i], 3) == NULL)
            return false;
    return true;
}

static bool inet_parse(struct slice rest, struct scanner_address *out, const char **error)
{
    size_t colon = slice_rfind(rest, ':');
    struct slice host = slice_part(rest, 0, colon);
    bool is_ipv6 = slice_starts_with(host, SLICE("[")) && slice_ends_with(host, SLICE("]"));
    uint64_t port;

    if (colon == SIZE_MAX || !slice_to_u64(slice_skip(rest, colon + 1), &port) || port == 0 ||
        port > UINT16_MAX) {
        *error = "a port from 1 to 65535 must end it: inet:HOST:PORT";
        return false;
    }
    if (is_ipv6)
        host = slice_part(host, 1, host.len - 2);
    out->port = (uint16_t)port;
    if (host.len < sizeof(out->name))
        memcpy(out->name, host.ptr, host.len);
    if (scanner_address_numeric(out->name, out->port, &out->socket, &out->length)) {
        if ((out->socket.ss_family == AF_INET6) == is_ipv6) {
            out->name[0] = '\0';
            return true;
        }
    } else if (!is_ipv6 && is_host_name(host)) {
        return true;
    }
    *error = "the host is neither a name nor an IPv4 address nor an IPv6 address in [ ]";
    return false;
}

bool scanner_address_parse(struct slice text, struct scanner_address *out, const char **error)
{
    struct scanner_address address = { .port = 0 };
    bool is_ok = false;

    *error = "it is neither unix:PATH nor inet:HOST:PORT";
    if (text.len >= sizeof(address.text))
        *error = "it is too long";
    else if (slice_starts_with(text, SLICE("unix:")))
        is_ok = unix_parse(slice_skip(text, 5), &address, error);
    else if (slice_starts_with(text, SLICE("inet:")))
        is_ok = inet_parse(slice_skip(text, 5), &address, error);
    if (!is_ok)
        return false;
    memcpy(address.text, text.ptr, text.len);
    *out = address;
    return true;
}

const char *scanner_address_host(const struct scanner_address *address)
{
    return address->port == 0 ? "localhost" : address->text + 5;
}
