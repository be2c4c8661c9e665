/* tests/unit/limits/test_classes.c - who belongs to which class. */
#include "tests/unit/unit.h"

#include "common/limits/classes.h"
#include "tests/fakes/fake_limits.h"

#define WALL UINT64_C(1795314861000)

static const struct class_source in_file[] = {
    { SLICE_INIT("Alice@Example.com"), SLICE_INIT("gold") },
    { SLICE_INIT("@shop.example"), SLICE_INIT("silver") },
    { SLICE_INIT("@vip.shop.example"), SLICE_INIT("gold") },
    { SLICE_INIT("192.0.2.0/24"), SLICE_INIT("partner") },
    { SLICE_INIT("192.0.2.7"), SLICE_INIT("single") },
    { SLICE_INIT("2001:db8::/32"), SLICE_INIT("six") },
    { SLICE_INIT("login"), SLICE_INIT("bronze") },
    { SLICE_INIT("0.0.0.0/0"), SLICE_INIT("any4") },
};
static const struct class_source in_store[] = {
    { SLICE_INIT("@shop.example"), SLICE_INIT("live by=root note=x") },
    { SLICE_INIT("@bob.example"), SLICE_INIT("old until=1795314861") },
    { SLICE_INIT("login"), SLICE_INIT("old until=1795314861") },
    { SLICE_INIT("192.0.0.0/16"), SLICE_INIT("wide") },
    { SLICE_INIT("198.51.100.0/24"), SLICE_INIT("later until=1795314862") },
};

static const struct {
    const char *value, *want;
} lookups[] = {
    { "alice@example.com", "gold" },
    { "bob@example.com", NULL },
    { "bob@shop.example", "live" },
    { "bob@a.b.shop.example", "live" },
    { "bob@vip.shop.example", "gold" }, /* more specific than what is live */
    { "shop.example", "live" },
    { "myshop.example", NULL },
    { "x@bob.example", NULL },
    { "login", "bronze" },
    { "login@x", NULL },
    { "192.0.2.1", "partner" },
    { "192.0.2.7", "single" },
    { "192.0.3.1", "wide" },
    { "203.0.113.1", "any4" },
    { "192.0.2.0/24", "partner" },
    { "192.0.0.0/20", "wide" },
    { "198.51.100.1", "later" },
    { "2001:db8:5::/64", "six" },
    { "2001:db9::1", NULL },
    { "", NULL },
};

static struct classes *make(const struct class_source *sources, size_t count)
{
    struct classes *classes = classes_new(sources, count, NULL, NULL);

    assert_non_null(classes);
    assert_int_equal(count, classes_count(classes));
    return classes;
}

static void the_most_specific_member_wins(UNUSED void **state)
{
    struct classes *file = make(in_file, COUNT(in_file)), *live = make(in_store, COUNT(in_store));

    for (size_t i = 0; i < COUNT(lookups); i++) {
        struct slice got = classes_find(file, live, slice_of(lookups[i].value), WALL);
        if (!slice_equal(got, slice_of(lookups[i].want)))
            fail_msg("%s: %.*s", lookups[i].value, SLICE_ARG(got));
    }
    assert_null(classes_find(NULL, NULL, SLICE("alice@example.com"), WALL).ptr);
    assert_slice("silver", classes_find(file, NULL, SLICE("bob@shop.example"), WALL));
    classes_free(&file);
    classes_free(&live);
    classes_free(&live);
}

static void a_key_of_several_facts_has_the_class_of_its_first_member(UNUSED void **state)
{
    const struct limit_text text = { .name = SLICE_INIT("test"),
                                     .key = SLICE_INIT("client_net, sender_domain"),
                                     .count = SLICE_INIT("messages"),
                                     .rate = SLICE_INIT("1/1h") };
    struct limit_set *set = limit_set_new(fake_limit_facts, fake_limit_fact_count, &text, 1, NULL);
    const struct limit *limit = limit_set_at(set, 0);
    struct classes *file = make(in_file, COUNT(in_file) - 1);

    assert_slice("silver",
                 classes_of_key(limit, file, NULL, SLICE("198.51.100.0/24,shop.example"), WALL));
    assert_slice("partner",
                 classes_of_key(limit, file, NULL, SLICE("192.0.2.0/24,shop.example"), WALL));
    assert_null(classes_of_key(limit, file, NULL, SLICE("198.51.100.0/24,example.org"), WALL).ptr);
    classes_free(&file);
    limit_set_free(&set);
}

static size_t mistakes_seen;
static struct class_error last_mistake;

static void see(UNUSED void *arg, const struct class_error *error)
{
    mistakes_seen++;
    last_mistake = *error;
}

static void reports_mistakes(UNUSED void **state)
{
    static const struct {
        const char *member, *text;
        bool in_text;
        size_t offset;
    } rows[] = {
        { "", "gold", false, 0 },
        { "@", "gold", false, 0 },
        { "@a..b", "gold", false, 1 },
        { "192.0.2.1/24", "gold", false, 0 },
        { "192.0.2.0/33", "gold", false, 0 },
        { "alice", "", true, 0 },
        { "alice", "very good", true, 0 },
        { "alice", "gold until=soon", true, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct class_source source = { slice_of(rows[i].member), slice_of(rows[i].text) };
        mistakes_seen = 0;
        struct classes *classes = classes_new(&source, 1, see, NULL);
        if (mistakes_seen != 1 || last_mistake.in_text != rows[i].in_text ||
            last_mistake.offset != rows[i].offset)
            fail_msg("row %zu: %zu mistakes, %s", i, mistakes_seen, last_mistake.text);
        assert_int_equal(0, classes_count(classes));
        classes_free(&classes);
    }
    static const struct class_source twice[] = {
        { SLICE_INIT("alice@example.com"), SLICE_INIT("gold") },
        { SLICE_INIT("bob@example.com"), SLICE_INIT("gold") },
        { SLICE_INIT("ALICE@example.com"), SLICE_INIT("silver") },
    };
    mistakes_seen = 0;
    struct classes *classes = classes_new(twice, 3, see, NULL);
    assert_int_equal(1, mistakes_seen);
    assert_int_equal(2, last_mistake.source);
    assert_slice("gold", classes_find(classes, NULL, SLICE("alice@example.com"), WALL));
    classes_free(&classes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_member_wins),
        cmocka_unit_test(a_key_of_several_facts_has_the_class_of_its_first_member),
        cmocka_unit_test(reports_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
