/* tests/unit/scanners/test_milter_answers.c - packets of milters: lengths, agreements, refusals, changes. */
#include "tests/unit/unit.h"

#include "contentd/scanners/milter_answers.h"

static struct arena *arena;
static struct finding finding;
static struct buf body = BUF_INIT(16);

static int setup(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    finding = (struct finding){ .result = FINDING_NONE };
    edits_init(&finding.edits);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    buf_free(&body);
    return 0;
}

static const struct {
    const char *what;
    struct slice in;
    enum wire_state want;
    size_t used;
} packets[] = {
    { "nothing", SLICE_INIT(""), WIRE_MORE, 0 },
    { "half a length", SLICE_INIT("\0\0\0"), WIRE_MORE, 0 },
    { "no command yet", SLICE_INIT("\0\0\0\1"), WIRE_MORE, 0 },
    { "command", SLICE_INIT("\0\0\0\1c"), WIRE_DONE, 5 },
    { "command and more", SLICE_INIT("\0\0\0\1c\0\0"), WIRE_DONE, 5 },
    { "data", SLICE_INIT("\0\0\0\4yab\0"), WIRE_DONE, 8 },
    { "cut data", SLICE_INIT("\0\0\0\4yab"), WIRE_MORE, 0 },
    { "length 0", SLICE_INIT("\0\0\0\0"), WIRE_BAD, 0 },
    { "too long", SLICE_INIT("\0\x10\0\1c"), WIRE_BAD, 0 },
    { "just not too long", SLICE_INIT("\0\x10\0\0c"), WIRE_MORE, 0 },
    { "text", SLICE_INIT("HTTP/1.1"), WIRE_BAD, 0 },
};

static void reads_packets(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(packets); i++) {
        struct milter_packet packet;
        size_t used = 0;
        enum wire_state got = milter_packet_read(packets[i].in, &packet, &used);
        if (got != packets[i].want || used != packets[i].used)
            fail_msg("%s: state %d, used %zu", packets[i].what, got, used);
        if (got == WIRE_DONE && packet.data.len != used - MILTER_PACKET_HEAD)
            fail_msg("%s: %zu bytes of data", packets[i].what, packet.data.len);
    }
}

static void writes_packets(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(100000);
    static char big[MILTER_DATA_MAX + 1];

    assert_int_equal(0, milter_put_packet(&out, 'H', SLICE("a")));
    assert_true(slice_equal(buf_slice(&out), SLICE("\0\0\0\2Ha")));
    assert_int_equal(-1, milter_put_packet(&out, 'B', (struct slice){ big, sizeof(big) }));
    assert_int_equal(-1, milter_put_text(&out, SLICE("a\0b")));
    assert_int_equal(6, out.len);
    assert_int_equal(0, milter_put_packet(&out, 'B', (struct slice){ big, MILTER_DATA_MAX }));
}

#define NUMBERS(version, may, protocol)                                                            \
    "\0\0\0" version "\0\0" may "\0" protocol /* one, two and three bytes */

static const struct {
    const char *what;
    struct slice data;
    const char *error; /* begins with; NULL: agreed */
    uint32_t version, may, protocol;
} terms[] = {
    { "all", SLICE_INIT(NUMBERS("\6", "\1\xff", "\x1f\xf7\xff")), NULL, 6, 0x1ff, 0x1ff7ff },
    { "nothing", SLICE_INIT(NUMBERS("\2", "\0\0", "\0\0\0")), NULL, 2, 0, 0 },
    { "unknown protocol flags", SLICE_INIT("\0\0\0\6\0\0\0\1\x7f\0\0\x81"), NULL, 6, 1, 0x81 },
    { "refused recipients", SLICE_INIT(NUMBERS("\6", "\0\0", "\0\x08\0")), NULL, 6, 0, 0 },
    { "version 1", SLICE_INIT(NUMBERS("\1", "\0\0", "\0\0\0")), "speaks a version", 0, 0, 0 },
    { "version 7", SLICE_INIT(NUMBERS("\7", "\0\0", "\0\0\0")), "speaks a version", 0, 0, 0 },
    { "more actions", SLICE_INIT(NUMBERS("\6", "\2\0", "\0\0\0")), "wants to do", 0, 0, 0 },
    { "cut", SLICE_INIT("\0\0\0\6\0\0\0\1\0\0\0"), "sends a packet", 0, 0, 0 },
    { "half a list", SLICE_INIT(NUMBERS("\6", "\0\0", "\0\0\0") "\0\0\0"), "sends a packet", 0, 0,
      0 },
    { "list without end", SLICE_INIT(NUMBERS("\6", "\0\0", "\0\0\0") "\0\0\0\0j"), "sends a packet",
      0, 0, 0 },
};

