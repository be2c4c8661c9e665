/* tests/unit/policy/test_membership.c - `in list`, `in list/{key}` and `in map/{key}` by rules, lists held here and lists
 * asked of the store; look-ups that fail, are late, or are not wanted any more. */
#include "tests/unit/policy/policy_case.h"

#include "common/policy/membership.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"

/* The plain facts of the request; one that is not here is empty. */
struct named_value {
    const char *name;
    struct value value;
    bool is_unknown;
};

static struct policy_case loaded;
static struct rule_book book;
static struct fake_clock ticking;
static struct fake_store *store;
static struct arena *arena;
static struct lookups lookups;
static struct evaluation evaluation;
static const struct named_value *facts;
static size_t fact_count, readies;

static int open_case(UNUSED void **state)
{
    fake_clock_init(&ticking);
    store = fake_store_new(&ticking.clock);
    arena = arena_new(1 << 20);
    readies = fact_count = 0;
    case_load_with(&loaded,
                   "[list l]\nentries = 192.0.2.0/24, alice, .example.com\n"
                   "[map m]\nentry.a@example.com = alice, bob\n"
                   "[rule address]\norder = 10\nwhen = client_address in list:l\nthen = accept\n"
                   "[rule keyed]\norder = 20\nwhen = sasl_username in list:l/{recipient}\n"
                   "then = reject No\n"
                   "[rule map]\norder = 30\nwhen = sasl_username in map:m/{sender}\n"
                   "then = hold\n",
                   CONF_ENFORCE, NULL, &book);
    assert_string_equal("", buf_text(&loaded.errors));
    return 0;
}

static int close_case(UNUSED void **state)
{
    rule_book_free(&book);
    case_unload(&loaded);
    fake_store_free(&store);
    arena_free(&arena);
    return 0;
}

static enum fetch_result fetch(struct evaluation *of, size_t slot, const struct fact_ref *ref,
                               struct value *out)
{
    const struct membership membership = { &loaded.core.sets, &lookups, FAKE_CLOCK_WALL };

    if (ref->kind != FACT_PLAIN)
        return membership_fact(&membership, of, slot, ref, out);
    *out = (struct value){ .type = ref->type->type, .is_empty = true };
    for (size_t i = 0; i < fact_count; i++)
        if (slice_equal(slice_of(facts[i].name), ref->name)) {
            *out = facts[i].value;
            return facts[i].is_unknown ? FETCH_UNKNOWN : FETCH_KNOWN;
        }
    return FETCH_KNOWN;
}

static void ready(UNUSED struct evaluation *of)
{
    readies++;
}

static enum eval_result begin(const struct named_value *known, size_t count)
{
    facts = known;
    fact_count = count;
    lookups = (struct lookups){ .store = &store->store, .arena = arena };
    assert_true(evaluation_init(&evaluation, book.rules, STAGE_RCPT, arena, fetch));
    evaluation.ready = ready;
    return evaluation_run(&evaluation);
}

static const char * final(void)
{
    const struct action *action = evaluation.verdict.final;

    return action == NULL ? "nothing" : action->type->name;
}

static struct value address(const char *text)
{
    struct value value = { .type = VALUE_ADDRESS };

    assert_true(ipnet_parse(slice_of(text), &value.net, NULL));
    return value;
}

static void asks_what_is_held_here(UNUSED void **state)
{
    const struct named_value inside[] = { { "client_address", address("192.0.2.7"), false } };
    const struct named_value outside[] = { { "client_address", address("192.0.3.7"), false } };
    const struct named_value owner[] = { { "sasl_username", case_mailbox("bob"), false },
                                         { "sender", case_mailbox("a@example.com"), false } };
    const struct named_value other[] = { { "sasl_username", case_mailbox("eve"), false },
                                         { "sender", case_mailbox("a@example.com"), false } };

    assert_int_equal(EVAL_DONE, begin(inside, COUNT(inside)));
    assert_string_equal("accept", final());
    assert_int_equal(EVAL_DONE, begin(outside, COUNT(outside)));
    assert_string_equal("nothing", final());
    assert_int_equal(EVAL_DONE, begin(owner, COUNT(owner)));
    assert_string_equal("hold", final());
    assert_int_equal(EVAL_DONE, begin(other, COUNT(other)));
    assert_string_equal("nothing", final());
    assert_int_equal(0, store->fetches);
}

static void asks_the_store_for_a_keyed_list(UNUSED void **state)
{
    const struct named_value known[] = { { "sasl_username", case_mailbox("eve"), false },
                                         { "recipient", case_mailbox("b@example.com"), false } };

    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_string_equal("nothing", final());
    fake_store_set(store, "list:l/b@example.com", "eve", "");
    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_string_equal("reject", final());
    store->holds = true;
    assert_int_equal(EVAL_WAIT, begin(known, COUNT(known)));
    fake_store_release(store);
    assert_int_equal(1, readies);
    assert_int_equal(EVAL_DONE, evaluation_run(&evaluation));
    assert_string_equal("reject", final());
    assert_int_equal(3, store->fetches);
}

