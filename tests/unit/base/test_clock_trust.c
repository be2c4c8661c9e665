/* tests/unit/base/test_clock_trust.c - a clock that was wrong for a moment is not believed. */
#include "common/base/clock_trust.h"

#include "tests/fakes/fake_clock.h"
#include "tests/unit/unit.h"

static void doubts_at_the_start(UNUSED void **state)
{
    static const struct {
        const char *what;
        uint64_t believed_ms; /* before */
        bool is_believed;
    } rows[] = {
        { "at once", FAKE_CLOCK_WALL, true },
        { "a day later", FAKE_CLOCK_WALL - DAY, true },
        { "more than a day later", FAKE_CLOCK_WALL - DAY - 1, false },
        { "years later", 0, false },
        { "a moment earlier", FAKE_CLOCK_WALL + MINUTE, true },
        { "earlier", FAKE_CLOCK_WALL + MINUTE + 1, false },
        { "from the end of time", UINT64_MAX, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_clock fake;
        struct clock_trust trust;
        fake_clock_init(&fake);
        clock_trust_begin(&trust, &fake.clock, rows[i].believed_ms);
        if (trust.is_believed != rows[i].is_believed)
            fail_msg("%s", rows[i].what);
    }
}

static void doubts_jumps_for_an_hour(UNUSED void **state)
{
    static const struct {
        int64_t jump_ms;
        bool is_doubted;
    } rows[] = {
        { 60000, false }, { -60000, false },          { 60001, true },
        { -60001, true }, { INT64_C(1) << 42, true }, { -(INT64_C(1) << 40), true },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fake_clock fake;
        struct clock_trust trust;
        fake_clock_init(&fake);
        clock_trust_begin(&trust, &fake.clock, FAKE_CLOCK_WALL);
        fake_clock_advance(&fake, 30 * DAY); /* even if nobody looks for a long time */
        assert_int_equal(CLOCK_TRUST_SAME, clock_trust_look(&trust));
        fake.wall += (uint64_t)rows[i].jump_ms;
        enum clock_trust_change change = clock_trust_look(&trust);
        if (change != (rows[i].is_doubted ? CLOCK_TRUST_DOUBTED : CLOCK_TRUST_SAME) ||
            trust.is_believed == rows[i].is_doubted)
            fail_msg("row %zu", i);
        if (!rows[i].is_doubted)
            continue;
        assert_true(trust.jump_ms == rows[i].jump_ms);
        fake_clock_advance(&fake, HOUR - 1);
        assert_int_equal(CLOCK_TRUST_SAME, clock_trust_look(&trust));
        assert_false(trust.is_believed);
        fake_clock_advance(&fake, 1);
        assert_int_equal(CLOCK_TRUST_BELIEVED, clock_trust_look(&trust));
        assert_true(trust.is_believed);
        assert_int_equal(CLOCK_TRUST_SAME, clock_trust_look(&trust));
    }
}

static void a_jump_back_is_one_more_to_doubt(UNUSED void **state)
{
    struct fake_clock fake;
    struct clock_trust trust;

    fake_clock_init(&fake);
    clock_trust_begin(&trust, &fake.clock, FAKE_CLOCK_WALL);
    fake.wall += 100 * DAY;
    assert_int_equal(CLOCK_TRUST_DOUBTED, clock_trust_look(&trust));
    fake_clock_advance(&fake, HOUR / 2);
    fake.wall -= 100 * DAY;
    assert_int_equal(CLOCK_TRUST_DOUBTED, clock_trust_look(&trust));
    fake_clock_advance(&fake, HOUR / 2);
    assert_int_equal(CLOCK_TRUST_SAME, clock_trust_look(&trust));
    assert_false(trust.is_believed);
    fake_clock_advance(&fake, HOUR / 2);
    assert_int_equal(CLOCK_TRUST_BELIEVED, clock_trust_look(&trust));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubts_at_the_start),
        cmocka_unit_test(doubts_jumps_for_an_hour),
        cmocka_unit_test(a_jump_back_is_one_more_to_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
