/* common/net/http_host.c - see http_host.h. */
#include "common/net/http_host.h"

#include "common/mail/ipnet.h"

/* Without `:PORT`, and without the brackets of an IPv6 address. */
static struct slice without_port(struct slice host)
{
    size_t end = slice_starts_with(host, SLICE("[")) ? slice_find(host, ']') : SIZE_MAX;

    if (end != SIZE_MAX)
        return slice_part(host, 1, end - 1);
    return slice_part(host, 0, slice_find(host, ':'));
}

bool http_host_is_ours(struct slice host, struct slice own_name)
{
    struct slice name = without_port(slice_trim(host));
    struct ip_address address;

    return slice_find(name, '.') == SIZE_MAX || ip_address_parse(name, &address) ||
           (own_name.len > 0 && slice_equal_nocase(name, own_name));
}
