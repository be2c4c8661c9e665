/* tests/unit/contentd/test_chain.c - which recipient has which chain. */
#include "contentd/chain.h"
#include "tests/unit/unit.h"

static const struct chain chains[] = { { .name = SLICE_INIT("full") },
                                       { .name = SLICE_INIT("Light") },
                                       { .name = SLICE_INIT("boss") } };
static const struct chain_set set = { chains, COUNT(chains) };

static struct map *map_of(const char *const *pairs)
{
    struct map_builder *builder = map_builder_new(100);

    for (; pairs[0] != NULL; pairs += 2)
        assert_null(map_builder_add(builder, slice_of(pairs[0]), slice_of(pairs[1]), NULL));
    return map_builder_finish(&builder);
}

static const char *const in_file[] = { "*",
                                       "full",
                                       "@domain2.example",
                                       "light",
                                       "gm@domain1.example",
                                       "boss",
                                       "@.parent.example",
                                       "boss",
                                       "postmaster@",
                                       "full",
                                       NULL };
static const char *const in_store[] = { "@domain2.example",
                                        "boss",
                                        "x@domain1.example",
                                        "light until=2000",
                                        "gone@domain2.example",
                                        "nowhere",
                                        "@domain1.example",
                                        "light",
                                        "over@domain2.example",
                                        "full until=1000",
                                        NULL };

static void the_most_specific_entry_counts(UNUSED void **state)
{
    static const struct {
        const char *what, *recipient;
        bool has_live;
        const char *want;
        const char *key; /* the entry that says so */
        bool is_live;
    } rows[] = {
        { "everybody else", "a@example.org", false, "full", "*", false },
        { "a domain", "a@domain2.example", false, "Light", "@domain2.example", false },
        { "a person", "gm@domain1.example", false, "boss", "gm@domain1.example", false },
        { "a person with extension", "gm+news@domain1.example", false, "boss", "gm@domain1.example",
          false },
        { "a domain below", "a@b.parent.example", false, "boss", "@.parent.example", false },
        { "the domain itself", "a@parent.example", false, "boss", "@.parent.example", false },
        { "a user in any domain goes before the domain", "postmaster@domain2.example", false,
          "full", "postmaster@", false },
        { "the null recipient", "", false, "full", "*", false },
        { "a local user", "root", false, "full", "*", false },
        { "live beats the file", "a@domain2.example", true, "boss", "@domain2.example", true },
        { "the file's person beats the live domain", "gm@domain1.example", true, "boss",
          "gm@domain1.example", false },
        { "a live domain beats *", "a@domain1.example", true, "Light", "@domain1.example", true },
        { "a live person, in time", "x@domain1.example", true, "Light", "x@domain1.example", true },
        { "a live one that is over", "over@domain2.example", true, "boss", "@domain2.example",
          true },
        /* Not there: what the file says of the domain, for the live entry of the person hides the live domain. */
        { "a live one that names no chain", "gone@domain2.example", true, "Light",
          "@domain2.example", false },
    };
    struct map *file = map_of(in_file), *live = map_of(in_store);

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct chain_apply apply = { set, file, rows[i].has_live ? live : NULL };
        struct chain_reason why;
        const struct chain *got = chain_of(&apply, slice_of(rows[i].recipient), 1500 * 1000, &why);
        if (!slice_equal(why.key, slice_of(rows[i].key)) || why.is_live != rows[i].is_live)
            fail_msg("%s: for %.*s", rows[i].what, (int)why.key.len, why.key.ptr);
        if (got == NULL || !slice_equal(got->name, slice_of(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].what, got == NULL ? 6 : (int)got->name.len,
                     got == NULL ? "(none)" : got->name.ptr);
    }
    map_free(&file);
    map_free(&live);
}

static void without_entries_there_is_no_chain(UNUSED void **state)
{
    const struct chain_apply apply = { set, NULL, NULL };

    struct chain_reason why;

    assert_null(chain_of(&apply, SLICE("a@example.org"), 0, &why));
    assert_null(why.key.ptr);
}

static void a_value_names_one_chain(UNUSED void **state)
{
    assert_null(chain_check_name(&set, SLICE("full")));
    assert_null(chain_check_name(&set, SLICE(" LIGHT ")));
    assert_non_null(chain_check_name(&set, SLICE("nowhere")));
    assert_non_null(chain_check_name(&set, SLICE("full, light")));
    assert_non_null(chain_check_name(&set, SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_entry_counts),
        cmocka_unit_test(without_entries_there_is_no_chain),
        cmocka_unit_test(a_value_names_one_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
