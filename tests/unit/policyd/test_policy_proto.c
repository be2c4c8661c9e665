/* tests/unit/policyd/test_policy_proto.c - bytes from Postfix, or from anyone, to a request; a verdict to bytes. */
#include "policyd/policy_proto.h"

#include "tests/unit/unit.h"

#define R "request=smtpd_access_policy\n"

static const struct {
    const char *what;
    struct slice in;
    enum proto_result want;
    size_t used;
} cases[] = {
    { "shortest", SLICE_INIT(R "\n"), PROTO_DONE, 29 },
    { "two requests", SLICE_INIT(R "\n" R "\n"), PROTO_DONE, 29 },
    { "nothing", SLICE_INIT(""), PROTO_MORE, 0 },
    { "cut in a name", SLICE_INIT(R "si"), PROTO_MORE, 0 },
    { "cut in a value", SLICE_INIT(R "size=1"), PROTO_MORE, 0 },
    { "cut before the empty line", SLICE_INIT(R "size=1\n"), PROTO_MORE, 0 },
    { "cut in CRLF", SLICE_INIT(R "size=1\r\n\r"), PROTO_MORE, 0 },
    { "CRLF", SLICE_INIT("request=smtpd_access_policy\r\nsize=10\r\n\r\n"), PROTO_DONE, 40 },
    { "CR in a value", SLICE_INIT(R "sender=a\rb\n\n"), PROTO_DONE, 40 },
    { "only an empty line", SLICE_INIT("\n"), PROTO_BAD, 0 },
    { "no request", SLICE_INIT("sender=a\n\n"), PROTO_BAD, 0 },
    { "another request", SLICE_INIT("request=junk\n\n"), PROTO_BAD, 0 },
    { "request in capitals", SLICE_INIT("REQUEST=smtpd_access_policy\n\n"), PROTO_BAD, 0 },
    { "request twice", SLICE_INIT("request=junk\n" R "\n"), PROTO_BAD, 0 },
    { "no equals sign", SLICE_INIT(R "sender\n\n"), PROTO_BAD, 0 },
    { "no name", SLICE_INIT(R "=x\n\n"), PROTO_BAD, 0 },
    { "HTTP", SLICE_INIT("GET / HTTP/1.1\r\n"), PROTO_BAD, 0 },
    { "NUL in a name", SLICE_INIT(R "sen\0der=x\n\n"), PROTO_BAD, 0 },
    { "NUL in a value", SLICE_INIT(R "sender=x\0\n\n"), PROTO_BAD, 0 },
    { "NUL of an unknown one", SLICE_INIT(R "x=\0\n\n"), PROTO_BAD, 0 },
    { "size empty", SLICE_INIT(R "size=\n\n"), PROTO_DONE, 35 },
    { "size of 64 bits", SLICE_INIT(R "size=18446744073709551615\n\n"), PROTO_DONE, 55 },
    { "size too large", SLICE_INIT(R "size=18446744073709551616\n\n"), PROTO_BAD, 0 },
    { "size of one letter", SLICE_INIT(R "size=a\n\n"), PROTO_BAD, 0 },
    { "NUL, and more to come", SLICE_INIT(R "x=\0\n"), PROTO_BAD, 0 },
    { "NUL alone in a line", SLICE_INIT("\0\n"), PROTO_BAD, 0 },
    { "size negative", SLICE_INIT(R "size=-1\n\n"), PROTO_BAD, 0 },
    { "size with a blank", SLICE_INIT(R "size= 1\n\n"), PROTO_BAD, 0 },
    { "count of letters", SLICE_INIT(R "recipient_count=many\n\n"), PROTO_BAD, 0 },
    { "keysize with a sign", SLICE_INIT(R "encryption_keysize=+256\n\n"), PROTO_BAD, 0 },
};

static void tells_whole_partial_and_bad_requests_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct policy_request req;
        size_t used = 0;
        if (policy_parse(cases[i].in, &req, &used) != cases[i].want || used != cases[i].used)
            fail_msg("%s: used %zu", cases[i].what, used);
    }
}

static void every_beginning_of_a_request_waits_for_more(UNUSED void **state)
{
    const struct slice whole = SLICE(R "sender=a@example.com\r\nx=y=z\nsize=7\n\n");
    struct policy_request req;
    size_t used;

    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(PROTO_MORE, policy_parse(slice_part(whole, 0, len), &req, &used));
    assert_int_equal(PROTO_DONE, policy_parse(whole, &req, &used));
}

static struct policy_request parse(struct slice text)
{
    struct policy_request req;
    size_t used;

    if (policy_parse(text, &req, &used) != PROTO_DONE)
        fail_msg("not a request: %.*s", SLICE_ARG(text));
    return req;
}

