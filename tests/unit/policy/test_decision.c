/* tests/unit/policy/test_decision.c - the extra fields of a decision line: what the rules say, in the order given, bounded. */
#include "tests/unit/policy/policy_case.h"

#include "common/policy/decision.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"

static struct policy_case loaded;
static struct rule_book book;

static int unload(UNUSED void **state)
{
    rule_book_free(&book);
    case_unload(&loaded);
    return 0;
}

static const struct action_type hold = { .name = "hold" }, reject = { .name = "reject" };

static void names_rules_and_what_they_would_have_done(UNUSED void **state)
{
    AUTO_EXTRAS extras = { .count = 0 };
    const struct action shadow[] = { { .type = &hold, .rule = 1 }, { .type = &reject } };
    static const size_t troubled[] = { 1, 0 };
    const struct verdict verdict = { .shadow = shadow,
                                     .shadow_count = COUNT(shadow),
                                     .troubled = troubled,
                                     .troubled_count = COUNT(troubled) };

    case_load_with(&loaded, "[rule a]\nthen = accept\n[rule b]\nthen = accept\n", CONF_ENFORCE,
                   NULL, &book);
    decision_extra(&extras, "mode", SLICE("shadow"));
    decision_extra_shadow(&extras, book.rules, &verdict);
    decision_extra(&extras, "limit", SLICE("")); /* left out */
    decision_extra_trouble(&extras, book.rules, &verdict);
    decision_extra_score(&extras, -2.5);
    static const char *const want[][2] = { { "mode", "shadow" },
                                           { "shadow", "b:hold,a:reject" },
                                           { "trouble", "b,a" },
                                           { "score", "-2.5" } };
    assert_int_equal(COUNT(want), extras.count);
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_string_equal(want[i][0], extras.fields[i].name);
        assert_slice(want[i][1], extras.fields[i].value);
    }
}

static void says_nothing_of_what_did_not_happen(UNUSED void **state)
{
    AUTO_EXTRAS extras = { .count = 0 };
    const struct verdict verdict = { .score = 0 };

    case_load_with(&loaded, "", CONF_ENFORCE, NULL, &book);
    decision_extra_shadow(&extras, book.rules, &verdict);
    decision_extra_trouble(&extras, book.rules, &verdict);
    decision_extra_score(&extras, verdict.score);
    assert_int_equal(0, extras.count);
}

static void is_bounded(UNUSED void **state)
{
    AUTO_EXTRAS extras = { .count = 0 };
    static size_t troubled[2000];
    const struct verdict verdict = { .troubled = troubled, .troubled_count = COUNT(troubled) };

    case_load_with(&loaded, "[rule some-rule]\nthen = accept\n", CONF_ENFORCE, NULL, &book);
    decision_extra_trouble(&extras, book.rules, &verdict);
    assert_in_range(extras.fields[0].value.len, 900, DECISION_EXTRA_TEXT_MAX);
    for (size_t i = 0; i < 2 * (size_t)DECISION_EXTRAS_MAX; i++)
        decision_extra(&extras, "more", SLICE("x"));
    assert_int_equal(DECISION_EXTRAS_MAX, extras.count);
}

static void goes_to_the_store_with_its_extras(UNUSED void **state)
{
    AUTO_EXTRAS extras = { .count = 0 };
    struct fake_clock ticking;
    struct decision decision = { .queue_id = SLICE("4Xk2Lq"), .verdict = SLICE("dunno"), .ms = 3 };

    case_load_with(&loaded, "", CONF_ENFORCE, NULL, &book);
    fake_clock_init(&ticking);
    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL);
    struct fake_store *store = fake_store_new(&ticking.clock);
    decision_extra(&extras, "store", SLICE("degraded"));
    decision_write(&decision, &extras, &store->store);
    assert_string_equal("decision queue_id=4Xk2Lq client_address= sasl_username= sender=<> "
                        "recipient=<> rule= verdict=dunno ref= reason=\"\" ms=3 store=degraded",
                        buf_text(&store->log));
    fake_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names_rules_and_what_they_would_have_done, unload),
        cmocka_unit_test_teardown(says_nothing_of_what_did_not_happen, unload),
        cmocka_unit_test_teardown(is_bounded, unload),
        cmocka_unit_test_teardown(goes_to_the_store_with_its_extras, unload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
