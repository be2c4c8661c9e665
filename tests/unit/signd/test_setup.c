/* tests/unit/signd/test_setup.c - the file becomes what is in force: mistakes with their places, what rules name, how each domain
 * is signed, states of keys that come live. */
#include "tests/fakes/signd_load.h"

#include "common/mime/mime.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text, *error;
} bad[] = {
    { "signing_map = signers\n", "1:15: signing_map: there is no section [map signers]" },
    { "[domain Example.com]\nsignature_expiry = 1d\n", "write the domain in lower case" },
    { "[domain a..b]\nsignature_expiry = 1d\n", "[domain a..b]: not a domain" },
    { "[rule r]\nwhen = dkim = pas\nthen = warn x\n", "2:15: " },
    { "[rule r]\nwhen = dmarc = fail\nthen = sign\n", "can never run" },
    { "[rule r]\nthen = quarantine\n", "quarantine" },
    { "[rule r]\nwhen = from in list:nobody\nthen = none\n", "nobody" },
};

static void names_each_mistake(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct signd_loaded loaded;
        signd_load_text(&loaded, bad[i].text, NULL);
        if (loaded.error_count == 0 || strstr(buf_text(&loaded.errors), bad[i].error) == NULL)
            fail_msg("%s: %s", bad[i].text, buf_text(&loaded.errors));
        signd_loaded_free(&loaded);
    }
}

static void a_rule_that_may_defer_in_trouble_can(UNUSED void **state)
{
    struct signd_loaded loaded;

    signd_load_text(&loaded, "[rule r]\nwhen = spf = fail\nthen = warn x\ntrouble = defer\n", NULL);
    assert_int_equal(0, loaded.error_count);
    signd_loaded_free(&loaded);
}

static void knows_what_rules_need(UNUSED void **state)
{
    struct signd_loaded loaded;

    signd_load_text(&loaded, "", NULL);
    assert_string_equal("", buf_text(&loaded.errors));
    assert_int_equal(0, loaded.setup->names.stages);
    assert_int_equal(0, loaded.setup->names.mime);
    assert_false(loaded.setup->names.record);
    signd_loaded_free(&loaded);
    signd_load_text(&loaded,
                    "[rule a]\nwhen = policy.score > 3\nthen = verify\n"
                    "[rule b]\nwhen = attachment.count > 3 and dkim = none\nthen = hold\n",
                    NULL);
    assert_int_equal(0, loaded.error_count);
    assert_true((loaded.setup->names.stages & STAGE_DATA) != 0);
    assert_true((loaded.setup->names.stages & STAGE_END) != 0);
    assert_int_equal(MIME_STRUCTURE, loaded.setup->names.mime);
    assert_true(loaded.setup->names.record);
    signd_loaded_free(&loaded);
}

static bool has_name(const struct sign_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->oversigned_count; i++)
        if (slice_equal_nocase(settings->oversigned[i], slice_of(name)))
            return true;
    return false;
}

static void from_is_oversigned_whatever_is_configured(UNUSED void **state)
{
    static const char *const texts[] = { "", "oversign_headers = To\n",
                                         "oversign_headers = from, To\n", "oversign_headers =\n" };

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct signd_loaded loaded;
        signd_load_text(&loaded, texts[i], NULL);
        const struct sign_settings *settings = setup_sign(loaded.setup, SLICE("any.example"));
        if (!has_name(settings, "From"))
            fail_msg("%s", texts[i]);
        assert_slice("From", settings->oversigned[0]);
        assert_int_equal(i == 3 ? 1 : i == 0 ? 9 : 2, settings->oversigned_count);
        signd_loaded_free(&loaded);
    }
}

static void each_domain_is_signed_as_it_wants(UNUSED void **state)
{
    struct signd_loaded loaded;

    signd_load_text(&loaded,
                    "signature_expiry = 1d\n[domain example.com]\nbody_canonicalization = simple\n"
                    "signature_expiry = 2h\n",
                    NULL);
    const struct sign_settings *own = setup_sign(loaded.setup, SLICE("example.com"));
    const struct sign_settings *all = setup_sign(loaded.setup, SLICE("a.example.com"));
    assert_int_equal(CANONICAL_SIMPLE, own->body);
    assert_int_equal(CANONICAL_RELAXED, own->header);
    assert_int_equal(7200, own->expire_s);
    assert_int_equal(CANONICAL_RELAXED, all->body);
    assert_int_equal(86400, all->expire_s);
    assert_true(own->name_count > 20 && has_name(own, "Message-ID"));
    signd_loaded_free(&loaded);
}

