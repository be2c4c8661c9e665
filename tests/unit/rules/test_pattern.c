#include "common/rules/pattern.h"

#include <pthread.h>

#include "tests/unit/unit.h"

static struct pattern *pattern_of(const char *text, bool ignore_case)
{
    char error[PATTERN_ERROR_MAX];
    size_t offset;
    struct pattern *pattern = pattern_new(slice_of(text), ignore_case, error, &offset);

    if (pattern == NULL)
        fail_msg("%s: %s", text, error);
    return pattern;
}

static void matches_globs_and_expressions(UNUSED void **state)
{
    static const struct {
        const char *pattern, *text;
        enum pattern_result want;
    } cases[] = {
        /* globs: the whole text; a slash or a dot is nothing special */
        { "*", "", PATTERN_YES },
        { "*", "a/b.c", PATTERN_YES },
        { "*.example.com", "a.b.example.com", PATTERN_YES },
        { "*.example.com", "example.com", PATTERN_NO },
        { "*.example.com", "a.example.com.net", PATTERN_NO },
        { "*.example.com", "a.exampleXcom", PATTERN_NO },
        { "mx?", "mx1", PATTERN_YES },
        { "mx?", "mx", PATTERN_NO },
        { "mx[0-9]*", "mx7.example", PATTERN_YES },
        { "mx[!0-9]*", "mx7.example", PATTERN_NO },
        { "a\\*b", "a*b", PATTERN_YES },
        { "a\\*b", "axb", PATTERN_NO },
        { "a+(b)|^$", "a+(b)|^$", PATTERN_YES },
        { "a", "a\n", PATTERN_NO },
        { "a**b", "a/x/b", PATTERN_YES },
        { "\xc3\xbc*", "\xc3\xbcx", PATTERN_YES },
        /* regular expressions: anywhere */
        { "/b/", "abc", PATTERN_YES },
        { "/^b/", "abc", PATTERN_NO },
        { "/c$/", "abc", PATTERN_YES },
        { "/c$/", "abc\n", PATTERN_NO },
        { "/B/", "abc", PATTERN_NO },
        { "/B/i", "abc", PATTERN_YES },
        { "/a/b/", "xa/bx", PATTERN_YES },
        { "//", "x", PATTERN_YES },
        { "/^(\\d+)-(\\d+)-(\\d+)\\./", "1-22-333.example", PATTERN_YES },
        { "/(a)\\1/", "aa", PATTERN_YES },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pattern *pattern = pattern_of(cases[i].pattern, false);
        if (pattern_match(pattern, slice_of(cases[i].text)) != cases[i].want)
            fail_msg("%s on \"%s\"", cases[i].pattern, cases[i].text);
        pattern_free(&pattern);
    }
}

static const struct {
    const char *pattern;
    bool ignore_case;
    enum pattern_result want; /* on "a.Example" */
} in_case[] = {
    { "*.EXAMPLE", false, PATTERN_YES }, /* a glob always */
    { "*.EXAMPLE", true, PATTERN_YES },   { "/EXAMPLE$/", false, PATTERN_NO },
    { "/Example$/", false, PATTERN_YES }, { "/EXAMPLE$/i", false, PATTERN_YES },
    { "/EXAMPLE$/", true, PATTERN_YES },
};

static void ignores_case_when_asked(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(in_case); i++) {
        struct pattern *pattern = pattern_of(in_case[i].pattern, in_case[i].ignore_case);
        if (pattern_match(pattern, SLICE("a.Example")) != in_case[i].want)
            fail_msg("%s", in_case[i].pattern);
        pattern_free(&pattern);
        assert_null(pattern);
        pattern_free(&pattern);
    }
}

static void gives_up_on_what_costs_too_much(UNUSED void **state)
{
    static const char *const patterns[] = { "/(a+)+$/", "/^(a|aa)+$/", "/^(([a-z])+.)+[A-Z]$/" };
    char text[4097];

    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '!';
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct pattern *pattern = pattern_of(patterns[i], false);
        assert_int_equal(PATTERN_GAVE_UP,
                         pattern_match(pattern, (struct slice){ text, sizeof text }));
        pattern_free(&pattern);
    }
}

/* Each letter more costs twice as much: it is given up long before anybody would notice. */
static void gives_up_early(UNUSED void **state)
{
    struct pattern *pattern = pattern_of("/^(a+)+$/", false);
    char text[41];
    size_t len = 2;

    memset(text, 'a', sizeof text);
    for (enum pattern_result got = PATTERN_NO; got == PATTERN_NO && len < sizeof text; len++) {
        text[len - 1] = '!';
        got = pattern_match(pattern, (struct slice){ text, len });
        text[len - 1] = 'a';
    }
    assert_in_range(len, 10, 20);
    pattern_free(&pattern);
}

static void matches_an_absent_text_as_empty(UNUSED void **state)
{
    struct pattern *pattern = pattern_of("/^$/", false);

    assert_int_equal(PATTERN_YES, pattern_match(pattern, (struct slice){ NULL, 0 }));
    pattern_free(&pattern);
}

static void refuses_bad_patterns(UNUSED void **state)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {
        { "", 0 },      { "/", 1 },     { "/x", 2 },      { "/x/x", 3 },
        { "/x/ii", 3 }, { "/a(b/", 4 }, { "/[z-a]/", 4 }, { "/a**b(/", 3 },
        { "/*/", 1 },   { "/\\C/", 3 }, { "a[b", 3 },     { "/(*UTF)x/", 7 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char error[PATTERN_ERROR_MAX] = "";
        size_t offset = 99;
        struct pattern *pattern = pattern_new(slice_of(cases[i].text), false, error, &offset);
        if (pattern != NULL || offset != cases[i].offset || error[0] == '\0')
            fail_msg("%s: at %zu: %s", cases[i].text, offset, error);
    }
}

static void bounds_the_pattern(UNUSED void **state)
{
    char text[PATTERN_MAX + 1], error[PATTERN_ERROR_MAX];
    size_t offset;
    struct pattern *pattern;

    memset(text, 'a', sizeof text);
    assert_null(pattern_new((struct slice){ text, sizeof text }, false, error, &offset));
    pattern = pattern_new((struct slice){ text, PATTERN_MAX }, false, error, &offset);
    assert_non_null(pattern);
    pattern_free(&pattern);
}

static void *match_often(void *arg)
{
    struct pattern *pattern = arg;
    size_t wrong = 0;

    for (size_t i = 0; i < 2000; i++) {
        wrong += pattern_match(pattern, SLICE("mx1.example.com")) != PATTERN_YES;
        wrong += pattern_match(pattern, SLICE("mx1.example.org")) != PATTERN_NO;
    }
    return wrong == 0 ? arg : NULL;
}

static void is_shared_by_threads(UNUSED void **state)
{
    struct pattern *pattern = pattern_of("/^(mx|smtp)[0-9]+\\.(.+)\\.com$/", false);
    pthread_t threads[4];
    void *result;

    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, match_often, pattern));
    for (size_t i = 0; i < COUNT(threads); i++) {
        assert_int_equal(0, pthread_join(threads[i], &result));
        assert_non_null(result);
    }
    pattern_free(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_globs_and_expressions),
        cmocka_unit_test(ignores_case_when_asked),
        cmocka_unit_test(gives_up_on_what_costs_too_much),
        cmocka_unit_test(gives_up_early),
        cmocka_unit_test(matches_an_absent_text_as_empty),
        cmocka_unit_test(refuses_bad_patterns),
        cmocka_unit_test(bounds_the_pattern),
        cmocka_unit_test(is_shared_by_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
