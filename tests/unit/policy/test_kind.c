/* tests/unit/policy/test_kind.c - data for a snapshot has each part once, and gives it back, however far its making comes. */
#include "common/policy/kind.h"

#include "common/config/conf_errors.h"
#include "tests/unit/unit.h"

struct parts {
    struct policy_core core; /* first member */
    int *held; /* how many hold it; NULL: nobody does */
};

struct data {
    struct parts parts; /* first member */
    struct rule_book book;
    bool is_built;
};

static int held, unbuilt;
static bool loads, builds;

static bool load_parts(void *parts, UNUSED const struct daemon_load *load)
{
    struct parts *to = parts;

    to->held = &held;
    held++;
    return loads;
}

static void share_parts(void *parts)
{
    ++*((struct parts *)parts)->held;
}

static void drop_parts(void *parts)
{
    const struct parts *gone = parts;

    if (gone->held != NULL)
        --*gone->held;
}

static bool build(void *data, const struct rule_hearers *hearers)
{
    struct data *built = data;

    built->is_built = hearers->live_are_new;
    return builds;
}

static void unbuild(UNUSED void *data)
{
    unbuilt++;
}

static const struct policy_kind kind = {
    .data_size = sizeof(struct data),
    .parts_size = sizeof(struct parts),
    .book_offset = offsetof(struct data, book),
    .load = load_parts,
    .share = share_parts,
    .drop = drop_parts,
    .build = build,
    .unbuild = unbuild,
};

static struct data *loaded(size_t *errors)
{
    const struct conf conf = { .file = SLICE("t.conf") };
    struct daemon_load load = { .conf = &conf, .errors = conf_errors_new() };
    struct data *data = policy_kind_load(&kind, &load);

    *errors = conf_errors_count(load.errors);
    conf_errors_free(&load.errors);
    return data;
}

static int fresh(UNUSED void **state)
{
    held = unbuilt = 0;
    loads = builds = true;
    return 0;
}

static void what_cannot_be_made_is_said_and_given_back(UNUSED void **state)
{
    static const struct {
        bool loads, builds;
        int unbuilt;
    } rows[] = { { false, true, 0 }, { true, false, 1 } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t errors;
        fresh(NULL);
        loads = rows[i].loads;
        builds = rows[i].builds;
        if (loaded(&errors) != NULL || errors != 1 || held != 0 || unbuilt != rows[i].unbuilt)
            fail_msg("%zu: %zu errors, %d held, %d unbuilt", i, errors, held, unbuilt);
    }
}

static void each_copy_holds_the_parts(UNUSED void **state)
{
    size_t errors;
    struct parts parts;
    struct data *first = loaded(&errors);

    assert_int_equal(0, errors);
    assert_true(first->is_built);
    assert_ptr_equal(&first->book, policy_kind_book(&kind, first));
    assert_true(policy_kind_copy(&kind, first, &parts));
    assert_int_equal(2, held);
    struct data *second = policy_kind_make(&kind, &parts, &(struct rule_hearers){ NULL, false });
    assert_null(parts.held); /* moved */
    assert_false(second->is_built);
    policy_kind_free(&kind, first);
    assert_int_equal(1, held);
    assert_true(policy_kind_copy(&kind, second, &parts));
    policy_kind_drop(&kind, &parts);
    assert_null(parts.held);
    policy_kind_free(&kind, second);
    assert_int_equal(0, held);
    assert_int_equal(2, unbuilt);
    policy_kind_free(&kind, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_cannot_be_made_is_said_and_given_back, fresh),
        cmocka_unit_test_setup(each_copy_holds_the_parts, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