static void reads_values_as_they_are(UNUSED void **state)
{
    struct policy_request req =
        parse(SLICE(R "sender=\nhelo_name= a = b \nunknown=x\nsender=second@example.com\n"
                      "client_address=2001:db8::1\r\nhelo_name=c\n\n"));

    assert_non_null(req.attr[ATTR_SENDER].ptr); /* the null sender; the first counts */
    assert_int_equal(0, req.attr[ATTR_SENDER].len);
    assert_slice(" a = b ", req.attr[ATTR_HELO_NAME]);
    assert_slice("2001:db8::1", req.attr[ATTR_CLIENT_ADDRESS]);
    assert_null(req.attr[ATTR_RECIPIENT].ptr);
}

static void knows_every_attribute_by_name_in_any_order(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(POLICY_REQUEST_MAX);
    enum policy_attribute found;

    for (size_t i = POLICY_ATTRIBUTES; i-- > 1;)
        buf_printf(&text, "%s=%zu\n", policy_attribute_name((enum policy_attribute)i), i);
    buf_put(&text, R "\n");
    struct policy_request req = parse(buf_slice(&text));
    for (size_t i = 1; i < POLICY_ATTRIBUTES; i++) {
        uint64_t number;
        assert_true(slice_to_u64(req.attr[i], &number));
        assert_int_equal(i, number);
        assert_true(policy_attribute_find(slice_of(policy_attribute_name((enum policy_attribute)i)),
                                          &found));
        assert_int_equal(i, found);
    }
    assert_false(policy_attribute_find(SLICE("sende"), &found));
}

static void bounds_the_number_of_attributes(UNUSED void **state)
{
    for (size_t extra = 0; extra < 2; extra++) {
        AUTO_BUF text = BUF_INIT(POLICY_REQUEST_MAX);
        struct policy_request req;
        size_t used;
        buf_put(&text, R);
        for (size_t i = 1; i < POLICY_ATTRIBUTES_MAX + extra; i++)
            buf_put(&text, "x=\n");
        buf_put(&text, "\n");
        assert_int_equal(extra == 0 ? PROTO_DONE : PROTO_BAD,
                         policy_parse(buf_slice(&text), &req, &used));
    }
}

static void bounds_the_size_of_a_request(UNUSED void **state)
{
    static char text[POLICY_REQUEST_MAX + 64];
    struct policy_request req;
    size_t used = 0;

    memset(text, 'x', sizeof text);
    memcpy(text, R "sender=", strlen(R "sender="));
    assert_int_equal(PROTO_MORE,
                     policy_parse((struct slice){ text, POLICY_REQUEST_MAX - 1 }, &req, &used));
    assert_int_equal(PROTO_BAD,
                     policy_parse((struct slice){ text, POLICY_REQUEST_MAX }, &req, &used));
    memcpy(text + POLICY_REQUEST_MAX - 2, "\n\n", 2);
    assert_int_equal(PROTO_DONE, policy_parse((struct slice){ text, sizeof text }, &req, &used));
    assert_int_equal(POLICY_REQUEST_MAX, used);
    memcpy(text + POLICY_REQUEST_MAX - 2, "x\n\n", 3);
    assert_int_equal(PROTO_BAD, policy_parse((struct slice){ text, sizeof text }, &req, &used));
}

static void finds_the_stage(UNUSED void **state)
{
    static const struct {
        const char *state, *recipient;
        enum stage want;
    } stages[] = {
        { "CONNECT", "", STAGE_CONNECT },
        { "EHLO", "", STAGE_HELO },
        { "HELO", "", STAGE_HELO },
        { "MAIL", "", STAGE_MAIL },
        { "RCPT", "recipient=a@b\n", STAGE_RCPT },
        { "RCPT", "", STAGE_RCPT },
        { "DATA", "recipient=a@b\n", STAGE_DATA },
        { "DATA", "recipient=\n", STAGE_DATA_MANY },
        { "DATA", "", STAGE_DATA_MANY },
        { "END-OF-MESSAGE", "recipient=a@b\n", STAGE_END },
        { "END-OF-MESSAGE", "recipient=\n", STAGE_END_MANY },
        { "END-OF-MESSAGE", "", STAGE_END_MANY },
        { "VRFY", "recipient=a@b\n", STAGE_OTHER },
        { "ETRN", "", STAGE_OTHER },
        { "XCLIENT", "", STAGE_OTHER },
        { "BDAT", "recipient=a@b\n", STAGE_OTHER },
        { "rcpt", "", STAGE_OTHER },
        { "", "", STAGE_OTHER },
    };

    for (size_t i = 0; i < COUNT(stages); i++) {
        AUTO_BUF text = BUF_INIT(1000);
        buf_printf(&text, R "protocol_state=%s\n%s\n", stages[i].state, stages[i].recipient);
        if (parse(buf_slice(&text)).stage != stages[i].want)
            fail_msg("%s %s", stages[i].state, stages[i].recipient);
    }
    assert_int_equal(STAGE_OTHER, parse(SLICE(R "\n")).stage);
}

