/* tests/unit/scanners/test_milter_replay.c - a session told to a milter once more: a script of what is expected to be sent
 * and what is answered. */
#include "tests/unit/unit.h"

#include "contentd/scanners/milter_macros.h"
#include "contentd/scanners/milter_replay.h"
#include "tests/fakes/sample_message.h"

static const struct sample_message sample = {
    .address = "192.0.2.7",
    .name = "client.example.net",
    .helo = "helo.example.net",
    .queue_id = "4Xk2Lq",
    .sasl_username = "alice",
    .sender = "<a@example.net>",
    .recipients = "<b@example.org>,<c@example.org>,<d@example.org>",
    .headers = "Subject: a\n test\nTo:b\n",
    .body = "Hello\r\n",
    .has_leading_space = true,
};

static struct arena *arena;
static struct message *message;
static struct finding finding;
static struct milter_replay replay;
static const char *error;

static void begin(const struct sample_message *which)
{
    message_unref(&message);
    message = sample_message(which);
    finding = (struct finding){ .result = FINDING_NONE };
    edits_init(&finding.edits);
    milter_replay_clear(&replay);
    milter_replay_begin(&replay, message, arena, &finding);
    error = "";
}

static int setup(UNUSED void **state)
{
    arena = arena_new(4 << 20);
    begin(&sample);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    milter_replay_clear(&replay);
    message_unref(&message);
    arena_free(&arena);
    return 0;
}

/* What is sent now as text: each packet "C data|", NULs as "~", other bytes that do not print as "."; macros only by the
 * command that they belong to ("D:C|"), the body's bytes after "B". */
static void sent(struct buf *text)
{
    AUTO_BUF out = BUF_INIT(MILTER_OUT_MAX);
    struct replay_range range;
    struct milter_packet packet;
    size_t used;
    char space[65536];

    while (milter_replay_next(&replay, &out, &range)) {
        for (uint64_t at = 0; at < range.length;) {
            struct slice part;
            assert_int_equal(0, message_read(message, range.offset + at,
                                             (size_t)(range.length - at), space, &part));
            assert_int_not_equal(0, part.len);
            assert_int_equal(0, buf_add(&out, part));
            at += part.len;
        }
        struct slice rest = buf_slice(&out);
        while (milter_packet_read(rest, &packet, &used) == WIRE_DONE) {
            rest = slice_skip(rest, used);
            if (packet.command == MILTER_MACRO) {
                assert_int_equal(0, buf_printf(text, "D:%c|", packet.data.ptr[0]));
                continue;
            }
            assert_int_equal(0, buf_put_char(text, packet.command));
            for (size_t i = 0; i < packet.data.len; i++) {
                char c = packet.data.ptr[i];
                assert_int_equal(0, buf_put_char(text, c == '\0'           ? '~'
                                                       : ascii_is_print(c) ? c
                                                                           : '.'));
            }
            assert_int_equal(0, buf_put_char(text, '|'));
        }
        assert_int_equal(0, rest.len);
        buf_clear(&out);
    }
}

static void assert_sent(const char *want)
{
    AUTO_BUF text = BUF_INIT(1 << 20);

    sent(&text);
    assert_slice(want, buf_slice(&text));
}

static enum wire_state answer(char command, struct slice data)
{
    const struct milter_packet packet = { command, data };

    return milter_replay_take(&replay, &packet, &error);
}

/* Terms: version, actions and protocol. */
static void agree(uint32_t version, uint32_t may, uint32_t protocol)
{
    AUTO_BUF data = BUF_INIT(12);

    assert_sent("O~~~.~~..~...|"); /* 6, 0x1ff, 0x1ff7ff */
    assert_int_equal(0, milter_put_number(&data, version) || milter_put_number(&data, may) ||
                            milter_put_number(&data, protocol));
    assert_int_equal(WIRE_MORE, answer('O', buf_slice(&data)));
}

static void go_on(const char *want)
{
    assert_sent(want);
    assert_int_equal(WIRE_MORE, answer('c', SLICE("")));
}

