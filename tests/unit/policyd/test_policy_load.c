/* tests/unit/policyd/test_policy_load.c - from a configuration to a policy: every mistake with its place, and what a
 * reload takes over. */
#include "policyd/live.h"
#include "tests/fakes/policyd_case.h"
#include "tests/unit/unit.h"

static struct policyd_loaded loaded;

static int unload(UNUSED void **state)
{
    policyd_loaded_free(&loaded);
    return 0;
}

/* One mistake each: the lines that are to be printed, in full. */
static const struct {
    const char *what, *text, *want;
} mistakes[] = {
    { "no such fact", "[rule r]\nwhen = sendr = a@example.com\nthen = accept\n",
      "policyd.conf:2:8: there is no fact \"sendr\"; did you mean \"sender\"?\n" },
    { "no such action", "[rule r]\nthen = rejct No\n",
      "policyd.conf:2:8: there is no action \"rejct\"; did you mean \"reject\"?\n" },
    { "no such list",
      "[list blocked]\nentries = 192.0.2.1\n[rule r]\nwhen = sender in list:bloked\nthen = accept\n",
      "policyd.conf:4:23: there is no list \"bloked\"; did you mean \"blocked\"?\n" },
    { "no such map",
      "[map owners]\n[rule r]\nwhen = sasl_username in map:owner/{sender}\nthen = accept\n",
      "policyd.conf:3:29: there is no map \"owner\"; did you mean \"owners\"?\n" },
    { "no such class",
      "[limit l]\nrate = 1/1h\nrate.class.gold = 5/1h\n[classes]\na@example.com = Gold\n"
      "b@example.com = glod\n[rule r]\nthen = limit l\n",
      "policyd.conf:6:17: warning: no limit has a rate for the class glod (rate.class.glod); did you mean "
      "gold?\n" },
    { "no such limit",
      "[limit hourly]\nrate = 1/1h\n[rule r]\nthen = limit hourly\n[rule s]\nthen = limit hourlie\n",
      "policyd.conf:6:14: there is no limit \"hourlie\"; did you mean \"hourly\"?\n" },
    { "no such limit in a fact",
      "[limit hourly]\nrate = 1/1h\n[rule r]\nthen = limit hourly\n"
      "[rule s]\nwhen = limit.hurly.used > 1\nthen = accept\n",
      "policyd.conf:6:14: there is no limit \"hurly\"; did you mean \"hourly\"?\n" },
    { "a rule in two lines",
      "[rule r]\nwhen = sender is set and\n    helo_nam = x\nthen = accept\n",
      "policyd.conf:3:5: there is no fact \"helo_nam\"; did you mean \"helo_name\"?\n" },
    { "a rate", "[limit a]\nrate = 5/1x\n[rule r]\nthen = limit a\n",
      "policyd.conf:2:8: after the / a rate has a time from 24ms to 366d, as in 200/1h\n" },
    { "a key", "[limit a]\nkey = sender, cuontry\nrate = 5/1h\n[rule r]\nthen = limit a\n",
      "policyd.conf:2:15: there is no fact cuontry; did you mean country?\n" },
    { "over does not refuse", "[limit a]\nrate = 5/1h\nover = score +1\n[rule r]\nthen = limit a\n",
      "policyd.conf:3:8: over takes a final action, such as defer or reject\n" },
    { "over names no fact",
      "[limit a]\nrate = 5/1h\nover = reject Full, {sendr}\n[rule r]\nthen = limit a\n",
      "policyd.conf:3:22: there is no fact \"sendr\"; did you mean \"sender\"?\n" },
    { "over can never be said",
      "[limit a]\ncount = connections\ncharge = connect\nrate = 5/1h\n"
      "over = reject Full, {client_address} {sender}\n[rule r]\nthen = limit a\n",
      "policyd.conf:5:38: sender does not exist at connect, where the limit is charged\n" },
    { "over cannot always be said",
      "[limit a]\nrate = 5/1h\nover = reject Full, {sender} {recipient}\n[rule r]\nthen = limit a\n",
      "policyd.conf:3:30: warning: recipient does not exist at data with several recipients, where the "
      "limit is charged; a default text is sent there\n" },
    { "over names what always is there",
      "[limit a]\ncount = connections\nrate = 5/1h\nover = reject Full, {client_address} "
      "{limit.a.used}\n[rule r]\nthen = limit a\n",
      "" },
    { "an override's rate",
      "[limit a]\nrate = 5/1h\nrate.user.a@example.com = many\n[rule r]\nthen = limit a\n",
      "policyd.conf:3:27: a rate is a number, / and a time, as in 200/1h, or unlimited\n" },
    { "a limit for nobody", "[limit a]\nrate = 5/1h\n",
      "policyd.conf:1:2: no rule uses this limit; add a rule with `then = limit a`\n" },
    { "a limit that is only read",
      "[limit a]\nrate = 5/1h\n[rule r]\nwhen = limit.a.used > 3\nthen = reject No\n",
      "policyd.conf:1:2: no rule uses this limit; add a rule with `then = limit a`\n" },
    { "a limit that a broken rule uses",
      "[limit a]\nrate = 5/1h\n[rule r]\nwhen = sendr is set\nthen = limit a\n",
      "policyd.conf:4:8: there is no fact \"sendr\"; did you mean \"sender\"?\n" },
    { "an entry of a list", "[list l]\nentries = 192.0.2.0/24, 192.0.2.0/33\n",
      "policyd.conf:2:25: the prefix length must be 0 to 32\n" },
    { "a key of a map", "[map m]\nentry.@ = x\n",
      "policyd.conf:2:7: not a key: user@example.com, user@, @example.com, @.example.com or a word\n" },
    { "a key without values", "[map m]\nentry.a@example.com = ,\n",
      "policyd.conf:2:23: the key has no value\n" },
    { "a class", "[classes]\n@shop.example = silver gold\n",
      "policyd.conf:2:17: the name of a class is letters, digits, - _ and ., at most 64 bytes\n" },
    { "a rule that can never run",
      "[rule r]\nwhen = etrn_domain is set and sender is set\nthen = accept\n",
      "policyd.conf:2:31: the rule can never run: sender exists at mail, rcpt, data, end-of-message, "
      "but what else it names leaves other\n" },
};

