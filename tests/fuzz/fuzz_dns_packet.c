/* tests/fuzz/fuzz_dns_packet.c - any bytes as a DNS answer, of each type; and as a name to ask for. */
#include "common/net/dns_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum; /* so that all bytes of an answer are read */

static void check_answer(struct slice packet, enum dns_type type, struct arena *arena)
{
    struct dns_answer answer;

    dns_packet_parse(packet, type, arena, &answer);
    if ((answer.status == DNS_DATA) != (answer.count > 0) || answer.count > DNS_RECORDS_MAX ||
        (answer.status == DNS_FAILED) != (answer.failure != DNS_FAILURE_NONE))
        abort();
    if (answer.name.len > DNS_NAME_TEXT_MAX)
        abort();
    for (size_t i = 0; i < answer.count; i++) {
        struct slice text = answer.records[i].text;
        if (text.len > (type == RR_TXT ? DNS_PACKET_MAX : DNS_NAME_TEXT_MAX))
            abort();
        for (size_t at = 0; at < text.len; at++)
            sum += (unsigned char)text.ptr[at];
    }
}

static void check_name(struct slice name)
{
    char text[DNS_NAME_TEXT_MAX + 1];

    if (!dns_name_is_valid(name))
        return;
    size_t len = dns_name_escape(name, text);
    if (len > DNS_NAME_TEXT_MAX || text[len] != '\0' || strlen(text) != len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { RR_A, RR_AAAA, RR_MX, RR_TXT, RR_PTR };
    struct slice bytes = { (const char *)data, size };
    struct arena *arena = arena_new(1 << 20);

    if (arena == NULL || size > DNS_PACKET_MAX) {
        arena_free(&arena);
        return 0;
    }
    for (size_t i = 0; i < COUNT(types); i++)
        check_answer(bytes, types[i], arena);
    check_name(bytes);
    arena_free(&arena);
    return 0;
}