static void tells_the_whole_session(UNUSED void **state)
{
    agree(6, 0, MILTER_LEADING_SPACE);
    go_on("D:C|Cclient.example.net~4.Y192.0.2.7~|");
    go_on("D:H|Hhelo.example.net~|");
    go_on("D:M|M<a@example.net>~|");
    go_on("D:R|R<b@example.org>~|");
    go_on("D:R|R<c@example.org>~|");
    go_on("D:R|R<d@example.org>~|");
    go_on("D:T|T|");
    go_on("LSubject~ a. test~|");
    go_on("LTo~b~|");
    go_on("D:N|N|");
    go_on("BHello..|");
    assert_sent("D:E|E|");
    assert_sent(""); /* its word is awaited */
    assert_int_equal(WIRE_MORE, answer('p', SLICE("")));
    assert_sent("");
    assert_int_equal(WIRE_DONE, answer('c', SLICE("")));
    assert_int_equal(FINDING_CLEAN, finding.result);
    assert_false(replay.is_early);
    assert_sent("");
}

static void leaves_out_what_it_does_not_want(UNUSED void **state)
{
    agree(6, 0,
          MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT | MILTER_NO_DATA |
              MILTER_NO_HEADER | MILTER_NO_END_HEADERS | MILTER_NO_BODY);
    assert_sent("D:C|D:H|D:M|D:R|D:R|D:R|D:T|D:N|D:E|E|");
    assert_int_equal(WIRE_DONE, answer('a', SLICE("")));
    assert_int_equal(FINDING_CLEAN, finding.result);
    assert_false(replay.is_early);
}

static void waits_for_no_answer_where_none_comes(UNUSED void **state)
{
    agree(6, 0,
          MILTER_SILENT_CONNECT | MILTER_SILENT_HELO | MILTER_SILENT_MAIL | MILTER_SILENT_RCPT |
              MILTER_SILENT_DATA | MILTER_SILENT_HEADER | MILTER_SILENT_END_HEADERS |
              MILTER_SILENT_BODY);
    assert_sent("D:C|Cclient.example.net~4.Y192.0.2.7~|D:H|Hhelo.example.net~|"
                "D:M|M<a@example.net>~|D:R|R<b@example.org>~|D:R|R<c@example.org>~|"
                "D:R|R<d@example.org>~|D:T|T|LSubject~a. test~|LTo~b~|D:N|N|BHello..|D:E|E|");
    assert_int_equal(WIRE_DONE, answer('c', SLICE("")));
}

static void speaks_version_2(UNUSED void **state)
{
    agree(2, 0, MILTER_NO_RCPT | MILTER_NO_HEADER);
    go_on("D:C|Cclient.example.net~4.Y192.0.2.7~|");
    go_on("D:H|Hhelo.example.net~|");
    go_on("D:M|M<a@example.net>~|");
    go_on("D:R|D:R|D:R|D:N|N|"); /* DATA is of version 4 */
    go_on("BHello..|");
    assert_sent("D:E|E|");
}

