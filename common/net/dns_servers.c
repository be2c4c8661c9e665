/* common/net/dns_servers.c - see dns_servers.h. */
#include "common/net/dns_servers.h"

#include <netdb.h>

enum { ADDRESS_TEXT_MAX = 64, PORT_TEXT_MAX = 6, FILE_SIZE_MAX = 1 << 16 };

bool dns_servers_add(struct dns_servers *servers, struct slice text)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                              .ai_socktype = SOCK_DGRAM },
                    *found;
    char address[ADDRESS_TEXT_MAX], port[PORT_TEXT_MAX];
    size_t at = slice_find(text, '@');
    struct slice host = slice_part(text, 0, at);
    struct slice service = at == SIZE_MAX ? SLICE("53") : slice_skip(text, at + 1);
    uint64_t number;

    if (servers->count == DNS_SERVERS_MAX || host.len >= sizeof address ||
        service.len >= sizeof port || !slice_to_u64(service, &number) || number == 0 ||
        number > UINT16_MAX)
        return false;
    snprintf(address, sizeof address, "%.*s", SLICE_ARG(host));
    snprintf(port, sizeof port, "%.*s", SLICE_ARG(service));
    if (getaddrinfo(address, port, &hints, &found) != 0)
        return false;
    memcpy(&servers->addresses[servers->count], found->ai_addr, found->ai_addrlen);
    servers->lengths[servers->count++] = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

void dns_servers_parse(struct dns_servers *servers, struct slice resolv_conf)
{
    static const struct slice keyword = SLICE_INIT("nameserver");
    struct slice line;

    servers->count = 0;
    while (slice_next(&resolv_conf, '\n', &line)) {
        struct slice rest = slice_skip(line, keyword.len);
        if (!slice_starts_with(line, keyword) || rest.len == 0 || !ascii_is_space(rest.ptr[0]))
            continue;
        rest = slice_trim(rest);
        size_t end = 0;
        while (end < rest.len && !ascii_is_space(rest.ptr[end]))
            end++;
        dns_servers_add(servers, slice_part(rest, 0, end));
    }
    if (servers->count == 0)
        dns_servers_add(servers, SLICE("127.0.0.1"));
}

void dns_servers_read(struct dns_servers *servers, const char *path)
{
    char text[FILE_SIZE_MAX];
    FILE *file = fopen(path, "re");
    size_t len = 0;

    if (file != NULL) {
        len = fread(text, 1, sizeof text, file);
        fclose(file);
    }
    dns_servers_parse(servers, (struct slice){ text, len });
}

int dns_servers_print(const struct dns_servers *servers, size_t index, struct buf *out)
{
    const struct sockaddr *address = (const void *)&servers->addresses[index];
    char host[ADDRESS_TEXT_MAX], port[PORT_TEXT_MAX];

    if (getnameinfo(address, servers->lengths[index], host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return -1;
    return buf_printf(out, "%s@%s", host, port);
}