static void agrees_on_terms(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(terms); i++) {
        struct milter_terms got;
        const char *error = milter_read_terms(terms[i].data, arena, &got);
        if ((error == NULL) != (terms[i].error == NULL) ||
            (error != NULL && !slice_starts_with(slice_of(error), slice_of(terms[i].error))))
            fail_msg("%s: %s", terms[i].what, error == NULL ? "agreed" : error);
        if (error == NULL && (got.version != terms[i].version || got.may != terms[i].may ||
                              got.protocol != terms[i].protocol))
            fail_msg("%s: %u %x %x", terms[i].what, got.version, got.may, got.protocol);
    }
}

static void reads_lists_of_macros(UNUSED void **state)
{
    struct milter_terms got;

    assert_null(milter_read_terms(SLICE(NUMBERS("\6", "\1\0", "\0\0\0") "\0\0\0\2i {mail_addr}\0"
                                                                        "\0\0\0\x63x\0\0\0\0\5\0"),
                                  arena, &got));
    assert_slice("i {mail_addr}", got.macros[MILTER_AT_MAIL]);
    assert_non_null(got.macros[MILTER_AT_END].ptr);
    assert_int_equal(0, got.macros[MILTER_AT_END].len);
    assert_null(got.macros[MILTER_AT_CONNECT].ptr);
}

static const struct {
    struct milter_packet packet;
    const char *error;
    enum finding_result result;
    unsigned code;
    const char *enhanced, *text;
} refusals[] = {
    { { 'r', SLICE_INIT("") }, NULL, FINDING_REJECT, 0, "", "" },
    { { 't', SLICE_INIT("") }, NULL, FINDING_TEMPFAIL, 0, "", "" },
    { { '4', SLICE_INIT("") }, NULL, FINDING_TEMPFAIL, 421, "4.3.0", "Service not available" },
    { { 'r', SLICE_INIT("x") }, "sends a packet", FINDING_REJECT, 0, "", "" },
    { { 'y', SLICE_INIT("550 5.7.1 no 100%% sure\0") },
      NULL,
      FINDING_REJECT,
      550,
      "5.7.1",
      "no 100% sure" },
    { { 'y', SLICE_INIT("451 later\0") }, NULL, FINDING_TEMPFAIL, 451, "4.7.1", "later" },
    { { 'y', SLICE_INIT("554\0") }, NULL, FINDING_REJECT, 554, "5.7.1", "" },
    { { 'y', SLICE_INIT("550 5% off%\0") }, NULL, FINDING_REJECT, 550, "5.7.1", "5 off" },
    { { 'y', SLICE_INIT("550-5.7.2 one\r\n550-5.7.2 two\r\n550 5.7.2 three\0") },
      NULL,
      FINDING_REJECT,
      550,
      "5.7.2",
      "one two three" },
    { { 'y', SLICE_INIT("550-one\r\n550 two\r\n\0") },
      NULL,
      FINDING_REJECT,
      550,
      "5.7.1",
      "one two" },
    { { 'y', SLICE_INIT("550 a\rb\x01\0") }, NULL, FINDING_REJECT, 550, "5.7.1", "a b" },
    { { 'y', SLICE_INIT("550-one\r\n451 two\0") }, "sends a reply", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("250 fine\0") }, "sends a reply", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("5505 no\0") }, "sends a reply", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("55\0") }, "sends a reply", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("no\0") }, "sends a reply", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("\0") }, "sends a reply", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("550 no") }, "sends a packet", FINDING_NONE, 0, "", "" },
    { { 'y', SLICE_INIT("550 no\0x") }, "sends a packet", FINDING_NONE, 0, "", "" },
};

static void reads_refusals(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(refusals); i++) {
        enum finding_result result;
        struct reply reply;
        const char *error = milter_read_refusal(&refusals[i].packet, arena, &result, &reply);
        if ((error == NULL) != (refusals[i].error == NULL) ||
            (error != NULL && !slice_starts_with(slice_of(error), slice_of(refusals[i].error))))
            fail_msg("row %zu: %s", i, error == NULL ? "taken" : error);
        if (error == NULL && (result != refusals[i].result || reply.code != refusals[i].code ||
                              !slice_equal(reply.enhanced, slice_of(refusals[i].enhanced)) ||
                              !slice_equal(reply.text, slice_of(refusals[i].text))))
            fail_msg("row %zu: %d %u %.*s \"%.*s\"", i, result, reply.code,
                     SLICE_ARG(reply.enhanced), SLICE_ARG(reply.text));
    }
}

