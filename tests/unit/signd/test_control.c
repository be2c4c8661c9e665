/* tests/unit/signd/test_control.c - a key in the status: whole, weak, broken, of known state and not. */
#include "signd/control.h"

#include "signd/key_ring.h"
#include "signd/key_watch.h"
#include "tests/fakes/key_directory.h"
#include "tests/unit/unit.h"

static const struct {
    const char *domain, *state; /* NULL: nothing is known of it */
    const char *want; /* sorted; "?" for a problem */
} cases[] = {
    { "good.example", "active since=5",
      "{\"bits\":256,\"domain\":\"good.example\",\"selector\":\"s\",\"since\":5,\"state\":\"active\",\"type\":\"ed25519\",\"usable\":true}" },
    { "good.example", "pending",
      "{\"bits\":256,\"domain\":\"good.example\",\"selector\":\"s\",\"state\":\"pending\",\"type\":\"ed25519\",\"usable\":true}" },
    { "good.example", NULL,
      "{\"bits\":256,\"domain\":\"good.example\",\"selector\":\"s\",\"type\":\"ed25519\",\"usable\":true}" },
    { "weak.example", "active",
      "{\"bits\":1024,\"domain\":\"weak.example\",\"problem\":\"?\",\"selector\":\"s\",\"state\":\"active\",\"type\":\"rsa\",\"usable\":true}" },
    { "broken.example", "retired since=7",
      "{\"domain\":\"broken.example\",\"problem\":\"?\",\"selector\":\"s\",\"since\":7,\"state\":\"retired\",\"usable\":false}" },
};

/* The key as text, whatever its problem is. */
static void print_key(const struct key_set *set, const char *domain, const char *state, char *out,
                      size_t room)
{
    struct key_lives_builder *builder = key_lives_builder_new(1);
    char field[80];
    size_t first;

    snprintf(field, sizeof field, "%s/s", domain);
    if (state != NULL)
        assert_null(key_lives_add(builder, slice_of(field), slice_of(state)));
    struct key_lives *lives = key_lives_finish(&builder);
    assert_int_equal(1, key_set_find(set, slice_of(domain), &first));
    json_t *key = control_key(lives, key_set_at(set, first), NULL);
    const char *problem = json_string_value(json_object_get(key, "problem"));
    assert_true(problem == NULL || problem[0] != '\0');
    if (problem != NULL) /* in whatever words */
        json_object_set_new(key, "problem", json_string("?"));
    char *text = json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS);
    snprintf(out, room, "%s", text);
    free(text);
    json_decref(key);
    key_lives_free(lives);
}

static void a_key_is_told_as_it_is(UNUSED void **state)
{
    struct key_directory keys;
    struct shared *files = NULL;

    key_directory_make(&keys);
    key_directory_domain(&keys, "good.example");
    key_directory_domain(&keys, "weak.example");
    key_directory_domain(&keys, "broken.example");
    key_directory_put_key(&keys, "good.example/s.key", DKIM_ED25519, 0);
    key_directory_put_key(&keys, "weak.example/s.key", DKIM_RSA, 1024);
    key_directory_put(&keys, "broken.example/s.key", SLICE("garbage"), 0600);
    key_directory_read(&keys, &files);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[1000];
        print_key(shared_get(files), cases[i].domain, cases[i].state, text, sizeof text);
        if (strcmp(cases[i].want, text) != 0)
            fail_msg("want %s, got %s", cases[i].want, text);
    }
    shared_unref(&files);
    key_directory_remove(&keys);
}

static const struct {
    struct key_watch_report report;
    const char *want;
} watched[] = {
    { { .seen = { { DKIM_VISIBILITY_UNKNOWN, NULL }, SLICE_INIT("") } },
      "{\"record\":\"unknown\"}" },
    { { .seen = { { DKIM_VISIBLE, NULL }, SLICE_INIT("") }, .looked_s = 9 },
      "{\"looked\":9,\"record\":\"good\"}" },
    { { .seen = { { DKIM_NOT_VISIBLE, "gone" }, SLICE_INIT("192.0.2.1") }, .looked_s = 9 },
      "{\"looked\":9,\"record\":\"missing\",\"record_problem\":\"192.0.2.1: gone\"}" },
    { { .seen = { { DKIM_OTHER_VISIBLE, "another" }, SLICE_INIT("192.0.2.1") }, .looked_s = 9 },
      "{\"looked\":9,\"record\":\"differs\",\"record_problem\":\"192.0.2.1: another\"}" },
};

static void what_the_dns_shows_of_it_is_told(UNUSED void **state)
{
    const struct key_file file = { .domain = SLICE("good.example"), .selector = SLICE("s") };

    for (size_t i = 0; i < COUNT(watched); i++) {
        json_t *key = control_key(NULL, &file, &watched[i].report);
        json_object_del(key, "domain");
        json_object_del(key, "selector");
        json_object_del(key, "usable");
        char *text = json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(watched[i].want, text);
        free(text);
        json_decref(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_key_is_told_as_it_is),
                                        cmocka_unit_test(what_the_dns_shows_of_it_is_told) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
