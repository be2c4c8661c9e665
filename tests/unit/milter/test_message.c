/* tests/unit/milter/test_message.c - what the MTA said is kept as it was, within bounds, and given back as one message. */
#include "tests/unit/unit.h"

#include "common/base/buf.h"
#include "common/milter/message.h"

static const struct spool_bounds bounds = { "/tmp", 1 << 20, 1000 };

static int setup(void **state)
{
    *state = message_new();
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct message *message = *state;

    message_unref(&message);
    return 0;
}

static void keeps_the_envelope(void **state)
{
    struct message *message = *state;
    struct slice arguments[] = { SLICE("SIZE=10"), SLICE("smtputf8") };

    assert_int_equal(MESSAGE_OK,
                     message_set_sender(message, SLICE("<Al@Example.NET>"), arguments, 2));
    assert_slice("Al@Example.NET", message->sender);
    assert_slice("al@example.net", message->sender_normal);
    assert_true(message->is_smtputf8);
    assert_int_equal(2, message->sender_argument_count);
    assert_slice("SIZE=10", message->sender_arguments[0]);

    assert_int_equal(MESSAGE_OK,
                     message_add_recipient(message, SLICE("<bob@example.org>"), NULL, 0));
    assert_int_equal(MESSAGE_OK, message_add_recipient(message, SLICE("Postmaster"), arguments, 1));
    assert_int_equal(MESSAGE_OK,
                     message_add_recipient(message, SLICE("<gone@example.org>"), NULL, 0));
    message_drop_recipient(message);
    assert_int_equal(2, message->recipient_count);
    assert_int_equal(1, message->refused_count);
    assert_slice("gone@example.org", message->refused[0]);
    assert_slice("bob@example.org", message->recipients[0].address);
    assert_slice("Postmaster", message->recipients[1].address);
    assert_slice("postmaster", message->recipients[1].normal);
    assert_slice("SIZE=10", message->recipients[1].arguments[0]);
}

static const struct {
    const char *path, *want;
} paths[] = {
    { "<bob@example.org>", "bob@example.org" },
    { " < bob@example.org > ", "bob@example.org" },
    { "<@a,@b:bob@example.org>", "bob@example.org" },
    { "@a:bob@example.org", "bob@example.org" },
    { "<@a:>", "" },
    { "<@a>", "@a" },
    { "<\"@a:b\"@example.org>", "\"@a:b\"@example.org" },
    { "<<bob@example.org>>", "<bob@example.org>" },
};

static void ignores_routes_as_the_mta_does(void **state)
{
    struct message *message = *state;

    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_int_equal(MESSAGE_OK,
                         message_add_recipient(message, slice_of(paths[i].path), NULL, 0));
        assert_slice(paths[i].want, message->recipients[i].address);
    }
}

static void looks_up_what_the_mta_makes_of_an_address(void **state)
{
    struct message *message = *state;
    const struct slice nothing = { NULL, 0 };

    message_set_sender(message, SLICE("<example.net!al>"), NULL, 0);
    assert_int_equal(MESSAGE_OK, message_resolve_sender(message, SLICE("Al@example.net")));
    assert_slice("example.net!al", message->sender);
    assert_slice("al@example.net", message->sender_normal);
    message_add_recipient(message, SLICE("<bob%example.org>"), NULL, 0);
    assert_int_equal(MESSAGE_OK, message_resolve_recipient(message, nothing));
    assert_slice("bob%example.org", message->recipients[0].normal);
    assert_int_equal(MESSAGE_OK, message_resolve_recipient(message, SLICE("bob")));
    assert_slice("bob%example.org", message->recipients[0].normal);
    assert_int_equal(MESSAGE_OK, message_resolve_recipient(message, SLICE("Bob@Example.org")));
    assert_slice("bob@example.org", message->recipients[0].normal);
    assert_slice("bob%example.org", message->recipients[0].address);
}

