#include "tests/unit/unit.h"

#include "contentd/scanners/received.h"

#define WALL UINT64_C(1795339045000)
#define DATE "\r\n\tSun, 22 Nov 2026 09:17:25 +0000\r\n"

static void says_what_the_mta_knows(UNUSED void **state)
{
    static const struct {
        const char *address, *name, *helo, *tls, *login, *sender, *want;
    } rows[] = {
        { "192.0.2.7", "client.example.net", "helo.example.net", NULL, NULL, "a@example.net",
          "Return-Path: <a@example.net>\r\n"
          "Received: from helo.example.net (client.example.net [192.0.2.7])\r\n"
          "\tby mx.example.org (Postfix) with ESMTP id 4Xk2Lq\r\n"
          "\t(envelope-from <a@example.net>);" DATE },
        { "2001:db8::1", "[2001:db8::1]", NULL, "TLSv1.3", NULL, "",
          "Return-Path: <>\r\n"
          "Received: from unknown (unknown [IPv6:2001:db8::1])\r\n"
          "\tby mx.example.org (Postfix) with ESMTPS id 4Xk2Lq\r\n"
          "\t(envelope-from <>);" DATE },
        { "192.0.2.7", NULL, "[192.0.2.7]", "TLSv1.3", "alice", "a@example.net",
          "Return-Path: <a@example.net>\r\n"
          "Received: from [192.0.2.7] (unknown [192.0.2.7])\r\n"
          "\tby mx.example.org (Postfix) with ESMTPSA id 4Xk2Lq\r\n"
          "\t(envelope-from <a@example.net>);" DATE },
        { "192.0.2.7", "c", "h", NULL, "alice", "a@example.net",
          "Return-Path: <a@example.net>\r\n"
          "Received: from h (c [192.0.2.7])\r\n"
          "\tby mx.example.org (Postfix) with ESMTPA id 4Xk2Lq\r\n"
          "\t(envelope-from <a@example.net>);" DATE },
        { NULL, NULL, NULL, NULL, NULL, "root@example.org",
          "Return-Path: <root@example.org>\r\n"
          "Received: by mx.example.org (Postfix) with ESMTP id 4Xk2Lq\r\n"
          "\t(envelope-from <root@example.org>);" DATE },
        /* What the client says stays in its place. */
        { "192.0.2.7", "c", "x (good [10.0.0.1]) by y helo=z\r\nX: y", NULL, NULL,
          "a b\r\nX: <c>@d)e",
          "Return-Path: <a_b__X:__c_@d_e>\r\n"
          "Received: from x__good_[10.0.0.1]__by_y_helo_z__X:_y (c [192.0.2.7])\r\n"
          "\tby mx.example.org (Postfix) with ESMTP id 4Xk2Lq\r\n"
          "\t(envelope-from <a_b__X:__c_@d_e>);" DATE },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message message = {
            .queue_id = SLICE("4Xk2Lq"),
            .sender = slice_of(rows[i].sender),
            .sasl_username = slice_of(rows[i].login),
            .client = { .name = slice_of(rows[i].name),
                        .helo = slice_of(rows[i].helo),
                        .tls_version = slice_of(rows[i].tls),
                        .myhostname = SLICE("mx.example.org"),
                        .has_address = rows[i].address != NULL },
        };
        AUTO_BUF out = BUF_INIT(4096);
        if (rows[i].address != NULL)
            assert_true(ip_address_parse(slice_of(rows[i].address), &message.client.address));
        assert_int_equal(0, received_print(&out, &message, WALL));
        assert_slice(rows[i].want, buf_slice(&out));
    }
}

static void says_when_there_is_no_room(UNUSED void **state)
{
    const struct message message = { .sender = SLICE("a@example.net") };

    for (size_t room = 0; room < 100; room++) {
        AUTO_BUF out = BUF_INIT(room);
        assert_int_equal(-1, received_print(&out, &message, WALL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_mta_knows),
        cmocka_unit_test(says_when_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
