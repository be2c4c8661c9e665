/* tests/unit/contentd/test_rewrite.c - edits carried out on a copy. */
#include "contentd/rewrite.h"

#include "tests/fakes/mail_message.h"
#include "tests/unit/unit.h"

#define HEAD "A: 1\r\nSubject:  two\r\n  lines\r\nA:3\r\nEmpty:\r\n"
#define TEXT(text) SLICE_INIT(text)
#define NOTHING                                                                                    \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

/* Everything a source has, seven bytes at a time. */
static bool read_all(const struct source *source, struct buf *out)
{
    char space[7];
    struct slice part;

    for (uint64_t offset = 0; offset < source->size; offset += part.len)
        if (source->read(source, offset, sizeof space, space, &part) != 0 || part.len == 0 ||
            part.len > sizeof space || buf_add(out, part) != 0)
            return false;
    return source->read(source, source->size, sizeof space, space, &part) == 0 && part.len == 0;
}

static const struct {
    const char *what;
    size_t count;
    struct edit edits[4];
    const char *want;
} cases[] = {
    { "nothing", 0, { { .index = 0 } }, HEAD "\r\nbody\r\n" },
    { "at the end",
      1,
      { { EDIT_ADD_HEADER, TEXT("X"), TEXT("new"), 0, NULL } },
      HEAD "X: new\r\n\r\nbody\r\n" },
    { "folded",
      1,
      { { EDIT_ADD_HEADER, TEXT("X"), TEXT("a\n\tb"), 0, NULL } },
      HEAD "X: a\r\n\tb\r\n\r\nbody\r\n" },
    { "no line of its own",
      1,
      { { EDIT_ADD_HEADER, TEXT("X"), TEXT("a\r\nEvil: b\n\nc"), 0, NULL } },
      HEAD "X: aEvil: bc\r\n\r\nbody\r\n" },
    { "first",
      1,
      { { EDIT_INSERT_HEADER, TEXT("X"), TEXT("new"), 0, NULL } },
      "X: new\r\n" HEAD "\r\nbody\r\n" },
    { "after one",
      1,
      { { EDIT_INSERT_HEADER, TEXT("X"), TEXT("new"), 1, NULL } },
      "A: 1\r\nX: new\r\nSubject:  two\r\n  lines\r\nA:3\r\nEmpty:\r\n\r\nbody\r\n" },
    { "far behind",
      1,
      { { EDIT_INSERT_HEADER, TEXT("X"), TEXT("new"), 99, NULL } },
      HEAD "X: new\r\n\r\nbody\r\n" },
    { "changed",
      1,
      { { EDIT_CHANGE_HEADER, TEXT("a"), TEXT("new"), 2, NULL } },
      "A: 1\r\nSubject:  two\r\n  lines\r\na: new\r\nEmpty:\r\n\r\nbody\r\n" },
    { "index 0 is the first",
      1,
      { { EDIT_CHANGE_HEADER, TEXT("A"), TEXT("new"), 0, NULL } },
      "A: new\r\nSubject:  two\r\n  lines\r\nA:3\r\nEmpty:\r\n\r\nbody\r\n" },
    { "one that is not there",
      1,
      { { EDIT_CHANGE_HEADER, TEXT("A"), TEXT("new"), 3, NULL } },
      HEAD "A: new\r\n\r\nbody\r\n" },
    { "removed",
      2,
      { { EDIT_CHANGE_HEADER, TEXT("A"), NOTHING, 1, NULL },
        { EDIT_CHANGE_HEADER, TEXT("SUBJECT"), NOTHING, 1, NULL } },
      "A:3\r\nEmpty:\r\n\r\nbody\r\n" },
    { "removed, the last first, and what is added then is the first",
      4,
      { { EDIT_CHANGE_HEADER, TEXT("A"), NOTHING, 2, NULL },
        { EDIT_CHANGE_HEADER, TEXT("a"), NOTHING, 1, NULL },
        { EDIT_ADD_HEADER, TEXT("A"), TEXT("4"), 0, NULL },
        { EDIT_CHANGE_HEADER, TEXT("A"), TEXT("5"), 1, NULL } },
      "Subject:  two\r\n  lines\r\nEmpty:\r\nA: 5\r\n\r\nbody\r\n" },
    { "the second changed, then the first and another",
      3,
      { { EDIT_CHANGE_HEADER, TEXT("A"), TEXT("new"), 2, NULL },
        { EDIT_CHANGE_HEADER, TEXT("A"), TEXT("old"), 1, NULL },
        { EDIT_CHANGE_HEADER, TEXT("Empty"), TEXT("no"), 1, NULL } },
      "A: old\r\nSubject:  two\r\n  lines\r\nA: new\r\nEmpty: no\r\n\r\nbody\r\n" },
    { "behind one, where others were removed",
      3,
      { { EDIT_CHANGE_HEADER, TEXT("A"), NOTHING, 1, NULL },
        { EDIT_CHANGE_HEADER, TEXT("A"), NOTHING, 1, NULL },
        { EDIT_INSERT_HEADER, TEXT("X"), TEXT("new"), 1, NULL } },
      "Subject:  two\r\n  lines\r\nX: new\r\nEmpty:\r\n\r\nbody\r\n" },
    { "removed what is not there",
      1,
      { { EDIT_CHANGE_HEADER, TEXT("B"), NOTHING, 1, NULL } },
      HEAD "\r\nbody\r\n" },
    { "one after the other",
      3,
      { { EDIT_INSERT_HEADER, TEXT("A"), TEXT("0"), 0, NULL },
        { EDIT_CHANGE_HEADER, TEXT("A"), TEXT("first"), 1, NULL },
        { EDIT_ADD_HEADER, TEXT("X"), TEXT("y"), 0, NULL } },
      "A: first\r\n" HEAD "X: y\r\n\r\nbody\r\n" },
    { "the body",
      2,
      { { EDIT_REPLACE_BODY, NOTHING, TEXT("old"), 0, NULL },
        { EDIT_REPLACE_BODY, NOTHING, TEXT("another one\r\n"), 0, NULL } },
      HEAD "\r\nanother one\r\n" },
    { "an empty body", 1, { { EDIT_REPLACE_BODY, NOTHING, TEXT(""), 0, NULL } }, HEAD "\r\n" },
    { "the envelope is not ours",
      3,
      { { EDIT_ADD_RECIPIENT, NOTHING, TEXT("x@y.example"), 0, NULL },
        { EDIT_CHANGE_SENDER, NOTHING, TEXT("x@y.example"), 0, NULL },
        { EDIT_HOLD, NOTHING, TEXT("why"), 0, NULL } },
      HEAD "\r\nbody\r\n" },
};