static const struct {
    struct milter_packet packet;
    enum edit_kind kind;
    size_t index;
    const char *name, *text; /* text NULL: absent */
    const char *error; /* begins with; NULL: taken */
} changes[] = {
    { { 'h', SLICE_INIT("X-A\0 value\0") }, EDIT_ADD_HEADER, 0, "X-A", "value", NULL },
    { { 'i', SLICE_INIT("\0\0\0\1X-A\0a\n\tb\0") }, EDIT_INSERT_HEADER, 1, "X-A", "a\n\tb", NULL },
    { { 'm', SLICE_INIT("\0\0\0\2X-A\0b\0") }, EDIT_CHANGE_HEADER, 2, "X-A", "b", NULL },
    { { 'm', SLICE_INIT("\0\0\0\0X-A\0b\0") }, EDIT_CHANGE_HEADER, 1, "X-A", "b", NULL },
    { { 'm', SLICE_INIT("\0\0\0\2X-A\0\0") }, EDIT_CHANGE_HEADER, 2, "X-A", NULL, NULL },
    { { 'e', SLICE_INIT("<a@example.org>\0") }, EDIT_CHANGE_SENDER, 0, "", "a@example.org", NULL },
    { { 'e', SLICE_INIT("<>\0SIZE=1\0") }, EDIT_CHANGE_SENDER, 0, "", "", NULL },
    { { '+', SLICE_INIT("<a@example.org>\0") }, EDIT_ADD_RECIPIENT, 0, "", "a@example.org", NULL },
    { { '2', SLICE_INIT("<a@example.org>\0NOTIFY=NEVER\0") },
      EDIT_ADD_RECIPIENT,
      0,
      "",
      "a@example.org",
      NULL },
    { { '-', SLICE_INIT("a@example.org\0") }, EDIT_REMOVE_RECIPIENT, 0, "", "a@example.org", NULL },
    { { 'h', SLICE_INIT("X-A\0 value") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { 'h', SLICE_INIT("X-A\0") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { 'h', SLICE_INIT("X-A\0a\0b\0") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { 'h', SLICE_INIT("X A\0a\0") }, EDIT_ADD_HEADER, 0, "", "", "wants a header field" },
    { { 'i', SLICE_INIT("\0\0\1") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { '+', SLICE_INIT("\0") }, EDIT_ADD_HEADER, 0, "", "", "wants an address" },
    { { '+', SLICE_INIT("<a@example.org>") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { '+', SLICE_INIT("a\0b\0c\0") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { 'q', SLICE_INIT("") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
    { { 'z', SLICE_INIT("") }, EDIT_ADD_HEADER, 0, "", "", "sends a packet" },
};

static void takes_over_changes(UNUSED void **state)
{
    const struct milter_terms all = { .version = 6, .may = 0x1ff };

    for (size_t i = 0; i < COUNT(changes); i++) {
        edits_init(&finding.edits);
        const char *error = milter_read_change(&changes[i].packet, &all, arena, &body, &finding);
        if ((error == NULL) != (changes[i].error == NULL) ||
            (error != NULL && !slice_starts_with(slice_of(error), slice_of(changes[i].error))))
            fail_msg("row %zu: %s", i, error == NULL ? "taken" : error);
        const struct edit *edit = finding.edits.first;
        if (error == NULL && (edit->kind != changes[i].kind || edit->index != changes[i].index ||
                              !slice_equal(edit->name, slice_of(changes[i].name)) ||
                              !slice_equal(edit->text, slice_of(changes[i].text)) ||
                              (edit->text.ptr == NULL) != (changes[i].text == NULL)))
            fail_msg("row %zu: %d %zu", i, edit->kind, edit->index);
    }
}

static void changes_only_what_was_agreed(UNUSED void **state)
{
    static const struct {
        char command;
        uint32_t needs;
    } rows[] = { { 'h', 0x01 }, { 'i', 0x01 }, { 'b', 0x02 }, { '+', 0x04 }, { '-', 0x08 },
                 { 'm', 0x10 }, { 'q', 0x20 }, { 'e', 0x40 }, { '2', 0x80 } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct milter_terms others = { .version = 6, .may = 0x1ffu & ~rows[i].needs };
        const struct milter_packet packet = { rows[i].command, SLICE_INIT("x\0") };
        assert_true(milter_is_change(rows[i].command));
        assert_string_equal("changes what it did not ask for",
                            milter_read_change(&packet, &others, arena, &body, &finding));
    }
    assert_false(milter_is_change('c'));
}

static void quarantine_keeps_the_reason(UNUSED void **state)
{
    const struct milter_terms all = { .version = 6, .may = 0x1ff };
    const struct milter_packet packet = { 'q', SLICE_INIT("looks\nodd\0") };

    assert_null(milter_read_change(&packet, &all, arena, &body, &finding));
    assert_true(finding.wants_quarantine);
    assert_slice("looks odd", finding.reply.text);
}

static void bounds_a_new_body(UNUSED void **state)
{
    const struct milter_terms all = { .version = 6, .may = 0x1ff };
    const struct milter_packet packet = { 'b', SLICE_INIT("0123456789") };

    assert_null(milter_read_change(&packet, &all, arena, &body, &finding));
    assert_non_null(milter_read_change(&packet, &all, arena, &body, &finding));
    assert_slice("0123456789", buf_slice(&body));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_packets),
        cmocka_unit_test(writes_packets),
        cmocka_unit_test_setup_teardown(agrees_on_terms, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_lists_of_macros, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_over_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_only_what_was_agreed, setup, teardown),
        cmocka_unit_test_setup_teardown(quarantine_keeps_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_a_new_body, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
