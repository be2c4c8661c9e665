/* tests/unit/scanners/test_http_wire.c - heads, chunks and fields of HTTP and ICAP. */
#include "tests/unit/unit.h"

#include "contentd/scanners/http_wire.h"

#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

static const struct {
    const char *what;
    struct slice in;
    enum wire_state want;
    size_t used;
} heads[] = {
    { "whole", SLICE_INIT(HEAD "hello"), WIRE_DONE, sizeof(HEAD) - 1 },
    { "no fields", SLICE_INIT("HTTP/1.0 204 No Content\r\n\r\n"), WIRE_DONE, 27 },
    { "no reason", SLICE_INIT("HTTP/1.1 500\r\n\r\n"), WIRE_DONE, 16 },
    { "nothing yet", SLICE_INIT(""), WIRE_MORE, 0 },
    { "cut in the protocol", SLICE_INIT("HTT"), WIRE_MORE, 0 },
    { "cut in a field", SLICE_INIT("HTTP/1.1 200 OK\r\nConte"), WIRE_MORE, 0 },
    { "cut before the blank line", SLICE_INIT("HTTP/1.1 200 OK\r\nA: b\r\n\r"), WIRE_MORE, 0 },
    { "another protocol", SLICE_INIT("SPAMD/1.1 0 EX_OK\r\n\r\n"), WIRE_BAD, 0 },
    { "garbage, not whole", SLICE_INIT("\x80\x01\x02"), WIRE_BAD, 0 },
    { "no status", SLICE_INIT("HTTP/1.1 \r\n\r\n"), WIRE_BAD, 0 },
    { "status of two digits", SLICE_INIT("HTTP/1.1 20 OK\r\n\r\n"), WIRE_BAD, 0 },
    { "status of four digits", SLICE_INIT("HTTP/1.1 2000 OK\r\n\r\n"), WIRE_BAD, 0 },
    { "status beyond 599", SLICE_INIT("HTTP/1.1 600 OK\r\n\r\n"), WIRE_BAD, 0 },
    { "status below 100", SLICE_INIT("HTTP/1.1 099 OK\r\n\r\n"), WIRE_BAD, 0 },
    { "line feeds alone", SLICE_INIT("HTTP/1.1 200 OK\nA: b\r\n\r\n"), WIRE_BAD, 0 },
    { "field without colon", SLICE_INIT("HTTP/1.1 200 OK\r\nabc\r\n\r\n"), WIRE_BAD, 0 },
    { "field without name", SLICE_INIT("HTTP/1.1 200 OK\r\n: b\r\n\r\n"), WIRE_BAD, 0 },
    { "blank before the colon", SLICE_INIT("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), WIRE_BAD, 0 },
    { "fold without a field", SLICE_INIT("HTTP/1.1 200 OK\r\n b: c\r\n\r\n"), WIRE_BAD, 0 },
    { "NUL", SLICE_INIT("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"), WIRE_BAD, 0 },
    { "carriage return inside", SLICE_INIT("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"), WIRE_BAD, 0 },
};

static void tells_whole_cut_and_bad_heads_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct http_head head;
        size_t used = 0;
        enum wire_state got = http_head_parse(heads[i].in, SLICE("HTTP/1."), &head, &used);
        if (got != heads[i].want || used != heads[i].used)
            fail_msg("%s: state %d, used %zu", heads[i].what, got, used);
    }
}

static void reads_status_reason_and_fields(UNUSED void **state)
{
    struct http_head head;
    struct slice value;
    size_t used;

    assert_int_equal(WIRE_DONE, http_head_parse(SLICE("ICAP/1.0 200  Modified \r\n"
                                                      "ISTag:  \"a b\" \r\n"
                                                      "X-Empty:\r\n"
                                                      "X-Violations-Found: 1\r\n"
                                                      "\tname\r\n"
                                                      "  Eicar\r\n"
                                                      "istag: second\r\n\r\n"),
                                                SLICE("ICAP/1."), &head, &used));
    assert_int_equal(200, head.status);
    assert_slice("Modified", head.reason);
    assert_int_equal(2, http_head_get(&head, SLICE("ISTAG"), &value));
    assert_slice("\"a b\"", value);
    assert_int_equal(1, http_head_get(&head, SLICE("x-empty"), &value));
    assert_slice("", value);
    assert_non_null(value.ptr);
    assert_int_equal(1, http_head_get(&head, SLICE("X-Violations-Found"), &value));
    assert_slice("1\r\n\tname\r\n  Eicar", value);
    assert_int_equal(0, http_head_get(&head, SLICE("Absent"), &value));
    assert_null(value.ptr);
}

