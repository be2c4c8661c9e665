/* tests/unit/signd/test_auth_results.c - forged fields are known however they are written; ours holds nothing that could
 * break it. */
#include "signd/auth_results.h"

#include "tests/unit/unit.h"

static const struct {
    const char *value;
    bool is_ours;
} claims[] = {
    { " mx.example.com; spf=pass", true },
    { "mx.example.com; spf=pass", true },
    { " MX.Example.COM; spf=pass", true },
    { " mx.example.com 1; spf=pass", true },
    { " mx.example.com/1; spf=pass", true },
    { "\n\tmx.example.com\n\t1;\n\tspf=pass", true },
    { "\r\n mx.example.com ;spf=pass", true },
    { " (a comment) mx.example.com; spf=pass", true },
    { " (a (nested; one) \\) here) mx.example.com (x) 1 (y); spf=pass", true },
    { " mx.example.com(x); spf=pass", true },
    { " mx.(x)example.com; spf=pass", true },
    { " mx.\n example.com; spf=pass", true },
    { " \"mx.example.com\"; spf=pass", true },
    { " \"mx.\\example.com\"; spf=pass", true },
    { " mx.example.com", true },
    { " mx.example.com spf=pass", true },
    { " mx.example.com.; spf=pass", true },
    { " MX.example.com. 1; spf=pass", true },
    { " =?us-ascii?Q?mx.example.com=3B_dmarc=3Dpass?=", true },
    { " =?utf-8?b?bXguZXhhbXBsZS5jb20=?=; dmarc=pass", true },
    { " mx.=?us-ascii?q?example?=.com; dmarc=pass", true },
    { " =?us-ascii?q?mx?=\r\n =?us-ascii?q?.example.com;?= dmarc=pass", true },
    { " other.example; x=\"=?us-ascii?q?mx.example.com?=\"", false },
    { " a=b.example; spf=pass", false },
    { " a?b.example; spf=pass", false },
    { " a?=b.example =; spf=pass", false },
    { " mx.example.com..; spf=pass", false },
    { " other.example.com; spf=pass", false },
    { " example.com; spf=pass", false },
    { " mx.example.com.evil.example; spf=pass", false },
    { " xmx.example.com; spf=pass", false },
    { " mx.example.co; spf=pass", false },
    { " other.example; x=mx.example.com", false },
    { " (mx.example.com) other.example; spf=pass", false },
    { " (mx.example.com", false },
    { "", false },
    { ";", false },
};

static void knows_who_claims_to_be_us(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(claims); i++)
        if (auth_results_is_ours(slice_of(claims[i].value), SLICE("mx.example.com")) !=
            claims[i].is_ours)
            fail_msg("%s", claims[i].value);
}

static void check(const struct auth_result *results, size_t count, const char *want)
{
    AUTO_BUF out = BUF_INIT(AUTH_FIELD_MAX);

    assert_int_equal(0, auth_results_print(&out, SLICE("mx.example.com"), results, count));
    assert_string_equal(want, buf_text(&out));
}

static void writes_ours(UNUSED void **state)
{
    const struct auth_result results[] = {
        { "spf", "pass", { NULL, 0 }, { { "smtp", "mailfrom", SLICE("a=b@example.org") } }, 1 },
        { "dkim",
          "pass",
          SLICE("2048-bit (rsa) key"),
          { { "header", "d", SLICE("example.org") },
            { "header", "i", SLICE("@example.org") },
            { "header", "s", SLICE("sel") },
            { "header", "a", SLICE("rsa-sha256") },
            { "header", "b", SLICE("a/+bcdef") } },
          5 },
        { "dmarc", "none", { NULL, 0 }, { { "header", "from", { NULL, 0 } } }, 1 },
    };

    check(results, COUNT(results),
          "mx.example.com;\n\tspf=pass smtp.mailfrom=a=b@example.org;\n\t"
          "dkim=pass (2048-bit rsa key) header.d=example.org header.i=@example.org\n\t "
          "header.s=sel header.a=rsa-sha256\n\t header.b=\"a/+bcdef\";\n\tdmarc=none");
    check(NULL, 0, "mx.example.com; none");
}

static const struct {
    struct slice value;
    const char *want;
} values[] = {
    { SLICE_INIT("x\r\nEvil: y"), "\"xEvil: y\"" },
    { SLICE_INIT("a;dkim=pass"), "\"a;dkim=pass\"" },
    { SLICE_INIT("a\"b\\c"), "\"a\\\"b\\\\c\"" },
    { SLICE_INIT("\0\x01"), "\"\"" },
    { SLICE_INIT("(x)"), "\"(x)\"" },
    { SLICE_INIT("a b@example.com"), "\"a b@example.com\"" },
    { SLICE_INIT("j\xc3\xb6@example.com"), "\"j\xc3\xb6@example.com\"" },
    { SLICE_INIT("a@b@c"), "\"a@b@c\"" },
};

static void quotes_or_drops_what_the_network_sent(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(values); i++) {
        const struct auth_result result = {
            "spf", "fail", { NULL, 0 }, { { "smtp", "mailfrom", values[i].value } }, 1
        };
        char want[200];
        snprintf(want, sizeof want, "mx.example.com;\n\tspf=fail smtp.mailfrom=%s", values[i].want);
        check(&result, 1, want);
    }
}

static void long_values_are_cut_between_characters(UNUSED void **state)
{
    char text[AUTH_VALUE_MAX + 10];
    memset(text, 'a', sizeof text);
    memcpy(text + AUTH_VALUE_MAX - 1, "\xc3\xb6", 2);
    const struct auth_result result = {
        "spf", "fail", { NULL, 0 }, { { "smtp", "helo", { text, sizeof text } } }, 1
    };
    AUTO_BUF out = BUF_INIT(AUTH_FIELD_MAX);

    assert_int_equal(0, auth_results_print(&out, SLICE("mx"), &result, 1));
    assert_int_equal(strlen("mx;\n\tspf=fail smtp.helo=") + AUTH_VALUE_MAX - 1, out.len);
}

static void too_many_results_leave_a_good_field(UNUSED void **state)
{
    static struct auth_result many[5000];
    AUTO_BUF out = BUF_INIT(AUTH_FIELD_MAX);

    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct auth_result){
            "dkim", "fail", { NULL, 0 }, { { "header", "d", SLICE("example.org") } }, 1
        };
    assert_int_equal(-1, auth_results_print(&out, SLICE("mx"), many, COUNT(many)));
    assert_true(slice_ends_with(buf_slice(&out), SLICE("header.d=example.org")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_who_claims_to_be_us),
        cmocka_unit_test(writes_ours),
        cmocka_unit_test(quotes_or_drops_what_the_network_sent),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(too_many_results_leave_a_good_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
