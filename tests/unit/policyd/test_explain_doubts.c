/* tests/unit/policyd/test_explain_doubts.c - what of a request that somebody has typed will have no effect. */
#include "tests/unit/unit.h"

#include "policyd/explain_doubts.h"

static const struct {
    const char *lines;
    const char *want; /* the first sentence; NULL: none */
} cases[] = {
    { "", NULL },
    { "client_address=192.0.2.1\nprotocol_state=DATA\nsender=\n", NULL },
    { "client_address=\nserver_address=2001:db8::1", NULL },
    { "protocol_state=ETRN", NULL },
    { "no line of this kind", NULL },
    { "sasl_usrname=alice",
      "there is no attribute \"sasl_usrname\", it has no effect; did you mean sasl_username?" },
    { "sender=a@example.com\r\nfoo=bar", "there is no attribute \"foo\", it has no effect" },
    { "protocol_state=data",
      "protocol_state \"data\" is none of Postfix's, so it is no stage of the "
      "session; did you mean DATA?" },
    { "client_address=abc", "client_address \"abc\" is no IP address, it counts as empty" },
    { "server_address=192.0.2.0/24",
      "server_address \"192.0.2.0/24\" is no IP address, it counts as empty" },
};

static void doubts_what_has_no_effect(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *doubts = explain_doubts(slice_of(cases[i].lines));
        const char *first = json_string_value(json_array_get(doubts, 0));
        assert_int_equal(cases[i].want == NULL ? 0 : 1, json_array_size(doubts));
        if (cases[i].want != NULL)
            assert_string_equal(cases[i].want, first);
        json_decref(doubts);
    }
}

static void doubts_each_line_and_shows_a_part_of_long_ones(UNUSED void **state)
{
    char lines[4096] = "foo=1\nbar=2\n";

    memset(lines + 12, 'x', 3000);
    memcpy(lines + 3012, "=3\n", 4);
    json_t *doubts = explain_doubts(slice_of(lines));
    assert_int_equal(3, json_array_size(doubts));
    assert_true(strlen(json_string_value(json_array_get(doubts, 2))) < 120);
    json_decref(doubts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubts_what_has_no_effect),
        cmocka_unit_test(doubts_each_line_and_shows_a_part_of_long_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
