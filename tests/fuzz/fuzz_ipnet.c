/* tests/fuzz/fuzz_ipnet.c - what is read as an address or network prints to a text that reads as the same. */
#include "common/mail/ipnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct ipnet net, again, outer;
    struct ip_address literal;
    char error[IPNET_ERROR_MAX] = "", printed[IPNET_TEXT_MAX];

    if (ip_address_parse_literal(text, &literal))
        ip_address_is_private(&literal);
    if (!ipnet_parse(text, &net, error)) {
        expect(error[0] != '\0');
        return 0;
    }
    size_t len = ipnet_print(&net, printed);
    expect(ipnet_parse((struct slice){ printed, len }, &again, NULL) && ipnet_equal(&net, &again));
    outer = ipnet_mask(&net, (unsigned)(size % 33), (unsigned)(size % 129));
    expect(ipnet_contains(&outer, &net) &&
           ipnet_contains(&net, &outer) == ipnet_equal(&net, &outer));
    return 0;
}
