/* tests/unit/quarantine/test_quarantine.c - bounded by size and age, the oldest make room. */
#include "common/quarantine/quarantine.h"

#include <pthread.h>

#include "common/mime/mime.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/mail_message.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

struct case_ {
    struct temporary directory;
    struct fake_clock clock;
    struct quarantine *quarantine;
    struct message *message;
    struct source source;
    struct buf error;
};

static void begin(struct case_ *test, uint64_t size_max)
{
    static char text[2000] = "Subject: x\n\n";

    memset(text + 12, 'x', sizeof text - 13);
    *test = (struct case_){ .error = BUF_INIT(1000) };
    temporary_make(&test->directory);
    fake_clock_init(&test->clock);
    const struct quarantine_settings settings = { test->directory.path, size_max, 1 * DAY, 0 };
    test->quarantine = quarantine_open(&settings, &test->clock.clock, &test->error);
    assert_non_null(test->quarantine);
    test->message = mail_message_new(slice_of(text), "a@b.example");
    test->source = source_of_message(test->message);
}

static void end(struct case_ *test)
{
    quarantine_close(&test->quarantine);
    temporary_remove(&test->directory);
    message_unref(&test->message);
    buf_free(&test->error);
}

static int keep(struct case_ *test, struct kept *kept)
{
    *kept = (struct kept){ .reason = SLICE("test") };
    fake_clock_advance(&test->clock, 1);
    return quarantine_keep(test->quarantine, kept, &test->source, &test->error);
}

static bool has(struct case_ *test, const struct kept *kept)
{
    return temporary_has(&test->directory, kept->id, ".json");
}

static void the_oldest_make_room(UNUSED void **state)
{
    struct case_ test;
    struct kept kept[10];

    begin(&test, 10000);
    for (size_t i = 0; i < COUNT(kept); i++) {
        assert_int_equal(0, keep(&test, &kept[i]));
        assert_true(folder_bytes(quarantine_folder(test.quarantine)) <= 10000 + 1000);
    }
    assert_true(has(&test, &kept[9]) && has(&test, &kept[8]) && has(&test, &kept[7]));
    assert_false(has(&test, &kept[0]));
    assert_false(has(&test, &kept[5]));
    assert_true(metric_is_shown("gatehouse_quarantine_kept_total", 10));
    assert_true(metric_is_shown("gatehouse_quarantine_evicted_total", 6));
    assert_true(metric_is_shown("gatehouse_quarantine_messages", 4));
    end(&test);
}

static void what_never_fits_is_refused(UNUSED void **state)
{
    struct case_ test;
    struct kept kept;

    begin(&test, 1000);
    assert_int_equal(-1, keep(&test, &kept));
    assert_non_null(strstr(buf_text(&test.error), "no room"));
    assert_int_equal(0, temporary_count(&test.directory));
    end(&test);
}

static void zero_is_no_bound(UNUSED void **state)
{
    struct case_ test;
    struct kept kept[3];

    begin(&test, 0);
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_int_equal(0, keep(&test, &kept[i]));
    assert_true(has(&test, &kept[0]));
    end(&test);
}

static void forgets_with_age(UNUSED void **state)
{
    struct case_ test;
    struct kept kept[3];

    begin(&test, 1 << 20);
    assert_int_equal(0, keep(&test, &kept[0]));
    fake_clock_advance(&test.clock, DAY / 2);
    assert_int_equal(0, keep(&test, &kept[1]));
    assert_false(quarantine_expire(test.quarantine));
    assert_true(has(&test, &kept[0]));
    fake_clock_advance(&test.clock, DAY / 2);
    assert_false(quarantine_expire(test.quarantine));
    assert_false(has(&test, &kept[0]));
    assert_true(has(&test, &kept[1]));
    const struct quarantine_settings shorter = { test.directory.path, 1 << 20, 1 * HOUR, 0 };
    quarantine_adjust(test.quarantine, &shorter);
    assert_false(quarantine_expire(test.quarantine));
    assert_int_equal(0, temporary_count(&test.directory));
    end(&test);
}

/* As after a restart. */
static void reopen(struct case_ *test)
{
    const struct quarantine_settings settings = { test->directory.path, 1 << 20, 1 * DAY, 0 };

    quarantine_close(&test->quarantine);
    test->quarantine = quarantine_open(&settings, &test->clock.clock, &test->error);
    assert_non_null(test->quarantine);
}

static size_t left(struct case_ *test)
{
    return folder_count(quarantine_folder(test->quarantine));
}

/* The keeper's passes of so many minutes. */
static void run_minutes(struct case_ *test, unsigned minutes)
{
    while (minutes-- > 0) {
        fake_clock_advance(&test->clock, MINUTE);
        assert_false(quarantine_expire(test->quarantine));
    }
}

