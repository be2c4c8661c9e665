/* tests/unit/scanners/test_icap_request.c - the head of a RESPMOD request. */
#include "tests/unit/unit.h"

#include "contentd/scanners/icap_request.h"
#include "tests/fakes/sample_message.h"

static void request_of(struct buf *out, const struct scanner *scanner, const char *queue_id,
                       uint64_t length)
{
    const struct sample_message sample = { .queue_id = queue_id,
                                           .sender = "<a@example.net>",
                                           .recipients = "<b@example.org>",
                                           .headers = "Subject: x\n" };
    struct message *message = sample_message(&sample);

    assert_int_equal(0, icap_request(out, scanner, message, "192.0.2.9:1344", length));
    message_unref(&message);
}

#define FIELDS                                                                                     \
    "Host: 192.0.2.9:1344\r\nUser-Agent: gatehouse\r\nConnection: close\r\nAllow: 204\r\n"

static void encapsulates_the_message_as_an_answer(UNUSED void **state)
{
    const struct scanner scanner = { .path = SLICE_INIT("/virus_scan") };
    AUTO_BUF out = BUF_INIT(4096);

    request_of(&out, &scanner, "4Xk2Lq", 1234);
    assert_slice("RESPMOD icap://192.0.2.9:1344/virus_scan ICAP/1.0\r\n" FIELDS
                 "Encapsulated: req-hdr=0, res-hdr=67, res-body=138\r\n\r\n"
                 "GET http://mail.invalid/4Xk2Lq.eml HTTP/1.1\r\nHost: mail.invalid\r\n\r\n"
                 "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: 1234\r\n\r\n",
                 buf_slice(&out));
}

/* Where the parts begin must be true whatever the queue id is. */
static void says_where_the_parts_begin(UNUSED void **state)
{
    static const char *const ids[] = { NULL, "", "a", "a/b\r\nc", "0123456789abcdef" };
    const struct scanner scanner = { .path = SLICE_INIT("") };

    for (size_t i = 0; i < COUNT(ids); i++) {
        AUTO_BUF out = BUF_INIT(4096);
        AUTO_BUF want = BUF_INIT(200);
        request_of(&out, &scanner, ids[i], UINT64_MAX);
        const char *parts = strstr(buf_text(&out), "\r\n\r\n") + 4;
        const char *answer = strstr(parts, "\r\n\r\n") + 4;
        assert_int_equal(0, buf_printf(&want, "req-hdr=0, res-hdr=%zu, res-body=%zu\r\n",
                                       (size_t)(answer - parts),
                                       (size_t)(out.data + out.len - parts)));
        assert_non_null(strstr(out.data, buf_text(&want)));
        assert_int_equal(0, strncmp(answer, "HTTP/1.1 200 OK\r\n", 17));
        assert_int_equal(0, strncmp(out.data, "RESPMOD icap://192.0.2.9:1344/avscan ICAP", 41));
        assert_null(strstr(out.data, "Content-Length"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encapsulates_the_message_as_an_answer),
        cmocka_unit_test(says_where_the_parts_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
