/* tests/unit/dkim/test_rotation.c - a key goes from state to state when its time has come, and its predecessor with it. */
#include "common/dkim/rotation.h"

#include "tests/unit/unit.h"

static const struct dkim_rotation rotation = { .activate_after_s = 100, .retire_after_s = 1000 };

static const struct {
    const char *what;
    enum dkim_state state;
    uint64_t age_s;
    enum dkim_visibility visibility;
    int next; /* -1: it stays */
} steps[] = {
    { "not published", DKIM_PENDING, 99999, DKIM_NOT_VISIBLE, -1 },
    { "resolver down", DKIM_PENDING, 99999, DKIM_VISIBILITY_UNKNOWN, -1 },
    { "another is published", DKIM_PENDING, 99999, DKIM_OTHER_VISIBLE, -1 },
    { "published", DKIM_PENDING, 0, DKIM_VISIBLE, DKIM_SEEN },
    { "seen just now", DKIM_SEEN, 99, DKIM_VISIBLE, -1 },
    { "seen long enough", DKIM_SEEN, 100, DKIM_VISIBLE, DKIM_ACTIVE },
    { "seen, resolver down", DKIM_SEEN, 1000, DKIM_VISIBILITY_UNKNOWN, -1 },
    { "seen, gone again", DKIM_SEEN, 1000, DKIM_NOT_VISIBLE, DKIM_PENDING },
    { "seen, then another", DKIM_SEEN, 1000, DKIM_OTHER_VISIBLE, DKIM_PENDING },
    { "active", DKIM_ACTIVE, 99999, DKIM_VISIBLE, -1 },
    { "active, gone: it goes on, for nothing better is there", DKIM_ACTIVE, 99999, DKIM_NOT_VISIBLE,
      -1 },
    { "retiring", DKIM_RETIRING, 999, DKIM_VISIBLE, -1 },
    { "retiring long enough", DKIM_RETIRING, 1000, DKIM_VISIBILITY_UNKNOWN, DKIM_RETIRED },
    { "retired", DKIM_RETIRED, 99999, DKIM_VISIBLE, -1 },
};

static void takes_each_step_in_time(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct dkim_rotating key = {
            SLICE("example.com"), SLICE("s"), DKIM_RSA, steps[i].state, 5000,
            steps[i].visibility,  false,      0
        };
        dkim_rotate(&key, 1, &rotation, 5000 + steps[i].age_s);
        if (key.changes != (steps[i].next >= 0) || (key.changes && (int)key.next != steps[i].next))
            fail_msg("%s", steps[i].what);
    }
}

static void a_clock_behind_changes_nothing(UNUSED void **state)
{
    struct dkim_rotating key = { SLICE("example.com"), SLICE("s"), DKIM_RSA, DKIM_RETIRING, 5000,
                                 DKIM_VISIBLE,         false,      0 };

    dkim_rotate(&key, 1, &rotation, 10);
    assert_false(key.changes);
}

static void without_a_pause_it_goes_on_at_once(UNUSED void **state)
{
    const struct dkim_rotation hasty = { .activate_after_s = 0, .retire_after_s = 0 };
    struct dkim_rotating key = { SLICE("example.com"), SLICE("s"), DKIM_RSA, DKIM_SEEN, 5000,
                                 DKIM_VISIBLE,         false,      0 };

    dkim_rotate(&key, 1, &hasty, 5000);
    assert_true(key.changes && key.next == DKIM_ACTIVE);
}

static void the_predecessor_of_the_same_kind_retires(UNUSED void **state)
{
    struct dkim_rotating keys[] = {
        { SLICE("example.com"), SLICE("old"), DKIM_RSA, DKIM_ACTIVE, 0, 0, false, 0 },
        { SLICE("example.com"), SLICE("oldest"), DKIM_RSA, DKIM_ACTIVE, 0, 0, false, 0 },
        { SLICE("example.com"), SLICE("ed"), DKIM_ED25519, DKIM_ACTIVE, 0, 0, false, 0 },
        { SLICE("example.org"), SLICE("old"), DKIM_RSA, DKIM_ACTIVE, 0, 0, false, 0 },
        { SLICE("example.com"), SLICE("new"), DKIM_RSA, DKIM_SEEN, 0, DKIM_VISIBLE, false, 0 },
    };

    dkim_rotate(keys, COUNT(keys), &rotation, 200);
    assert_true(keys[0].changes && keys[0].next == DKIM_RETIRING);
    assert_true(keys[1].changes && keys[1].next == DKIM_RETIRING);
    assert_false(keys[2].changes);
    assert_false(keys[3].changes);
    assert_true(keys[4].changes && keys[4].next == DKIM_ACTIVE);
}

static const struct {
    const char *text;
    bool ok;
    enum dkim_state state;
    uint64_t since_s;
    const char *note;
} lives[] = {
    { "pending", true, DKIM_PENDING, 0, NULL },
    { "active since=5", true, DKIM_ACTIVE, 5, NULL },
    { "retiring since=5 by=root note=a b", true, DKIM_RETIRING, 5, "a b" },
    { "retiring since=5 by=root", true, DKIM_RETIRING, 5, NULL },
    { "retiring since=5 note=a b", true, DKIM_RETIRING, 5, "a b" },
    { "", false, 0, 0, NULL },
    { "gone", false, 0, 0, NULL },
    { "active since=x", false, 0, 0, NULL },
    { "active now", false, 0, 0, NULL },
    { "active until=x", false, 0, 0, NULL },
};

static void reads_and_writes_states(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(lives); i++) {
        struct dkim_life life, again;
        const char *error = NULL;
        AUTO_BUF text = BUF_INIT(200);
        bool ok = dkim_life_parse(slice_of(lives[i].text), &life, &error);
        if (ok != lives[i].ok || ok != (error == NULL))
            fail_msg("%s: %s", lives[i].text, error);
        if (!ok)
            continue;
        assert_int_equal(lives[i].state, life.state);
        assert_int_equal(lives[i].since_s, life.since_s);
        assert_true(slice_equal(slice_of(lives[i].note), life.note) || lives[i].note == NULL);
        assert_int_equal(0, dkim_life_print(&text, &life));
        if (lives[i].since_s > 0)
            assert_string_equal(lives[i].text, buf_text(&text));
        assert_true(dkim_life_parse(buf_slice(&text), &again, &error));
        assert_true(again.state == life.state && again.since_s == life.since_s &&
                    slice_equal(again.note, life.note));
    }
}

static void splits_names(UNUSED void **state)
{
    struct slice domain, selector;

    assert_true(dkim_life_name(SLICE("example.com/s1"), &domain, &selector));
    assert_true(slice_equal(domain, SLICE("example.com")));
    assert_true(slice_equal(selector, SLICE("s1")));
    assert_true(dkim_life_name(SLICE("a/b"), &domain, &selector));
    assert_false(dkim_life_name(SLICE("example.com"), &domain, &selector));
    assert_false(dkim_life_name(SLICE("/s1"), &domain, &selector));
    assert_false(dkim_life_name(SLICE("example.com/"), &domain, &selector));
    assert_false(dkim_life_name(SLICE("a/b/c"), &domain, &selector));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_each_step_in_time),
        cmocka_unit_test(a_clock_behind_changes_nothing),
        cmocka_unit_test(without_a_pause_it_goes_on_at_once),
        cmocka_unit_test(the_predecessor_of_the_same_kind_retires),
        cmocka_unit_test(reads_and_writes_states),
        cmocka_unit_test(splits_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
