/* tests/unit/lists/test_names.c - the table of names: all are found, none for another. */
#include "tests/unit/unit.h"

#include "common/lists/names.h"

/* So many that some pairs have the same 32 bits of hash (about ten are to be expected). */
enum { MANY = 300 * 1000 };

static struct slice name_of(char text[16], int n)
{
    int len = snprintf(text, 16, "name%d", n);

    return (struct slice){ text, (size_t)len };
}

static void finds_each_of_many_and_no_other(UNUSED void **state)
{
    struct names names;
    struct name_record record;
    char text[16];

    names_init(&names);
    for (int n = 0; n < MANY; n++) {
        assert_int_equal(0, names_add(&names, name_of(text, n), 0, 1, (uint32_t)n));
        assert_true(names.count <= names.slot_count / 4 * 3); /* or probing takes long */
    }
    names_shrink(&names);
    assert_int_equal(MANY, names.count);
    assert_true(names_memory(&names) > MANY * 16);
    for (int n = 0; n < MANY; n++) {
        struct slice name = name_of(text, n);
        struct names_cursor cursor = { names_hash(name), 0 };
        assert_true(names_next(&names, name, &cursor, &record));
        assert_int_equal(n, record.data);
        assert_false(names_next(&names, name, &cursor, &record));
        name = name_of(text, -n - 1);
        cursor = (struct names_cursor){ names_hash(name), 0 };
        assert_false(names_next(&names, name, &cursor, &record));
    }
    names_free(&names);
}

static void gives_all_records_of_a_name(UNUSED void **state)
{
    static const char signs[] = { 0, '@', '.' };
    struct slice name = SLICE("a.example");
    struct names_cursor cursor = { names_hash(name), 0 };
    struct names names;
    struct name_record record;
    unsigned seen = 0;

    names_init(&names);
    for (unsigned char i = 0; i < COUNT(signs); i++)
        assert_int_equal(0, names_add(&names, name, signs[i], (unsigned char)(1 << i), i));
    while (names_next(&names, name, &cursor, &record)) {
        seen += record.tag;
        assert_int_equal(1 << record.data, record.tag);
        assert_int_equal(signs[record.data], record.before);
        assert_int_equal(record.before, record.name.ptr[-1]);
        names_set_data(&names, record.at, 77);
    }
    assert_int_equal(1 + 2 + 4, seen);
    cursor.probes = 0;
    assert_true(names_next(&names, name, &cursor, &record));
    assert_int_equal(77, record.data);
    names_free(&names);
}

static void is_empty_at_first_and_takes_no_long_name(UNUSED void **state)
{
    static const char text[NAME_MAX_LEN + 1];
    struct names names;
    struct name_record record;
    struct names_cursor cursor = { names_hash(SLICE("a")), 0 };

    names_init(&names);
    names_prefetch(&names, cursor.hash);
    assert_false(names_next(&names, SLICE("a"), &cursor, &record));
    assert_int_equal(-1, names_add(&names, (struct slice){ text, sizeof text }, 0, 0, 0));
    assert_int_equal(0, names_add(&names, (struct slice){ text, NAME_MAX_LEN }, 0, 0, 0));
    assert_int_equal(1, names.count);
    names_free(&names);
    names_free(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_of_many_and_no_other),
        cmocka_unit_test(gives_all_records_of_a_name),
        cmocka_unit_test(is_empty_at_first_and_takes_no_long_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
