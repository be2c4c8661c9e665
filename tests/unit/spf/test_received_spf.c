/* tests/unit/spf/test_received_spf.c - the Received-SPF header: its words, its quoting, its length. */
#include "tests/unit/unit.h"

#include "policyd/spf/received_spf.h"

struct row {
    struct spf_query query;
    const char *client;
    struct spf_outcome outcome;
    const char *want;
};

static const struct row rows[] = {
    { { .helo_name = SLICE_INIT("mail.example.org"), .receiver = SLICE_INIT("mx.example.net") },
      "192.0.2.1",
      { .result = SPF_PASS,
        .domain = SLICE_INIT("example.com"),
        .sender = SLICE_INIT("a@example.com"),
        .mechanism = SLICE_INIT("ip4:192.0.2.0/24") },
      "pass (domain of example.com designates 192.0.2.1 as permitted sender) client-ip=192.0.2.1; "
      "identity=mailfrom; envelope-from=\"a@example.com\"; helo=mail.example.org; "
      "mechanism=\"ip4:192.0.2.0/24\"; receiver=mx.example.net" },
    { { .identity = SPF_HELO, .helo_name = SLICE_INIT("[2001:db8::1]") },
      "2001:db8::1",
      { .result = SPF_FAIL,
        .domain = SLICE_INIT("example.com"),
        .sender = SLICE_INIT("postmaster@example.com"),
        .mechanism = SLICE_INIT("-all"),
        .explanation = SLICE_INIT("see \"why\"; C:\\x") },
      "fail (domain of example.com does not designate 2001:db8::1 as permitted sender) "
      "client-ip=\"2001:db8::1\"; identity=helo; helo=\"[2001:db8::1]\"; "
      "x-exp=\"see \\\"why\\\"; C:\\\\x\"; mechanism=-all" },
    { { .helo_name = SLICE_INIT("a..b") },
      "192.0.2.1",
      { .result = SPF_SOFTFAIL,
        .domain = SLICE_INIT("x(y)\\.example"),
        .sender = SLICE_INIT("a.b") },
      "softfail (transitioning domain of x\\(y\\)\\\\.example does not designate 192.0.2.1 as "
      "permitted sender) client-ip=192.0.2.1; identity=mailfrom; envelope-from=a.b; "
      "helo=\"a..b\"" },
    { { .helo_name = SLICE_INIT("h\r\nX-Evil: 1") },
      "192.0.2.1",
      { .result = SPF_NEUTRAL,
        .domain = SLICE_INIT("example.com"),
        .sender = SLICE_INIT("\xc3\xa4@example.com"),
        .mechanism = SLICE_INIT("default") },
      "neutral (domain of example.com neither permits nor denies 192.0.2.1) client-ip=192.0.2.1; "
      "identity=mailfrom; envelope-from=\"??@example.com\"; helo=\"h??X-Evil: 1\"; "
      "mechanism=default" },
    { { .helo_name = { NULL, 0 } },
      "192.0.2.1",
      { .result = SPF_NONE, .sender = SLICE_INIT("postmaster@") },
      "none (no domain that could have a record) client-ip=192.0.2.1; identity=mailfrom; "
      "envelope-from=\"postmaster@\"" },
    { { .helo_name = { NULL, 0 } },
      "192.0.2.1",
      { .result = SPF_NONE,
        .domain = SLICE_INIT("example.com"),
        .sender = SLICE_INIT("a@example.com") },
      "none (example.com does not designate permitted sender hosts) client-ip=192.0.2.1; "
      "identity=mailfrom; envelope-from=\"a@example.com\"" },
    { { .helo_name = { NULL, 0 } },
      "192.0.2.1",
      { .result = SPF_PERMERROR,
        .domain = SLICE_INIT("example.com"),
        .reason = SLICE_INIT("unknown mechanism: moo in example.com") },
      "permerror (permanent error in processing domain of example.com) client-ip=192.0.2.1; "
      "identity=mailfrom; problem=\"unknown mechanism: moo in example.com\"" },
    { { .helo_name = { NULL, 0 } },
      "192.0.2.1",
      { .result = SPF_TEMPERROR, .domain = SLICE_INIT("example.com") },
      "temperror (temporary error in processing domain of example.com) client-ip=192.0.2.1; "
      "identity=mailfrom" },
};