static void refuses_a_head_without_end(UNUSED void **state)
{
    static char big[HTTP_HEAD_MAX + 100];
    struct http_head head;
    struct slice in = { big, HTTP_HEAD_MAX - 1 };
    size_t used;

    memset(big, 'a', sizeof(big));
    memcpy(big, "HTTP/1.1 200 ", 13);
    assert_int_equal(WIRE_MORE, http_head_parse(in, SLICE("HTTP/1."), &head, &used));
    in.len++;
    assert_int_equal(WIRE_BAD, http_head_parse(in, SLICE("HTTP/1."), &head, &used));
    in.len = sizeof(big);
    memcpy(big + HTTP_HEAD_MAX - 1, "\r\n\r\n", 4); /* ends one byte too late */
    assert_int_equal(WIRE_BAD, http_head_parse(in, SLICE("HTTP/1."), &head, &used));
}

static void refuses_too_many_fields(UNUSED void **state)
{
    AUTO_BUF in = BUF_INIT(HTTP_HEAD_MAX);
    struct http_head head;
    size_t used;

    assert_int_equal(0, buf_put(&in, "HTTP/1.1 200 OK\r\n"));
    for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
        assert_int_equal(0, buf_put(&in, "A: b\r\n"));
    assert_int_equal(0, buf_put(&in, "\r\n"));
    assert_int_equal(WIRE_DONE, http_head_parse(buf_slice(&in), SLICE("HTTP/1."), &head, &used));
    assert_int_equal(HTTP_FIELDS_MAX, head.field_count);
    in.len -= 2;
    assert_int_equal(0, buf_put(&in, "A: b\r\n\r\n"));
    assert_int_equal(WIRE_BAD, http_head_parse(buf_slice(&in), SLICE("HTTP/1."), &head, &used));
}

