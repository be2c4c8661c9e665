/* common/mail/ipnet.c - see ipnet.h. */
#include "common/mail/ipnet.h"

#include <arpa/inet.h>

static const unsigned char ipv4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool ip_address_is_ipv4(const struct ip_address *address)
{
    return memcmp(address->bytes, ipv4_prefix, sizeof ipv4_prefix) == 0;
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int ip_address_compare(const struct ip_address *a, const struct ip_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool ip_address_parse(struct slice text, struct ip_address *out)
{
    char copy[IP_ADDRESS_TEXT_MAX];
    struct ip_address address = { { 0 } };

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (memchr(copy, ':', text.len) == NULL) {
        if (inet_pton(AF_INET, copy, address.bytes + sizeof ipv4_prefix) != 1)
            return false;
        memcpy(address.bytes, ipv4_prefix, sizeof ipv4_prefix);
    } else if (inet_pton(AF_INET6, copy, address.bytes) != 1) {
        return false;
    }
    *out = address;
    return true;
}

bool ip_address_parse_literal(struct slice text, struct ip_address *out)
{
    static const struct slice tag = SLICE_INIT("IPv6:");

    if (text.len < 2 || text.ptr[0] != '[' || text.ptr[text.len - 1] != ']')
        return false;
    text = slice_part(text, 1, text.len - 2);
    bool is_tagged = slice_equal_nocase(slice_part(text, 0, tag.len), tag);
    if (is_tagged)
        text = slice_skip(text, tag.len);
    bool has_colon = slice_find(text, ':') != SIZE_MAX;
    return is_tagged == has_colon && ip_address_parse(text, out);
}

size_t ip_address_print(const struct ip_address *address, char out[IP_ADDRESS_TEXT_MAX])
{
    if (ip_address_is_ipv4(address))
        inet_ntop(AF_INET, address->bytes + sizeof ipv4_prefix, out, IP_ADDRESS_TEXT_MAX);
    else
        inet_ntop(AF_INET6, address->bytes, out, IP_ADDRESS_TEXT_MAX);
    return strlen(out);
}

struct ipnet ipnet_of(const struct ip_address *address)
{
    return (struct ipnet){ .address = *address, .bits = 128, .is_set = true };
}

/* Clears all bits after the first `bits`. */
static struct ip_address address_mask(const struct ip_address *address, unsigned bits)
{
    struct ip_address out = *address;

    for (unsigned i = bits / 8; i < 16; i++) {
        unsigned kept = i == bits / 8 ? bits % 8 : 0;
        out.bytes[i] = (unsigned char)(out.bytes[i] & (0xff00u >> kept));
    }
    return out;
}

static bool prefix_length_parse(struct slice text, unsigned most, unsigned *out)
{
    uint64_t bits;

    if (text.len > 3 || (text.len > 1 && text.ptr[0] == '0') || !slice_to_u64(text, &bits) ||
        bits > most)
        return false;
    *out = (unsigned)bits;
    return true;
}

static bool parse_failed(char error[IPNET_ERROR_MAX], const char *text)
{
    if (error != NULL)
        snprintf(error, IPNET_ERROR_MAX, "%s", text);
    return false;
}

bool ipnet_parse(struct slice text, struct ipnet *out, char error[IPNET_ERROR_MAX])
{
    struct ipnet net = { .bits = 128, .is_set = true };
    struct slice bits = text, head = text;
    bool is_network = slice_cut(&bits, '/', &head);

    if (!ip_address_parse(head, &net.address))
        return parse_failed(error, "not an IPv4 or IPv6 address");
    if (is_network) {
        /* ::ffff:192.0.2.0/120 counts in 128 bits, as it is written */
        bool is_dotted = slice_find(head, ':') == SIZE_MAX;
        if (!prefix_length_parse(bits, is_dotted ? 32 : 128, &net.bits))
            return parse_failed(error, is_dotted ? "the prefix length must be 0 to 32"
                                                 : "the prefix length must be 0 to 128");
        if (is_dotted)
            net.bits += IPV4_PREFIX_BITS;
    }
    struct ip_address masked = address_mask(&net.address, net.bits);
    if (!ip_address_equal(&masked, &net.address)) {
        char meant[IPNET_TEXT_MAX];
        net.address = masked;
        ipnet_print(&net, meant);
        if (error != NULL)
            snprintf(error, IPNET_ERROR_MAX,
                     "the address has bits set after the prefix; the network is %s", meant);
        return false;
    }
    *out = net;
    return true;
}

bool ipnet_is_ipv4(const struct ipnet *net)
{
    return net->is_set && net->bits >= IPV4_PREFIX_BITS && ip_address_is_ipv4(&net->address);
}

bool ipnet_equal(const struct ipnet *a, const struct ipnet *b)
{
    return a->is_set == b->is_set && a->bits == b->bits &&
           ip_address_equal(&a->address, &b->address);
}

bool ipnet_contains(const struct ipnet *outer, const struct ipnet *inner)
{
    if (!outer->is_set || !inner->is_set || outer->bits > inner->bits ||
        ipnet_is_ipv4(outer) != ipnet_is_ipv4(inner))
        return false;
    struct ip_address masked = address_mask(&inner->address, outer->bits);
    return ip_address_equal(&masked, &outer->address);
}

struct ipnet ipnet_mask(const struct ipnet *net, unsigned ipv4_bits, unsigned ipv6_bits)
{
    struct ipnet out = *net;
    unsigned most = ipv6_bits;

    if (!net->is_set)
        return out;
    if (ipnet_is_ipv4(net))
        most = ipv4_bits > 32 ? 128 : ipv4_bits + IPV4_PREFIX_BITS;
    if (most < out.bits) {
        out.bits = most;
        out.address = address_mask(&net->address, most);
    }
    return out;
}

size_t ipnet_print(const struct ipnet *net, char out[IPNET_TEXT_MAX])
{
    if (!net->is_set) {
        out[0] = '\0';
        return 0;
    }
    size_t len = ip_address_print(&net->address, out);
    if (net->bits < 128) {
        unsigned bits = net->bits - (ipnet_is_ipv4(net) ? IPV4_PREFIX_BITS : 0);
        len += (size_t)snprintf(out + len, IPNET_TEXT_MAX - len, "/%u", bits);
    }
    return len;
}

/* What IANA's special-purpose registries call not globally reachable, and multicast. 192.88.99.0/24 (6to4 relays, gone)
 * counts too; 64:ff9b::/96 and 2002::/16 do not: real hosts are behind them. */
static const struct {
    struct ip_address address;
    unsigned bits;
    bool is_internal;
} private_nets[] = {
#define V4(a, b, c, d, bits, is_internal)                                                          \
    {                                                                                              \
        { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d } }, 96 + (bits), (is_internal)   \
    }
    V4(0, 0, 0, 0, 8, true), /* this network, RFC 791 */
    V4(10, 0, 0, 0, 8, true), /* private use, RFC 1918 */
    V4(100, 64, 0, 0, 10, true), /* carrier NAT, RFC 6598 */
    V4(127, 0, 0, 0, 8, true), /* loopback, RFC 1122 */
    V4(169, 254, 0, 0, 16, true), /* link-local, RFC 3927 */
    V4(172, 16, 0, 0, 12, true), /* private use, RFC 1918 */
    V4(192, 0, 0, 0, 24, false), /* protocol assignments, RFC 6890 */
    V4(192, 0, 2, 0, 24, false), /* documentation, RFC 5737 */
    V4(192, 88, 99, 0, 24, false), /* 6to4 relays, RFC 7526 */
    V4(192, 168, 0, 0, 16, true), /* private use, RFC 1918 */
    V4(198, 18, 0, 0, 15, false), /* benchmarking, RFC 2544 */
    V4(198, 51, 100, 0, 24, false), /* documentation, RFC 5737 */
    V4(203, 0, 113, 0, 24, false), /* documentation, RFC 5737 */
    V4(224, 0, 0, 0, 4, false), /* multicast, RFC 5771 */
    V4(240, 0, 0, 0, 4, false), /* reserved and broadcast, RFC 1112 */
#undef V4
    { { { 0 } }, 127, true }, /* ::, ::1: unspecified and loopback, RFC 4291 */
    { { { 0x00, 0x64, 0xff, 0x9b, 0, 1 } }, 48, false }, /* local translation, RFC 8215 */
    { { { 0x01, 0 } }, 64, false }, /* discard, RFC 6666 */
    { { { 0x20, 0x01, 0, 0x02 } }, 48, false }, /* benchmarking, RFC 5180 */
    { { { 0x20, 0x01, 0x0d, 0xb8 } }, 32, false }, /* documentation, RFC 3849 */
    { { { 0x3f, 0xff } }, 20, false }, /* documentation, RFC 9637 */
    { { { 0xfc, 0 } }, 7, true }, /* unique local, RFC 4193 */
    { { { 0xfe, 0x80 } }, 10, true }, /* link-local, RFC 4291 */
    { { { 0xff, 0 } }, 8, false }, /* multicast, RFC 4291 */
};

static bool is_in_private_nets(const struct ip_address *address, bool only_internal)
{
    for (size_t i = 0; i < COUNT(private_nets); i++) {
        if (only_internal && !private_nets[i].is_internal)
            continue;
        struct ip_address masked = address_mask(address, private_nets[i].bits);
        if (ip_address_equal(&masked, &private_nets[i].address))
            return true;
    }
    return false;
}

bool ip_address_is_private(const struct ip_address *address)
{
    return is_in_private_nets(address, false);
}

bool ip_address_is_internal(const struct ip_address *address)
{
    return is_in_private_nets(address, true);
}
