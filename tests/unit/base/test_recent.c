/* tests/unit/base/test_recent.c - recent things are found, expire, and give way when there are too many. */
#include "common/base/recent.h"

#include "tests/unit/unit.h"

enum { TTL = 100 };

struct thing {
    struct recent_entry entry; /* first member */
    unsigned *dropped;
};

static void drop(struct recent_entry *entry)
{
    struct thing *thing = (struct thing *)entry;

    ++*thing->dropped;
    free(thing);
}

static void add(struct recent *recent, uint64_t key, uint64_t now, unsigned *dropped)
{
    struct thing *thing = calloc(1, sizeof *thing);

    assert_non_null(thing);
    thing->dropped = dropped;
    recent_add(recent, &thing->entry, key, now);
}

static void finds_until_it_expires(UNUSED void **state)
{
    struct recent recent;
    unsigned dropped = 0;

    assert_true(recent_init(&recent, 10, TTL, drop));
    assert_null(recent_find(&recent, 1, 0));
    add(&recent, 1, 0, &dropped);
    add(&recent, 17, 50, &dropped); /* the same bucket */
    assert_int_equal(1, recent_find(&recent, 1, TTL - 1)->key);
    assert_null(recent_find(&recent, 33, TTL - 1));
    assert_null(recent_find(&recent, 1, TTL));
    assert_int_equal(1, dropped);
    assert_int_equal(17, recent_find(&recent, 17, TTL)->key);
    assert_int_equal(1, recent.count);
    recent_clear(&recent);
    assert_int_equal(2, dropped);
}

static void the_oldest_gives_way(UNUSED void **state)
{
    struct recent recent;
    unsigned dropped = 0;

    assert_true(recent_init(&recent, 3, TTL, drop));
    for (uint64_t key = 0; key < 5; key++)
        add(&recent, key, key, &dropped);
    assert_int_equal(2, dropped);
    for (uint64_t key = 0; key < 5; key++)
        assert_int_equal(key >= 2, recent_find(&recent, key, 5) != NULL);
    recent_clear(&recent);
    assert_int_equal(5, dropped);
}

static void room_for_one_is_enough(UNUSED void **state)
{
    struct recent recent;
    unsigned dropped = 0;

    assert_true(recent_init(&recent, 1, TTL, drop));
    add(&recent, 1, 0, &dropped);
    add(&recent, 2, 0, &dropped);
    assert_null(recent_find(&recent, 1, 0));
    assert_non_null(recent_find(&recent, 2, 0));
    recent_clear(&recent);
    assert_int_equal(2, dropped);
}

static void any_can_be_dropped(UNUSED void **state)
{
    for (uint64_t which = 0; which < 4; which++) {
        struct recent recent;
        unsigned dropped = 0;
        assert_true(recent_init(&recent, 4, TTL, drop));
        for (uint64_t key = 0; key < 4; key++)
            add(&recent, 16 * key, 0, &dropped); /* all in one bucket */
        recent_drop(&recent, recent_find(&recent, 16 * which, 0));
        for (uint64_t key = 0; key < 4; key++)
            assert_int_equal(key != which, recent_find(&recent, 16 * key, 0) != NULL);
        add(&recent, 1, 0, &dropped);
        assert_int_equal(1, dropped);
        assert_null(recent_find(&recent, 0, TTL)); /* the list of ages is still whole: all expire */
        assert_int_equal(5, dropped);
        assert_int_equal(0, recent.count);
        recent_clear(&recent);
    }
}

enum { KEYS = 40, MOST = 12 };

/* The same in the simplest form: an array in the order of age. */
struct model {
    uint64_t keys[MOST], added[MOST];
    size_t count;
};

static void model_drop_oldest(struct model *model)
{
    model->count--;
    memmove(model->keys, model->keys + 1, model->count * sizeof model->keys[0]);
    memmove(model->added, model->added + 1, model->count * sizeof model->added[0]);
}

static bool model_has(struct model *model, uint64_t key, uint64_t now)
{
    while (model->count > 0 && model->added[0] + TTL <= now)
        model_drop_oldest(model);
    for (size_t i = 0; i < model->count; i++)
        if (model->keys[i] == key)
            return true;
    return false;
}

static void model_add(struct model *model, uint64_t key, uint64_t now)
{
    if (model->count == MOST)
        model_drop_oldest(model);
    model->keys[model->count] = key;
    model->added[model->count++] = now;
}

static void agrees_with_an_array(UNUSED void **state)
{
    struct model model = { .count = 0 };
    struct recent recent;
    unsigned dropped = 0, adds = 0;
    uint64_t now = 0, random = 1;

    assert_true(recent_init(&recent, MOST, TTL, drop));
    for (unsigned step = 0; step < 20000; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t key = (random >> 32) % KEYS;
        now += random >> 60;
        bool is_there = recent_find(&recent, key, now) != NULL;
        assert_int_equal(model_has(&model, key, now), is_there);
        if (!is_there) {
            add(&recent, key, now, &dropped);
            model_add(&model, key, now);
            adds++;
        }
        assert_int_equal(model.count, recent.count);
        assert_int_equal(adds - dropped, recent.count);
    }
    recent_clear(&recent);
    assert_int_equal(adds, dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_until_it_expires), cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(room_for_one_is_enough), cmocka_unit_test(any_can_be_dropped),
        cmocka_unit_test(agrees_with_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
