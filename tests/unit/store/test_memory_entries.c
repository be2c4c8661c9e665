/* tests/unit/store/test_memory_entries.c - what the memory store keeps by name: keys, the bound, and who goes first there. */
#include "tests/unit/unit.h"

#include "common/base/clock.h"
#include "common/store/memory_entries.h"

#define NOW UINT64_C(1000000)

static struct entries entries;

static void open_entries(uint64_t max)
{
    memset(&entries, 0, sizeof entries);
    assert_true(entries_init(&entries, max));
}

static int close_entries(UNUSED void **state)
{
    entries_free(&entries);
    return 0;
}

static struct entry_key key_of(enum entry_kind kind, const char *limit, const char *subject)
{
    return (struct entry_key){ kind, slice_of(limit), slice_of(subject), 0 };
}

/* One without a key, so that who lies beside whom, and with it who has to go for whom, is the same in each run. FNV-1a, and
 * the end of MurmurHash3, which spreads it over all bits. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

static struct entry *add(enum entry_kind kind, size_t number, bool is_unproven)
{
    char name[32];

    snprintf(name, sizeof name, "%d-%d-%zu", (int)kind, is_unproven, number);
    struct entry_key key = key_of(kind, "", name);
    struct entry *entry =
        entry_add(&entries, &key, hash_of(name), sizeof(struct window_cell), is_unproven, NOW);
    if (entry == NULL)
        return NULL;
    if (kind == ENTRY_COUNTER) {
        struct window_cell *cell = entry_data(entry);
        entry->window_ms = HOUR;
        entry->cell_count = entry->cell_room = 1;
        *cell = (struct window_cell){ window_bucket(HOUR, NOW), 1 };
    } else {
        entry->expires_ms = NOW + HOUR;
    }
    return entry;
}

static uint64_t count(enum entry_kind kind)
{
    return entries.count[kind];
}

static void finds_an_entry_by_all_of_its_key(UNUSED void **state)
{
    static const struct {
        enum entry_kind kind;
        const char *limit, *subject;
    } keys[] = {
        { ENTRY_COUNTER, "a", "bc" }, { ENTRY_COUNTER, "ab", "c" }, { ENTRY_COUNTER, "", "abc" },
        { ENTRY_ONCE, "", "abc" },    { ENTRY_TRIPLET, "", "abc" }, { ENTRY_ORIGIN, "", "abc" },
    };
    struct entry *found[COUNT(keys)];

    open_entries(1 << 20);
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct entry_key key = key_of(keys[i].kind, keys[i].limit, keys[i].subject);
        uint64_t hash = entry_key_hash(&key);
        assert_null(entry_find(&entries, &key, hash));
        found[i] = entry_add(&entries, &key, hash, 8, true, 0);
        assert_slice(keys[i].limit, entry_limit(found[i]));
        assert_slice(keys[i].subject, entry_subject(found[i]));
        found[i]->expires_ms = UINT64_MAX;
    }
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct entry_key key = key_of(keys[i].kind, keys[i].limit, keys[i].subject);
        assert_ptr_equal(found[i], entry_find(&entries, &key, entry_key_hash(&key)));
        entry_drop(&entries, &key, entry_key_hash(&key));
        assert_null(entry_find(&entries, &key, entry_key_hash(&key)));
    }
    assert_int_equal(0, entries.used);
}

static void keeps_what_is_there_when_it_grows(UNUSED void **state)
{
    struct entry_key key = key_of(ENTRY_COUNTER, "limit", "subject");
    uint64_t hash = entry_key_hash(&key);

    open_entries(4096);
    struct entry *entry = entry_add(&entries, &key, hash, 16, false, 0);
    memcpy(entry_data(entry), "0123456789abcdef", 16);
    entry = entry_grow(&entries, &key, entry, 400);
    assert_ptr_equal(entry, entry_find(&entries, &key, hash));
    assert_memory_equal("0123456789abcdef", entry_data(entry), 16);
    assert_null(entry_grow(&entries, &key, entry, 8000));
    entry_drop(&entries, &key, hash);
    assert_int_equal(0, entries.used);
}

/* At the bound each kind drops those of its own worth and less, never more; what is worth least first. */
static void drops_in_the_order_of_worth(UNUSED void **state)
{
    static const struct {
        const char *what;
        enum entry_kind there;
        bool there_unproven;
        enum entry_kind comes;
        bool comes_unproven;
        bool is_dropped;
    } cases[] = {
        { "new triplets drop new triplets", ENTRY_TRIPLET, true, ENTRY_TRIPLET, true, true },
        { "and new origins", ENTRY_ORIGIN, true, ENTRY_TRIPLET, true, true },
        { "not what has passed", ENTRY_TRIPLET, false, ENTRY_TRIPLET, true, false },
        { "nor known origins", ENTRY_ORIGIN, false, ENTRY_TRIPLET, true, false },
        { "nor names", ENTRY_ONCE, false, ENTRY_TRIPLET, true, false },
        { "nor counters", ENTRY_COUNTER, false, ENTRY_TRIPLET, true, false },
        { "names drop known origins", ENTRY_ORIGIN, false, ENTRY_ONCE, false, true },
        { "names drop names", ENTRY_ONCE, false, ENTRY_ONCE, false, true },
        { "not counters", ENTRY_COUNTER, false, ENTRY_ONCE, false, false },
        { "counters drop new triplets", ENTRY_TRIPLET, true, ENTRY_COUNTER, false, true },
        { "counters drop what has passed", ENTRY_TRIPLET, false, ENTRY_COUNTER, false, true },
        { "counters drop names", ENTRY_ONCE, false, ENTRY_COUNTER, false, true },
        { "not counters, either", ENTRY_COUNTER, false, ENTRY_COUNTER, false, false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t there = 0, came = 0;
        open_entries(UINT64_C(1) << 20);
        while (add(cases[i].there, there, cases[i].there_unproven) != NULL && there < 50000)
            there++;
        uint64_t full = count(cases[i].there);
        for (size_t n = 0; n < 1000; n++)
            came += add(cases[i].comes, n + 100000, cases[i].comes_unproven) != NULL;
        bool is_dropped =
            cases[i].there == cases[i].comes ? came > 900 : count(cases[i].there) < full;
        if (is_dropped != cases[i].is_dropped || (came > 900) != cases[i].is_dropped)
            fail_msg("%s: %zu came, %d left of %d", cases[i].what, came, (int)count(cases[i].there),
                     (int)full);
        assert_true(entries.used <= entries.max);
        if (i + 1 < COUNT(cases))
            entries_free(&entries);
    }
}

static void drops_the_new_before_what_has_passed(UNUSED void **state)
{
    open_entries(UINT64_C(1) << 20);
    for (size_t n = 0; n < 1000; n++)
        add(ENTRY_TRIPLET, n, false);
    for (size_t n = 0; n < 50000; n++)
        add(ENTRY_TRIPLET, n, true);
    for (size_t n = 0; n < 3000; n++)
        add(ENTRY_COUNTER, n, false);
    assert_int_equal(3000, count(ENTRY_COUNTER));
    size_t kept = 0;
    for (size_t n = 0; n < 1000; n++) {
        char name[32];
        snprintf(name, sizeof name, "%d-0-%zu", (int)ENTRY_TRIPLET, n);
        struct entry_key key = key_of(ENTRY_TRIPLET, "", name);
        kept += entry_find(&entries, &key, hash_of(name)) != NULL;
    }
    assert_true(kept > 990);
}

static void frees_what_has_expired(UNUSED void **state)
{
    open_entries(UINT64_C(1) << 20);
    for (size_t n = 0; n < 2000; n++)
        add(ENTRY_ONCE, n, false);
    for (size_t n = 0; n < 2000; n++) {
        shards_lock(&entries, UINT64_MAX);
        shards_unlock(&entries, UINT64_MAX, NOW + HOUR);
    }
    assert_int_equal(0, count(ENTRY_ONCE));
    assert_int_equal(2000, entries.expired);
    assert_int_equal(0, entries.used);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, close_entries)
    const struct CMUnitTest tests[] = {
        T(finds_an_entry_by_all_of_its_key), T(keeps_what_is_there_when_it_grows),
        T(drops_in_the_order_of_worth),      T(drops_the_new_before_what_has_passed),
        T(frees_what_has_expired),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
