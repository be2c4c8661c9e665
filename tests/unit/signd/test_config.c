/* tests/unit/signd/test_config.c - the tables are sound, and mistakes are named with their places. */
#include "signd/config.h"

#include "tests/unit/unit.h"

static void the_tables_are_sound(UNUSED void **state)
{
    struct conf_complaint complaint;

    if (!conf_schema_is_sound(&signd_schema, &complaint))
        fail_msg("%s", complaint.text);
}

static const struct {
    const char *text, *error;
} bad[] = {
    { "internal_networks = 192.0.2.1/24\n", "1:21: " },
    { "outbound_ports = 587, smtp\n", "1:23: " },
    { "default_signing_domain = Example.COM\n", "1:26: " },
    { "sign_headers = To, Sub:ject\n", "1:23: " },
    { "sign_headers = To, DKIM-Signature\n", "1:20: " },
    { "bad_from = accept\n", "1:12: " },
    { "authserv_id = mx;evil\n", "1:17: " },
    { "key_directory = keys\n", "1:17: " },
    { "max_signatures = 0\n", "1:18: " },
    { "body_canonicalization = relax\n", "1:25: " },
    { "[domain example.com]\nsignature_expiry = soon\n", "2:20: " },
    { "key_directori = /x\n", "key_directory" },
};

static void names_each_mistake(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct conf_errors *errors = conf_errors_new();
        struct arena *arena = arena_new(1 << 20);
        struct conf *conf =
            conf_parse(SLICE("signd.conf"), slice_of(bad[i].text), NULL, 0, arena, errors);
        struct signd_config config;
        AUTO_BUF text = BUF_INIT(4096);

        assert_non_null(conf);
        conf_load(&signd_schema, conf, arena, &config, errors);
        if (conf_errors_count(errors) == 0)
            fail_msg("%s passes", bad[i].text);
        conf_errors_print(errors, &text);
        if (strstr(buf_text(&text), bad[i].error) == NULL)
            fail_msg("%s: %s", bad[i].text, buf_text(&text));
        arena_free(&arena);
        conf_errors_free(&errors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test(names_each_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
