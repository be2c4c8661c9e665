/* tests/unit/signd/test_seal.c */
#include "signd/seal.h"

#include "tests/fakes/raw_message.h"
#include "tests/unit/unit.h"

enum { NOW = 1795340000, FIELDS_MANY = 600 };

#define HEAD "From: a@example.com\r\nSubject: x\r\n"

/* A message sealed with one key, or with two. */
struct sealed {
    struct key_file files[2];
    struct message *message;
    struct arena *arena;
    struct edits edits;
    enum seal_result result;
    const char *error;
};

static void seal_with(struct sealed *sealed, struct slice text, size_t line_max)
{
    static const struct slice names[] = { SLICE_INIT("To"), SLICE_INIT("Subject") };
    static const struct slice oversigned[] = { SLICE_INIT("From") };
    const struct sign_settings settings = { .header = CANONICAL_RELAXED,
                                            .body = CANONICAL_RELAXED,
                                            .names = names,
                                            .name_count = COUNT(names),
                                            .oversigned = oversigned,
                                            .oversigned_count = COUNT(oversigned),
                                            .line_max = line_max };
    struct chosen_keys chosen = { .domain = SLICE("example.com"), .count = 2 };

    sealed->files[0] =
        (struct key_file){ .selector = SLICE("one"), .key = dkim_key_generate(DKIM_RSA, 1024) };
    sealed->files[1] =
        (struct key_file){ .selector = SLICE("two"), .key = dkim_key_generate(DKIM_ED25519, 0) };
    chosen.keys[0] = &sealed->files[0];
    chosen.keys[1] = &sealed->files[1];
    sealed->message = raw_message(text);
    sealed->arena = arena_new(1 << 20);
    assert_non_null(sealed->message);
    edits_init(&sealed->edits);
    sealed->result = seal(sealed->message, &chosen, &settings, NOW, sealed->arena, &sealed->edits,
                          &sealed->error);
}

static void sealed_free(struct sealed *sealed)
{
    for (size_t i = 0; i < COUNT(sealed->files); i++) {
        struct dkim_key *key = (struct dkim_key *)(uintptr_t)sealed->files[i].key;
        dkim_key_free(&key);
    }
    arena_free(&sealed->arena);
    message_unref(&sealed->message);
}

static bool says(const struct edit *edit, const char *text)
{
    return memmem(edit->text.ptr, edit->text.len, text, strlen(text)) != NULL;
}

static void every_key_signs_and_the_first_comes_first(UNUSED void **state)
{
    struct sealed sealed;

    seal_with(&sealed, SLICE(HEAD "\r\nhello\r\n"), 0);
    assert_int_equal(SEAL_DONE, sealed.result);
    assert_int_equal(2, sealed.edits.count);
    const struct edit *lower = sealed.edits.first, *upper = lower->next; /* each goes in on top */
    assert_true(lower->kind == EDIT_INSERT_HEADER && upper->kind == EDIT_INSERT_HEADER);
    assert_true(lower->index == 0 && upper->index == 0);
    assert_true(says(upper, "a=rsa-sha256") && says(upper, "s=one;"));
    assert_true(says(lower, "a=ed25519-sha256") && says(lower, "s=two;"));
    sealed_free(&sealed);
}