static void tells_each_result(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF out = BUF_INIT(1000);
        struct spf_query query = rows[i].query;
        assert_true(ip_address_parse(slice_of(rows[i].client), &query.client));
        assert_int_equal(0, spf_received_print(&out, &query, &rows[i].outcome));
        assert_slice(rows[i].want, buf_slice(&out));
    }
}

/* A comment that is closed, then pairs with all quotes closed; printable. */
static void assert_well_formed(struct slice header)
{
    size_t depth = 0;
    bool is_quoted = false;

    for (size_t i = 0; i < header.len; i++) {
        char c = header.ptr[i];
        assert_true(ascii_is_print(c));
        if ((is_quoted || depth > 0) && c == '\\')
            assert_true(++i < header.len);
        else if (depth == 0 && c == '"')
            is_quoted = !is_quoted;
        else if (!is_quoted && c == '(')
            assert_int_equal(1, ++depth);
        else if (!is_quoted && c == ')')
            assert_int_equal(0, --depth);
    }
    assert_int_equal(0, depth);
    assert_false(is_quoted);
    assert_true(slice_find(header, ')') != SIZE_MAX);
}

static void stays_well_formed_at_every_length(UNUSED void **state)
{
    static char odd[300], text[1024];
    struct spf_query query = { .helo_name = { odd, sizeof odd }, .receiver = { odd, 40 } };
    struct spf_outcome outcome = { .domain = { odd, 253 },
                                   .sender = { odd, 60 },
                                   .mechanism = { odd, 30 },
                                   .explanation = { text, sizeof text } };

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "\"\\a"[i % 3];
    for (size_t i = 0; i < sizeof odd; i++)
        odd[i] = "(\")\\\n"[i % 5];
    assert_true(ip_address_parse(SLICE("2001:db8:1111:2222:3333:4444:5555:6666"), &query.client));
    for (size_t max = 0; max < 1600; max++) {
        for (size_t result = 0; result < SPF_RESULTS; result++) {
            AUTO_BUF out = BUF_INIT(max);
            outcome.result = (enum spf_result)result;
            outcome.reason =
                result >= SPF_TEMPERROR ? outcome.explanation : (struct slice){ NULL, 0 };
            if (spf_received_print(&out, &query, &outcome) == 0)
                assert_well_formed(buf_slice(&out));
            else
                assert_true(out.len == 0 && max < SPF_COMMENT_MAX);
        }
    }
}

static void shortens_an_explanation_before_leaving_it_out(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(160);
    struct spf_query query = { .identity = SPF_HELO };
    struct spf_outcome outcome = { .result = SPF_FAIL,
                                   .domain = SLICE("example.com"),
                                   .explanation = SLICE("Mail from here is not accepted at all, "
                                                        "whatever it is about"),
                                   .mechanism = SLICE("-all") };

    assert_true(ip_address_parse(SLICE("192.0.2.1"), &query.client));
    assert_int_equal(0, spf_received_print(&out, &query, &outcome));
    assert_slice(
        "fail (domain of example.com does not designate 192.0.2.1 as permitted sender) "
        "client-ip=192.0.2.1; identity=helo; x-exp=\"Mail from here is not accepted at all\"",
        buf_slice(&out));
}

static void keeps_what_was_in_the_buffer(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(30);
    struct spf_query query = { .identity = SPF_HELO };
    struct spf_outcome outcome = { .result = SPF_FAIL, .domain = SLICE("example.com") };

    assert_int_equal(0, buf_put(&out, "Received-SPF: "));
    assert_int_equal(-1, spf_received_print(&out, &query, &outcome));
    assert_slice("Received-SPF: ", buf_slice(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_result),
        cmocka_unit_test(stays_well_formed_at_every_length),
        cmocka_unit_test(shortens_an_explanation_before_leaving_it_out),
        cmocka_unit_test(keeps_what_was_in_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