/* What a section does not say is as for all, whether that was said or not. */
static void what_a_domain_does_not_say_is_as_for_all(UNUSED void **state)
{
    struct signd_loaded loaded;

    signd_load_text(&loaded,
                    "header_canonicalization = simple\nbody_canonicalization = simple\n"
                    "signature_expiry = 1d\n[domain a.example]\n"
                    "[domain b.example]\nheader_canonicalization = relaxed\nsignature_expiry = 0\n",
                    NULL);
    const struct sign_settings *a = setup_sign(loaded.setup, SLICE("a.example"));
    const struct sign_settings *b = setup_sign(loaded.setup, SLICE("b.example"));
    assert_int_equal(CANONICAL_SIMPLE, a->header);
    assert_int_equal(CANONICAL_SIMPLE, a->body);
    assert_int_equal(86400, a->expire_s);
    assert_int_equal(CANONICAL_RELAXED, b->header);
    assert_int_equal(CANONICAL_SIMPLE, b->body);
    assert_int_equal(0, b->expire_s);
    signd_loaded_free(&loaded);
    signd_load_text(&loaded, "[domain a.example]\n", NULL);
    assert_int_equal(CANONICAL_RELAXED, setup_sign(loaded.setup, SLICE("a.example"))->header);
    signd_loaded_free(&loaded);
}

static void who_signs_for_whom_is_as_configured(UNUSED void **state)
{
    struct signd_loaded loaded;

    signd_load_text(
        &loaded,
        "signing_map = signers\ndefault_signing_domain = example.com\nsign_subdomains = no\n"
        "[map signers]\nentry.@example.net = example.com\n",
        NULL);
    struct key_ring ring = setup_ring(loaded.setup, NULL, NULL);
    assert_slice("signers", ring.assigned->name);
    assert_slice("example.com", ring.default_domain);
    assert_false(ring.use_parents);
    signd_loaded_free(&loaded);
}

/* gh:dkim survives a reload of the file. */
static void states_of_keys_are_taken_over(UNUSED void **state)
{
    struct signd_loaded before, after;
    struct key_lives_builder *builder = key_lives_builder_new(1);

    signd_load_text(&before, "", NULL);
    assert_null(key_lives_add(builder, SLICE("example.com/s"), SLICE("retired since=1")));
    before.setup->parts.lives = shared_new(key_lives_finish(&builder), key_lives_free);
    before.setup->parts.lives_number = 7;
    signd_load_text(&after, "mode = shadow\n", before.setup);
    signd_loaded_free(&before);
    const struct key_lives *lives = shared_get(after.setup->parts.lives);
    assert_int_equal(DKIM_RETIRED, key_lives_find(lives, SLICE("example.com"), SLICE("s"))->state);
    assert_int_equal(7, after.setup->parts.lives_number);
    assert_true(after.setup->parts.core.is_shadow);
    signd_loaded_free(&after);
}

static void warns_of_a_directory_of_keys_that_is_not_there(UNUSED void **state)
{
    struct signd_loaded loaded;

    signd_load_text(&loaded, "key_directory = /nonexistent/keys\n", NULL);
    assert_int_equal(0, loaded.error_count);
    assert_string_equal(
        "signd.conf:1:17: warning: key_directory: /nonexistent/keys: No such file or "
        "directory; mail that is to be signed is deferred until it can be read\n",
        buf_text(&loaded.errors));
    signd_loaded_free(&loaded);
    signd_load_text(&loaded, "key_directory = /tmp\n", NULL);
    assert_string_equal("", buf_text(&loaded.errors));
    signd_loaded_free(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warns_of_a_directory_of_keys_that_is_not_there),
        cmocka_unit_test(names_each_mistake),
        cmocka_unit_test(a_rule_that_may_defer_in_trouble_can),
        cmocka_unit_test(knows_what_rules_need),
        cmocka_unit_test(from_is_oversigned_whatever_is_configured),
        cmocka_unit_test(each_domain_is_signed_as_it_wants),
        cmocka_unit_test(what_a_domain_does_not_say_is_as_for_all),
        cmocka_unit_test(who_signs_for_whom_is_as_configured),
        cmocka_unit_test(states_of_keys_are_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
