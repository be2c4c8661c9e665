/* tests/fakes/dns_message.h - DNS packets made by hand: good ones and, with dns_message_put(), any others. */
#ifndef GATEHOUSE_TESTS_DNS_MESSAGE_H
#define GATEHOUSE_TESTS_DNS_MESSAGE_H

#include <stdint.h>

#include "common/base/slice.h"

enum { DNS_MESSAGE_MAX = 65535, DNS_HEADER_SIZE = 12 };
enum dns_section { DNS_SECTION_ANSWER = 6, DNS_SECTION_AUTHORITY = 8 }; /* where its count is */
enum dns_rcode { RCODE_OK = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };
enum { RR_CNAME = 5, RR_SOA = 6 };

struct dns_message {
    size_t len;
    unsigned char bytes[DNS_MESSAGE_MAX];
};

/* Header (QR, RD, RA) and question. */
void dns_message_begin(struct dns_message *message, const char *name, uint16_t type,
                       enum dns_rcode rcode);

void dns_message_put(struct dns_message *message, const void *bytes, size_t len);
void dns_message_put_u16(struct dns_message *message, unsigned value);
void dns_message_put_name(struct dns_message *message, const char *name); /* not compressed */
void dns_message_set_u16(struct dns_message *message, size_t at, unsigned value);

/* Head of a record; its data are put next, and then dns_message_end_record() sets their length. */
size_t dns_message_begin_record(struct dns_message *message, enum dns_section section,
                                const char *owner, uint16_t type, uint32_t ttl_s);
void dns_message_end_record(struct dns_message *message, size_t record);

/* Whole records. */
void dns_message_add(struct dns_message *message, const char *owner, uint16_t type, uint32_t ttl_s,
                     const void *data, size_t len);
void dns_message_add_a(struct dns_message *message, const char *owner, uint32_t ttl_s,
                       const char *address);
void dns_message_add_aaaa(struct dns_message *message, const char *owner, uint32_t ttl_s,
                          const char *address);
void dns_message_add_mx(struct dns_message *message, const char *owner, uint32_t ttl_s,
                        unsigned preference, const char *exchange);
void dns_message_add_name(struct dns_message *message, const char *owner, uint16_t type,
                          uint32_t ttl_s, const char *name); /* CNAME, PTR */
void dns_message_add_txt(struct dns_message *message, const char *owner, uint32_t ttl_s,
                         struct slice text); /* in strings of 255 */
void dns_message_add_soa(struct dns_message *message, const char *owner, uint32_t ttl_s,
                         uint32_t minimum_s);

#endif
