/* tests/fuzz/fuzz_dnsbl_reply.c - masks of DNS lists: a mask that is taken has a weight in its bounds and fits addresses of
 * 127.0.0.0/8 alone; one that is not is told with a place in it. */
#include "policyd/facts/dnsbl_replies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct conf_complaint error = { .offset = SIZE_MAX };
    struct ip_address address = { { [10] = 0xff, 0xff, 127, 0, 0, 0 } };
    struct dnsbl_reply reply;

    if (!dnsbl_reply_parse(text, &reply, &error)) {
        expect(error.offset <= size && error.text[0] != '\0');
        return 0;
    }
    expect(reply.weight >= -DNSBL_WEIGHT_MAX && reply.weight <= DNSBL_WEIGHT_MAX);
    for (size_t at = 13; at < 16; at++) {
        unsigned octet = 0;
        while (octet < 256 && (reply.octets[at - 12][octet / 64] >> (octet % 64) & 1) == 0)
            octet++;
        expect(octet < 256);
        address.bytes[at] = (unsigned char)octet;
    }
    expect(dnsbl_reply_fits(&reply, &address));
    address.bytes[12] = 126;
    expect(!dnsbl_reply_fits(&reply, &address));
    return 0;
}
