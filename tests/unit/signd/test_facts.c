/* tests/unit/signd/test_facts.c - the table of facts is sound, and each fact has its value: of mail that was verified, and empty of
 * mail that was not. */
#include "signd/facts/provider.h"

#include "tests/fakes/sample_message.h"
#include "tests/fakes/signd_load.h"
#include "tests/unit/unit.h"

static struct arena *arena;
static struct message *message;

static int setup(UNUSED void **state)
{
    const struct sample_message sample = { .address = "192.0.2.7",
                                           .sender = "a@example.com",
                                           .recipients = "b@example.org",
                                           .headers = "From: <a@example.com>\n",
                                           .body = "x\r\n" };

    arena = arena_new(1 << 20);
    message = sample_message(&sample);
    return 0;
}

static int teardown(UNUSED void **state)
{
    message_unref(&message);
    arena_free(&arena);
    return 0;
}

static const struct fact_type *type_of(int id)
{
    for (size_t i = 0; i < signd_fact_count; i++)
        if (signd_facts[i].id == id)
            return &signd_facts[i];
    fail_msg("no fact %d", id);
    return &signd_facts[0];
}

static enum fetch_result fetch(const struct fact_subject *subject, int id, struct value *out)
{
    const struct fact_type *type = type_of(id);
    const struct fact_ref ref = { .kind = FACT_PLAIN,
                                  .type = type,
                                  .name = slice_of(type->name),
                                  .subject = FACT_NONE,
                                  .key = FACT_NONE };
    struct evaluation evaluation = { .request = (void *)(uintptr_t)subject };

    *out = (struct value){ .type = VALUE_TEXT };
    return fact_provide(&evaluation, 0, &ref, out);
}

static const struct {
    int id;
    const char *text; /* NULL: a boolean, is_true */
    bool is_true;
} cases[] = {
    { FACT_DKIM, "pass", false },
    { FACT_DKIM_DOMAINS, "a.example", false },
    { FACT_DKIM_ALIGNED, NULL, true },
    { FACT_DKIM_TESTING, NULL, true },
    { FACT_DKIM_LENGTH, NULL, false },
    { FACT_SPF, "softfail", false },
    { FACT_SPF_DOMAIN, "s.example", false },
    { FACT_DMARC, "fail", false },
    { FACT_DMARC_POLICY, "quarantine", false },
    { FACT_DMARC_SPF_ALIGNED, NULL, false },
    { FACT_DMARC_DKIM_ALIGNED, NULL, true },
    { FACT_SIGNED, NULL, true },
};

static void each_fact_has_its_value(UNUSED void **state)
{
    struct dkim_claim claims[] = { { .result = DKIM_PASS, .domain = SLICE_INIT("a.example") },
                                   { .result = DKIM_FAIL, .domain = SLICE_INIT("b.example") },
                                   { .result = DKIM_PASS, .domain = SLICE_INIT("c.example") } };
    const struct results results = {
        .claims = claims,
        .claim_count = 3,
        .claims_over = 2,
        .dkim = DKIM_PASS,
        .is_aligned = true,
        .is_testing = true,
        .spf = { true, SLICE_INIT("softfail"), SLICE_INIT("s.example") },
        .dmarc = { DMARC_FAIL, DMARC_REJECT, DMARC_QUARANTINE, false, true },
        .dmarc_domain = SLICE_INIT("a.example"),
    };
    const struct fact_subject subject = { .of = { .message = message, .arena = arena },
                                          .results = &results,
                                          .is_signed = true };
    struct value value;

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(FETCH_KNOWN, fetch(&subject, cases[i].id, &value));
        if (cases[i].text == NULL ? value.boolean != cases[i].is_true
                                  : !slice_equal(value.text, slice_of(cases[i].text)))
            fail_msg("%s", type_of(cases[i].id)->name);
    }
    assert_int_equal(FETCH_KNOWN, fetch(&subject, FACT_DKIM_DOMAINS, &value));
    assert_slice("c.example", value.next->text);
    assert_null(value.next->next);
    assert_int_equal(FETCH_KNOWN, fetch(&subject, FACT_DKIM_COUNT, &value));
    assert_true(value.number == 5);
}

static void of_mail_that_is_not_verified_all_is_empty(UNUSED void **state)
{
    const struct fact_subject subject = { .of = { .message = message, .arena = arena } };
    struct value value;

    for (int id = FACT_DKIM; id <= FACT_SIGNED; id++) {
        assert_int_equal(FETCH_KNOWN, fetch(&subject, id, &value));
        if (type_of(id)->type == VALUE_BOOLEAN ? value.boolean : !value.is_empty)
            fail_msg("%s", type_of(id)->name);
    }
}

static void spf_that_could_not_be_had_is_unknown(UNUSED void **state)
{
    const struct results results = { .spf = { .is_known = false } };
    const struct fact_subject subject = { .of = { .message = message, .arena = arena },
                                          .results = &results };
    struct value value;

    assert_int_equal(FETCH_UNKNOWN, fetch(&subject, FACT_SPF, &value));
    assert_int_equal(FETCH_UNKNOWN, fetch(&subject, FACT_SPF_DOMAIN, &value));
    assert_int_equal(FETCH_KNOWN, fetch(&subject, FACT_DMARC, &value));
    assert_true(value.is_empty);
}

static void facts_of_every_milter_are_there(UNUSED void **state)
{
    const struct fact_subject subject = { .of = { .message = message, .arena = arena } };
    struct value value;

    assert_int_equal(FETCH_KNOWN, fetch(&subject, MESSAGE_SENDER, &value));
    assert_slice("a@example.com", value.text);
    assert_int_equal(FETCH_UNKNOWN, fetch(&subject, MESSAGE_POLICY_SPF, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fact_has_its_value),
        cmocka_unit_test(of_mail_that_is_not_verified_all_is_empty),
        cmocka_unit_test(spf_that_could_not_be_had_is_unknown),
        cmocka_unit_test(facts_of_every_milter_are_there),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
