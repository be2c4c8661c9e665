/* tests/unit/facts/test_dnsbl_list.c - which DNS lists work: tests when they are due, and over reloads. */
#include "tests/unit/unit.h"

#include "common/base/clock.h"
#include "policyd/facts/dnsbl_list.h"

enum { RETRY_MS = 60000 };

static const struct slice replies[] = { SLICE_INIT("127.0.0.2*2"), SLICE_INIT("nonsense"),
                                        SLICE_INIT("127.0.0.3*-1") };
static const struct conf_section headings[] = { { .name = SLICE_INIT("one") },
                                                { .name = SLICE_INIT("two") } };
static const struct dnsbl_section sections[] = {
    { &headings[0], SLICE_INIT("one.example."), { replies, 2 }, DNSBL_ADDRESS, true },
    { &headings[1], SLICE_INIT("two.example"), { replies, 3 }, DNSBL_HELO, false },
};

static void holds_what_the_sections_say(UNUSED void **state)
{
    struct dnsbl_set *set = dnsbl_set_new(sections, 2, NULL);
    const struct dnsbl *two = dnsbl_find(set, SLICE("two"));

    assert_slice("one.example", set->lists[0].zone);
    assert_int_equal(1, set->lists[0].reply_count);
    assert_false(set->lists[0].can_lower);
    assert_int_equal(2, two->reply_count);
    assert_true(two->can_lower);
    assert_null(dnsbl_find(set, SLICE("three")));
    dnsbl_set_free(set);
}

static void is_tested_once_when_due(UNUSED void **state)
{
    struct dnsbl_set *set = dnsbl_set_new(sections, 1, NULL);
    const struct dnsbl *list = &set->lists[0];

    assert_true(dnsbl_claim_test(list, 1000, RETRY_MS));
    assert_false(dnsbl_claim_test(list, 1000, RETRY_MS));
    assert_true(
        dnsbl_claim_test(list, 1000 + RETRY_MS, RETRY_MS)); /* nobody said what came of it */
    dnsbl_passed_test(list, 100000);
    assert_false(dnsbl_claim_test(list, 100000 + HOUR - 1, RETRY_MS));
    assert_true(dnsbl_claim_test(list, 100000 + HOUR, RETRY_MS));
    dnsbl_set_free(set);
}

static void goes_off_and_on_and_is_counted(UNUSED void **state)
{
    struct dnsbl_set *set = dnsbl_set_new(sections, 1, NULL);
    const struct dnsbl *list = &set->lists[0];

    assert_false(dnsbl_is_off(list));
    dnsbl_switch_off(list, 1000, RETRY_MS, "of the test");
    dnsbl_switch_off(list, 2000, RETRY_MS, "of the test");
    assert_true(dnsbl_is_off(list));
    assert_int_equal(1, metric_read(list->series.off));
    assert_false(dnsbl_claim_test(list, 2000 + RETRY_MS - 1, RETRY_MS));
    assert_true(dnsbl_claim_test(list, 2000 + RETRY_MS, RETRY_MS));
    dnsbl_passed_test(list, 90000);
    assert_false(dnsbl_is_off(list));
    assert_int_equal(0, metric_read(list->series.off));
    dnsbl_set_free(set);
}

/* Look-ups that have waited in vain, one after the other: from when to when, and when a resolver answered. */
struct wait {
    uint64_t begun_ms, now_ms, resolver_ms;
    bool answers; /* an answer before it */
};
static const struct {
    const char *what;
    struct wait waits[4];
    bool off;
} rows[] = {
    { "three in a row", { { 10, 20, 5, 0 }, { 20, 30, 25, 0 }, { 31, 40, 30, 0 } }, true },
    { "two in a row", { { 10, 20, 5, 0 }, { 20, 30, 25, 0 } }, false },
    { "at the same time",
      { { 10, 20, 5, 0 }, { 10, 21, 20, 0 }, { 12, 22, 20, 0 }, { 13, 23, 20, 0 } },
      false },
    { "no resolver answers",
      { { 10, 20, 5, 0 }, { 20, 30, 5, 0 }, { 30, 40, 5, 0 }, { 40, 50, 5, 0 } },
      false },
    { "an answer between", { { 10, 20, 5, 0 }, { 20, 30, 25, 0 }, { 31, 40, 30, 1 } }, false },
    { "one without a resolver",
      { { 10, 20, 5, 0 }, { 20, 30, 5, 0 }, { 30, 40, 25, 0 }, { 40, 50, 45, 0 } },
      true },
};

static void is_off_when_it_has_been_silent_for_long(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct dnsbl_set *set = dnsbl_set_new(sections, 1, NULL);
        const struct dnsbl *list = &set->lists[0];
        for (size_t n = 0; n < COUNT(rows[i].waits) && rows[i].waits[n].now_ms > 0; n++) {
            const struct wait *wait = &rows[i].waits[n];
            assert_false(dnsbl_is_off(list));
            if (wait->answers)
                dnsbl_has_answered(list);
            dnsbl_was_silent(
                list, &(struct dnsbl_silence){ wait->begun_ms, wait->now_ms, wait->resolver_ms },
                RETRY_MS);
        }
        if (dnsbl_is_off(list) != rows[i].off)
            fail_msg("%s", rows[i].what);
        if (rows[i].off)
            assert_false(dnsbl_claim_test(list, 50 + RETRY_MS - 20, RETRY_MS));
        dnsbl_set_free(set);
    }
}

static void keeps_its_health_over_a_reload(UNUSED void **state)
{
    struct dnsbl_set *before = dnsbl_set_new(sections, 2, NULL);
    struct dnsbl_section changed[] = { sections[0], sections[1] };
    metric_id off = before->lists[0].series.off;

    dnsbl_switch_off(&before->lists[0], 1000, RETRY_MS, "of the test");
    dnsbl_switch_off(&before->lists[1], 1000, RETRY_MS, "of the test");
    changed[1].zone = SLICE("other.example");
    struct dnsbl_set *after = dnsbl_set_new(changed, 2, before);
    assert_true(dnsbl_is_off(&after->lists[0]));
    assert_false(dnsbl_is_off(&after->lists[1])); /* another list */
    dnsbl_set_free(before);
    assert_true(dnsbl_is_off(&after->lists[0]));
    assert_int_equal(1, metric_read(off));
    dnsbl_set_free(after);
    assert_int_equal(0, metric_read(off)); /* no configuration has it any more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_the_sections_say),
        cmocka_unit_test(is_tested_once_when_due),
        cmocka_unit_test(goes_off_and_on_and_is_counted),
        cmocka_unit_test(is_off_when_it_has_been_silent_for_long),
        cmocka_unit_test(keeps_its_health_over_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
