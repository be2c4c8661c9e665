/* tests/unit/limits/test_rate.c - rates and live overrides as people write them. */
#include "tests/unit/unit.h"

#include "common/limits/limit.h"

static const struct {
    const char *text;
    bool ok;
    uint64_t most, window_ms;
    const char *printed;
} cases[] = {
    { "200/1h", true, 200, HOUR, "200/1h" },
    { "0/1h", true, 0, HOUR, "0/1h" },
    { "10M/1d", true, 10 << 20, DAY, "10M/1d" },
    { "1024/60s", true, 1024, MINUTE, "1K/1m" },
    { "3/90", true, 3, 90 * SECOND, "3/90s" },
    { "5/24ms", true, 5, 24, "5/24ms" },
    { "5/1s", true, 5, SECOND, "5/1s" },
    { "5/366d", true, 5, 366 * DAY, "5/366d" },
    { "9007199254740991/1d", true, (UINT64_C(1) << 53) - 1, DAY, "9007199254740991/1d" },
    { "unlimited", true, RATE_UNLIMITED, 0, "unlimited" },
    { "Unlimited", true, RATE_UNLIMITED, 0, "unlimited" },
    { "", false, 0, 0, NULL },
    { "200", false, 0, 0, NULL },
    { "/1h", false, 0, 0, NULL },
    { "200/", false, 0, 0, NULL },
    { "200/h", false, 0, 0, NULL },
    { "-1/1h", false, 0, 0, NULL },
    { "1.5/1h", false, 0, 0, NULL },
    { "200 / 1h", false, 0, 0, NULL },
    { "200/1h x", false, 0, 0, NULL },
    { "200/1x", false, 0, 0, NULL },
    { "200/0s", false, 0, 0, NULL },
    { "200/23ms", false, 0, 0, NULL },
    { "200/367d", false, 0, 0, NULL },
    { "9007199254740992/1d", false, 0, 0, NULL },
    { "18446744073709551616/1h", false, 0, 0, NULL },
    { "18014398509481984K/1h", false, 0, 0, NULL },
    { "200/18446744073709551615d", false, 0, 0, NULL },
};

static void reads_and_prints_rates(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rate rate = { 1, 1 };
        const char *error = NULL;
        bool ok = rate_parse(slice_of(cases[i].text), &rate, &error);
        if (ok != cases[i].ok || ok != (error == NULL))
            fail_msg("\"%s\": %s", cases[i].text, error == NULL ? "accepted" : error);
        if (!ok) {
            assert_true(rate.most == 1 && rate.window_ms == 1);
            continue;
        }
        if (rate.most != cases[i].most || rate.window_ms != cases[i].window_ms)
            fail_msg("\"%s\" misread", cases[i].text);
        assert_slice(cases[i].printed, rate_print(arena, rate));
    }
    arena_free(&arena);
}

static void reads_overrides(UNUSED void **state)
{
    struct override override;
    const char *error = NULL;

    assert_true(override_parse(SLICE("500/1h until=1795314861 by=root note=for the fair"),
                               &override, &error));
    assert_true(override.rate.most == 500 && override.rate.window_ms == HOUR);
    assert_slice("root", override.by);
    assert_slice("for the fair", override.note);
    assert_false(override_is_expired(&override, UINT64_C(1795314860999)));
    assert_true(override_is_expired(&override, UINT64_C(1795314861000)));
    assert_false(override_parse(SLICE("many until=1795314861"), &override, &error));
    assert_non_null(error);
    assert_false(override_parse(SLICE("500/1h until=tomorrow"), &override, &error));
    assert_false(override_parse(SLICE("until=1795314861"), &override, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_prints_rates),
        cmocka_unit_test(reads_overrides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
