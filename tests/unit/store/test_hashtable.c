/* tests/unit/store/test_hashtable.c - the table that grows slot by slot, against a plain array. */
#include "tests/unit/unit.h"

#include "common/store/hashtable.h"

struct item {
    struct hashtable_entry link;
    uint64_t key;
    bool is_in;
};

static bool is_item(const struct hashtable_entry *entry, const void *key)
{
    return ((const struct item *)(const void *)entry)->key == *(const uint64_t *)key;
}

/* Few distinct hashes for some keys, so that chains are long. */
static uint64_t hash_of(uint64_t key)
{
    return key % 5 == 0 ? key % 3 : key * UINT64_C(0x9e3779b97f4a7c15);
}

static struct hashtable_entry **find(struct hashtable *table, uint64_t key)
{
    return hashtable_find(table, hash_of(key), is_item, &key);
}

static void check(struct hashtable *table, const struct item *items, size_t count)
{
    size_t in = 0, seen = 0;

    for (size_t i = 0; i < count; i++) {
        in += items[i].is_in;
        if ((*find(table, i) != NULL) != items[i].is_in)
            fail_msg("item %zu of %zu", i, count);
    }
    for (size_t slot = 0; slot < table->slot_count; slot++)
        for (struct hashtable_entry *at = *hashtable_slot(table, slot); at != NULL; at = at->next)
            seen++;
    assert_int_equal(in, seen);
    assert_int_equal(in, table->count);
}

static void finds_what_was_inserted_and_not_removed(UNUSED void **state)
{
    static struct item items[5000];
    struct hashtable table;
    uint64_t random = 1;

    assert_true(hashtable_init(&table));
    for (size_t n = 0; n < 40000; n++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        struct item *item = &items[(random >> 33) % COUNT(items)];
        item->key = (uint64_t)(item - items);
        item->link.hash = hash_of(item->key);
        if (item->is_in)
            assert_ptr_equal(item, hashtable_remove(&table, find(&table, item->key)));
        else
            hashtable_insert(&table, &item->link);
        item->is_in = !item->is_in;
        if (n % 2000 == 0)
            check(&table, items, COUNT(items));
    }
    check(&table, items, COUNT(items));
    assert_true(table.slot_count <= COUNT(items) && table.slot_count > 1000);
    hashtable_free(&table);
}

static void grows_by_one_slot_at_a_time(UNUSED void **state)
{
    static struct item items[1000];
    struct hashtable table;

    assert_true(hashtable_init(&table));
    for (size_t i = 0; i < COUNT(items); i++) {
        size_t before = table.slot_count;
        items[i].key = i;
        items[i].link.hash = hash_of(i);
        hashtable_insert(&table, &items[i].link);
        assert_true(table.slot_count - before <= 1);
        assert_true(table.slot_count + 1 >= table.count);
    }
    hashtable_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_inserted_and_not_removed),
        cmocka_unit_test(grows_by_one_slot_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
