/* tests/unit/policyd/test_answers.c - the same request again, on the same and on another connection, at the same time and
 * from several threads. */
#include "policyd/answers.h"

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "tests/unit/unit.h"

enum { NOW = 1000, ANSWERS = 64 };

static struct answer_key key_of(uint64_t hash, uint64_t connection)
{
    return (struct answer_key){ hash, connection, true };
}

static int setup(void **state)
{
    *state = answers_new(ANSWERS);
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct answers *answers = *state;

    answers_free(&answers);
    assert_null(answers);
    answers_free(&answers);
    return 0;
}

/* "new", "pending", or the answer. */
static const char *ask(struct answers *answers, struct answer_key key, uint64_t now)
{
    static char text[ANSWER_REPLY_MAX + 1];
    AUTO_BUF out = BUF_INIT(ANSWER_REPLY_MAX);

    buf_put(&out, "left over");
    switch (answers_ask(answers, &key, now, NULL, &out)) {
    case ANSWER_NEW:
        return "new";
    case ANSWER_PENDING:
        return "pending";
    case ANSWER_KNOWN:
        break;
    }
    snprintf(text, sizeof text, "%s", buf_text(&out));
    return text;
}

static void finish(struct answers *answers, struct answer_key key, const char *reply, bool refuses)
{
    answers_finish(answers, &key, NOW, slice_of(reply), refuses);
}

