/* tests/unit/quarantine/test_index.c - the sorted names of a folder: none is lost, doubled or out of its place. */
#include "common/quarantine/index.h"

#include "tests/unit/unit.h"

enum { ENTRIES = 300 };

static const char *id_of(unsigned n)
{
    static char id[KEPT_ID_LEN + 1];

    snprintf(id, sizeof id, "%020u", n);
    return id;
}

/* Exactly the even numbers below 2 * ENTRIES that `is_there` has, in order, from both ends. */
static void expect(const struct kept_index *index, const bool *is_there)
{
    char up[ENTRIES + 1][KEPT_ID_LEN + 1], down[ENTRIES + 1][KEPT_ID_LEN + 1];
    size_t count = 0, damaged = 0;
    uint64_t bytes = 0;

    assert_int_equal(index->count, index_list(index, SLICE(""), false, ENTRIES + 1, up));
    assert_int_equal(index->count, index_list(index, SLICE(""), true, ENTRIES + 1, down));
    for (unsigned n = 0; n < ENTRIES; n++) {
        const struct index_entry *entry = index_find(index, slice_of(id_of(2 * n)));
        assert_null(index_find(index, slice_of(id_of(2 * n + 1))));
        if ((entry != NULL) != is_there[n])
            fail_msg("%u", n);
        if (entry == NULL)
            continue;
        assert_string_equal(id_of(2 * n), entry->id);
        assert_int_equal(n + 1, entry->bytes);
        assert_string_equal(id_of(2 * n), up[count]);
        assert_string_equal(id_of(2 * n), down[index->count - 1 - count]);
        bytes += entry->bytes;
        damaged += entry->is_damaged;
        count++;
    }
    assert_int_equal(count, index->count);
    assert_int_equal(bytes, index->bytes);
    assert_int_equal(damaged, index->damaged_count);
}

/* 7 and ENTRIES have no common divisor: each number comes once, in no order. */
static void keeps_order_whatever_comes_and_goes(UNUSED void **state)
{
    struct kept_index index = { .count = 0 };
    bool is_there[ENTRIES] = { false };

    for (unsigned i = 0; i < ENTRIES; i++) {
        unsigned n = i * 7 % ENTRIES;
        assert_true(index_insert(&index, slice_of(id_of(2 * n)), n + 1));
        is_there[n] = true;
        if (i < 10 || i % 50 == 0)
            expect(&index, is_there);
    }
    expect(&index, is_there);
    for (unsigned i = 0; i < ENTRIES; i++) {
        unsigned n = i * 11 % ENTRIES;
        index_delete(&index, index_find(&index, slice_of(id_of(2 * n))));
        is_there[n] = false;
        if (i > ENTRIES - 10 || i % 50 == 0)
            expect(&index, is_there);
    }
    assert_int_equal(0, index.count);
    index_free(&index);
    assert_null(index.entries);
}

static void counts_what_is_damaged(UNUSED void **state)
{
    struct kept_index index = { .count = 0 };
    bool is_there[ENTRIES] = { true, true, true };

    index_sort(&index); /* of nothing */
    for (unsigned n = 3; n-- > 0;)
        assert_true(index_append(&index, slice_of(id_of(2 * n)), n + 1, n == 1));
    assert_int_equal(1, index.damaged_count);
    index_sort(&index);
    expect(&index, is_there);
    assert_true(index_find(&index, slice_of(id_of(2)))->is_damaged);
    index_mark(&index, index_find(&index, slice_of(id_of(0))), true);
    index_mark(&index, index_find(&index, slice_of(id_of(0))), true);
    assert_int_equal(2, index.damaged_count);
    index_delete(&index, index_find(&index, slice_of(id_of(2))));
    assert_int_equal(1, index.damaged_count);
    index_mark(&index, index_find(&index, slice_of(id_of(0))), false);
    assert_int_equal(0, index.damaged_count);
    index_free(&index);
}

/* A page goes on where the last one ended, also when that entry has gone. */
static void goes_on_behind_an_entry(UNUSED void **state)
{
    static const struct {
        unsigned after;
        bool newest_first;
        unsigned want;
    } rows[] = {
        { 4, false, 6 }, { 4, true, 2 }, { 5, false, 6 }, { 5, true, 4 }, { 0, false, 2 },
    };
    struct kept_index index = { .count = 0 };
    char ids[1][KEPT_ID_LEN + 1];

    for (unsigned n = 0; n < 5; n++)
        assert_true(index_insert(&index, slice_of(id_of(2 * n)), 1));
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(
            1, index_list(&index, slice_of(id_of(rows[i].after)), rows[i].newest_first, 1, ids));
        if (strcmp(id_of(rows[i].want), ids[0]) != 0)
            fail_msg("behind %u: %s", rows[i].after, ids[0]);
    }
    assert_int_equal(0, index_list(&index, slice_of(id_of(8)), false, 1, ids));
    assert_int_equal(0, index_list(&index, slice_of(id_of(0)), true, 1, ids));
    assert_null(index_find(&index, SLICE("../../../etc/passwd0")));
    index_free(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_whatever_comes_and_goes),
        cmocka_unit_test(counts_what_is_damaged),
        cmocka_unit_test(goes_on_behind_an_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
