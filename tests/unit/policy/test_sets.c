/* tests/unit/policy/test_sets.c - the sections, and the lists and maps made of them: what a reload and a copy share, files
 * that change, what live hashes say. */
#include "tests/unit/policy/policy_case.h"

#include "common/lists/source.h"
#include "common/observe/log.h"

#include <unistd.h>

static struct policy_case loaded;

static int unload(UNUSED void **state)
{
    case_unload(&loaded);
    return 0;
}

static void the_tables_are_sound(UNUSED void **state)
{
    struct conf_complaint why;

    if (!conf_schema_is_sound(&case_schema, &why))
        fail_msg("%s", why.text);
}

static void says_where_a_mistake_is(UNUSED void **state)
{
    case_load(&loaded, "[list l]\nentries = 192.0.2.0/24, 192.0.2.0/33\n"
                       "[map m]\nentry.@ = x\nentry.a@example.com = ,\n");
    assert_string_equal(
        "t.conf:2:25: the prefix length must be 0 to 32\n"
        "t.conf:4:7: not a key: user@example.com, user@, @example.com, @.example.com or a word\n"
        "t.conf:5:23: the key has no value\n",
        buf_text(&loaded.errors));
}

static void finds_by_name(UNUSED void **state)
{
    case_load(&loaded, "[list a]\n[list b]\n[map m]\n");
    const struct sets *sets = &loaded.core.sets;
    assert_ptr_equal(&sets->lists[1], sets_list(sets, SLICE("b")));
    assert_null(sets_list(sets, SLICE("m")));
    assert_ptr_equal(&sets->maps[0], sets_map(sets, SLICE("m")));
    assert_null(sets_map(sets, SLICE("a")));
    assert_slice("b", sets_name_at(sets, "list", 1));
    assert_null(sets_name_at(sets, "list", 2).ptr);
    assert_slice("m", sets_name_at(sets, "map", 0));
    assert_null(sets_name_at(sets, "limit", 0).ptr);
    struct rules_schema *schema = &loaded.schema;
    assert_true(schema->list_exists(schema->context, SLICE("a")));
    assert_false(schema->list_exists(schema->context, SLICE("m")));
    assert_true(schema->map_exists(schema->context, SLICE("m")));
    assert_slice("a", schema->name_at(schema->context, "list", 0));
}

/* ---- live ---- */

struct bad {
    size_t count;
    struct slice last;
};

static void note_bad(void *arg, struct slice field, UNUSED const char *error)
{
    struct bad *bad = arg;

    bad->count++;
    bad->last = field;
}

static struct store_field field(const char *name, const char *text)
{
    return (struct store_field){ slice_of(name), slice_of(text) };
}

static bool in_list(const struct sets *sets, const char *word)
{
    struct value value = case_word(word);

    return named_list_has(&sets->lists[0], &value, 1000);
}

static bool in_map(const struct sets *sets, const char *key, const char *word)
{
    struct value value = case_word(word), of = case_mailbox(key);

    return named_map_has(&sets->maps[0], &of, &value, 1000);
}

static void a_copy_changes_alone(UNUSED void **state)
{
    struct sets copy;
    struct bad bad = { .count = 0 };
    const struct store_field fields[] = { field("!alice", ""), field("bob", "by=root"),
                                          field("eve", "until=x") };
    const struct store_field pairs[] = { field("a@example.com", "dave"), field("@", "x") };

    case_load(&loaded, "[list l]\nentries = alice\n[map m]\nentry.a@example.com = bob, carol\n");
    const struct sets *sets = &loaded.core.sets;
    assert_true(sets_copy(sets, &copy));
    assert_ptr_equal(sets->lists[0].entries, copy.lists[0].entries);
    sets_take_list(&copy, 0, fields, COUNT(fields), note_bad, &bad);
    assert_int_equal(1, bad.count);
    assert_slice("eve", bad.last);
    sets_take_map(&copy, 0, pairs, COUNT(pairs), note_bad, &bad);
    assert_int_equal(2, bad.count);
    assert_slice("@", bad.last);
    assert_true(in_list(sets, "alice") && !in_list(sets, "bob"));
    assert_true(!in_list(&copy, "alice") && in_list(&copy, "bob") && !in_list(&copy, "eve"));
    assert_true(in_map(sets, "a@example.com", "carol"));
    assert_true(in_map(&copy, "a@example.com", "dave"));
    assert_false(in_map(&copy, "a@example.com", "carol")); /* the live key is as specific */
    sets_take_list(&copy, 0, NULL, 0, note_bad, &bad);
    assert_true(in_list(&copy, "alice"));
    sets_free(&copy);
}

