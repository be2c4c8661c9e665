#include "tests/unit/unit.h"

#include <netinet/in.h>

#include "contentd/scanners/scanner_address.h"

#define LONG_PATH                                                                                  \
    "/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"    \
    "89012345678901234567"

static void knows_sockets_addresses_and_names(UNUSED void **state)
{
    static const struct {
        const char *text, *name, *host;
        int family; /* 0: a name */
        uint16_t port;
    } rows[] = {
        { "unix:/run/clamav/clamd.ctl", "", "localhost", AF_UNIX, 0 },
        { "inet:127.0.0.1:3310", "", "127.0.0.1:3310", AF_INET, 3310 },
        { "inet:[::1]:65535", "", "[::1]:65535", AF_INET6, 65535 },
        { "inet:scanner.example.org:1", "scanner.example.org", "scanner.example.org:1", 0, 1 },
        { "inet:av_1:1344", "av_1", "av_1:1344", 0, 1344 },
        { "inet:1.2.3:4", "1.2.3", "1.2.3:4", 0, 4 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scanner_address address;
        const char *error;
        if (!scanner_address_parse(slice_of(rows[i].text), &address, &error))
            fail_msg("%s: %s", rows[i].text, error);
        assert_string_equal(rows[i].text, address.text);
        assert_string_equal(rows[i].name, address.name);
        assert_string_equal(rows[i].host, scanner_address_host(&address));
        assert_int_equal(rows[i].port, address.port);
        if (rows[i].family != 0)
            assert_int_equal(rows[i].family, address.socket.ss_family);
    }
}

static void says_what_is_wrong(UNUSED void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        { "", "neither" },
        { "/run/clamd.ctl", "neither" },
        { "tcp:127.0.0.1:1", "neither" },
        { "unix:", "begin with /" },
        { "unix:run/x", "begin with /" },
        { "unix:" LONG_PATH, "107" },
        { "inet:", "port" },
        { "inet:127.0.0.1", "port" },
        { "inet:127.0.0.1:", "port" },
        { "inet:127.0.0.1:0", "port" },
        { "inet:127.0.0.1:65536", "port" },
        { "inet:127.0.0.1:1x", "port" },
        { "inet::1", "host" },
        { "inet:::1:1", "host" },
        { "inet:[::1:1", "host" },
        { "inet:[127.0.0.1]:1", "host" },
        { "inet:[name]:1", "host" },
        { "inet:a b:1", "host" },
        { "inet:-a:1", "host" },
        { "inet:a/b:1", "host" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scanner_address address;
        const char *error = "";
        if (scanner_address_parse(slice_of(rows[i].text), &address, &error) ||
            strstr(error, rows[i].error) == NULL)
            fail_msg("%s: %s", rows[i].text, error);
    }
}

static void takes_no_more_than_it_has_room_for(UNUSED void **state)
{
    char text[1000] = "inet:";
    struct scanner_address address;
    const char *error;

    for (size_t len = 240; len < 900; len++) {
        memset(text + 5, 'a', len);
        memcpy(text + 5 + len, ":1", 3);
        assert_int_equal(len < SCANNER_HOST_SIZE,
                         scanner_address_parse(slice_of(text), &address, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_sockets_addresses_and_names),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(takes_no_more_than_it_has_room_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
