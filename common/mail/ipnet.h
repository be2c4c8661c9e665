/* common/mail/ipnet.h - IP addresses and networks, IPv4 and IPv6 in one type. Pure.
 * An IPv4 address is held as ::ffff:a.b.c.d and an IPv4 /24 as /120, yet it lies in IPv4 networks only: 192.0.2.1 is
 * in 0.0.0.0/0 and never in ::/0. */
#ifndef GATEHOUSE_MAIL_IPNET_H
#define GATEHOUSE_MAIL_IPNET_H

#include "common/base/slice.h"

struct ip_address {
    unsigned char bytes[16]; /* network order */
};

/* A network, or with 128 bits one address. A zeroed one is no network at all: nothing lies in it and it lies nowhere. */
struct ipnet {
    struct ip_address address; /* all bits after the first `bits` are 0 */
    unsigned bits; /* 0 to 128; IPv4: 96 to 128 */
    bool is_set;
};

#define IPV4_PREFIX_BITS 96 /* what an IPv4 prefix length has to grow by */

/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no blanks, no leading zeros, no scope. */
bool ip_address_parse(struct slice text, struct ip_address *out);
/* An address literal of RFC 5321 4.1.3, as HELO names and domains have it: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
bool ip_address_parse_literal(struct slice text, struct ip_address *out);
bool ip_address_is_ipv4(const struct ip_address *address);
bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);
int ip_address_compare(const struct ip_address *a, const struct ip_address *b); /* as memcmp */

/* Not reachable from the Internet: private use, loopback, link-local, unique local, carrier NAT, documentation,
 * benchmarking, multicast, unspecified, reserved (the special-purpose registries of RFC 6890). */
bool ip_address_is_private(const struct ip_address *address);
/* Of these the ones that hosts of a site have among themselves: private use, loopback, link-local, unique local, carrier
 * NAT, unspecified. */
bool ip_address_is_internal(const struct ip_address *address);

/* Dotted for IPv4, RFC 5952 for IPv6. Returns the length without the NUL. */
#define IP_ADDRESS_TEXT_MAX 46
size_t ip_address_print(const struct ip_address *address, char out[IP_ADDRESS_TEXT_MAX]);

/* An address or ADDRESS/BITS. A network whose address has bits set after the prefix is refused, and the error names the
 * network that was probably meant. `error` may be NULL; it is written on failure only, and does not repeat `text`. */
#define IPNET_ERROR_MAX 112
bool ipnet_parse(struct slice text, struct ipnet *out, char error[IPNET_ERROR_MAX]);

struct ipnet ipnet_of(const struct ip_address *address); /* with 128 bits */
bool ipnet_is_ipv4(const struct ipnet *net);
bool ipnet_equal(const struct ipnet *a, const struct ipnet *b);
bool ipnet_contains(const struct ipnet *outer, const struct ipnet *inner); /* equal ones too */

/* The network of at most this many bits around `net`: ipnet_mask(&net, 24, 64). Unset stays unset. */
struct ipnet ipnet_mask(const struct ipnet *net, unsigned ipv4_bits, unsigned ipv6_bits);

/* An address without /BITS, a network with; "" when unset. Parses back. Returns the length without the NUL. */
#define IPNET_TEXT_MAX (IP_ADDRESS_TEXT_MAX + 4)
size_t ipnet_print(const struct ipnet *net, char out[IPNET_TEXT_MAX]);

#endif