static void hashes_all_but_the_context(UNUSED void **state)
{
    struct policy_request a = parse(SLICE(R "sender=x\npolicy_context=a\nsize=1\n\n"));
    struct policy_request b = parse(SLICE(R "sender=x\npolicy_context=b\nsize=1\n\n"));
    struct policy_request other = parse(SLICE(R "sender=x\npolicy_context=a\nsize=2\n\n"));
    struct policy_request before = parse(SLICE(R "sender=y\npolicy_context=a\nsize=1\n\n"));
    struct policy_request unknown = parse(SLICE(R "sender=x\npolicy_context=a\nsize=1\nn=1\n\n"));
    char one[33], two[33];

    assert_true(policy_request_hash(&a, false) == policy_request_hash(&b, false));
    assert_false(policy_request_hash(&a, true) == policy_request_hash(&b, true));
    assert_false(policy_request_hash(&a, false) == policy_request_hash(&other, false));
    assert_false(policy_request_hash(&a, false) == policy_request_hash(&before, false));
    assert_false(policy_request_hash(&a, false) == policy_request_hash(&unknown, false));

    policy_request_digest(&a, false, one);
    policy_request_digest(&b, false, two);
    assert_string_equal(one, two);
    assert_int_equal(32, strlen(one));
    policy_request_digest(&other, false, two);
    assert_string_not_equal(one, two);
    policy_request_digest(&before, false, two);
    assert_string_not_equal(one, two);
    policy_request_digest(&a, true, one);
    policy_request_digest(&b, true, two);
    assert_string_not_equal(one, two);
}

static void sends_only_what_postfix_takes(UNUSED void **state)
{
    static const struct {
        const char *what;
        struct slice action;
        const char *want;
    } replies[] = {
        { "as it is", SLICE_INIT("DEFER_IF_PERMIT 4.7.1 Later"), "DEFER_IF_PERMIT 4.7.1 Later" },
        { "blanks around", SLICE_INIT("  HOLD x \r\n"), "HOLD x" },
        { "empty", SLICE_INIT(""), "DUNNO" },
        { "blanks", SLICE_INIT(" \t\n"), "DUNNO" },
        { "digits", SLICE_INIT("554"), "DUNNO" },
        { "digits and blanks", SLICE_INIT("4 5 4"), "DUNNO" },
        { "OK", SLICE_INIT("OK"), "DUNNO" },
        { "ok with a text", SLICE_INIT("ok this one"), "DUNNO" },
        { "begins like OK", SLICE_INIT("OKAY"), "OKAY" },
        { "two lines", SLICE_INIT("HOLD x\n\naction=OK"), "DUNNO" },
        { "CR", SLICE_INIT("HOLD x\ry"), "DUNNO" },
        { "NUL", SLICE_INIT("HOLD x\0y"), "DUNNO" },
        { "not ASCII", SLICE_INIT("HOLD \xc3\xa4"), "DUNNO" },
        { "control byte", SLICE_INIT("HOLD \x7f"), "DUNNO" },
        { "NUL in front", SLICE_INIT("\0HOLD x"), "DUNNO" },
        { "digits behind a letter", SLICE_INIT("x50"), "x50" },
    };

    for (size_t i = 0; i < COUNT(replies); i++) {
        AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX);
        AUTO_BUF want = BUF_INIT(POLICY_REPLY_MAX);
        buf_printf(&want, "action=%s\n\n", replies[i].want);
        assert_int_equal(0, policy_reply(&out, replies[i].action));
        if (!slice_equal(buf_slice(&out), buf_slice(&want)))
            fail_msg("%s: %s", replies[i].what, buf_text(&out));
    }
}

static void bounds_a_reply(UNUSED void **state)
{
    static char text[POLICY_REPLY_MAX];
    AUTO_BUF out = BUF_INIT(POLICY_REPLY_MAX);

    memset(text, 'x', sizeof text);
    assert_int_equal(0, policy_reply(&out, (struct slice){ text, POLICY_REPLY_MAX - 16 }));
    assert_true(out.len > POLICY_REPLY_MAX - 16 && out.len <= POLICY_REPLY_MAX);
    buf_clear(&out);
    assert_int_equal(0, policy_reply(&out, (struct slice){ text, POLICY_REPLY_MAX - 15 }));
    assert_slice("action=DUNNO\n\n", buf_slice(&out));
}

static void leaves_a_full_buffer_as_it_was(UNUSED void **state)
{
    for (size_t max = 14; max < 28; max++) {
        AUTO_BUF out = BUF_INIT(max);
        assert_int_equal(0, policy_reply(&out, SLICE("DUNNO")));
        assert_int_equal(-1, policy_reply(&out, SLICE("DUNNO")));
        assert_slice("action=DUNNO\n\n", buf_slice(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_whole_partial_and_bad_requests_apart),
        cmocka_unit_test(every_beginning_of_a_request_waits_for_more),
        cmocka_unit_test(reads_values_as_they_are),
        cmocka_unit_test(knows_every_attribute_by_name_in_any_order),
        cmocka_unit_test(bounds_the_number_of_attributes),
        cmocka_unit_test(bounds_the_size_of_a_request),
        cmocka_unit_test(finds_the_stage),
        cmocka_unit_test(hashes_all_but_the_context),
        cmocka_unit_test(sends_only_what_postfix_takes),
        cmocka_unit_test(bounds_a_reply),
        cmocka_unit_test(leaves_a_full_buffer_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