static void a_reload_keeps_what_is_live(UNUSED void **state)
{
    struct policy_case again;
    struct bad bad = { .count = 0 };
    const struct store_field fields[] = { field("bob", "") };
    const struct store_field pairs[] = { field("a@example.com", "dave") };

    case_load(&loaded, "[list l]\n[map m]\n");
    sets_take_list(&loaded.core.sets, 0, fields, 1, note_bad, &bad);
    sets_take_map(&loaded.core.sets, 0, pairs, 1, note_bad, &bad);
    case_load_with(&again, "[list new]\n[list l]\n[map other]\n[map m]\n", CONF_ENFORCE,
                   &loaded.core, NULL);
    assert_null(again.core.sets.lists[0].live);
    assert_ptr_equal(loaded.core.sets.lists[0].live, again.core.sets.lists[1].live);
    assert_null(again.core.sets.maps[0].live);
    assert_ptr_equal(loaded.core.sets.maps[0].live, again.core.sets.maps[1].live);
    case_unload(&again);
}

static void any_of_several_values_is_enough(UNUSED void **state)
{
    struct value last = case_word("exe"), first = case_word("pdf");
    struct value key = case_mailbox("a@example.com");

    case_load(&loaded, "[list l]\nentries = exe\n[map m]\nentry.a@example.com = exe\n");
    const struct sets *sets = &loaded.core.sets;
    assert_false(named_list_has(&sets->lists[0], &first, 0));
    assert_false(named_map_has(&sets->maps[0], &key, &first, 0));
    first.next = &last;
    assert_true(named_list_has(&sets->lists[0], &first, 0));
    assert_true(named_map_has(&sets->maps[0], &key, &first, 0));
    struct value other = case_mailbox("b@example.com");
    other.next = &key;
    assert_true(named_map_has(&sets->maps[0], &other, &last, 0));
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void files_are_read_again(UNUSED void **state)
{
    char list[] = "/tmp/gatehouse-list-XXXXXX", map[] = "/tmp/gatehouse-map-XXXXXX", text[300];
    struct sets copy;

    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL);
    close(mkstemp(list));
    close(mkstemp(map));
    write_file(list, "alice\n");
    write_file(map, "a@example.com bob\n");
    snprintf(text, sizeof text, "[list l]\nfile = %s\n[map m]\nfile = %s\n[list n]\n", list, map);
    case_load(&loaded, text);
    const struct sets *sets = &loaded.core.sets;
    assert_string_equal("", buf_text(&loaded.errors));
    assert_true(in_list(sets, "alice") && in_map(sets, "a@example.com", "bob"));
    assert_false(sets_refresh_files(sets));
    write_file(list, "alice\nbarbara\n");
    assert_false(sets_refresh_files(sets)); /* perhaps it is still being written */
    assert_true(sets_refresh_files(sets));
    assert_false(in_list(sets, "barbara"));
    assert_true(sets_copy(sets, &copy));
    sets_take_files(&copy);
    assert_true(in_list(&copy, "barbara") && !in_list(sets, "barbara"));
    assert_ptr_equal(sets->maps[0].file, copy.maps[0].file);
    sets_free(&copy);
    unlink(list);
    unlink(map);
}

static void a_reload_keeps_the_files_it_has_read(UNUSED void **state)
{
    char path[] = "/tmp/gatehouse-list-XXXXXX", text[300];
    struct policy_case again;

    close(mkstemp(path));
    write_file(path, "192.0.2.7\nno/thing\n192.0.2.0/33\n");
    snprintf(text, sizeof text, "[list l]\nfile = %s\n[map m]\nfile = /nonexistent/map\n", path);
    case_load(&loaded, text);
    assert_int_equal(0, loaded.error_count);
    assert_non_null(strstr(buf_text(&loaded.errors), ":3:"));
    assert_non_null(strstr(buf_text(&loaded.errors), "/nonexistent/map"));
    case_load_with(&again, text, CONF_ENFORCE, &loaded.core, NULL);
    assert_ptr_equal(loaded.core.sets.lists[0].source, again.core.sets.lists[0].source);
    assert_ptr_equal(loaded.core.sets.lists[0].file, again.core.sets.lists[0].file);
    assert_ptr_equal(loaded.core.sets.maps[0].source, again.core.sets.maps[0].source);
    case_unload(&again);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test_teardown(says_where_a_mistake_is, unload),
        cmocka_unit_test_teardown(finds_by_name, unload),
        cmocka_unit_test_teardown(a_copy_changes_alone, unload),
        cmocka_unit_test_teardown(a_reload_keeps_what_is_live, unload),
        cmocka_unit_test_teardown(any_of_several_values_is_enough, unload),
        cmocka_unit_test_teardown(files_are_read_again, unload),
        cmocka_unit_test_teardown(a_reload_keeps_the_files_it_has_read, unload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
