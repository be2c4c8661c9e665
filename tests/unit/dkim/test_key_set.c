/* tests/unit/dkim/test_key_set.c - keys are read from real files, once; what changes is noticed, what is of no use says
 * why and does not hurt the others. */
#include "common/dkim/key_set.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fakes/key_directory.h"
#include "tests/unit/unit.h"

static struct key_directory keys;
static struct key_rules rules;

static int make_root(UNUSED void **state)
{
    key_directory_make(&keys);
    rules = (struct key_rules){ geteuid(), getegid() };
    return 0;
}

static int remove_root(UNUSED void **state)
{
    key_directory_remove(&keys);
    return 0;
}

/* So many keys has the domain; *first is its first one. */
static size_t find(struct shared *set, struct slice domain, const struct key_file **first)
{
    size_t at = 0, count = key_set_find(shared_get(set), domain, &at);

    if (count > 0)
        *first = key_set_at(shared_get(set), at);
    return count;
}

static struct shared *read_set(struct shared *before)
{
    struct shared *set = key_set_read(keys.root, &rules, 1000, before);

    assert_non_null(set);
    return set;
}

static void make_domains(void)
{
    key_directory_domain(&keys, "a.example");
    key_directory_domain(&keys, "b.example");
    key_directory_put_key(&keys, "a.example/s1.key", DKIM_ED25519, 0);
    key_directory_put_key(&keys, "a.example/s2.key", DKIM_RSA, 1024);
    key_directory_put_key(&keys, "b.example/s1.key", DKIM_ED25519, 0);
    key_directory_put(&keys, "b.example/readme.txt", SLICE("no key"), 0644);
}

static void finds_the_keys_of_a_domain(UNUSED void **state)
{
    const struct key_file *first = NULL;

    make_domains();
    struct shared *shared = read_set(NULL);
    const struct key_set *set = shared_get(shared);
    assert_string_equal("", key_set_error(set));
    assert_int_equal(3, key_set_count(set));
    assert_int_equal(2, find(shared, SLICE("a.example"), &first));
    assert_true(slice_equal(first->selector, SLICE("s1")));
    assert_non_null(first->key);
    assert_string_equal("", first->reason);
    assert_non_null(key_set_at(set, 1)->key);
    assert_non_null(strstr(key_set_at(set, 1)->reason, "1024 bits is weak"));
    assert_int_equal(1, find(shared, SLICE("b.example"), &first));
    assert_int_equal(0, find(shared, SLICE("c.example"), &first));
    assert_int_equal(0, find(shared, SLICE(".example"), &first));
    shared_unref(&shared);
}

static void takes_what_has_not_changed(UNUSED void **state)
{
    const struct key_file *was = NULL, *is = NULL;

    make_domains();
    struct shared *first = read_set(NULL), *second = read_set(first);
    assert_ptr_equal(first, second);
    shared_unref(&second);
    key_directory_put_key(&keys, "b.example/s1.key", DKIM_ED25519, 0);
    second = read_set(first);
    assert_ptr_not_equal(first, second);
    assert_int_equal(2, find(first, SLICE("a.example"), &was));
    assert_int_equal(2, find(second, SLICE("a.example"), &is));
    assert_ptr_equal(was->key, is->key);
    assert_int_equal(1, find(first, SLICE("b.example"), &was));
    assert_int_equal(1, find(second, SLICE("b.example"), &is));
    assert_ptr_not_equal(was->key, is->key);
    shared_unref(&first);
    assert_int_equal(0, unlink(key_directory_path(&keys, "b.example/s1.key")));
    first = read_set(second);
    assert_int_equal(0, find(first, SLICE("b.example"), &is));
    shared_unref(&first);
    shared_unref(&second);
}

static const struct {
    const char *what;
    struct slice text;
    mode_t mode;
    const char *reason;
} bad[] = {
    { "garbage", SLICE_INIT("garbage"), 0600, "no PEM file" },
    { "empty", SLICE_INIT(""), 0600, "no PEM file" },
    { "world readable", SLICE_INIT("x"), 0644, "others may read" },
    { "group writable", SLICE_INIT("x"), 0660, "group may write" },
};

static void a_bad_key_says_why_and_hurts_nobody(UNUSED void **state)
{
    make_domains();
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct key_file *first = NULL;
        key_directory_put(&keys, "b.example/s1.key", bad[i].text, bad[i].mode);
        struct shared *set = read_set(NULL);
        assert_int_equal(1, find(set, SLICE("b.example"), &first));
        if (first->key != NULL || strstr(first->reason, bad[i].reason) == NULL)
            fail_msg("%s: \"%s\"", bad[i].what, first->reason);
        assert_int_equal(2, find(set, SLICE("a.example"), &first));
        assert_non_null(first->key);
        shared_unref(&set);
    }
}

static void other_peoples_keys_are_not_used(UNUSED void **state)
{
    const struct key_file *first = NULL;

    if (geteuid() != 0)
        skip();
    make_domains();
    assert_int_equal(0, chown(key_directory_path(&keys, "b.example/s1.key"), 65534, 0));
    struct shared *set = read_set(NULL);
    assert_int_equal(1, find(set, SLICE("b.example"), &first));
    assert_null(first->key);
    assert_non_null(strstr(first->reason, "another user"));
    shared_unref(&set);
}

