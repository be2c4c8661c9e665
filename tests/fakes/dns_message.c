/* tests/fakes/dns_message.c - see dns_message.h. */
#include "tests/fakes/dns_message.h"

#include <arpa/inet.h>

enum { CLASS_IN = 1, FLAGS = 0x8180, STRING_MAX = 255, TYPE_A = 1, TYPE_AAAA = 28, TYPE_MX = 15 };

void dns_message_put(struct dns_message *message, const void *bytes, size_t len)
{
    if (len > sizeof message->bytes - message->len)
        abort();
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

void dns_message_put_u16(struct dns_message *message, unsigned value)
{
    const unsigned char bytes[] = { (unsigned char)(value >> 8), (unsigned char)value };

    dns_message_put(message, bytes, sizeof bytes);
}

static void put_u32(struct dns_message *message, uint32_t value)
{
    dns_message_put_u16(message, value >> 16);
    dns_message_put_u16(message, value & 0xffff);
}

void dns_message_put_name(struct dns_message *message, const char *name)
{
    struct slice rest = slice_of(name), label;

    while (rest.len > 0 && slice_next(&rest, '.', &label)) {
        unsigned char len = (unsigned char)label.len;
        dns_message_put(message, &len, 1);
        dns_message_put(message, label.ptr, label.len);
    }
    dns_message_put(message, "", 1);
}

void dns_message_set_u16(struct dns_message *message, size_t at, unsigned value)
{
    message->bytes[at] = (unsigned char)(value >> 8);
    message->bytes[at + 1] = (unsigned char)value;
}

static unsigned get_u16(const struct dns_message *message, size_t at)
{
    return (unsigned)message->bytes[at] << 8 | message->bytes[at + 1];
}

void dns_message_begin(struct dns_message *message, const char *name, uint16_t type,
                       enum dns_rcode rcode)
{
    static const unsigned char zeros[DNS_HEADER_SIZE];

    message->len = 0;
    dns_message_put(message, zeros, sizeof zeros);
    dns_message_set_u16(message, 2, FLAGS | rcode);
    dns_message_set_u16(message, 4, 1);
    dns_message_put_name(message, name);
    dns_message_put_u16(message, type);
    dns_message_put_u16(message, CLASS_IN);
}

size_t dns_message_begin_record(struct dns_message *message, enum dns_section section,
                                const char *owner, uint16_t type, uint32_t ttl_s)
{
    dns_message_set_u16(message, section, get_u16(message, section) + 1);
    dns_message_put_name(message, owner);
    dns_message_put_u16(message, type);
    dns_message_put_u16(message, CLASS_IN);
    put_u32(message, ttl_s);
    dns_message_put_u16(message, 0);
    return message->len;
}

void dns_message_end_record(struct dns_message *message, size_t record)
{
    dns_message_set_u16(message, record - 2, (unsigned)(message->len - record));
}

void dns_message_add(struct dns_message *message, const char *owner, uint16_t type, uint32_t ttl_s,
                     const void *data, size_t len)
{
    size_t record = dns_message_begin_record(message, DNS_SECTION_ANSWER, owner, type, ttl_s);

    dns_message_put(message, data, len);
    dns_message_end_record(message, record);
}

void dns_message_add_a(struct dns_message *message, const char *owner, uint32_t ttl_s,
                       const char *address)
{
    struct in_addr bytes;

    if (inet_pton(AF_INET, address, &bytes) != 1)
        abort();
    dns_message_add(message, owner, TYPE_A, ttl_s, &bytes, sizeof bytes);
}

void dns_message_add_aaaa(struct dns_message *message, const char *owner, uint32_t ttl_s,
                          const char *address)
{
    struct in6_addr bytes;

    if (inet_pton(AF_INET6, address, &bytes) != 1)
        abort();
    dns_message_add(message, owner, TYPE_AAAA, ttl_s, &bytes, sizeof bytes);
}

void dns_message_add_mx(struct dns_message *message, const char *owner, uint32_t ttl_s,
                        unsigned preference, const char *exchange)
{
    size_t record = dns_message_begin_record(message, DNS_SECTION_ANSWER, owner, TYPE_MX, ttl_s);

    dns_message_put_u16(message, preference);
    dns_message_put_name(message, exchange);
    dns_message_end_record(message, record);
}

void dns_message_add_name(struct dns_message *message, const char *owner, uint16_t type,
                          uint32_t ttl_s, const char *name)
{
    size_t record = dns_message_begin_record(message, DNS_SECTION_ANSWER, owner, type, ttl_s);

    dns_message_put_name(message, name);
    dns_message_end_record(message, record);
}

void dns_message_add_txt(struct dns_message *message, const char *owner, uint32_t ttl_s,
                         struct slice text)
{
    enum { TYPE_TXT = 16 };
    size_t record = dns_message_begin_record(message, DNS_SECTION_ANSWER, owner, TYPE_TXT, ttl_s);

    do {
        struct slice part = slice_part(text, 0, STRING_MAX);
        unsigned char len = (unsigned char)part.len;
        dns_message_put(message, &len, 1);
        dns_message_put(message, part.ptr, part.len);
        text = slice_skip(text, part.len);
    } while (text.len > 0);
    dns_message_end_record(message, record);
}

void dns_message_add_soa(struct dns_message *message, const char *owner, uint32_t ttl_s,
                         uint32_t minimum_s)
{
    static const uint32_t numbers[] = { 1, 3600, 600, 86400 };
    size_t record = dns_message_begin_record(message, DNS_SECTION_AUTHORITY, owner, RR_SOA, ttl_s);

    dns_message_put_name(message, "ns.example");
    dns_message_put_name(message, "root.example");
    for (size_t i = 0; i < COUNT(numbers); i++)
        put_u32(message, numbers[i]);
    put_u32(message, minimum_s);
    dns_message_end_record(message, record);
}
