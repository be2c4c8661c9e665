/* Replies as bytes: what they mean, and that no others are taken for them. */
#include "tests/unit/unit.h"

#include "common/store/redis_answers.h"
#include "common/store/usage_key.h"

struct taken {
    struct store_charge *charge;
    enum answer answer;
    uint64_t redis_ms;
    unsigned replies;
    bool is_cut;
};

static void take_charge(void *arg, const struct redisReply *reply)
{
    struct taken *taken = arg;

    taken->answer = answer_charge(reply, taken->charge, &taken->redis_ms, &taken->is_cut);
    taken->replies++;
}

static struct slice bulk(const char *text, char *space, size_t size)
{
    int len = snprintf(space, size, "$%zu\r\n%s\r\n", strlen(text), text);

    return (struct slice){ space, (size_t)len };
}

static void reads_the_result_of_a_charge(UNUSED void **state)
{
    static const struct {
        const char *text;
        enum answer answer;
        bool admitted, repeated;
        size_t over;
        uint64_t redis_ms;
    } rows[] = {
        { "A 1795 1 0 7 2 0 8", ANSWER_OK, true, false, 0, 1795 },
        { "RA 1795 1 0 7 2 0 8", ANSWER_OK, true, true, 0, 0 },
        { "O 1 1795 1 0 7 2 -1 8", ANSWER_OK, false, false, 1, 1795 },
        { "RO 0 1795 1 9 7 2 0 8", ANSWER_OK, false, true, 0, 0 },
        { "", ANSWER_BAD, false, false, 0, 0 },
        { "R", ANSWER_BAD, false, false, 0, 0 },
        { "A", ANSWER_BAD, false, false, 0, 0 },
        { "A 1795", ANSWER_BAD, false, false, 0, 0 },
        { "A 1795 1 0 7", ANSWER_BAD, false, false, 0, 0 },
        { "A 1795 1 0 7 2 0", ANSWER_BAD, false, false, 0, 0 },
        { "A 1795 1 0 7 2 0 8 9", ANSWER_BAD, false, false, 0, 0 },
        { "A 1795 -1 0 7 2 0 8", ANSWER_BAD, false, false, 0, 0 },
        { "A 1795 1 0 7 2 0 8.5", ANSWER_BAD, false, false, 0, 0 },
        { "O 2 1795 1 0 7 2 0 8", ANSWER_BAD, false, false, 0, 0 }, /* there is no such use */
        { "O 1795 1 0 7 2 0 8", ANSWER_BAD, false, false, 0, 0 },
        { "X 1795 1 0 7 2 0 8", ANSWER_BAD, false, false, 0, 0 },
        { "A 99999999999999999999 1 0 7 2 0 8", ANSWER_BAD, false, false, 0, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct limit_use uses[2] = { { .amount = 1 }, { .amount = 1 } };
        struct store_charge charge = { .uses = uses, .use_count = 2 };
        struct taken taken = { .charge = &charge, .answer = ANSWER_BAD };
        char space[128];
        assert_true(
            redis_replies_in(bulk(rows[i].text, space, sizeof(space)), take_charge, &taken));
        if (taken.replies != 1 || taken.answer != rows[i].answer ||
            charge.admitted != rows[i].admitted || charge.repeated != rows[i].repeated ||
            charge.over != rows[i].over || taken.redis_ms != rows[i].redis_ms)
            fail_msg("%s", rows[i].text);
        if (taken.answer == ANSWER_OK &&
            (uses[0].used != 1 || uses[1].used != 2 || uses[0].bucket != 7 || uses[1].bucket != 8))
            fail_msg("%s", rows[i].text);
    }
}

static void other_replies_are_no_result_of_a_charge(UNUSED void **state)
{
    static const struct {
        const char *bytes;
        enum answer answer;
    } rows[] = {
        { "*3\r\n$4\r\n1795\r\n*2\r\n$1\r\nx\r\n$-1\r\n*1\r\n$-1\r\n", ANSWER_DIFFERS },
        { ":1\r\n", ANSWER_BAD },
        { "$-1\r\n", ANSWER_BAD },
        { "*-1\r\n", ANSWER_BAD },
        { "*0\r\n", ANSWER_BAD },
        { "*2\r\n$4\r\n1795\r\n*2\r\n$1\r\nx\r\n$-1\r\n", ANSWER_BAD },
        { "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n*1\r\n$-1\r\n", ANSWER_BAD },
        { "*3\r\n$1\r\nx\r\n*2\r\n$1\r\nx\r\n$-1\r\n*1\r\n$-1\r\n", ANSWER_BAD },
        { "*3\r\n$4\r\n1795\r\n*1\r\n$1\r\nx\r\n*1\r\n$-1\r\n", ANSWER_BAD },
        { "*3\r\n$4\r\n1795\r\n$1\r\nx\r\n*1\r\n$-1\r\n", ANSWER_BAD },
        { "-ERR x\r\n", ANSWER_BAD },
        { "+OK\r\n", ANSWER_BAD },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct limit_use uses[2] = { { .field_count = 2 }, { .field_count = 1 } };
        struct store_charge charge = { .uses = uses, .use_count = 2 };
        struct taken taken = { .charge = &charge };
        assert_true(redis_replies_in(slice_of(rows[i].bytes), take_charge, &taken));
        if (taken.replies != 1 || taken.answer != rows[i].answer)
            fail_msg("row %zu", i);
    }
}

static void count_replies(void *arg, UNUSED const struct redisReply *reply)
{
    ++*(unsigned *)arg;
}

static void replies_are_bounded(UNUSED void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        bool is_good;
        unsigned replies;
    } rows[] = {
        { "several", "+OK\r\n:1\r\n", true, 2 },
        { "cut", "*2\r\n:1\r\n", true, 0 },
        { "no reply at all", "GET / HTTP/1.1\r\n", false, 0 },
        { "a list too long", "*65537\r\n", false, 0 },
        { "a list of 2^31-1", "*2147483647\r\n", false, 0 },
        { "a list of 2^64-1", "*18446744073709551615\r\n", false, 0 },
        { "a negative list", "*-2\r\n", false, 0 },
        { "lists in lists", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
          false, 0 },
        { "a good one before", "+OK\r\n!\r\n", false, 1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned replies = 0;
        bool is_good = redis_replies_in(slice_of(rows[i].bytes), count_replies, &replies);
        if (is_good != rows[i].is_good || replies != rows[i].replies)
            fail_msg("%s", rows[i].what);
    }
}

struct classed {
    enum redis_error error;
};

static void take_error(void *arg, const struct redisReply *reply)
{
    struct slice text;

    ((struct classed *)arg)->error = redis_error(reply, &text);
}

static void tells_errors_apart(UNUSED void **state)
{
    static const struct {
        const char *bytes;
        enum redis_error error;
    } rows[] = {
        { "+OK\r\n", REDIS_NO_ERROR },
        { "-NOSCRIPT No matching script.\r\n", REDIS_NOSCRIPT },
        { "-READONLY You can't write against a read only replica.\r\n", REDIS_UNUSABLE },
        { "-ERR Error running script (call to f_00): @user_script:3: -READONLY x\r\n",
          REDIS_UNUSABLE },
        { "-LOADING Redis is loading\r\n", REDIS_UNUSABLE },
        { "-OOM command not allowed\r\n", REDIS_UNWILLING },
        { "-ERR Error running script (call to f_00): @user_script: 12: -OOM command not\r\n",
          REDIS_UNWILLING },
        { "-MISCONF Redis is configured\r\n", REDIS_UNWILLING },
        { "-WRONGTYPE Operation\r\n", REDIS_MISTAKE },
        { "-ERR - - -\r\n", REDIS_MISTAKE },
        { "-\r\n", REDIS_MISTAKE },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct classed classed = { REDIS_NO_ERROR };
        assert_true(redis_replies_in(slice_of(rows[i].bytes), take_error, &classed));
        if (classed.error != rows[i].error)
            fail_msg("%s", rows[i].bytes);
    }
}

static void steps_through_ids_of_the_log(UNUSED void **state)
{
    static const struct {
        const char *id, *next, *before; /* NULL: none */
    } rows[] = {
        { "5-7", "5-8", "5-6" },
        { "5-0", "5-1", "4-18446744073709551615" },
        { "5-18446744073709551615", "6-0", "5-18446744073709551614" },
        { "0-0", "0-1", NULL },
        { "18446744073709551615-18446744073709551615", NULL,
          "18446744073709551615-18446744073709551614" },
        { "5", NULL, NULL },
        { "", NULL, NULL },
        { "x-1", NULL, NULL },
        { "1-2-3", NULL, NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char next[48] = "", before[48] = "";
        bool has_next = log_id_next(slice_of(rows[i].id), next);
        bool has_before = log_id_before(slice_of(rows[i].id), before);
        if (has_next != (rows[i].next != NULL) || has_before != (rows[i].before != NULL) ||
            (has_next && strcmp(next, rows[i].next) != 0) ||
            (has_before && strcmp(before, rows[i].before) != 0))
            fail_msg("%s: %s %s", rows[i].id, next, before);
    }
}

static void reads_keys_of_usage(UNUSED void **state)
{
    static const struct {
        const char *key, *subject, *limit; /* NULL: no such key */
        uint64_t window_ms;
    } rows[] = {
        { "gh:q:{m:a@b.c}:user-hourly.3600000.24", "m:a@b.c", "user-hourly", 3600000 },
        { "gh:q:{*}:all.24.24", "*", "all", 24 },
        { "gh:q:{x}:a.b.24.24", "x", "a.b", 24 },
        { "gh:q:{x}:a.0.24", NULL, NULL, 0 },
        { "gh:q:{x}:.24.24", NULL, NULL, 0 },
        { "gh:q:{x}:.24", NULL, NULL, 0 },
        { "gh:q:{x}:a.24.25", NULL, NULL, 0 },
        { "gh:q:{x}a.24.24", NULL, NULL, 0 },
        { "gh:q:{x", NULL, NULL, 0 },
        { "gh:q:{x}:", NULL, NULL, 0 },
        { "gh:limit:x", NULL, NULL, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice subject, limit;
        uint64_t window_ms = 0;
        bool is_key = usage_key_parse(slice_of(rows[i].key), &subject, &limit, &window_ms);
        if (is_key != (rows[i].subject != NULL) ||
            (is_key &&
             (!slice_equal(subject, slice_of(rows[i].subject)) ||
              !slice_equal(limit, slice_of(rows[i].limit)) || window_ms != rows[i].window_ms)))
            fail_msg("%s", rows[i].key);
    }
}

struct taken_greylist {
    struct store_greylist *greylist;
    enum answer answer;
};

static void take_greylist(void *arg, const struct redisReply *reply)
{
    struct taken_greylist *taken = arg;

    taken->answer = answer_greylist(reply, taken->greylist);
}

static void reads_what_was_seen_of_a_triplet(UNUSED void **state)
{
    static const struct {
        const char *text;
        enum answer answer;
        enum greylist_state state;
        uint64_t left_ms;
        bool is_crowded;
    } rows[] = {
        { "new 300000 0", ANSWER_OK, GREYLIST_NEW, 300000, false },
        { "early 1 1", ANSWER_OK, GREYLIST_EARLY, 1, true },
        { "passed 0 0", ANSWER_OK, GREYLIST_PASSED, 0, false },
        { "known 0 0", ANSWER_OK, GREYLIST_KNOWN, 0, false },
        { "", ANSWER_BAD, GREYLIST_PASSED, 0, false },
        { "new", ANSWER_BAD, GREYLIST_PASSED, 0, false },
        { "new 300000", ANSWER_BAD, GREYLIST_PASSED, 0, false },
        { "new 300000 0 0", ANSWER_BAD, GREYLIST_PASSED, 0, false },
        { "new 300000 2", ANSWER_BAD, GREYLIST_PASSED, 0, false },
        { "new -1 0", ANSWER_BAD, GREYLIST_PASSED, 0, false },
        { "old 300000 0", ANSWER_BAD, GREYLIST_PASSED, 0, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store_greylist greylist = { .state = GREYLIST_PASSED };
        struct taken_greylist taken = { &greylist, ANSWER_DIFFERS };
        char space[128];
        assert_true(
            redis_replies_in(bulk(rows[i].text, space, sizeof(space)), take_greylist, &taken));
        if (taken.answer != rows[i].answer || greylist.state != rows[i].state ||
            greylist.left_ms != rows[i].left_ms || greylist.is_crowded != rows[i].is_crowded)
            fail_msg("%s", rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_seen_of_a_triplet),
        cmocka_unit_test(reads_the_result_of_a_charge),
        cmocka_unit_test(other_replies_are_no_result_of_a_charge),
        cmocka_unit_test(replies_are_bounded),
        cmocka_unit_test(tells_errors_apart),
        cmocka_unit_test(steps_through_ids_of_the_log),
        cmocka_unit_test(reads_keys_of_usage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