static void an_expired_entry_does_not_count(UNUSED void **state)
{
    const struct named_value known[] = { { "sasl_username", case_mailbox("eve"), false },
                                         { "recipient", case_mailbox("b@example.com"), false } };

    fake_store_set(store, "list:l/b@example.com", "eve", "until=1000");
    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_string_equal("nothing", final());
}

static void one_of_several_values_is_enough(UNUSED void **state)
{
    const struct value last = case_mailbox("eve"), middle = { .type = VALUE_MAILBOX,
                                                              .text = SLICE("bob@example.com"),
                                                              .next = &last };
    struct named_value known[] = { { "sasl_username", case_mailbox("carol"), false },
                                   { "recipient", case_mailbox("b@example.com"), false } };

    known[0].value.next = &middle;
    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_string_equal("nothing", final());
    fake_store_set(store, "list:l/b@example.com", "eve", "");
    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_string_equal("reject", final());
    fake_store_set(store, "list:l/b@example.com", "eve", NULL);
    fake_store_set(store, "list:l/b@example.com", "@example.com", "");
    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_string_equal("reject", final());
}

static void what_cannot_be_had_is_unknown(UNUSED void **state)
{
    const struct named_value known[] = { { "sasl_username", case_mailbox("eve"), false },
                                         { "recipient", case_mailbox("b@example.com"), false } };
    const struct named_value unknown[] = { { "client_address", address("192.0.2.7"), true } };

    store->fails = true;
    assert_int_equal(EVAL_DONE, begin(known, COUNT(known)));
    assert_int_equal(1, evaluation.verdict.troubled_count);
    assert_int_equal(EVAL_DONE, begin(unknown, COUNT(unknown)));
    assert_int_equal(1, evaluation.verdict.troubled_count);
}

struct other {
    struct lookup_cancel cancel; /* first member */
    size_t cancelled, told;
};

static void cancel(struct lookup_cancel *self)
{
    ((struct other *)self)->cancelled++;
}

static void answer_now(struct lookup_cancel *self)
{
    struct other *other = (struct other *)self;

    assert_int_equal(0, other->cancelled); /* before anything is ended */
    other->told++;
}

static void at_the_end_of_the_time_others_may_still_answer(UNUSED void **state)
{
    const struct named_value known[] = { { "sasl_username", case_mailbox("eve"), false },
                                         { "recipient", case_mailbox("b@example.com"), false } };
    struct other first = { .cancel = { .cancel = cancel, .time_up = answer_now } };
    struct other second = { .cancel.cancel = cancel };

    store->holds = true;
    assert_int_equal(EVAL_WAIT, begin(known, COUNT(known)));
    lookups_on_abandon(&lookups, &first.cancel);
    lookups_on_abandon(&lookups, &second.cancel);
    evaluation_late(&evaluation);
    lookups_time_up(&lookups);
    assert_int_equal(1, first.told);
    assert_int_equal(0, second.told);
    assert_int_equal(1, first.cancelled);
    assert_int_equal(1, second.cancelled);
    assert_int_equal(1, store->abandoned);
    assert_int_equal(0, readies);
}

static void ends_what_is_under_way(UNUSED void **state)
{
    const struct named_value known[] = { { "sasl_username", case_mailbox("eve"), false },
                                         { "recipient", case_mailbox("b@example.com"), false } };
    struct other first = { .cancel.cancel = cancel }, second = first;

    store->holds = true;
    assert_int_equal(EVAL_WAIT, begin(known, COUNT(known)));
    lookups_on_abandon(&lookups, &first.cancel);
    lookups_on_abandon(&lookups, &second.cancel);
    lookups_abandon(&lookups);
    assert_int_equal(1, first.cancelled);
    assert_int_equal(1, second.cancelled);
    assert_int_equal(1, store->abandoned);
    fake_store_release(store);
    assert_int_equal(0, readies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(asks_what_is_held_here, open_case, close_case),
        cmocka_unit_test_setup_teardown(asks_the_store_for_a_keyed_list, open_case, close_case),
        cmocka_unit_test_setup_teardown(an_expired_entry_does_not_count, open_case, close_case),
        cmocka_unit_test_setup_teardown(one_of_several_values_is_enough, open_case, close_case),
        cmocka_unit_test_setup_teardown(what_cannot_be_had_is_unknown, open_case, close_case),
        cmocka_unit_test_setup_teardown(ends_what_is_under_way, open_case, close_case),
        cmocka_unit_test_setup_teardown(at_the_end_of_the_time_others_may_still_answer, open_case,
                                        close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