static void knows_the_null_sender(void **state)
{
    struct message *message = *state;

    assert_int_equal(MESSAGE_OK, message_set_sender(message, SLICE("<>"), NULL, 0));
    assert_non_null(message->sender.ptr);
    assert_int_equal(0, message->sender.len);
    assert_non_null(message->sender_normal.ptr);
    assert_int_equal(0, message->sender_normal.len);
    assert_false(message->is_smtputf8);
}

static void copies_the_client(void **state)
{
    struct message *message = *state;
    char helo[] = "client.example.net";
    struct message_client client = { .helo = slice_of(helo), .port = 25 };

    assert_int_equal(MESSAGE_OK, message_set_client(message, &client));
    helo[0] = 'X';
    assert_slice("client.example.net", message->client.helo);
    assert_null(message->client.tls_version.ptr);
    assert_int_equal(25, message->client.port);
}

static const struct {
    const char *what;
    bool has_leading_space;
    const char *name, *value, *want;
} heads[] = {
    { "plain", false, "Subject", "hello", "Subject: hello\r\n\r\n" },
    { "with its blank", true, "Subject", " hello", "Subject: hello\r\n\r\n" },
    { "without a blank", true, "Subject", "hello", "Subject:hello\r\n\r\n" },
    { "a tab", true, "Subject", "\thello", "Subject:\thello\r\n\r\n" },
    { "empty", true, "Subject", "", "Subject:\r\n\r\n" },
    { "folds", true, "To", " a,\n\tb,\r\n c", "To: a,\r\n\tb,\r\n c\r\n\r\n" },
    { "begins with a line end", true, "To", "\n a", "To:\r\n a\r\n\r\n" },
    { "blanks before the colon", true, "Subject \t", " hello", "Subject \t: hello\r\n\r\n" },
    { "8 bits", true, "X", " \xc3\xa9\xff", "X: \xc3\xa9\xff\r\n\r\n" },
};

static void makes_the_head(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct message *message = message_new();
        message->has_leading_space = heads[i].has_leading_space;
        assert_int_equal(MESSAGE_OK, message_add_header(message, slice_of(heads[i].name),
                                                        slice_of(heads[i].value)));
        assert_int_equal(MESSAGE_OK, message_end_headers(message, &bounds));
        if (!slice_equal(message->head, slice_of(heads[i].want)))
            fail_msg("%s: %.*s", heads[i].what, SLICE_ARG(message->head));
        message_unref(&message);
    }
}

static void has_a_head_without_any_field(void **state)
{
    struct message *message = *state;

    assert_int_equal(MESSAGE_OK, message_end_headers(message, &bounds));
    assert_slice("\r\n", message->head);
    assert_int_equal(2, message_size(message));
}

static void finds_fields_by_number(void **state)
{
    struct message *message = *state;

    message_add_header(message, SLICE("Received"), SLICE("one"));
    message_add_header(message, SLICE("Subject"), SLICE("hello"));
    message_add_header(message, SLICE("RECEIVED"), SLICE("two"));
    message_add_header(message, SLICE("Received \t"), SLICE("three"));
    assert_slice("one", message_header_find(message, SLICE("received"), 1)->value);
    assert_slice("two", message_header_find(message, SLICE("received"), 2)->value);
    const struct message_header *third = message_header_find(message, SLICE("received"), 3);
    assert_slice("three", third->value);
    assert_slice("Received", third->name);
    assert_slice("Received \t", message_header_label(third));
    assert_null(message_header_find(message, SLICE("received"), 4));
    assert_null(message_header_find(message, SLICE("receive"), 1));
    assert_null(message_header_find(message, SLICE("received"), 0));
}

