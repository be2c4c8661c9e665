/* tests/unit/signd/test_key_shelf.c - what changes in the directory is in force with the next reading; a domain that loses its last key
 * keeps it for a moment; sets that have been taken stay. */
#include "signd/key_shelf.h"

#include <unistd.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/key_directory.h"
#include "tests/unit/unit.h"

static struct fake_clock clock_;
static struct key_directory keys;
static struct key_shelf *shelf;

static int setup(UNUSED void **state)
{
    fake_clock_init(&clock_);
    const struct key_shelf_spec spec = { { geteuid(), getegid() }, &clock_.clock };

    key_directory_make(&keys);
    key_directory_domain(&keys, "a.example");
    key_directory_domain(&keys, "b.example");
    key_directory_put_key(&keys, "a.example/s.key", DKIM_ED25519, 0);
    shelf = key_shelf_new(&spec);
    return shelf == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    key_shelf_free(&shelf);
    key_directory_remove(&keys);
    return 0;
}

/* How many keys are in force. */
static size_t count(void)
{
    struct shared *taken = key_shelf_take(shelf);
    size_t n = taken == NULL ? 0 : key_set_count(shared_get(taken));

    shared_unref(&taken);
    return n;
}

static size_t count_after_reading(void)
{
    key_shelf_read(shelf, keys.root);
    return count();
}

static void is_empty_until_it_is_read(UNUSED void **state)
{
    assert_null(key_shelf_take(shelf));
    assert_int_equal(1, count_after_reading());
}

static void new_keys_are_in_force_at_once(UNUSED void **state)
{
    assert_int_equal(1, count_after_reading());
    key_directory_put_key(&keys, "b.example/s.key", DKIM_ED25519, 0);
    key_directory_put(&keys, "b.example/bad.key", SLICE("garbage"), 0600);
    assert_int_equal(1, count());
    assert_int_equal(3, count_after_reading());
}

static void a_set_that_was_taken_stays(UNUSED void **state)
{
    key_shelf_read(shelf, keys.root);
    struct shared *taken = key_shelf_take(shelf);
    const struct key_file *file = key_set_at(shared_get(taken), 0);
    assert_int_equal(0, unlink(key_directory_path(&keys, "a.example/s.key")));
    fake_clock_advance(&clock_, 1);
    key_shelf_read(shelf, keys.root);
    fake_clock_advance(&clock_, KEY_SHELF_GRACE_MS);
    assert_int_equal(0, count_after_reading());
    key_shelf_free(&shelf);
    assert_slice("s", file->selector);
    assert_int_equal(DKIM_ED25519, dkim_key_type(file->key));
    shared_unref(&taken);
}

static void the_last_key_of_a_domain_stays_a_moment(UNUSED void **state)
{
    key_shelf_read(shelf, keys.root);
    assert_int_equal(0, unlink(key_directory_path(&keys, "a.example/s.key")));
    for (uint64_t gone = 0; gone < KEY_SHELF_GRACE_MS; gone += 500) {
        assert_int_equal(1, count_after_reading());
        fake_clock_advance(&clock_, 500);
    }
    assert_int_equal(0, count_after_reading());
}

static void a_key_that_comes_back_was_never_away(UNUSED void **state)
{
    key_shelf_read(shelf, keys.root);
    assert_int_equal(0, unlink(key_directory_path(&keys, "a.example/s.key")));
    assert_int_equal(1, count_after_reading());
    fake_clock_advance(&clock_, KEY_SHELF_GRACE_MS - 1);
    key_directory_put_key(&keys, "a.example/t.key", DKIM_ED25519, 0);
    assert_int_equal(1, count_after_reading());
    struct shared *taken = key_shelf_take(shelf);
    assert_slice("t", key_set_at(shared_get(taken), 0)->selector);
    shared_unref(&taken);
    /* The next time it has its moment again. */
    assert_int_equal(0, unlink(key_directory_path(&keys, "a.example/t.key")));
    assert_int_equal(1, count_after_reading());
    fake_clock_advance(&clock_, KEY_SHELF_GRACE_MS - 1);
    assert_int_equal(1, count_after_reading());
}

static void one_key_of_several_goes_at_once(UNUSED void **state)
{
    key_directory_put_key(&keys, "a.example/t.key", DKIM_ED25519, 0);
    assert_int_equal(2, count_after_reading());
    assert_int_equal(0, unlink(key_directory_path(&keys, "a.example/t.key")));
    assert_int_equal(1, count_after_reading());
}

static void a_directory_that_cannot_be_read_changes_nothing(UNUSED void **state)
{
    assert_int_equal(1, count_after_reading());
    key_shelf_read(shelf, "/nonexistent/keys");
    assert_int_equal(1, count());
    struct shared *taken = key_shelf_take(shelf);
    assert_true(key_set_error(shared_get(taken))[0] != '\0');
    shared_unref(&taken);
    assert_int_equal(1, count_after_reading());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(is_empty_until_it_is_read),
        TEST(new_keys_are_in_force_at_once),
        TEST(a_set_that_was_taken_stays),
        TEST(the_last_key_of_a_domain_stays_a_moment),
        TEST(a_key_that_comes_back_was_never_away),
        TEST(one_key_of_several_goes_at_once),
        TEST(a_directory_that_cannot_be_read_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
