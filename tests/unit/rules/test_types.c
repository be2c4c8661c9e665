#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

/* Mistakes in conditions, by the byte they point at. */
static const struct {
    const char *when;
    size_t offset;
    const char *text;
} mistakes[] = {
    /* lexer */
    { "size > 1 # big", 9, "a comment stands on a line of its own" },
    { "sender = *@example.com", 9, "'*' can stand in \"quotes\" only" },
    { "!authenticated", 0, "'!' means nothing here; use \"not\"" },
    { "authenticated && encrypted", 14, "'&' means nothing here; use \"and\", \"or\"" },
    { "sender = \"a", 9, "the string has no closing quote" },
    { "sender = \"a\\\"", 9, "the string has no closing quote" },
    { "sender = \"a\tb\"", 11, "a control byte cannot stand in a string" },
    { "sender = a;", 10, "';' means nothing here" },
    { "sender = \x01", 9, "byte 0x01 means nothing here" },
    { "sender in list:block/{recipient", 21, "the brace is never closed" },
    { "sender = {x}", 9, "braces follow the name of a list or map: list:NAME/{fact}" },
    /* parser */
    { "", 0, "the condition is empty; a rule without \"when\" always applies" },
    { "  ", 0, "the condition is empty; a rule without \"when\" always applies" },
    { "size >", 6, "the condition ends where a value is expected" },
    { "and", 0, "a fact is expected, not \"and\"" },
    { "\"size\" > 1", 0, "the name of a fact, without quotes, is expected, not \"size\"" },
    { "(authenticated", 0, "the parenthesis is never closed" },
    { "(authenticated size", 15, "\"and\", \"or\" or \")\" is expected, not \"size\"" },
    { "authenticated)", 13, "there is no \"(\" for this \")\"" },
    { "authenticated adn encrypted", 14,
      "\"and\" or \"or\" is expected, not \"adn\"; did you mean \"and\"?" },
    { "country in KP", 11, "(a, b), list:NAME or map:NAME/{fact} is expected, not \"KP\"" },
    { "country in (KP RU)", 15, "\",\" or \")\" is expected, not \"RU\"" },
    { "country in ()", 12, "a value is expected, not \")\"" },
    { "country in (KP,)", 15, "a value is expected, not \")\"" },
    { "sender in list:", 15, "the name of the list is missing" },
    { "sender in map:owners", 20, "a map is written map:NAME/{fact}" },
    { "sender in list:block/", 21, "a list is written list:NAME or list:NAME/{fact}" },
    { "sender in list:block{recipient}", 20, "a list is written list:NAME or list:NAME/{fact}" },
    { "sender is nice", 10, "\"set\" or \"empty\" is expected, not \"nice\"" },
    { "sender not = x", 11, "\"in\" or \"matches\" is expected, not \"=\"" },
    { "sender matches a", 15, "a pattern in quotes is expected, not \"a\"" },
    { "sender = in", 9, "a value is expected, not \"in\"" },
    { "not", 3, "the condition ends where a fact is expected" },
    /* names */
    { "sendr is empty", 0, "there is no fact \"sendr\"; did you mean \"sender\"?" },
    { "200 < size", 0, "there is no fact \"200\"" },
    { "authenticated and enrypted", 18,
      "there is no fact \"enrypted\"; did you mean \"encrypted\"?" },
    { "limit.huorly.used > 1", 6, "there is no limit \"huorly\"; did you mean \"hourly\"?" },
    { "sender in list:blok", 15, "there is no list \"blok\"; did you mean \"block\"?" },
    { "sender in map:owner/{sender}", 14, "there is no map \"owner\"; did you mean \"owners\"?" },
    { "sender in list:block/{recipent}", 22,
      "there is no fact \"recipent\"; did you mean \"recipient\"?" },
    /* types */
    { "spf = faill", 6, "spf has no value \"faill\"; did you mean \"fail\"?" },
    { "spf in (fail, sotfail)", 14, "spf has no value \"sotfail\"; did you mean \"softfail\"?" },
    { "country = \"RUS\"", 10, "country has no value \"RUS\"" },
    { "sender < a@example.com", 0, "sender is a mailbox: only numbers are less or greater" },
    { "sender", 0,
      "sender is a mailbox, no condition by itself; say \"sender is set\" or compare it" },
    { "size = big", 7, "size is a number, \"big\" is not (digits, then K, M or G)" },
    { "size > 10X", 7, "size is a number, \"10X\" is not (digits, then K, M or G)" },
    { "authenticated = maybe", 16, "authenticated is yes or no, \"maybe\" is not (yes, no)" },
    { "authenticated is set", 0, "authenticated is yes or no, never empty" },
    { "client_address = example", 17, "client_address is an address, \"example\" is not" },
    { "sender = a@b@", 9, "sender is a mailbox, \"a@b@\" is not" },
    { "sender = sender_domain", 9, "sender is a mailbox, sender_domain is a domain: never equal" },
    { "size = sender", 7, "size is a number, sender is a mailbox: never equal" },
    { "sender = \"\"", 9, "nothing is equal to \"\"; say \"sender is empty\"" },
    { "sender_domain in (sasl_domain)", 18,
      "sasl_domain is a fact; in parentheses stand constants (quote it to mean the text)" },
    { "size in list:block", 0, "size is a number: lists and maps hold addresses and names" },
    { "sender in list:block/{size}", 22,
      "size is a number: lists and maps hold addresses and names" },
    { "size matches \"1*\"", 0, "size is a number: only texts match a pattern" },
    { "helo_name matches \"/(/\"", 21, "missing closing parenthesis" },
    { "helo_name matches \"/x\"", 21, "a regular expression is written /.../ or /.../i" },
    { "helo_name matches \"/x/g\"", 22, "a regular expression is written /.../ or /.../i" },
    { "helo_name matches \"\"", 19, "a pattern has 1 to 1000 bytes" },
};