static void says_where_each_mistake_is(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        policyd_load_text(&loaded, mistakes[i].text, NULL);
        if (strcmp(buf_text(&loaded.errors), mistakes[i].want) != 0)
            fail_msg("%s: %s", mistakes[i].what, buf_text(&loaded.errors));
        assert_non_null(loaded.policy);
        policyd_loaded_free(&loaded);
    }
}

static void says_all_mistakes_in_the_order_of_the_file(UNUSED void **state)
{
    policyd_load_text(
        &loaded,
        "budgt = 5s\n[limit a]\nrate = 5/1h\nover = rejct\n[list l]\nentries = 1.2.3.4/99\n"
        "[rule r]\nwhen = sendr is set\nthen = limit b\n",
        NULL);
    const char *at = buf_text(&loaded.errors);
    static const char *const places[] = { "policyd.conf:1:1:", "policyd.conf:2:2:",
                                          "policyd.conf:4:8:", "policyd.conf:6:11:",
                                          "policyd.conf:8:8:", "policyd.conf:9:14:" };
    for (size_t i = 0; i < COUNT(places); i++) {
        if (strncmp(at, places[i], strlen(places[i])) != 0)
            fail_msg("%s", buf_text(&loaded.errors));
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal('\0', *at);
    assert_int_equal(COUNT(places), loaded.error_count);
}

static void compiles_what_is_right(UNUSED void **state)
{
    policyd_load_text(&loaded,
                      "mode = shadow\n[limit a]\nkey = sasl_username\nrate = 5/1h\n"
                      "rate.user.x@example.com = 7/1h\nrate.domain.example.com = 6/1h\n"
                      "rate.class.gold = unlimited\n[classes]\n@example.net = gold\n"
                      "[list l]\nentries = 192.0.2.0/24\n[map m]\nentry.a@example.com = b, c\n"
                      "[rule late]\norder = 500\nthen = accept\n"
                      "[rule early]\norder = 50\nwhen = client_address in list:l or "
                      "sasl_username in map:m/{sender}\nthen = limit a\n",
                      NULL);
    const struct policy *policy = loaded.policy;
    assert_string_equal("", buf_text(&loaded.errors));
    assert_int_equal(2, rule_set_count(policy->book.rules));
    assert_slice("early", rule_set_info(policy->book.rules, 0).name);
    assert_int_equal(RULE_SHADOW, rule_set_info(policy->book.rules, 0).mode);
    assert_int_equal(1, policy->limit_count);
    assert_ptr_equal(&policy->limits[0], policy_limit_find(policy, SLICE("a")));
    assert_null(policy_limit_find(policy, SLICE("b")));
    assert_non_null(sets_list(&policy->parts.core.sets, SLICE("l")));
    assert_null(sets_list(&policy->parts.core.sets, SLICE("m")));
    assert_non_null(sets_map(&policy->parts.core.sets, SLICE("m")));
    assert_false(policy->reads_context);
}

/* ---- reloading ---- */

static struct shared *live_rules_of(const char *name, const char *when, const char *then)
{
    struct live_rules *rules = calloc(1, sizeof *rules);

    rules->arena = arena_new(1 << 16);
    rules->sources = arena_alloc_array(rules->arena, 1, sizeof *rules->sources);
    rules->count = 1;
    rules->sources[0] = (struct rule_source){ .name = slice_of(name),
                                              .when = slice_of(when),
                                              .then = slice_of(then),
                                              .order = SLICE("10"),
                                              .is_live = true };
    return shared_new(rules, live_rules_free);
}

/* A policy with live parts, as the poller makes it. */
static struct policy *with_live(const struct policy *policy, const char *when)
{
    struct policy_parts parts;
    struct list_builder *builder = list_builder_new(1);

    assert_true(policy_kind_copy(&policyd_kind, policy, &parts));
    assert_null(list_builder_add(builder, SLICE("192.0.2.7"), SLICE("by=root"), NULL));
    parts.core.sets.lists[0].live = list_builder_finish(&builder);
    parts.core.live_rules = live_rules_of("urgent", when, "reject Live");
    return policy_kind_make(&policyd_kind, &parts, &(struct rule_hearers){ NULL, true });
}

#define WITH_LIST "[list l]\n[rule r]\nwhen = client_address in list:l\nthen = reject No\n"

static void a_reload_keeps_what_is_live(UNUSED void **state)
{
    struct policyd_loaded again;

    policyd_load_text(&loaded, WITH_LIST, NULL);
    struct policy *live = with_live(loaded.policy, "sender = x@example.com");
    assert_int_equal(2, rule_set_count(live->book.rules));
    assert_true(rule_set_info(live->book.rules, 0).is_live);
    policyd_load_text(&again, "[list new]\n" WITH_LIST "[rule s]\nthen = accept\n", live);
    assert_string_equal("", buf_text(&again.errors));
    assert_int_equal(3, rule_set_count(again.policy->book.rules));
    assert_null(sets_list(&again.policy->parts.core.sets, SLICE("new"))->live);
    assert_ptr_equal(live->parts.core.sets.lists[0].live,
                     again.policy->parts.core.sets.lists[1].live);
    policy_free(live);
    policyd_loaded_free(&again);
}

static void a_bad_live_rule_is_left_out(UNUSED void **state)
{
    policyd_load_text(&loaded, WITH_LIST, NULL);
    struct policy *live = with_live(loaded.policy, "sendr is set");
    assert_int_equal(1, rule_set_count(live->book.rules));
    policy_free(live);
}

static void a_database_that_is_not_there_is_a_warning(UNUSED void **state)
{
    policyd_load_text(&loaded, "geoip_database = /nonexistent/db.mmdb\n", NULL);
    assert_int_equal(0, loaded.error_count);
    if (strncmp(buf_text(&loaded.errors), "policyd.conf:1:18: warning: ", 28) != 0)
        fail_msg("%s", buf_text(&loaded.errors));
    struct policyd_loaded again;
    policyd_load_text(&again, "geoip_database = /nonexistent/db.mmdb\n", loaded.policy);
    assert_ptr_equal(loaded.policy->parts.geoip, again.policy->parts.geoip);
    policyd_loaded_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_each_mistake_is),
        cmocka_unit_test_teardown(says_all_mistakes_in_the_order_of_the_file, unload),
        cmocka_unit_test_teardown(compiles_what_is_right, unload),
        cmocka_unit_test_teardown(a_reload_keeps_what_is_live, unload),
        cmocka_unit_test_teardown(a_bad_live_rule_is_left_out, unload),
        cmocka_unit_test_teardown(a_database_that_is_not_there_is_a_warning, unload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