static void a_clock_wrong_for_a_moment_takes_nothing(UNUSED void **state)
{
    static const int64_t jumps_ms[] = { INT64_C(40) * 86400000, INT64_C(20000) * 86400000,
                                        -INT64_C(20000) * 86400000 };
    struct kept kept;

    for (size_t i = 0; i < COUNT(jumps_ms); i++) {
        struct case_ test;
        begin(&test, 1 << 20);
        assert_int_equal(0, keep(&test, &kept));
        run_minutes(&test, 10);
        test.clock.wall += (uint64_t)jumps_ms[i];
        assert_int_equal(0, keep(&test, &kept)); /* of a time that may look very old afterwards */
        run_minutes(&test, 59);
        reopen(&test); /* nor does a restart make it right */
        run_minutes(&test, 59);
        test.clock.wall -= (uint64_t)jumps_ms[i];
        run_minutes(&test, 200);
        if (left(&test) != 2)
            fail_msg("row %zu: %zu left", i, left(&test));
        assert_true(metric_is_shown("gatehouse_quarantine_expiry_paused", 0));
        run_minutes(&test, 24 * 60);
        if (left(&test) != (jumps_ms[i] > 0)) /* what says to come from the future stays longer */
            fail_msg("row %zu: %zu left in the end", i, left(&test));
        end(&test);
    }
}

/* A clock that is wrong and stays so, or a host that was away for long: nobody can tell. */
static void what_is_too_old_goes_little_by_little(UNUSED void **state)
{
    struct case_ test;
    struct kept kept;

    begin(&test, 1 << 20);
    for (unsigned i = 0; i < 150; i++)
        assert_int_equal(0, keep(&test, &kept));
    run_minutes(&test, 1);
    quarantine_close(&test.quarantine);
    fake_clock_advance(&test.clock, 2 * DAY);
    const struct quarantine_settings settings = { test.directory.path, 1 << 20, 1 * DAY, 0 };
    test.quarantine = quarantine_open(&settings, &test.clock.clock, &test.error);
    assert_false(quarantine_expire(test.quarantine));
    run_minutes(&test, 59);
    assert_int_equal(150, left(&test));
    assert_true(metric_is_shown("gatehouse_quarantine_expiry_paused", 1));
    for (unsigned minutes = 1; minutes <= 3; minutes++) { /* 150 * 10 / 1440 and 10 */
        run_minutes(&test, 1);
        assert_false(quarantine_expire(test.quarantine)); /* nothing more in the same minute */
        assert_in_range(left(&test), 150 - 12 * minutes, 150 - 10 * minutes);
    }
    run_minutes(&test, 20);
    assert_int_equal(0, left(&test));
    end(&test);
}

/* Some each minute, all in the end, again and again. */
static void finds_damage_by_itself(UNUSED void **state)
{
    struct case_ test;
    struct kept kept[250];
    struct folder *folder;
    char name[50];

    begin(&test, 1 << 20);
    folder = quarantine_folder(test.quarantine);
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_int_equal(0, keep(&test, &kept[i]));
    for (size_t i = 0; i < COUNT(kept); i += 100) {
        snprintf(name, sizeof name, "%.20s.json", kept[i].id);
        temporary_put(&test.directory, name, "{");
    }
    for (size_t found = 1; found <= 3; found++) {
        quarantine_check(test.quarantine);
        assert_int_equal(found, folder_damaged_count(folder));
    }
    snprintf(name, sizeof name, "%.20s.json", kept[10].id);
    temporary_put(&test.directory, name, "");
    quarantine_check(test.quarantine);
    assert_true(metric_is_shown("gatehouse_quarantine_damaged_messages", 4));
    end(&test);
}

static void drops_what_the_mta_did_not_take(UNUSED void **state)
{
    struct case_ test;
    struct kept kept;

    begin(&test, 1 << 20);
    assert_int_equal(0, keep(&test, &kept));
    quarantine_drop(test.quarantine, kept.id);
    quarantine_drop(test.quarantine, kept.id);
    assert_int_equal(0, temporary_count(&test.directory));
    end(&test);
}

enum { THREADS = 8, EACH = 20 };

static void *keep_many(void *arg)
{
    struct case_ *test = arg;

    for (unsigned i = 0; i < EACH; i++) {
        AUTO_BUF error = BUF_INIT(1000);
        struct kept kept = { .reason = SLICE("test") };
        if (quarantine_keep(test->quarantine, &kept, &test->source, &error) != 0)
            abort();
        quarantine_expire(test->quarantine);
    }
    return NULL;
}

static void several_threads_keep_at_the_same_time(UNUSED void **state)
{
    struct case_ test;
    pthread_t threads[THREADS];

    begin(&test, 50000);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, keep_many, &test));
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t count = folder_count(quarantine_folder(test.quarantine));
    assert_in_range(count, 15, 25);
    assert_int_equal(2 * count, temporary_count(&test.directory));
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_make_room),
        cmocka_unit_test(what_never_fits_is_refused),
        cmocka_unit_test(zero_is_no_bound),
        cmocka_unit_test(forgets_with_age),
        cmocka_unit_test(a_clock_wrong_for_a_moment_takes_nothing),
        cmocka_unit_test(what_is_too_old_goes_little_by_little),
        cmocka_unit_test(finds_damage_by_itself),
        cmocka_unit_test(drops_what_the_mta_did_not_take),
        cmocka_unit_test(several_threads_keep_at_the_same_time),
    };

    mime_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
