/* tests/unit/net/test_http_host.c - which Host a web page of somebody else cannot send. */
#include "common/net/http_host.h"

#include "tests/unit/unit.h"

static const struct {
    const char *host;
    bool is_ours;
} cases[] = {
    { "127.0.0.1", true },
    { "127.0.0.1:9180", true },
    { "[::1]:9180", true },
    { "[2001:db8::1]", true },
    { "localhost", true },
    { "LOCALHOST:9180", true },
    { "gatehouse:9180", true },
    { "mx.example.com", true },
    { "MX.example.com:9180", true },
    { "", true },
    { "evil.example", false },
    { "evil.example:9180", false },
    { "127.0.0.1.evil.example:9180", false },
    { "mx.example.com.evil.example", false },
    { "a.mx.example.com", false },
    { "mx.example.com.", false },
    { "evil.example.", false },
    { "[evil.example]:9180", false },
    { "[evil.example", false },
    { "1.2.3.4.5", false },
};

static void knows_whom_a_browser_asks(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        if (http_host_is_ours(slice_of(cases[i].host), SLICE("mx.example.com")) != cases[i].is_ours)
            fail_msg("%s", cases[i].host);
    assert_true(http_host_is_ours((struct slice){ NULL, 0 }, SLICE("")));
    assert_false(http_host_is_ours(SLICE("mx.example.com"), SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(knows_whom_a_browser_asks) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