static const struct {
    const char *what;
    struct slice fields;
    bool want;
    uint64_t length;
} lengths[] = {
    { "length", SLICE_INIT("content-length: 17\r\n"), true, 17 },
    { "zero", SLICE_INIT("Content-Length: 0\r\n"), true, 0 },
    { "chunks", SLICE_INIT("Transfer-Encoding: chunked\r\n"), false, 0 },
    { "none", SLICE_INIT("A: b\r\n"), false, 0 },
    { "both", SLICE_INIT("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), false, 0 },
    { "two", SLICE_INIT("Content-Length: 5\r\nContent-Length: 5\r\n"), false, 0 },
    { "negative", SLICE_INIT("Content-Length: -5\r\n"), false, 0 },
    { "too large", SLICE_INIT("Content-Length: 18446744073709551616\r\n"), false, 0 },
};

static void knows_how_long_a_body_is(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(lengths); i++) {
        AUTO_BUF in = BUF_INIT(1000);
        struct http_head head;
        uint64_t length = 0;
        size_t used;
        assert_int_equal(0, buf_put(&in, "HTTP/1.1 200 OK\r\n"));
        assert_int_equal(0, buf_add(&in, lengths[i].fields));
        assert_int_equal(0, buf_put(&in, "\r\n"));
        assert_int_equal(WIRE_DONE,
                         http_head_parse(buf_slice(&in), SLICE("HTTP/1."), &head, &used));
        if (http_content_length(&head, &length) != lengths[i].want || length != lengths[i].length)
            fail_msg("%s", lengths[i].what);
    }
}

static const struct {
    const char *what;
    struct slice in;
    enum wire_state want;
    const char *body;
} chunks[] = {
    { "two", SLICE_INIT("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), WIRE_DONE, "hello!" },
    { "none", SLICE_INIT("0\r\n\r\n"), WIRE_DONE, "" },
    { "hex", SLICE_INIT("0a\r\n0123456789\r\n0\r\n\r\n"), WIRE_DONE, "0123456789" },
    { "extension", SLICE_INIT("1;x=y\r\na\r\n0; ieof\r\n\r\n"), WIRE_DONE, "a" },
    { "trailer", SLICE_INIT("1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n"), WIRE_DONE, "a" },
    { "padded size", SLICE_INIT("1  \r\na\r\n0\r\n\r\n"), WIRE_DONE, "a" },
    { "cut in data", SLICE_INIT("5\r\nhel"), WIRE_MORE, "hel" },
    { "cut before the last one", SLICE_INIT("5\r\nhello\r\n"), WIRE_MORE, "hello" },
    { "cut before the end", SLICE_INIT("5\r\nhello\r\n0\r\n"), WIRE_MORE, "hello" },
    { "cut in the end", SLICE_INIT("5\r\nhello\r\n0\r\n\r"), WIRE_MORE, "hello" },
    { "no size", SLICE_INIT("\r\nhello"), WIRE_BAD, "" },
    { "not hex", SLICE_INIT("g\r\nhello"), WIRE_BAD, "" },
    { "negative", SLICE_INIT("-5\r\nhello"), WIRE_BAD, "" },
    { "size too large", SLICE_INIT("1000000000000000\r\n"), WIRE_BAD, "" },
    { "size does not match", SLICE_INIT("4\r\nhello\r\n0\r\n\r\n"), WIRE_BAD, "hell" },
    { "line feed alone", SLICE_INIT("5\nhello"), WIRE_BAD, "" },
    { "trailer without colon", SLICE_INIT("0\r\nabc\r\n"), WIRE_BAD, "" },
};

/* Gives `in` in pieces of `step` bytes, as a connection would, and collects the body. */
static enum wire_state feed(struct slice in, size_t step, struct buf *body)
{
    struct chunk_reader reader = { 0 };
    enum wire_state state = WIRE_MORE;
    size_t there = 0, at = 0;

    while (state == WIRE_MORE && there < in.len) {
        struct slice data;
        size_t used = 1;
        there = there + step < in.len ? there + step : in.len;
        while (state == WIRE_MORE && used > 0) {
            state = chunk_read(&reader, slice_part(in, at, there - at), &data, &used);
            at += used;
            assert_int_equal(0, buf_add(body, data));
        }
    }
    return state;
}

static void reads_chunks_however_they_are_cut(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(chunks); i++) {
        for (size_t step = 1; step < 40; step++) {
            AUTO_BUF body = BUF_INIT(1000);
            enum wire_state got = feed(chunks[i].in, step, &body);
            if (got != chunks[i].want || !slice_equal(buf_slice(&body), slice_of(chunks[i].body)))
                fail_msg("%s, by %zu: state %d, body %.*s", chunks[i].what, step, got,
                         SLICE_ARG(buf_slice(&body)));
        }
    }
}

static void bounds_lines_and_trailers_of_chunks(UNUSED void **state)
{
    static char big[HTTP_TRAILER_MAX + 100];
    struct chunk_reader reader = { 0 };
    struct slice data;
    size_t used;

    memset(big, '0', sizeof(big));
    assert_int_equal(WIRE_BAD,
                     chunk_read(&reader, (struct slice){ big, HTTP_CHUNK_LINE_MAX }, &data, &used));
    reader = (struct chunk_reader){ .state = CHUNK_TRAILER };
    for (size_t i = 0; i < sizeof(big); i += 4)
        memcpy(big + i, "A:\r\n", 4);
    enum wire_state got = WIRE_MORE;
    for (size_t at = 0; got == WIRE_MORE; at += used) {
        assert_true(at < sizeof(big));
        got = chunk_read(&reader, slice_part((struct slice){ big, sizeof(big) }, at, 4), &data,
                         &used);
    }
    assert_int_equal(WIRE_BAD, got);
}

static void a_value_makes_no_second_field(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(64);

    assert_int_equal(0, http_put_field(&out, "Helo", SLICE("a\r\nFile: /etc\x7f")));
    assert_slice("Helo: a??File: /etc?\r\n", buf_slice(&out));
    assert_int_equal(0, http_put_field(&out, "User", (struct slice){ NULL, 0 }));
    assert_int_equal(0, http_put_field(&out, "From", SLICE("")));
    assert_slice("Helo: a??File: /etc?\r\nFrom: \r\n", buf_slice(&out));
    assert_int_equal(-1, http_put_field(&out, "Rcpt", SLICE("a@a.example, longer than fits")));
    assert_slice("Helo: a??File: /etc?\r\nFrom: \r\n", buf_slice(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_whole_cut_and_bad_heads_apart),
        cmocka_unit_test(reads_status_reason_and_fields),
        cmocka_unit_test(refuses_a_head_without_end),
        cmocka_unit_test(refuses_too_many_fields),
        cmocka_unit_test(knows_how_long_a_body_is),
        cmocka_unit_test(reads_chunks_however_they_are_cut),
        cmocka_unit_test(bounds_lines_and_trailers_of_chunks),
        cmocka_unit_test(a_value_makes_no_second_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
