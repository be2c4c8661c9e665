/* tests/unit/signd/test_key_ring.c - who signs for whom: the file's keys, their states, parents, assignments, the
 * default; a key that should sign and cannot holds its mail back, and no other. */
#include "signd/key_ring.h"

#include <unistd.h>

#include "tests/fakes/key_directory.h"
#include "tests/unit/unit.h"

static struct key_directory keys;
static struct shared *files;
static struct key_lives *all_active;

static struct key_lives *make_active(const struct key_set *set)
{
    static const struct dkim_life active = { .state = DKIM_ACTIVE };
    struct key_lives_builder *builder = key_lives_builder_new(key_set_count(set));

    for (size_t i = 0; i < key_set_count(set); i++)
        assert_null(key_lives_put(builder, key_set_at(set, i)->domain, key_set_at(set, i)->selector,
                                  &active));
    return key_lives_finish(&builder);
}

static int make_keys(UNUSED void **state)
{
    key_directory_make(&keys);
    key_directory_domain(&keys, "example.com");
    key_directory_domain(&keys, "example.org");
    key_directory_domain(&keys, "sub.example.org");
    key_directory_domain(&keys, "broken.example");
    key_directory_put_key(&keys, "example.com/ed.key", DKIM_ED25519, 0);
    key_directory_put_key(&keys, "example.com/rsa.key", DKIM_RSA, 1024);
    key_directory_put_key(&keys, "example.org/s1.key", DKIM_ED25519, 0);
    key_directory_put_key(&keys, "sub.example.org/s2.key", DKIM_ED25519, 0);
    key_directory_put_key(&keys, "broken.example/good.key", DKIM_ED25519, 0);
    key_directory_put(&keys, "broken.example/bad.key", SLICE("garbage"), 0600);
    key_directory_read(&keys, &files);
    all_active = make_active(shared_get(files));
    return files == NULL ? -1 : 0;
}

static int remove_keys(UNUSED void **state)
{
    shared_unref(&files);
    key_lives_free(all_active);
    key_directory_remove(&keys);
    return 0;
}

static struct map *make_map(void)
{
    struct map_builder *builder = map_builder_new(8);

    assert_null(map_builder_add(builder, SLICE("boss@example.com"), SLICE("example.org"), NULL));
    assert_null(map_builder_add(builder, SLICE("@shop.example"), SLICE("example.com"), NULL));
    assert_null(map_builder_add(builder, SLICE("@.news.example"), SLICE("example.org"), NULL));
    assert_null(map_builder_add(builder, SLICE("@private.example.com"), SLICE("none"), NULL));
    assert_null(map_builder_add(builder, SLICE("@lost.example"), SLICE("nowhere.example"), NULL));
    return map_builder_finish(&builder);
}

static const struct {
    const char *from;
    bool use_parents;
    const char *default_domain;
    enum key_choice want;
    const char *domain; /* FOUND: d=; UNUSABLE: part of the reason */
    size_t count;
} cases[] = {
    { "a@example.com", false, "", KEYS_FOUND, "example.com", 2 },
    { "a@sub.example.com", false, "", KEYS_NONE, NULL, 0 },
    { "a@sub.example.com", true, "", KEYS_FOUND, "example.com", 2 },
    { "a@sub.example.org", true, "", KEYS_FOUND, "sub.example.org", 1 },
    { "a@a.b.sub.example.org", true, "", KEYS_FOUND, "sub.example.org", 1 },
    { "a@other.example", true, "", KEYS_NONE, NULL, 0 },
    { "a@other.example", true, "example.org", KEYS_FOUND, "example.org", 1 },
    { "a@example.com", true, "example.org", KEYS_FOUND, "example.com", 2 },
    { "a@other.example", true, "nowhere.example", KEYS_UNUSABLE, "nowhere.example", 0 },
    { "a@broken.example", false, "", KEYS_UNUSABLE, "broken.example/bad.key: it is no PEM", 0 },
    { "a@sub.broken.example", true, "example.org", KEYS_UNUSABLE, "broken.example/bad.key", 0 },
    { "boss@example.com", true, "", KEYS_FOUND, "example.org", 1 },
    { "a@shop.example", false, "", KEYS_FOUND, "example.com", 2 },
    { "a@x.news.example", false, "", KEYS_FOUND, "example.org", 1 },
    { "a@private.example.com", true, "example.org", KEYS_NONE, NULL, 0 },
    { "a@lost.example", true, "", KEYS_UNUSABLE, "nowhere.example", 0 },
    { "", true, "", KEYS_NONE, NULL, 0 },
    { "nobody", true, "", KEYS_NONE, NULL, 0 },
};