static void carries_out_edits(UNUSED void **state)
{
    struct message *message = mail_message_new(SLICE(HEAD "\r\nbody\r\n"), "a@b.example");

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF text = BUF_INIT(10000);
        struct arena *arena = arena_new(1 << 20);
        struct edits edits;
        struct source source;
        edits_init(&edits);
        for (size_t n = 0; n < cases[i].count; n++)
            assert_true(edits_add(&edits, arena, &cases[i].edits[n]));
        assert_true(rewrite(arena, message, &edits, &source));
        if (!read_all(&source, &text) || strcmp(cases[i].want, buf_text(&text)) != 0)
            fail_msg("%s: %s", cases[i].what, buf_text(&text));
        arena_free(&arena);
    }
    message_unref(&message);
}

/* As many fields as a message may have. */
static void all_of_many_fields_go(UNUSED void **state)
{
    struct message *message = message_new();
    struct arena *arena = arena_new(64 << 20);
    struct edits edits;

    message_set_sender(message, SLICE("a@b.example"), NULL, 0);
    for (size_t i = 1; i < MESSAGE_HEADERS_MAX; i++)
        assert_int_equal(MESSAGE_OK, message_add_header(message, SLICE("X-A"), SLICE(" 1")));
    assert_int_equal(MESSAGE_OK, message_add_header(message, SLICE("To"), SLICE(" c@d.example")));
    edits_init(&edits);
    for (size_t i = MESSAGE_HEADERS_MAX - 1; i > 0; i--)
        assert_true(edits_add(
            &edits, arena,
            &(struct edit){ .kind = EDIT_CHANGE_HEADER, .name = SLICE("X-A"), .index = i }));
    assert_slice("To:  c@d.example\r\n\r\n", rewrite_head(arena, message, &edits));
    arena_free(&arena);
    message_unref(&message);
}

/* As the MTA without SMFIP_HDR_LEADSPC gives them. */
static void adds_the_blank_that_was_taken(UNUSED void **state)
{
    struct message *message = message_new();
    struct arena *arena = arena_new(1 << 20);
    struct edits edits;

    edits_init(&edits);
    assert_int_equal(MESSAGE_OK, message_add_header(message, SLICE("A"), SLICE("1\n\t2")));
    assert_slice("A: 1\r\n\t2\r\n\r\n", rewrite_head(arena, message, &edits));
    arena_free(&arena);
    message_unref(&message);
}

static void leaves_all_bytes_as_they_are(UNUSED void **state)
{
    static const char odd[] = "X: \xff\x80 \r\n\r\n.dot\r\n\xff\0\r\r\n.\r\nno end";
    struct message *message = mail_message_new(SLICE(odd), "a@b.example");
    AUTO_BUF want = BUF_INIT(1000);
    AUTO_BUF got = BUF_INIT(1000);
    struct arena *arena = arena_new(1 << 20);
    struct edits edits;
    struct source source = source_of_message(message);

    edits_init(&edits);
    assert_true(mail_message_bytes(message, &want));
    assert_true(read_all(&source, &got));
    assert_true(slice_equal(buf_slice(&want), buf_slice(&got)));
    buf_clear(&got);
    assert_true(rewrite(arena, message, &edits, &source));
    assert_true(read_all(&source, &got));
    assert_true(slice_equal(buf_slice(&want), buf_slice(&got)));
    assert_int_equal(sizeof odd - 1, got.len);
    arena_free(&arena);
    message_unref(&message);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct message *message = mail_message_new(SLICE(HEAD "\r\n"), "a@b.example");
    struct arena *arena = arena_new(100);
    struct edits edits;
    struct source source;

    edits_init(&edits);
    assert_false(rewrite(arena, message, &edits, &source));
    arena_free(&arena);
    message_unref(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_out_edits),
        cmocka_unit_test(all_of_many_fields_go),
        cmocka_unit_test(adds_the_blank_that_was_taken),
        cmocka_unit_test(leaves_all_bytes_as_they_are),
        cmocka_unit_test(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
