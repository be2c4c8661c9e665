/* tests/unit/store/test_leases.c - connections of this process, counted. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "common/store/leases.h"

static struct leases *leases;

static int start(UNUSED void **state)
{
    leases = leases_new(3);
    return leases == NULL ? -1 : 0;
}

static int stop(UNUSED void **state)
{
    leases_free(&leases);
    leases_free(&leases);
    return 0;
}

static uint64_t refused(void)
{
    struct leases_stats stats;

    leases_stats(leases, &stats);
    return stats.refused;
}

static uint64_t subjects(void)
{
    struct leases_stats stats;

    leases_stats(leases, &stats);
    return stats.subjects;
}

static void counts_each_subject(UNUSED void **state)
{
    struct lease_word word;

    assert_true(leases_add(leases, SLICE("a:1")));
    assert_true(leases_add(leases, SLICE("a:1")));
    assert_true(leases_add(leases, SLICE("*")));
    assert_int_equal(2, leases_count(leases, SLICE("a:1")));
    assert_int_equal(1, leases_count(leases, SLICE("*")));
    assert_true(leases_remove(leases, SLICE("a:1"), &word));
    assert_string_equal("a:1", word.subject);
    assert_int_equal(1, word.count);
    assert_true(leases_remove(leases, SLICE("a:1"), &word));
    assert_int_equal(0, word.count);
    assert_int_equal(1, subjects());
}

static void never_counts_below_nothing(UNUSED void **state)
{
    struct lease_word word;

    assert_false(leases_remove(leases, SLICE("a:1"), &word));
    assert_true(leases_add(leases, SLICE("a:1")));
    assert_true(leases_remove(leases, SLICE("a:1"), &word));
    assert_false(leases_remove(leases, SLICE("a:1"), &word));
    assert_false(leases_tell(leases, SLICE("a:1"), 10, &word));
    assert_int_equal(0, leases_count(leases, SLICE("a:1")));
}

static void later_words_have_higher_numbers(UNUSED void **state)
{
    struct lease_word first, second, third;

    leases_add(leases, SLICE("a:1"));
    assert_true(leases_tell(leases, SLICE("a:1"), 10, &first));
    leases_add(leases, SLICE("a:1"));
    assert_true(leases_tell(leases, SLICE("a:1"), 10, &second));
    leases_remove(leases, SLICE("a:1"), &third);
    assert_true(first.number < second.number && second.number < third.number);
    assert_int_equal(1, first.count);
    assert_int_equal(2, second.count);
    assert_int_equal(1, third.count);
}

static void has_a_bound(UNUSED void **state)
{
    char longest[LEASE_SUBJECT_MAX + 2];

    memset(longest, 'x', sizeof longest);
    assert_true(leases_add(leases, (struct slice){ longest, LEASE_SUBJECT_MAX }));
    assert_true(leases_add(leases, SLICE("a:1")));
    assert_true(leases_add(leases, SLICE("a:2")));
    assert_false(leases_add(leases, SLICE("a:3")));
    assert_true(leases_add(leases, SLICE("a:1"))); /* one that is known */
    assert_int_equal(1, refused());
    assert_int_equal(3, subjects());
    assert_false(leases_add(leases, SLICE("")));
    assert_false(leases_add(leases, (struct slice){ longest, LEASE_SUBJECT_MAX + 1 }));
    assert_int_equal(3, refused());
}

static void what_was_told_longest_ago_is_due_first(UNUSED void **state)
{
    struct lease_word words[3];

    leases_add(leases, SLICE("a:1"));
    leases_add(leases, SLICE("a:2"));
    leases_add(leases, SLICE("a:3"));
    assert_true(leases_tell(leases, SLICE("a:2"), 20, &words[0]));
    assert_true(leases_tell(leases, SLICE("a:3"), 30, &words[0]));
    assert_true(leases_tell(leases, SLICE("a:1"), 40, &words[0]));
    assert_int_equal(0, leases_due(leases, 19, 50, words, 3));
    assert_int_equal(1, leases_due(leases, 40, 50, words, 1));
    assert_string_equal("a:2", words[0].subject);
    assert_int_equal(2, leases_due(leases, 40, 50, words, 3));
    assert_string_equal("a:3", words[0].subject);
    assert_string_equal("a:1", words[1].subject);
    assert_int_equal(0, leases_due(leases, 49, 60, words, 3));
    assert_int_equal(3, leases_due(leases, 50, 60, words, 3));
    assert_int_equal(0, leases_due(leases, 60, 60, words, 3)); /* each once, whatever is asked */
}

static void what_was_never_told_is_due_at_once(UNUSED void **state)
{
    struct lease_word words[3];

    leases_add(leases, SLICE("a:1"));
    assert_true(leases_tell(leases, SLICE("a:1"), 10, words));
    leases_add(leases, SLICE("a:2")); /* nobody could be told */
    assert_int_equal(1, leases_due(leases, 5, 11, words, 3));
    assert_string_equal("a:2", words[0].subject);
    assert_int_equal(0, leases_due(leases, 5, 12, words, 3));
}

static void who_only_looks_does_not_count(UNUSED void **state)
{
    char too_long[LEASE_SUBJECT_MAX + 2];
    struct lease_word word, later;

    memset(too_long, 'a', sizeof too_long);
    assert_true(leases_look(leases, SLICE("l:dialup"), &word));
    assert_string_equal("l:dialup", word.subject);
    assert_int_equal(0, word.count);
    assert_int_equal(0, subjects());
    leases_add(leases, SLICE("l:dialup"));
    assert_true(leases_look(leases, SLICE("l:dialup"), &later));
    assert_int_equal(1, later.count);
    assert_true(later.number > word.number);
    assert_int_equal(1, leases_due(leases, 0, 1, &word, 1)); /* it has not been told by that */
    assert_false(leases_look(leases, SLICE(""), &word));
    assert_false(leases_look(leases, (struct slice){ too_long, sizeof too_long - 1 }, &word));
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *open_and_close(UNUSED void *arg)
{
    struct lease_word word, due[2];

    for (uint64_t i = 0; i < ROUNDS; i++) {
        leases_add(leases, SLICE("a:1"));
        leases_add(leases, SLICE("a:2"));
        (void)leases_tell(leases, SLICE("a:1"), i, &word);
        (void)leases_due(leases, i, i + 1, due, COUNT(due));
        leases_remove(leases, SLICE("a:1"), &word);
        leases_remove(leases, SLICE("a:2"), &word);
    }
    return NULL;
}

static void threads_may_share_it(UNUSED void **state)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, open_and_close, NULL));
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(0, subjects());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(counts_each_subject),
        TEST(never_counts_below_nothing),
        TEST(later_words_have_higher_numbers),
        TEST(has_a_bound),
        TEST(what_was_told_longest_ago_is_due_first),
        TEST(what_was_never_told_is_due_at_once),
        TEST(who_only_looks_does_not_count),
        TEST(threads_may_share_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