/* A daemon's user is 1001, its group 1002. */
static const struct {
    uid_t owner;
    gid_t group;
    mode_t mode;
    const char *reason; /* NULL: it is used */
} owners[] = {
    { 0, 0, 0600, NULL },
    { 0, 0, 0640, NULL },
    { 0, 1002, 0640, NULL },
    { 1001, 0, 0640, NULL },
    { 1001, 1002, 0640, NULL },
    { 1001, 1003, 0600, NULL },
    { 1001, 1003, 0640, "a group may read it" },
    { 0, 1003, 0640, "a group may read it" },
    { 1002, 1002, 0640, "another user" },
    { 1001, 1002, 0660, "its group may write" },
    { 1001, 1002, 0620, "its group may write" },
    { 1001, 1002, 0604, "others may" },
    { 1001, 1002, 0602, "others may" },
    { 1001, 1002, 0601, "others may" },
};

static void only_the_daemon_and_root_may_reach_a_key(UNUSED void **state)
{
    if (geteuid() != 0)
        skip();
    make_domains();
    rules = (struct key_rules){ 1001, 1002 };
    for (size_t i = 0; i < COUNT(owners); i++) {
        const char *path = key_directory_path(&keys, "b.example/s1.key");
        const struct key_file *first = NULL;
        assert_int_equal(0, chown(path, owners[i].owner, owners[i].group));
        assert_int_equal(0, chmod(path, owners[i].mode));
        struct shared *set = read_set(NULL);
        assert_int_equal(1, find(set, SLICE("b.example"), &first));
        if ((first->key != NULL) != (owners[i].reason == NULL) ||
            (owners[i].reason != NULL && strstr(first->reason, owners[i].reason) == NULL))
            fail_msg("row %zu: \"%s\"", i, first->reason);
        shared_unref(&set);
    }
}

static void names_are_those_of_the_dns(UNUSED void **state)
{
    static const struct {
        const char *file;
        size_t keys;
    } rows[] = {
        { "c.example/a.key", 1 },   { "c.example/z.key", 1 },  { "c.example/0_-9.key", 1 },
        { "c.example/a.b.key", 1 }, { "c.example/A.key", 0 },  { "c.example/a b.key", 0 },
        { "c.example/.key", 0 },    { "c.example/.a.key", 0 }, { "c.example/{.key", 0 },
        { "c.example/`.key", 0 },   { "c.example/a.pem", 0 },
    };

    key_directory_domain(&keys, "c.example");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct key_file *first = NULL;
        key_directory_put_key(&keys, rows[i].file, DKIM_ED25519, 0);
        struct shared *set = read_set(NULL);
        if (find(set, SLICE("c.example"), &first) != rows[i].keys)
            fail_msg("%s", rows[i].file);
        shared_unref(&set);
        assert_int_equal(0, unlink(key_directory_path(&keys, rows[i].file)));
    }
}

static void without_the_directory_the_last_keys_stay(UNUSED void **state)
{
    const struct key_file *first = NULL;

    make_domains();
    struct shared *before = read_set(NULL);
    struct shared *gone = key_set_read("/nowhere/keys", &rules, 1, before);
    assert_non_null(gone);
    assert_non_null(strstr(key_set_error(shared_get(gone)), "/nowhere/keys"));
    assert_int_equal(2, find(gone, SLICE("a.example"), &first));
    struct shared *again = key_set_read("/nowhere/keys", &rules, 1, gone);
    assert_ptr_equal(gone, again);
    shared_unref(&again);
    again = read_set(gone);
    assert_string_equal("", key_set_error(shared_get(again)));
    assert_int_equal(3, key_set_count(shared_get(again)));
    shared_unref(&again);
    shared_unref(&gone);
    shared_unref(&before);
    gone = key_set_read("/nowhere/keys", &rules, 1, NULL);
    assert_int_equal(0, key_set_count(shared_get(gone)));
    assert_string_not_equal("", key_set_error(shared_get(gone)));
    shared_unref(&gone);
}

/* A loop of links stands for a directory that cannot be opened, which root always can. */
static void a_closed_directory_is_a_domain_with_keys(UNUSED void **state)
{
    const struct key_file *first = NULL;

    make_domains();
    assert_int_equal(0, symlink("c.example", key_directory_path(&keys, "c.example")));
    struct shared *set = read_set(NULL), *again = read_set(set);
    assert_ptr_equal(set, again);
    assert_int_equal(1, find(set, SLICE("c.example"), &first));
    assert_null(first->key);
    assert_int_equal(0, first->selector.len);
    assert_string_equal(strerror(ELOOP), first->reason);
    shared_unref(&again);
    shared_unref(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_the_keys_of_a_domain, make_root, remove_root),
        cmocka_unit_test_setup_teardown(takes_what_has_not_changed, make_root, remove_root),
        cmocka_unit_test_setup_teardown(a_bad_key_says_why_and_hurts_nobody, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(other_peoples_keys_are_not_used, make_root, remove_root),
        cmocka_unit_test_setup_teardown(only_the_daemon_and_root_may_reach_a_key, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(names_are_those_of_the_dns, make_root, remove_root),
        cmocka_unit_test_setup_teardown(without_the_directory_the_last_keys_stay, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(a_closed_directory_is_a_domain_with_keys, make_root,
                                        remove_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