static void points_at_each_mistake(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct fake_errors errors;
        struct rule_set *set = fake_rule(mistakes[i].when, "accept", &errors);

        assert_non_null(set);
        if (errors.count != 1 || rule_set_count(set) != 0 || errors.first.field != RULE_WHEN ||
            errors.first.offset != mistakes[i].offset ||
            strcmp(errors.first.text, mistakes[i].text) != 0)
            fail_msg("%s: %zu errors, at %zu: %s", mistakes[i].when, errors.count,
                     errors.first.offset, errors.first.text);
        rule_set_free(&set);
    }
}

/* A login without a domain is as long as a local part may be. */
static void bounds_a_mailbox_without_a_domain(UNUSED void **state)
{
    for (int len = 63; len <= 65; len++) {
        AUTO_BUF when = BUF_INIT(200);
        struct fake_errors errors;
        buf_printf(&when, "sasl_username = %.*s", len,
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        struct rule_set *set = fake_rule(buf_text(&when), "accept", &errors);
        if ((errors.count == 0) != (len <= 64))
            fail_msg("%d bytes: %s", len, errors.first.text);
        rule_set_free(&set);
    }
}

static void names_the_network_that_was_meant(UNUSED void **state)
{
    struct fake_errors errors;
    struct rule_set *set = fake_rule("client_address = 192.0.2.1/24", "accept", &errors);

    assert_int_equal(1, errors.count);
    assert_int_equal(17, errors.first.offset);
    assert_non_null(strstr(errors.first.text, "192.0.2.0/24"));
    rule_set_free(&set);
}

static void reports_every_mistake_of_a_condition(UNUSED void **state)
{
    struct fake_errors errors;
    struct rule_set *set = fake_rule(
        "spf = x1 and (size = y or sendr is set) and country in (A1, B2, RU)", "accept", &errors);

    assert_int_equal(5, errors.count);
    rule_set_free(&set);
}

static void takes_good_conditions(UNUSED void **state)
{
    static const char *const good[] = {
        "authenticated",
        "not authenticated",
        "authenticated = yes",
        "encrypted != authenticated",
        "country in (KP, RU) and sasl_username is empty",
        "country = sender_domain",
        "spf = FAIL",
        "size >= 10.5M",
        "size > -1",
        "score >= 5",
        "dnsbl.score > 2 or limit.hourly.used < 3",
        "client_address = 192.0.2.0/24",
        "client_address in (2001:db8::/32, 192.0.2.1, \"10.0.0.0/8\")",
        "client_address = server_address",
        "sender = sasl_username",
        "sender != alice@example.com",
        "sender in (@example.com, @.example.org, bob@example.net)",
        "sasl_username = alice",
        "sender_domain in (example.com, .example.org)",
        "sender_domain != sasl_domain",
        "helo_name = client_name",
        "sender in list:block",
        "client_address not in list:allow/{recipient}",
        "sasl_username not in map:owners/{sender}",
        "helo_name not matches \"*.example.com\"",
        "helo_name matches \"/^\\d+\\./i\"",
        "sender is not set",
        "sender is not empty",
        "helo_name = \"and\"",
        "((authenticated))",
        "not not authenticated",
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        struct fake_errors errors;
        struct rule_set *set = fake_rule(good[i], "accept", &errors);

        if (errors.count != 0 || errors.warnings != 0 || rule_set_count(set) != 1)
            fail_msg("%s: %s%s", good[i], errors.first.text, errors.first_warning.text);
        rule_set_free(&set);
    }
}

static void warns_of_a_text_that_looks_like_a_fact(UNUSED void **state)
{
    struct fake_errors errors;
    struct rule_set *set = fake_rule("sender = sasl_usrname", "accept", &errors);

    assert_int_equal(0, errors.count);
    assert_int_equal(1, errors.warnings);
    assert_int_equal(9, errors.first_warning.offset);
    assert_string_equal("\"sasl_usrname\" is compared as a text; did you mean \"sasl_username\"?",
                        errors.first_warning.text);
    rule_set_free(&set);
    set = fake_rule("sender = \"sasl_usrname\"", "accept", &errors);
    assert_int_equal(0, errors.warnings);
    rule_set_free(&set);
}

/* `count` times `part`, then `end`. The caller frees it. */
static char *repeat(const char *part, size_t count, const char *end)
{
    AUTO_BUF out = BUF_INIT(1 << 20);

    for (size_t i = 0; i < count; i++)
        assert_int_equal(0, buf_put(&out, part));
    assert_int_equal(0, buf_put(&out, end));
    return strdup(buf_text(&out));
}

static void bounds_depth_and_length(UNUSED void **state)
{
    static const struct {
        const char *part;
        size_t count;
        const char *end, *error;
    } cases[] = {
        { "not ", 32, "encrypted", NULL },
        { "not ", 33, "encrypted", "more than 32 levels of \"(\" and \"not\"" },
        { "(", 33, "encrypted", "more than 32 levels of \"(\" and \"not\"" },
        { "(not ", 17, "encrypted", "more than 32 levels of \"(\" and \"not\"" },
        { "encrypted and ", 999, "encrypted", NULL },
        { "encrypted or ", 1000, "encrypted", "the condition has more than 2000 words and signs" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake_errors errors;
        char *when = repeat(cases[i].part, cases[i].count, cases[i].end);
        struct rule_set *set = fake_rule(when, "accept", &errors);

        if (cases[i].error == NULL ? errors.count != 0
                                   : strcmp(cases[i].error, errors.first.text) != 0)
            fail_msg("%zu: %s", i, errors.first.text);
        rule_set_free(&set);
        free(when);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_at_each_mistake),
        cmocka_unit_test(bounds_a_mailbox_without_a_domain),
        cmocka_unit_test(names_the_network_that_was_meant),
        cmocka_unit_test(reports_every_mistake_of_a_condition),
        cmocka_unit_test(takes_good_conditions),
        cmocka_unit_test(warns_of_a_text_that_looks_like_a_fact),
        cmocka_unit_test(bounds_depth_and_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