static void repeats_by_connection_and_kind(void **state)
{
    static const struct {
        const char *what, *reply;
        bool refuses, has_instance;
        const char *same, *other;
    } cases[] = {
        { "refusal", "554 5.7.1 No", true, true, "554 5.7.1 No", "554 5.7.1 No" },
        { "header", "PREPEND X: 1", false, true, "DUNNO", "PREPEND X: 1" },
        { "nothing", "DUNNO", false, true, "DUNNO", "DUNNO" },
        { "refusal, no instance", "554 5.7.1 No", true, false, "new", "554 5.7.1 No" },
        { "header, no instance", "PREPEND X: 1", false, false, "new", "PREPEND X: 1" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct answer_key one = { 100 + i, 1, cases[i].has_instance };
        struct answer_key two = { 200 + i, 1, cases[i].has_instance }, other = two;
        other.connection = 2;
        if (strcmp(ask(*state, one, NOW), "new") != 0 || strcmp(ask(*state, two, NOW), "new") != 0)
            fail_msg("%s: not new", cases[i].what);
        finish(*state, one, cases[i].reply, cases[i].refuses);
        finish(*state, two, cases[i].reply, cases[i].refuses);
        if (strcmp(ask(*state, one, NOW), cases[i].same) != 0)
            fail_msg("%s: same connection", cases[i].what);
        if (strcmp(ask(*state, other, NOW), cases[i].other) != 0)
            fail_msg("%s: other connection", cases[i].what);
    }
}

static void a_retry_takes_the_answer_along(void **state)
{
    ask(*state, key_of(1, 1), NOW);
    finish(*state, key_of(1, 1), "PREPEND X: 1", false);
    assert_string_equal("PREPEND X: 1", ask(*state, key_of(1, 2), NOW)); /* the retry */
    assert_string_equal("DUNNO", ask(*state, key_of(1, 2), NOW)); /* its next restriction list */
    assert_string_equal("PREPEND X: 1", ask(*state, key_of(1, 3), NOW));
}

static void the_next_message_after_a_retry_is_a_new_one(void **state)
{
    const struct answer_key first = { 1, 1, false }, retry = { 1, 2, false };

    ask(*state, first, NOW);
    finish(*state, first, "DUNNO", false);
    assert_string_equal("DUNNO", ask(*state, retry, NOW));
    assert_string_equal("new", ask(*state, retry, NOW));
}

static void forgets_after_a_minute(void **state)
{
    ask(*state, key_of(1, 1), NOW);
    finish(*state, key_of(1, 1), "554 5.7.1 No", true);
    assert_string_equal("554 5.7.1 No", ask(*state, key_of(1, 1), NOW + MINUTE - 1));
    assert_string_equal("new", ask(*state, key_of(1, 1), NOW + MINUTE));
}

/* ---- twins ---- */

struct waiting {
    struct answer_waiter waiter; /* first member */
    atomic_uint woken;
};

static void woken(struct answer_waiter *waiter)
{
    atomic_fetch_add(&((struct waiting *)waiter)->woken, 1);
}

static enum answer_state await(struct answers *answers, struct answer_key key,
                               struct waiting *waiting)
{
    AUTO_BUF out = BUF_INIT(ANSWER_REPLY_MAX);

    *waiting = (struct waiting){ .waiter.wake = woken };
    return answers_ask(answers, &key, NOW, &waiting->waiter, &out);
}

static void assert_woken(const struct waiting *waiting, const char *reply)
{
    assert_int_equal(1, waiting->woken);
    assert_slice(reply, ((struct slice){ waiting->waiter.reply, waiting->waiter.reply_len }));
}

static void twins_wait_and_are_woken_once(void **state)
{
    struct waiting a, b;

    ask(*state, key_of(1, 1), NOW);
    assert_string_equal("pending", ask(*state, key_of(1, 2), NOW));
    assert_int_equal(ANSWER_PENDING, await(*state, key_of(1, 2), &a));
    assert_int_equal(ANSWER_PENDING, await(*state, key_of(1, 3), &b));
    assert_int_equal(0, a.woken + b.woken);
    finish(*state, key_of(1, 1), "PREPEND X: 1", false);
    assert_woken(&a, "PREPEND X: 1");
    assert_woken(&b, "PREPEND X: 1");
    finish(*state, key_of(1, 1), "554 No", true); /* it is not pending any more */
    assert_int_equal(2, a.woken + b.woken);
    assert_string_equal("DUNNO", ask(*state, key_of(1, 3), NOW)); /* the last to ask has it */
}

static void the_longest_answer_reaches_a_twin(void **state)
{
    char longest[ANSWER_REPLY_MAX + 1];
    struct waiting a;

    memset(longest, 'x', ANSWER_REPLY_MAX);
    longest[ANSWER_REPLY_MAX] = '\0';
    ask(*state, key_of(1, 1), NOW);
    await(*state, key_of(1, 2), &a);
    finish(*state, key_of(1, 1), longest, true);
    assert_woken(&a, longest);
}

/* A part of an answer would be another one: the twin decides itself. */
static void a_longer_answer_reaches_no_twin(void **state)
{
    char longer[ANSWER_REPLY_MAX + 2];
    struct waiting a;

    memset(longer, 'x', ANSWER_REPLY_MAX + 1);
    longer[ANSWER_REPLY_MAX + 1] = '\0';
    ask(*state, key_of(1, 1), NOW);
    await(*state, key_of(1, 2), &a);
    finish(*state, key_of(1, 1), longer, true);
    assert_woken(&a, "");
}

static void who_gives_up_leaves_it_to_the_twins(void **state)
{
    const struct answer_key one = key_of(1, 1);
    struct waiting a;

    ask(*state, one, NOW);
    await(*state, key_of(1, 2), &a);
    answers_give_up(*state, &one, NOW);
    assert_woken(&a, "");
    assert_string_equal("new", ask(*state, key_of(1, 2), NOW));
}

static void only_who_decides_may_finish(void **state)
{
    const struct answer_key other = key_of(1, 2);

    ask(*state, key_of(1, 1), NOW);
    finish(*state, other, "554 No", true);
    answers_give_up(*state, &other, NOW);
    assert_string_equal("pending", ask(*state, other, NOW));
}

static void a_late_decision_is_not_remembered(void **state)
{
    const struct answer_key one = key_of(1, 1);

    ask(*state, one, NOW);
    answers_finish(*state, &one, NOW + MINUTE, SLICE("554 No"), true);
    assert_string_equal("new", ask(*state, key_of(1, 2), NOW + MINUTE));
}

/* Fills the shard of hash 1. */
static void push_out(struct answers *answers)
{
    for (uint64_t hash = 2; hash < 2 + ANSWERS; hash++)
        ask(answers, key_of(hash, 9), NOW);
}

static void one_pushed_out_while_pending_wakes_its_twins(void **state)
{
    struct waiting a;

    ask(*state, key_of(1, 1), NOW);
    await(*state, key_of(1, 2), &a);
    push_out(*state);
    assert_woken(&a, "");
    finish(*state, key_of(1, 1), "554 No", true); /* nobody is there any more */
    assert_string_equal("new", ask(*state, key_of(1, 3), NOW));
    assert_int_equal(1, a.woken);
}

static void expiry_wakes_twins(void **state)
{
    struct waiting a;

    ask(*state, key_of(1, 1), NOW);
    await(*state, key_of(1, 2), &a);
    ask(*state, key_of(2, 1), NOW + MINUTE); /* in the same shard */
    assert_woken(&a, "");
}

static void the_end_wakes_twins(UNUSED void **state)
{
    struct answers *answers = answers_new(1);
    struct waiting a;

    ask(answers, key_of(1, 1), NOW);
    await(answers, key_of(1, 2), &a);
    answers_free(&answers);
    assert_woken(&a, "");
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 3000, HASHES = 8 };

struct asker {
    struct answers *answers;
    uint64_t connection;
    pthread_t thread;
    struct waiting waiting[ROUNDS];
    size_t waits;
};

/* Keys of all parts. */
static uint64_t spread(uint64_t n)
{
    return (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void *ask_often(void *arg)
{
    struct asker *asker = arg;
    AUTO_BUF out = BUF_INIT(ANSWER_REPLY_MAX);

    for (size_t i = 0; i < ROUNDS; i++) {
        struct answer_key key = { spread(i % HASHES + i / 64), asker->connection, true };
        struct waiting *waiting = &asker->waiting[asker->waits];
        *waiting = (struct waiting){ .waiter.wake = woken };
        switch (answers_ask(asker->answers, &key, NOW, &waiting->waiter, &out)) {
        case ANSWER_NEW:
            if (i % 7 == 0)
                answers_give_up(asker->answers, &key, NOW);
            else
                answers_finish(asker->answers, &key, NOW, SLICE("554 No"), true);
            break;
        case ANSWER_PENDING:
            asker->waits++;
            break;
        case ANSWER_KNOWN:
            break;
        }
    }
    return NULL;
}

static void threads_are_each_woken_once(UNUSED void **state)
{
    struct asker *askers = calloc(THREADS, sizeof *askers);
    struct answers *answers = answers_new(8); /* so few that they push each other out */

    assert_non_null(askers);
    for (size_t i = 0; i < THREADS; i++) {
        askers[i].answers = answers;
        askers[i].connection = i + 1;
        assert_int_equal(0, pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]));
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(askers[i].thread, NULL);
    answers_free(&answers);
    for (size_t i = 0; i < THREADS; i++)
        for (size_t k = 0; k < askers[i].waits; k++)
            assert_int_equal(1, askers[i].waiting[k].woken);
    free(askers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(repeats_by_connection_and_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(a_retry_takes_the_answer_along, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_message_after_a_retry_is_a_new_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(forgets_after_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(twins_wait_and_are_woken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_longest_answer_reaches_a_twin, setup, teardown),
        cmocka_unit_test_setup_teardown(a_longer_answer_reaches_no_twin, setup, teardown),
        cmocka_unit_test_setup_teardown(who_gives_up_leaves_it_to_the_twins, setup, teardown),
        cmocka_unit_test_setup_teardown(only_who_decides_may_finish, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_decision_is_not_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(one_pushed_out_while_pending_wakes_its_twins, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(expiry_wakes_twins, setup, teardown),
        cmocka_unit_test(the_end_wakes_twins),
        cmocka_unit_test(threads_are_each_woken_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
