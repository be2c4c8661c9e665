/* tests/unit/message/test_decision.c - what a decision's line says of a message. */
#include "common/message/decision.h"

#include "tests/fakes/mail_message.h"
#include "tests/unit/unit.h"

static void names_the_message_and_one_recipient(UNUSED void **state)
{
    static const struct {
        const char *client;
        size_t recipient;
        const char *address, *to;
    } rows[] = {
        { "192.0.2.7", 0, "192.0.2.7", "a@x.example" },
        { "2001:db8::1", 1, "2001:db8::1", "b@x.example" },
        { NULL, 1, "", "b@x.example" }, /* not by SMTP */
        { "192.0.2.7", 2, "192.0.2.7", "" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message *message =
            mail_message_new(SLICE("Subject: x\n\nbody\r\n"), "a@x.example b@x.example");
        char address[IP_ADDRESS_TEXT_MAX] = "left over";
        message->queue_id = SLICE("4Xk2Lq");
        message->sasl_username = SLICE("alice");
        message->client.has_address =
            rows[i].client != NULL &&
            ip_address_parse(slice_of(rows[i].client), &message->client.address);
        struct decision decision = message_decision(message, rows[i].recipient, address);
        assert_slice("4Xk2Lq", decision.queue_id);
        assert_slice("alice", decision.sasl_username);
        assert_slice("me@example.com", decision.sender);
        assert_slice(rows[i].address, decision.client_address);
        assert_slice(rows[i].to, decision.recipient);
        message_unref(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_message_and_one_recipient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
