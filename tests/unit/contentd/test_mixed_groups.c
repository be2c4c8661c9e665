/* tests/unit/contentd/test_mixed_groups.c - whose copies are the same, and whose only look so. */
#include "contentd/mixed_groups.h"

#include "tests/unit/unit.h"

enum { MANY = 64 };

static bool chosen(const struct recipient_verdict *verdict)
{
    return verdict->kind != VERDICT_TEMPFAIL;
}

static bool make(struct groups *out, const struct recipient_verdict *verdicts, size_t count,
                 bool by_reason, struct arena *arena)
{
    const struct recipient_verdict *refs[MANY];

    for (size_t i = 0; i < count; i++)
        refs[i] = &verdicts[i];
    return groups_make(out, refs, count, chosen, by_reason, arena);
}

/* Two verdicts with an edit each; what makes edits the same is in test_edits.c. */
static const struct {
    const char *what;
    struct edit a, b;
    bool same;
} edits[] = {
    { "the same field",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      true },
    { "another value",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("2"), 0, NULL },
      false },
    { "emptied or removed",
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), SLICE_INIT(""), 1, NULL },
      { EDIT_CHANGE_HEADER, SLICE_INIT("A"), { NULL, 0 }, 1, NULL },
      false },
    { "recipients do not count",
      { EDIT_ADD_RECIPIENT, SLICE_INIT(""), SLICE_INIT("a@x.example"), 0, NULL },
      { EDIT_REMOVE_RECIPIENT, SLICE_INIT(""), SLICE_INIT("b@x.example"), 0, NULL },
      true },
    { "one has nothing of the message",
      { EDIT_ADD_HEADER, SLICE_INIT("A"), SLICE_INIT("1"), 0, NULL },
      { EDIT_ADD_RECIPIENT, SLICE_INIT(""), SLICE_INIT("b@x.example"), 0, NULL },
      false },
};

static void copies_are_the_same_by_their_edits(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(edits); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct recipient_verdict verdicts[2] = { { .by = SLICE("") }, { .by = SLICE("") } };
        struct groups groups;
        edits_init(&verdicts[0].edits);
        edits_init(&verdicts[1].edits);
        edits_add(&verdicts[0].edits, arena, &edits[i].a);
        edits_add(&verdicts[1].edits, arena, &edits[i].b);
        assert_true(make(&groups, verdicts, 2, false, arena));
        if (groups.count != (edits[i].same ? 1U : 2U))
            fail_msg("%s: %zu groups", edits[i].what, groups.count);
        arena_free(&arena);
    }
}

/* Two verdicts that do nothing to the message. */
static const struct {
    const char *what;
    struct recipient_verdict a, b;
    bool same; /* by reason; they always are without */
} reasons[] = {
    { "the same",
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 1 },
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 2 },
      true },
    { "another kind",
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 0 },
      { VERDICT_QUARANTINE, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 0 },
      false },
    { "another source",
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 0 },
      { VERDICT_REJECT, BY_SCANNER, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 0 },
      false },
    { "somebody else",
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 0 },
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("icap"), SLICE_INIT("Eicar"), .score = 0 },
      false },
    { "another reason",
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Eicar"), .score = 0 },
      { VERDICT_REJECT, BY_VIRUS, SLICE_INIT("clam"), SLICE_INIT("Worm"), .score = 0 },
      false },
    { "written together the same",
      { VERDICT_REJECT, BY_SCANNER, SLICE_INIT("a\nb"), SLICE_INIT("c"), .score = 0 },
      { VERDICT_REJECT, BY_SCANNER, SLICE_INIT("a"), SLICE_INIT("b\nc"), .score = 0 },
      false },
};

static void what_is_kept_is_the_same_by_reason_too(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(reasons); i++) {
        struct arena *arena = arena_new(1 << 16);
        struct recipient_verdict verdicts[2] = { reasons[i].a, reasons[i].b };
        struct groups with, without;
        edits_init(&verdicts[0].edits);
        edits_init(&verdicts[1].edits);
        assert_true(make(&with, verdicts, 2, true, arena));
        assert_true(make(&without, verdicts, 2, false, arena));
        if (with.count != (reasons[i].same ? 1U : 2U) || without.count != 1)
            fail_msg("%s: %zu and %zu groups", reasons[i].what, with.count, without.count);
        arena_free(&arena);
    }
}

/* Recipient n of 64: one in eight is not chosen, the others have seven reasons in turn. */
static void fill(struct recipient_verdict *verdicts)
{
    static const char *const texts[] = { "a", "b", "c", "d", "e", "f", "g" };

    for (size_t i = 0; i < MANY; i++) {
        verdicts[i] = (struct recipient_verdict){
            .kind = i % 8 == 7 ? VERDICT_TEMPFAIL : VERDICT_REJECT,
            .by = SLICE(""),
            .reason = slice_of(texts[i % 8 % COUNT(texts)]),
        };
        edits_init(&verdicts[i].edits);
    }
}

static void check_many(const struct groups *groups)
{
    assert_int_equal(7, groups->count);
    for (size_t i = 0; i < groups->count; i++) {
        assert_int_equal(MANY / 8, groups->groups[i].count);
        for (size_t k = 0; k < groups->groups[i].count; k++)
            assert_int_equal(i + 8 * k, groups->groups[i].members[k]);
    }
}

static void groups_and_members_are_in_the_order_of_recipients(UNUSED void **state)
{
    struct recipient_verdict verdicts[MANY];
    struct arena *arena = arena_new(1 << 16);
    struct groups groups;

    fill(verdicts);
    assert_true(make(&groups, verdicts, MANY, true, arena));
    check_many(&groups);
    arena_free(&arena);
}

/* Those of one chain have one verdict together. */
static void recipients_may_share_a_verdict(UNUSED void **state)
{
    struct recipient_verdict verdicts[3] = { { .by = SLICE("") },
                                             { .by = SLICE("") },
                                             { .by = SLICE("") } };
    const struct recipient_verdict *refs[9];
    struct arena *arena = arena_new(1 << 16);
    struct groups groups;

    for (size_t i = 0; i < COUNT(verdicts); i++) {
        const struct edit edit = { EDIT_ADD_HEADER, SLICE("A"),
                                   slice_of(i == 0   ? "0"
                                            : i == 1 ? "1"
                                                     : "2"),
                                   0, NULL };
        edits_init(&verdicts[i].edits);
        edits_add(&verdicts[i].edits, arena, &edit);
    }
    for (size_t i = 0; i < COUNT(refs); i++)
        refs[i] = &verdicts[i % 3];
    assert_true(groups_make(&groups, refs, COUNT(refs), chosen, false, arena));
    assert_int_equal(3, groups.count);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(&verdicts[i], groups.groups[i].verdict);
        assert_int_equal(3, groups.groups[i].count);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(i + 3 * k, groups.groups[i].members[k]);
    }
    arena_free(&arena);
}

static void says_when_memory_is_out(UNUSED void **state)
{
    struct recipient_verdict verdicts[MANY];
    bool ok = false;

    fill(verdicts);
    for (size_t max = 0; !ok; max += 256) {
        struct arena *arena = arena_new(max);
        struct groups groups;
        ok = make(&groups, verdicts, MANY, true, arena);
        if (ok)
            check_many(&groups);
        arena_free(&arena);
        assert_true(max < 1 << 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_the_same_by_their_edits),
        cmocka_unit_test(what_is_kept_is_the_same_by_reason_too),
        cmocka_unit_test(groups_and_members_are_in_the_order_of_recipients),
        cmocka_unit_test(recipients_may_share_a_verdict),
        cmocka_unit_test(says_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