static void tells_clients_of_every_kind(UNUSED void **state)
{
    static const struct {
        const char *address, *name, *want;
    } rows[] = {
        { "2001:db8::1", NULL, "D:C|Cunknown~6.Y2001:db8::1~|" },
        { "192.0.2.7", "[192.0.2.7]", "D:C|C[192.0.2.7]~4.Y192.0.2.7~|" },
        { NULL, NULL, "D:C|Clocalhost~U|" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sample_message which = sample;
        which.address = rows[i].address;
        which.name = rows[i].name;
        which.helo = NULL;
        begin(&which);
        agree(6, 0, MILTER_NO_MAIL);
        go_on(rows[i].want);
        go_on("D:M|D:R|R<b@example.org>~|"); /* no HELO */
    }
}

static void a_blank_stands_before_values_when_wanted(UNUSED void **state)
{
    static const struct {
        bool has, wants;
        const char *want;
    } rows[] = {
        { true, true, "LSubject~ a. test~|LTo~b~|" },
        { true, false, "LSubject~a. test~|LTo~b~|" },
        { false, true, "LSubject~  a. test~|LTo~ b~|" },
        { false, false, "LSubject~ a. test~|LTo~b~|" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF want = BUF_INIT(200);
        struct sample_message which = sample;
        which.has_leading_space = rows[i].has;
        begin(&which);
        agree(6, 0,
              MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL | MILTER_NO_RCPT |
                  MILTER_NO_DATA | MILTER_SILENT_HEADER |
                  (rows[i].wants ? (unsigned)MILTER_LEADING_SPACE : 0));
        assert_int_equal(0,
                         buf_printf(&want, "D:C|D:H|D:M|D:R|D:R|D:R|D:T|%sD:N|N|", rows[i].want));
        assert_sent(buf_text(&want));
    }
}

/* Brings it to a step, all before is not wanted or silent; only the step itself is answered. */
static void bring_to(enum replay_step step)
{
    AUTO_BUF text = BUF_INIT(10000);
    static const uint32_t silent[] = {
        [REPLAY_CONNECT] = MILTER_SILENT_CONNECT,
        [REPLAY_HELO] = MILTER_SILENT_HELO,
        [REPLAY_MAIL] = MILTER_SILENT_MAIL,
        [REPLAY_RCPT] = MILTER_SILENT_RCPT,
        [REPLAY_DATA] = MILTER_SILENT_DATA,
        [REPLAY_HEADER] = MILTER_SILENT_HEADER,
        [REPLAY_END_HEADERS] = MILTER_SILENT_END_HEADERS,
        [REPLAY_BODY] = MILTER_SILENT_BODY,
        [REPLAY_END] = 0,
    };
    uint32_t protocol = MILTER_SKIPS;

    begin(&sample);
    for (size_t i = REPLAY_CONNECT; i < REPLAY_END; i++)
        protocol |= i == (size_t)step ? 0 : silent[i];
    if (step == REPLAY_NEGOTIATE)
        return;
    agree(6, 0x1ff, protocol);
    sent(&text);
    assert_int_equal(step, replay.step);
}

static const struct {
    enum replay_step step;
    struct milter_packet packet;
    enum wire_state want;
    enum finding_result result;
    bool is_early;
} words[] = {
    { REPLAY_CONNECT, { 'a', SLICE_INIT("") }, WIRE_DONE, FINDING_CLEAN, true },
    { REPLAY_CONNECT, { 'r', SLICE_INIT("") }, WIRE_DONE, FINDING_REJECT, true },
    { REPLAY_CONNECT, { 't', SLICE_INIT("") }, WIRE_DONE, FINDING_TEMPFAIL, true },
    { REPLAY_CONNECT, { 'd', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_CONNECT, { 's', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_CONNECT, { 'f', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_CONNECT, { 'c', SLICE_INIT("x") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_CONNECT, { 'O', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_CONNECT, { 'h', SLICE_INIT("A\0b\0") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_HELO, { 'd', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_HELO, { 'y', SLICE_INIT("550 no\0") }, WIRE_DONE, FINDING_REJECT, true },
    { REPLAY_MAIL, { 'd', SLICE_INIT("") }, WIRE_DONE, FINDING_DISCARD, true },
    { REPLAY_MAIL, { '4', SLICE_INIT("") }, WIRE_DONE, FINDING_TEMPFAIL, true },
    { REPLAY_RCPT, { '4', SLICE_INIT("") }, WIRE_DONE, FINDING_TEMPFAIL, true },
    { REPLAY_RCPT, { 'a', SLICE_INIT("") }, WIRE_DONE, FINDING_CLEAN, true },
    { REPLAY_RCPT, { 'd', SLICE_INIT("") }, WIRE_DONE, FINDING_DISCARD, true },
    { REPLAY_DATA, { 'r', SLICE_INIT("") }, WIRE_DONE, FINDING_REJECT, true },
    { REPLAY_HEADER, { 'r', SLICE_INIT("") }, WIRE_DONE, FINDING_REJECT, true },
    { REPLAY_HEADER, { 's', SLICE_INIT("") }, WIRE_MORE, FINDING_NONE, false },
    { REPLAY_END_HEADERS, { 't', SLICE_INIT("") }, WIRE_DONE, FINDING_TEMPFAIL, true },
    { REPLAY_BODY, { 'r', SLICE_INIT("") }, WIRE_DONE, FINDING_REJECT, true },
    { REPLAY_BODY, { 's', SLICE_INIT("") }, WIRE_MORE, FINDING_NONE, false },
    { REPLAY_BODY, { 'q', SLICE_INIT("x\0") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_BODY, { 'b', SLICE_INIT("x") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_END, { 'c', SLICE_INIT("") }, WIRE_DONE, FINDING_CLEAN, false },
    { REPLAY_END, { 'a', SLICE_INIT("") }, WIRE_DONE, FINDING_CLEAN, false },
    { REPLAY_END, { 'd', SLICE_INIT("") }, WIRE_DONE, FINDING_DISCARD, false },
    { REPLAY_END, { 'r', SLICE_INIT("") }, WIRE_DONE, FINDING_REJECT, false },
    { REPLAY_END, { 't', SLICE_INIT("") }, WIRE_DONE, FINDING_TEMPFAIL, false },
    { REPLAY_END, { 'y', SLICE_INIT("451 4.7.1 later\0") }, WIRE_DONE, FINDING_TEMPFAIL, false },
    { REPLAY_END, { 'y', SLICE_INIT("251 fine\0") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_END, { 's', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_END, { 'f', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_END, { 'p', SLICE_INIT("") }, WIRE_MORE, FINDING_NONE, false },
    { REPLAY_END, { 'p', SLICE_INIT("x") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_END, { 'Z', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
    { REPLAY_END, { '\0', SLICE_INIT("") }, WIRE_BAD, FINDING_NONE, false },
};

static void takes_words_where_they_belong(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        bring_to(words[i].step);
        enum wire_state got = answer(words[i].packet.command, words[i].packet.data);
        if (got != words[i].want || finding.result != words[i].result ||
            replay.is_early != words[i].is_early)
            fail_msg("row %zu: state %d, result %d, %s", i, got, finding.result, error);
    }
}

static void an_answer_that_was_not_asked_for_is_none(UNUSED void **state)
{
    assert_int_equal(WIRE_BAD, answer('c', SLICE(""))); /* before anything was sent */
    begin(&sample);
    agree(6, 0, MILTER_SILENT_CONNECT | MILTER_SILENT_HELO);
    assert_int_equal(WIRE_BAD, answer('c', SLICE("")));
    bring_to(REPLAY_NEGOTIATE);
    assert_sent("O~~~.~~..~...|");
    assert_int_equal(WIRE_BAD, answer('c', SLICE("")));
    bring_to(REPLAY_END);
    assert_int_equal(WIRE_DONE, answer('c', SLICE("")));
    assert_int_equal(WIRE_BAD, answer('c', SLICE("")));
}

static void skips_only_when_agreed(UNUSED void **state)
{
    agree(6, 0, MILTER_NO_CONNECT | MILTER_NO_HELO | MILTER_NO_MAIL);
    assert_sent("D:C|D:H|D:M|D:R|R<b@example.org>~|");
    assert_int_equal(WIRE_BAD, answer('s', SLICE("")));
    bring_to(REPLAY_RCPT);
    assert_int_equal(WIRE_MORE, answer('s', SLICE("")));
    assert_sent("D:T|T|LSubject~a. test~|LTo~b~|D:N|N|BHello..|D:E|E|");
}

static void refused_recipients_are_told_one_by_one(UNUSED void **state)
{
    bring_to(REPLAY_RCPT);
    assert_int_equal(WIRE_MORE, answer('y', SLICE("550 5.1.1 no b\0")));
    go_on("D:R|R<c@example.org>~|");
    assert_sent("D:R|R<d@example.org>~|");
    assert_int_equal(WIRE_MORE, answer('t', SLICE("")));
    assert_sent("D:T|T|LSubject~a. test~|LTo~b~|D:N|N|BHello..|D:E|E|");
    assert_int_equal(WIRE_DONE, answer('c', SLICE("")));
    assert_int_equal(FINDING_CLEAN, finding.result);
    assert_int_equal(2, finding.recipient_count);
    assert_int_equal(0, finding.recipients[0].index);
    assert_int_equal(FINDING_REJECT, finding.recipients[0].result);
    assert_int_equal(550, finding.recipients[0].reply.code);
    assert_slice("no b", finding.recipients[0].reply.text);
    assert_int_equal(2, finding.recipients[1].index);
    assert_int_equal(FINDING_TEMPFAIL, finding.recipients[1].result);
}

static void a_message_for_nobody_is_refused(UNUSED void **state)
{
    bring_to(REPLAY_RCPT);
    assert_int_equal(WIRE_MORE, answer('r', SLICE("")));
    assert_sent("D:R|R<c@example.org>~|");
    assert_int_equal(WIRE_MORE, answer('y', SLICE("451 4.2.1 later\0")));
    assert_sent("D:R|R<d@example.org>~|");
    assert_int_equal(WIRE_DONE, answer('r', SLICE("")));
    assert_int_equal(FINDING_TEMPFAIL, finding.result); /* one may come again */
    assert_int_equal(451, finding.reply.code);
    assert_int_equal(3, finding.recipient_count);
}

static void changes_come_with_the_last_word(UNUSED void **state)
{
    bring_to(REPLAY_END);
    assert_int_equal(WIRE_MORE, answer('h', SLICE("X-A\0a\0")));
    assert_int_equal(WIRE_MORE, answer('b', SLICE("new ")));
    assert_int_equal(WIRE_MORE, answer('p', SLICE("")));
    assert_int_equal(WIRE_MORE, answer('b', SLICE("body")));
    assert_int_equal(WIRE_MORE, answer('q', SLICE("odd\0")));
    assert_int_equal(WIRE_DONE, answer('c', SLICE("")));
    assert_int_equal(FINDING_CLEAN, finding.result);
    assert_true(finding.wants_quarantine);
    assert_slice("odd", finding.reply.text);
    assert_int_equal(2, finding.edits.count);
    assert_slice("a", finding.edits.first->text);
    assert_int_equal(EDIT_REPLACE_BODY, finding.edits.first->next->kind);
    assert_slice("new body", finding.edits.first->next->text);
}

static void an_empty_body_is_one(UNUSED void **state)
{
    bring_to(REPLAY_END);
    assert_int_equal(WIRE_MORE, answer('b', SLICE("")));
    assert_int_equal(WIRE_DONE, answer('a', SLICE("")));
    assert_int_equal(1, finding.edits.count);
    assert_slice("", finding.edits.first->text);
}

static void sends_the_body_in_chunks_as_it_grows(UNUSED void **state)
{
    static char lines[200000];
    struct sample_message which = sample;
    AUTO_BUF text = BUF_INIT(1 << 20);

    which.is_partial = true;
    begin(&which);
    memset(lines, 'x', sizeof(lines));
    agree(6, 0, 0x1ff7ff & ~(uint32_t)MILTER_NO_BODY & ~(uint32_t)MILTER_SILENT_BODY);
    assert_sent("D:C|D:H|D:M|D:R|D:R|D:R|D:T|D:N|");
    assert_int_equal(MESSAGE_OK, message_add_body(message, (struct slice){ lines, sizeof(lines) }));
    sent(&text);
    assert_int_equal(MILTER_DATA_MAX + 2, text.len);
    sent(&text);
    assert_int_equal(MILTER_DATA_MAX + 2, text.len); /* its answer first */
    for (size_t i = 2; i < 4; i++) {
        assert_int_equal(WIRE_MORE, answer('c', SLICE("")));
        sent(&text);
        assert_int_equal(i * (MILTER_DATA_MAX + 2), text.len);
    }
    assert_int_equal(WIRE_MORE, answer('c', SLICE("")));
    assert_sent(""); /* not a full chunk, and more may come */
    message_end(message);
    buf_clear(&text);
    sent(&text);
    assert_int_equal(sizeof(lines) + 7 - 3 * MILTER_DATA_MAX + 2, text.len);
    assert_int_equal(WIRE_MORE, answer('c', SLICE("")));
    assert_sent("D:E|E|");
}

static void waits_for_the_end_without_the_body(UNUSED void **state)
{
    struct sample_message which = sample;

    which.is_partial = true;
    begin(&which);
    agree(6, 0, 0x1ff7ff);
    assert_sent("D:C|D:H|D:M|D:R|D:R|D:R|D:T|D:N|");
    message_end(message);
    assert_sent("D:E|E|");
}

static void refuses_what_no_packet_holds(UNUSED void **state)
{
    static char value[70000];
    AUTO_BUF text = BUF_INIT(1 << 20);
    struct sample_message which = sample;
    struct buf headers = BUF_INIT(100000);

    memset(value, 'v', sizeof(value));
    assert_int_equal(0, buf_put(&headers, "X:") ||
                            buf_add(&headers, (struct slice){ value, sizeof(value) }) ||
                            buf_put(&headers, "\n"));
    which.headers = buf_text(&headers);
    begin(&which);
    agree(6, 0, 0x1ff7ff & ~(uint32_t)MILTER_NO_HEADER);
    sent(&text);
    assert_non_null(replay.error);
    buf_free(&headers);
}

static void tells_macros(UNUSED void **state)
{
    static const struct {
        enum milter_place place;
        const char *wanted; /* NULL: the usual ones */
        struct slice want;
    } rows[] = {
        { MILTER_AT_MAIL, NULL,
          SLICE_INIT("Xi\0"
                     "4Xk2Lq\0{auth_authen}\0alice\0{mail_addr}\0a@example.net\0{mail_host}\0"
                     "example.net\0") },
        { MILTER_AT_RCPT, NULL,
          SLICE_INIT("Xi\0"
                     "4Xk2Lq\0{rcpt_addr}\0c@example.org\0{rcpt_host}\0example.org\0") },
        { MILTER_AT_CONNECT, "j, {j} {client_addr},{client_port} _ v {unknown}",
          SLICE_INIT("Xj\0mx.example.org\0{j}\0mx.example.org\0{client_addr}\0"
                     "192.0.2.7\0"
                     "{client_port}\0"
                     "40025\0_\0client.example.net [192.0.2.7]\0") },
        { MILTER_AT_END, "{cipher}", SLICE_INIT("X{cipher}\0TLS_AES_256_GCM_SHA384\0") },
        { MILTER_AT_END, "", SLICE_INIT("") },
        { MILTER_AT_END, "nothing", SLICE_INIT("") },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF out = BUF_INIT(1000);
        assert_int_equal(
            0, milter_put_macros(&out, 'X', rows[i].place, slice_of(rows[i].wanted), message, 1));
        struct slice data = slice_skip(buf_slice(&out), MILTER_PACKET_HEAD);
        if (!slice_equal(data, rows[i].want))
            fail_msg("row %zu: %zu bytes", i, data.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_the_whole_session, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_out_what_it_does_not_want, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_no_answer_where_none_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(speaks_version_2, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_clients_of_every_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blank_stands_before_values_when_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_words_where_they_belong, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_was_not_asked_for_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(skips_only_when_agreed, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_recipients_are_told_one_by_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_for_nobody_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_come_with_the_last_word, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_body_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_the_body_in_chunks_as_it_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_the_end_without_the_body, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_no_packet_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_macros, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
