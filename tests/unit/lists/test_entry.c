/* tests/unit/lists/test_entry.c - entries by themselves: what they are, and which could name a subject. */
#include "common/lists/entry.h"

#include "tests/unit/unit.h"

static const struct {
    enum value_type type;
    const char *subject;
    const char *want; /* NAME/KINDS=SPECIFICITY, each with a blank */
} subjects[] = {
    { VALUE_MAILBOX, "bob+x@b.example",
      "bob+x@b.example/1=4000 bob@b.example/1=3000 b.example/3=2000 b.example/4=1009 "
      "example/4=1007 " },
    { VALUE_MAILBOX, "bob@b.example",
      "bob@b.example/1=4000 b.example/3=2000 b.example/4=1009 example/4=1007 " },
    { VALUE_MAILBOX, "a@b", "a@b/1=4000 b/3=2000 b/4=1001 " },
    { VALUE_MAILBOX, "+x@b", "+x@b/1=4000 b/3=2000 b/4=1001 " },
    { VALUE_MAILBOX, "a", "a/1=4000 " },
    { VALUE_MAILBOX, "a+x", "a+x/1=4000 a/1=3000 " },
    { VALUE_MAILBOX, "a@", "a@/1=4000 " },
    { VALUE_MAILBOX, "", "" },
    { VALUE_DOMAIN, "b.example", "b.example/1=4000 b.example/4=1009 example/4=1007 " },
    { VALUE_DOMAIN, "b", "b/1=4000 b/4=1001 " },
    { VALUE_DOMAIN, "", "" },
    { VALUE_WORD, "KP", "kp/1=4000 " },
    { VALUE_TEXT, "Bob+x@b.example", "bob+x@b.example/1=4000 " },
    { VALUE_TEXT, "", "" },
    { VALUE_NUMBER, "64496", "64496/1=4000 " },
    { VALUE_NUMBER, "", "0.5/1=4000 " },
    { VALUE_ADDRESS, "192.0.2.1", "" },
    { VALUE_BOOLEAN, "yes", "" },
};

static void names_what_could_match_most_specific_first(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(subjects); i++) {
        struct value subject = { .type = subjects[i].type,
                                 .text = slice_of(subjects[i].subject),
                                 .number = 0.5 };
        struct candidate out[CANDIDATES_MAX];
        char scratch[ENTRY_MAX];
        AUTO_BUF text = BUF_INIT(1000);
        size_t count = candidates_of(&subject, out, scratch);
        assert_true(count <= CANDIDATES_MAX);
        for (size_t n = 0; n < count; n++)
            buf_printf(&text, "%.*s/%u=%u ", SLICE_ARG(out[n].name), out[n].kinds,
                       out[n].specificity);
        if (!slice_equal(buf_slice(&text), slice_of(subjects[i].want)))
            fail_msg("%s: %s", subjects[i].subject, buf_text(&text));
        subject.is_empty = true;
        assert_int_equal(0, candidates_of(&subject, out, scratch));
    }
}

static void looks_at_the_last_labels_alone(UNUSED void **state)
{
    for (size_t labels = CANDIDATE_LABELS - 1; labels <= CANDIDATE_LABELS + 2; labels++) {
        struct candidate out[CANDIDATES_MAX];
        char scratch[ENTRY_MAX];
        AUTO_BUF mailbox = BUF_INIT(400);
        buf_put(&mailbox, "a+b@");
        for (size_t i = 0; i < labels; i++)
            buf_put(&mailbox, i == 0 ? "aa" : ".aa");
        struct value subject = { .type = VALUE_MAILBOX, .text = buf_slice(&mailbox) };
        size_t seen = labels < CANDIDATE_LABELS ? labels : CANDIDATE_LABELS;
        assert_int_equal(3 + seen, candidates_of(&subject, out, scratch));
        assert_int_equal(seen * 3 - 1, out[3].name.len);
        assert_int_equal(2, out[2 + seen].name.len);
    }
}