static void finds_who_signs(UNUSED void **state)
{
    struct map *map = make_map();
    const struct named_map assigned = { .entries = map };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct key_ring ring = { .files = shared_get(files),
                                       .lives = all_active,
                                       .assigned = &assigned,
                                       .default_domain = slice_of(cases[i].default_domain),
                                       .use_parents = cases[i].use_parents };
        struct chosen_keys chosen;
        enum key_choice choice = key_ring_choose(&ring, slice_of(cases[i].from), 0, &chosen);
        if (choice != cases[i].want ||
            (choice == KEYS_FOUND && (!slice_equal(chosen.domain, slice_of(cases[i].domain)) ||
                                      chosen.count != cases[i].count)) ||
            (choice == KEYS_UNUSABLE && strstr(chosen.reason, cases[i].domain) == NULL))
            fail_msg("%s, case %zu: %d, %.*s, %s", cases[i].from, i, (int)choice,
                     SLICE_ARG(chosen.domain), choice == KEYS_UNUSABLE ? chosen.reason : "");
    }
    map_free(&map);
}

static void note_looked(void *arg, struct slice domain, const char *why)
{
    (void)buf_printf(arg, "%.*s %s, ", SLICE_ARG(domain), why);
}

static void tells_whose_keys_are_looked_for(UNUSED void **state)
{
    static const struct {
        const char *from, *default_domain, *want;
    } rows[] = {
        { "a@example.com", "example.org", "example.com from, " },
        { "a@b.sub.example.org", "", "b.sub.example.org from, sub.example.org parent, " },
        { "a@other.example", "example.org",
          "other.example from, example parent, example.org default, " },
        { "boss@example.com", "", "example.org assigned, " },
        { "a@private.example.com", "example.org", "none assigned, " },
        { "nobody", "", "" },
    };
    struct map *map = make_map();
    const struct named_map assigned = { .entries = map };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF looked = BUF_INIT(300);
        const struct key_ring ring = { .files = shared_get(files),
                                       .assigned = &assigned,
                                       .default_domain = slice_of(rows[i].default_domain),
                                       .use_parents = true,
                                       .looked = note_looked,
                                       .arg = &looked };
        struct chosen_keys chosen;
        key_ring_choose(&ring, slice_of(rows[i].from), 0, &chosen);
        assert_string_equal(rows[i].want, buf_text(&looked));
    }
    map_free(&map);
}

static struct key_lives *make_lives(const char *const pairs[][2], size_t count)
{
    struct key_lives_builder *builder = key_lives_builder_new(count);

    for (size_t i = 0; i < count; i++)
        assert_null(key_lives_add(builder, slice_of(pairs[i][0]), slice_of(pairs[i][1])));
    return key_lives_finish(&builder);
}

static void states_decide_who_signs(UNUSED void **state)
{
    static const char *const pairs[][2] = {
        { "example.com/rsa", "retiring since=5" }, { "sub.example.org/s2", "pending since=5" },
        { "broken.example/bad", "retired" },       { "example.org/s1", "active since=3" },
        { "example.org/elsewhere", "pending" },    { "example.com/ed", "active" },
        { "broken.example/good", "active" },
    };
    struct key_lives *lives = make_lives(pairs, COUNT(pairs));
    const struct key_ring ring = { .files = shared_get(files),
                                   .lives = lives,
                                   .use_parents = true };
    struct chosen_keys chosen;

    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@example.com"), 0, &chosen));
    assert_int_equal(1, chosen.count);
    assert_true(slice_equal(chosen.keys[0]->selector, SLICE("ed")));
    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@sub.example.org"), 0, &chosen));
    assert_true(slice_equal(chosen.domain, SLICE("example.org")));
    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@broken.example"), 0, &chosen));
    assert_true(slice_equal(chosen.keys[0]->selector, SLICE("good")));
    assert_int_equal(5, key_lives_find(lives, SLICE("example.com"), SLICE("rsa"))->since_s);
    assert_null(key_lives_find(lives, SLICE("example.com"), SLICE("other")));
    key_lives_free(lives);
}

/* Perhaps its record is not there yet. */
static void a_key_of_unknown_state_does_not_sign(UNUSED void **state)
{
    static const char *const pairs[][2] = { { "example.com/rsa", "active" } };
    struct key_lives *lives = make_lives(pairs, COUNT(pairs));
    const struct key_ring ring = { .files = shared_get(files),
                                   .lives = lives,
                                   .use_parents = true };
    struct chosen_keys chosen;

    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@example.com"), 0, &chosen));
    assert_int_equal(1, chosen.count);
    assert_true(slice_equal(chosen.keys[0]->selector, SLICE("rsa")));
    assert_int_equal(KEYS_UNUSABLE, key_ring_choose(&ring, SLICE("a@sub.example.org"), 0, &chosen));
    assert_non_null(strstr(chosen.reason, "sub.example.org/s2.key: the store has not said yet"));
    key_lives_free(lives);
}

static void an_active_key_that_is_not_here_holds_mail_back(UNUSED void **state)
{
    static const char *const pairs[][2] = { { "example.org/s1", "retiring" },
                                            { "example.org/s9", "active" },
                                            { "example.com/ed", "active" } };
    struct key_lives *lives = make_lives(pairs, COUNT(pairs));
    const struct key_ring ring = { .files = shared_get(files), .lives = lives };
    struct chosen_keys chosen;

    assert_int_equal(KEYS_UNUSABLE, key_ring_choose(&ring, SLICE("a@example.org"), 0, &chosen));
    assert_non_null(strstr(chosen.reason, "example.org/s9.key"));
    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@example.com"), 0, &chosen));
    key_lives_free(lives);
}