static const struct {
    const char *what, *text, *canonicalization; /* NULL: refused */
    const char *error;
} cases[] = {
    { "nothing odd", HEAD "\r\nx\r\n", "c=relaxed/relaxed;", NULL },
    { "bare CR in the body", HEAD "\r\na\rb\r\n", "c=relaxed/simple;", NULL },
    { "bare CR at the end of the body", HEAD "\r\na\r", "c=relaxed/simple;", NULL },
    { "bare CR after a blank", HEAD "\r\n \r\r\n", "c=relaxed/simple;", NULL },
    { "a line of bare CR", HEAD "\r\na\r\n\r\r\n", NULL, "bare CR alone" },
    { "a line of bare CR within", HEAD "\r\na\r\n\r\r\r\nb\r\n", NULL, "bare CR alone" },
    { "a body of bare CR", HEAD "\r\n\r", NULL, "bare CR alone" },
    { "a form feed in a signed field", HEAD "To: a\fb\r\n\r\nx\r\n", "c=simple/relaxed;", NULL },
    { "a vertical tab", HEAD "To: a\v\r\n\r\nx\r\n", "c=simple/relaxed;", NULL },
    { "a bare CR", HEAD "To: a\rb\r\n\r\nx\r\n", "c=simple/relaxed;", NULL },
    { "in the oversigned one", "From: <a@example.com>\f\r\n\r\nx\r\n", "c=simple/relaxed;", NULL },
    { "in a field that is not signed", HEAD "X-Odd: a\fb\r\n\r\nx\r\n", "c=relaxed/relaxed;",
      NULL },
    { "a fold", HEAD "To: a,\r\n\tb\r\n\r\nx\r\n", "c=relaxed/relaxed;", NULL },
    { "no From", "Subject: x\r\n\r\nx\r\n", NULL, "no From" },
    { "blanks before colons", "From: a@example.com\r\nTo : b\r\n\r\nx\r\n", "c=relaxed/relaxed;",
      NULL },
    { "a blank before From's colon", "From : a@example.com\r\n\r\nx\r\n", NULL,
      "From has a blank" },
    { "a tab before a colon", HEAD "To\t: b\r\n\r\nx\r\n", NULL, "another field more than one" },
    { "two blanks before a colon", HEAD "X-Odd  : b\r\n\r\nx\r\n", NULL,
      "another field more than one" },
};

static void odd_bytes_are_signed_so_that_verifiers_agree_or_refused(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sealed sealed;
        seal_with(&sealed, slice_of(cases[i].text), 0);
        if (sealed.result != (cases[i].error == NULL ? SEAL_DONE : SEAL_REFUSED))
            fail_msg("%s: %d, %s", cases[i].what, (int)sealed.result, sealed.error);
        if (cases[i].error != NULL ? strstr(sealed.error, cases[i].error) == NULL
                                   : !says(sealed.edits.first, cases[i].canonicalization))
            fail_msg("%s: %s", cases[i].what,
                     cases[i].error != NULL ? sealed.error : sealed.edits.first->text.ptr);
        sealed_free(&sealed);
    }
}

static void a_blank_before_the_colon_is_no_part_of_the_name(UNUSED void **state)
{
    struct sealed sealed;

    seal_with(&sealed, SLICE("From: a@example.com\r\nTo : b\r\n\r\nx\r\n"), 0);
    assert_true(says(sealed.edits.first, "h=From:From:To;"));
    sealed_free(&sealed);
}

static void more_fields_than_can_be_signed_are_refused_for_good(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(1 << 16);
    struct sealed sealed;

    assert_int_equal(0, buf_put(&text, HEAD));
    for (int i = 0; i < FIELDS_MANY; i++)
        assert_int_equal(0, buf_put(&text, "To: x\r\n"));
    assert_int_equal(0, buf_put(&text, "\r\n"));
    seal_with(&sealed, buf_slice(&text), 0);
    assert_int_equal(SEAL_REFUSED, sealed.result);
    assert_non_null(strstr(sealed.error, "too many header fields"));
    sealed_free(&sealed);
}

/* The value of bh= of a body. */
static void body_hash_of(struct slice text, size_t line_max, char *out, size_t room)
{
    struct sealed sealed;

    seal_with(&sealed, text, line_max);
    assert_int_equal(SEAL_DONE, sealed.result);
    const char *at = strstr(sealed.edits.first->text.ptr, "bh=");
    assert_non_null(at);
    snprintf(out, room, "%.47s", at);
    sealed_free(&sealed);
}

static void long_lines_of_the_body_are_hashed_as_they_are_sent(UNUSED void **state)
{
    char cut[64], sent[64], whole[64];

    body_hash_of(SLICE(HEAD "\r\n0123456789abc\r\nx\r\n"), 10, cut, sizeof cut);
    body_hash_of(SLICE(HEAD "\r\n0123456789\r\n abc\r\nx\r\n"), 0, sent, sizeof sent);
    body_hash_of(SLICE(HEAD "\r\n0123456789abc\r\nx\r\n"), 0, whole, sizeof whole);
    assert_string_equal(sent, cut);
    assert_string_not_equal(whole, cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_signs_and_the_first_comes_first),
        cmocka_unit_test(odd_bytes_are_signed_so_that_verifiers_agree_or_refused),
        cmocka_unit_test(a_blank_before_the_colon_is_no_part_of_the_name),
        cmocka_unit_test(more_fields_than_can_be_signed_are_refused_for_good),
        cmocka_unit_test(long_lines_of_the_body_are_hashed_as_they_are_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