/* Names are at most this long; what is longer is no entry, and never copied. */
static void looks_at_long_names_as_they_are(UNUSED void **state)
{
    for (size_t len = ENTRY_MAX - 1; len <= ENTRY_MAX + 1; len++) {
        struct candidate out[CANDIDATES_MAX];
        char scratch[ENTRY_MAX], text[ENTRY_MAX + 1];
        memset(text, 'A', sizeof text);
        struct value subject = { .type = VALUE_TEXT, .text = { text, len } };
        assert_int_equal(len <= ENTRY_MAX, candidates_of(&subject, out, scratch));
        memcpy(text, "a+b@", 4);
        subject.type = VALUE_MAILBOX;
        assert_int_equal(len <= ENTRY_MAX ? 4 : 3, candidates_of(&subject, out, scratch));
    }
}

static const struct {
    const char *text;
    bool is_word;
} words[] = {
    { "", false },        { "k", true },     { "4711", true },       { "!k", false },
    { "@k", false },      { ".k", false },   { "192.0.2.1", false }, { "10/8", false },
    { "::1", false },     { "[::1]", true }, { "1a.example", true }, { "AB:CD:EF", false },
    { "192.0.2x", true },
};

static void tells_words_from_the_rest(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (entry_is_word(slice_of(words[i].text)) != words[i].is_word)
            fail_msg("%s", words[i].text);
}

static void finds_control_bytes(UNUSED void **state)
{
    assert_true(entry_has_control_byte(SLICE("\x1fz")));
    assert_true(entry_has_control_byte(SLICE("a\x7f")));
    assert_true(entry_has_control_byte(SLICE("a\0")));
    assert_false(entry_has_control_byte(SLICE(" ~\x80")));
    assert_false(entry_has_control_byte(SLICE("")));
}

static void the_longer_prefix_is_more_specific(UNUSED void **state)
{
    struct ipnet all, wide, narrow;

    assert_true(ipnet_parse(SLICE("::/0"), &all, NULL));
    assert_true(ipnet_parse(SLICE("192.0.0.0/16"), &wide, NULL));
    assert_true(ipnet_parse(SLICE("192.0.2.0/24"), &narrow, NULL));
    assert_int_equal(1, net_specificity(&all)); /* 0: nothing was found */
    assert_int_equal(8, net_specificity(&narrow) - net_specificity(&wide));
}

static void prints_all_of_an_entry_or_nothing(UNUSED void **state)
{
    static const char *const entries[] = { "!@example.com", "!.example.com", "!192.0.2.0/24" };

    for (size_t i = 0; i < COUNT(entries); i++)
        for (size_t max = 0; max <= 13; max++) {
            struct arena *arena = arena_new(1000);
            char error[ENTRY_ERROR_MAX];
            struct entry entry;
            AUTO_BUF out = BUF_INIT(max);
            assert_true(entry_parse(slice_of(entries[i]), arena, &entry, error));
            assert_int_equal(max < 13 ? -1 : 0, entry_print(&out, &entry));
            if (max == 13)
                assert_slice(entries[i], buf_slice(&out));
            arena_free(&arena);
        }
}

static void says_when_memory_is_out(UNUSED void **state)
{
    static const char *const entries[] = { "A@example.com", "@Example.com", "Example.com", "KP" };

    for (size_t i = 0; i < COUNT(entries); i++) {
        struct arena *none = arena_new(0);
        char error[ENTRY_ERROR_MAX] = "";
        struct entry entry;
        assert_false(entry_parse(slice_of(entries[i]), none, &entry, error));
        assert_string_equal("out of memory", error);
        arena_free(&none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_could_match_most_specific_first),
        cmocka_unit_test(looks_at_the_last_labels_alone),
        cmocka_unit_test(looks_at_long_names_as_they_are),
        cmocka_unit_test(tells_words_from_the_rest),
        cmocka_unit_test(finds_control_bytes),
        cmocka_unit_test(the_longer_prefix_is_more_specific),
        cmocka_unit_test(prints_all_of_an_entry_or_nothing),
        cmocka_unit_test(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