static void without_a_directory_nothing_goes_out_unsigned(UNUSED void **state)
{
    const struct key_rules rules = { geteuid(), getegid() };
    struct shared *none = key_set_read("/nowhere/keys", &rules, 0, NULL);
    const struct key_ring ring = { .files = shared_get(none) };
    struct chosen_keys chosen;

    assert_int_equal(KEYS_UNUSABLE, key_ring_choose(&ring, SLICE("a@example.org"), 0, &chosen));
    assert_non_null(strstr(chosen.reason, "/nowhere/keys"));
    shared_unref(&none);
}

/* Nobody has made a key yet: mail goes out as it is. */
static void with_an_empty_directory_nothing_is_held_back(UNUSED void **state)
{
    struct key_directory empty;
    struct shared *none = NULL;

    key_directory_make(&empty);
    key_directory_read(&empty, &none);
    const struct key_ring ring = { .files = shared_get(none) };
    struct chosen_keys chosen;
    assert_int_equal(KEYS_NONE, key_ring_choose(&ring, SLICE("a@example.org"), 0, &chosen));
    assert_int_equal(0, chosen.count);
    shared_unref(&none);
    key_directory_remove(&empty);
}

/* The keys of before go on signing. */
static void a_lost_directory_holds_nothing_back(UNUSED void **state)
{
    const struct key_rules rules = { geteuid(), getegid() };
    struct shared *lost = key_set_read("/nowhere/keys", &rules, 0, files);
    const struct key_ring ring = { .files = shared_get(lost), .lives = all_active };
    struct chosen_keys chosen;

    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@example.org"), 0, &chosen));
    assert_int_equal(1, chosen.count);
    shared_unref(&lost);
}

static void signs_with_so_many_keys_at_most(UNUSED void **state)
{
    struct key_directory many;
    struct shared *set = NULL;
    char name[40];

    key_directory_make(&many);
    key_directory_domain(&many, "example.com");
    for (int i = 0; i < KEYS_OF_A_MESSAGE_MAX + 2; i++) {
        snprintf(name, sizeof name, "example.com/s%02d.key", i);
        key_directory_put_key(&many, name, DKIM_ED25519, 0);
    }
    key_directory_read(&many, &set);
    struct key_lives *lives = make_active(shared_get(set));
    const struct key_ring ring = { .files = shared_get(set), .lives = lives };
    struct chosen_keys chosen;
    assert_int_equal(KEYS_FOUND, key_ring_choose(&ring, SLICE("a@example.com"), 0, &chosen));
    assert_int_equal(KEYS_OF_A_MESSAGE_MAX, chosen.count);
    key_lives_free(lives);
    shared_unref(&set);
    key_directory_remove(&many);
}

static void finds_each_of_many_states(UNUSED void **state)
{
    enum { LIVES = 31 };
    struct key_lives_builder *builder = key_lives_builder_new(LIVES);
    char field[40], text[40];

    for (size_t i = 0; i < LIVES; i++) {
        snprintf(field, sizeof field, "d%02zu.example/s", i * 7 % LIVES * 2);
        snprintf(text, sizeof text, "active since=%zu", i * 7 % LIVES * 2 + 1);
        assert_null(key_lives_add(builder, slice_of(field), slice_of(text)));
    }
    struct key_lives *lives = key_lives_finish(&builder);
    for (size_t i = 0; i < 2 * LIVES; i++) {
        snprintf(field, sizeof field, "d%02zu.example", i);
        const struct dkim_life *life = key_lives_find(lives, slice_of(field), SLICE("s"));
        if ((life != NULL) != (i % 2 == 0) || (life != NULL && life->since_s != i + 1))
            fail_msg("%s", field);
    }
    key_lives_free(lives);
}

static void bad_fields_are_named(UNUSED void **state)
{
    struct key_lives_builder *builder = key_lives_builder_new(1);

    assert_non_null(key_lives_add(builder, SLICE("example.com"), SLICE("active")));
    assert_non_null(key_lives_add(builder, SLICE("example.com/s"), SLICE("asleep")));
    assert_null(key_lives_add(builder, SLICE("example.com/s"), SLICE("active")));
    assert_non_null(key_lives_add(builder, SLICE("example.com/t"), SLICE("active")));
    key_lives_free(key_lives_finish(&builder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_who_signs),
        cmocka_unit_test(tells_whose_keys_are_looked_for),
        cmocka_unit_test(states_decide_who_signs),
        cmocka_unit_test(a_key_of_unknown_state_does_not_sign),
        cmocka_unit_test(an_active_key_that_is_not_here_holds_mail_back),
        cmocka_unit_test(without_a_directory_nothing_goes_out_unsigned),
        cmocka_unit_test(with_an_empty_directory_nothing_is_held_back),
        cmocka_unit_test(a_lost_directory_holds_nothing_back),
        cmocka_unit_test(signs_with_so_many_keys_at_most),
        cmocka_unit_test(finds_each_of_many_states),
        cmocka_unit_test(bad_fields_are_named),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