static void is_read_as_one(void **state)
{
    struct message *message = *state;
    AUTO_BUF all = BUF_INIT(1000);
    char space[5];
    struct slice part;

    message_add_header(message, SLICE("A"), SLICE("b"));
    assert_int_equal(MESSAGE_OK, message_end_headers(message, &bounds));
    assert_int_equal(MESSAGE_OK, message_add_body(message, SLICE("hello ")));
    assert_false(message_is_whole(message));
    assert_int_equal(MESSAGE_OK, message_add_body(message, SLICE("world")));
    message_end(message);
    assert_true(message_is_whole(message));
    do {
        assert_int_equal(0, message_read(message, all.len, sizeof space, space, &part));
        buf_add(&all, part);
    } while (part.len > 0);
    assert_string_equal("A: b\r\n\r\nhello world", buf_text(&all));
    assert_int_equal(all.len, message_size(message));
}

static void refuses_what_is_too_much(void **state)
{
    struct message *message = *state;
    struct slice arguments[MESSAGE_ARGUMENTS_MAX + 1] = { 0 };
    char *large = calloc(1, MESSAGE_HEADER_BYTES_MAX + 1);

    assert_int_equal(MESSAGE_TOO_MUCH,
                     message_set_sender(message, SLICE("<a>"), arguments, COUNT(arguments)));
    assert_int_equal(MESSAGE_TOO_MUCH,
                     message_add_header(message, SLICE("Large"),
                                        (struct slice){ large, MESSAGE_HEADER_BYTES_MAX }));
    assert_int_equal(MESSAGE_OK,
                     message_add_header(message, SLICE("Large"),
                                        (struct slice){ large, MESSAGE_HEADER_BYTES_MAX - 5 }));
    assert_int_equal(MESSAGE_TOO_MUCH, message_add_header(message, SLICE("X"), SLICE("")));
    assert_int_equal(MESSAGE_OK, message_end_headers(message, &bounds));
    assert_int_equal(MESSAGE_OK, message_add_body(message, (struct slice){ large, 1000 }));
    assert_int_equal(MESSAGE_TOO_MUCH, message_add_body(message, SLICE("x")));
    free(large);
}

static void takes_as_many_as_it_says(void **state)
{
    struct message *message = *state;

    for (size_t i = 0; i < MESSAGE_HEADERS_MAX; i++)
        assert_int_equal(MESSAGE_OK, message_add_header(message, SLICE("X"), SLICE("y")));
    assert_int_equal(MESSAGE_TOO_MUCH, message_add_header(message, SLICE("X"), SLICE("y")));
    for (size_t i = 0; i < MESSAGE_RECIPIENTS_MAX; i++)
        assert_int_equal(MESSAGE_OK,
                         message_add_recipient(message, SLICE("<b@example.org>"), NULL, 0));
    assert_int_equal(MESSAGE_TOO_MUCH,
                     message_add_recipient(message, SLICE("<b@example.org>"), NULL, 0));
    assert_int_equal(MESSAGE_OK, message_end_headers(message, &bounds));
}

static void says_when_there_is_no_room(void **state)
{
    struct message *message = *state;
    struct spool_bounds nowhere = { "/nonexistent", 0, 1000 };

    assert_int_equal(MESSAGE_OK, message_end_headers(message, &nowhere));
    assert_int_equal(MESSAGE_NO_ROOM, message_add_body(message, SLICE("x")));
}

static void lives_as_long_as_somebody_needs_it(void **state)
{
    struct message *message = *state, *other = message_ref(message);

    message_set_sender(message, SLICE("<a@example.net>"), NULL, 0);
    message_unref(&other);
    assert_null(other);
    assert_slice("a@example.net", message->sender);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keeps_the_envelope),
        TEST(ignores_routes_as_the_mta_does),
        TEST(looks_up_what_the_mta_makes_of_an_address),
        TEST(knows_the_null_sender),
        TEST(copies_the_client),
        TEST(makes_the_head),
        TEST(has_a_head_without_any_field),
        TEST(finds_fields_by_number),
        TEST(is_read_as_one),
        TEST(refuses_what_is_too_much),
        TEST(takes_as_many_as_it_says),
        TEST(says_when_there_is_no_room),
        TEST(lives_as_long_as_somebody_needs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
