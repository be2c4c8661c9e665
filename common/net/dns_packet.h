/* common/net/dns_packet.h - DNS answers (RFC 1035) as records, and names as text. Pure but for the arena; nothing that a
 * packet says about lengths, counts or offsets is believed.
 *
 * Names as text: labels separated by dots, no final dot, the root is "". What is asked for is taken byte for byte, so any
 * byte but the dot may stand in a label. Names out of answers are in lower case, and a byte that no host name has (a dot
 * inside a label, a backslash, what is not printable ASCII) is shown as \DDD. */
#ifndef GATEHOUSE_NET_DNS_PACKET_H
#define GATEHOUSE_NET_DNS_PACKET_H

#include "common/base/arena.h"
#include "common/mail/ipnet.h"

/* Their numbers on the wire. */
enum dns_type {
    RR_A = 1,
    RR_PTR = 12,
    RR_MX = 15,
    RR_TXT = 16,
    RR_AAAA = 28,
};

enum dns_status {
    DNS_DATA, /* there are records */
    DNS_NO_DATA, /* the name exists, without such records */
    DNS_NO_DOMAIN, /* the name does not exist */
    DNS_FAILED, /* nothing is known: no evidence of anything */
};

/* Why it failed. */
enum dns_failure {
    DNS_FAILURE_NONE,
    DNS_FAILURE_SERVER, /* the resolver could not (SERVFAIL, REFUSED, bogus), or is not there */
    DNS_FAILURE_TIMEOUT,
    DNS_FAILURE_GARBLED, /* the answer makes no sense */
    DNS_FAILURE_OVERLOAD, /* too many questions in flight */
    DNS_FAILURE_MEMORY, /* the asker's arena is full, or memory is out */
    DNS_FAILURES
};

enum {
    DNS_NAME_TEXT_MAX = 1016, /* bytes of a name as text, all of them shown as \DDD */
    DNS_NAME_MAX = 253, /* bytes of a name that can be asked for */
    DNS_LABEL_MAX = 63,
    DNS_RECORDS_MAX = 256, /* of one answer; further ones are left out */
    DNS_CHAIN_MAX = 16, /* CNAMEs in a row */
    DNS_PACKET_MAX = 65535,
};

struct dns_record {
    struct ip_address address; /* A, AAAA */
    uint16_t preference; /* MX */
    /* MX: the exchange, "" the null MX (RFC 7505); PTR: the name; TXT: its strings joined, any bytes. */
    struct slice text;
};

struct dns_answer {
    enum dns_status status;
    enum dns_failure failure; /* when status is DNS_FAILED */
    /* Seconds it may be kept: the least of all records used, of the SOA (RFC 2308) when there are none. */
    uint32_t ttl_s;
    /* The name that the records belong to, at the end of the CNAMEs; absent when it failed. */
    struct slice name;
    const struct dns_record *records; /* in the order of the answer */
    size_t count; /* 0 unless status is DNS_DATA */
    bool is_cut; /* there were more than DNS_RECORDS_MAX */
};

/* The answer to one question for `type`. Everything in *out lives in `arena`. Records of other names or types are left
 * out. CNAMEs are followed where they stand before what they point to, as libunbound writes them. A packet that is cut
 * off, has another type in its question or loops is DNS_FAILURE_GARBLED, never part of an answer. */
void dns_packet_parse(struct slice packet, enum dns_type type, struct arena *arena,
                      struct dns_answer *out);

/* Can the name exist? (RFC 1035 2.3.4: labels of 1 to 63 bytes, 253 with the dots.) One final dot is allowed. */
bool dns_name_is_valid(struct slice name);

/* The name in RFC 1035's master file form: lower case, \DDD where a byte is none of [a-z0-9_-]. The name must be valid.
 * Returns its length without the NUL. */
size_t dns_name_escape(struct slice name, char out[DNS_NAME_TEXT_MAX + 1]);

/* The address backwards, as block lists and PTR have it: "4.3.2.1" of 1.2.3.4, 32 nibbles of an IPv6 address, then a dot
 * and `zone` when that is not empty. Returns the length without the NUL; 0: longer than DNS_NAME_MAX. */
size_t dns_reverse_name(const struct ip_address *address, struct slice zone,
                        char out[DNS_NAME_MAX + 1]);

#endif
