/* tests/unit/milter/test_edits_wire.c - edits become packets, all or none. */
#include "tests/unit/unit.h"

#include "common/milter/edits_wire.h"

static const struct negotiation everything = { 6, 0x1ff, 0 };
static const struct negotiation leading = { 6, 0x1ff, MILTER_LEADING_SPACE };

#define HEAD(length) "\0\0\0" length

static const struct {
    const char *what;
    struct edit edit;
    const struct negotiation *chosen;
    struct slice want;
} cases[] = {
    { "add",
      { .kind = EDIT_ADD_HEADER, .name = SLICE_INIT("A"), .text = SLICE_INIT("b") },
      &everything,
      SLICE_INIT(HEAD("\5") "hA\0b\0") },
    { "with a blank",
      { .kind = EDIT_ADD_HEADER, .name = SLICE_INIT("A"), .text = SLICE_INIT("b") },
      &leading,
      SLICE_INIT(HEAD("\6") "hA\0 b\0") },
    { "has one",
      { .kind = EDIT_ADD_HEADER, .name = SLICE_INIT("A"), .text = SLICE_INIT("\tb") },
      &leading,
      SLICE_INIT(HEAD("\6") "hA\0\tb\0") },
    { "insert",
      { .kind = EDIT_INSERT_HEADER,
        .name = SLICE_INIT("A"),
        .text = SLICE_INIT("b"),
        .index = 258 },
      &everything,
      SLICE_INIT(HEAD("\11") "i\0\0\1\2A\0b\0") },
    { "change",
      { .kind = EDIT_CHANGE_HEADER, .name = SLICE_INIT("A"), .text = SLICE_INIT("b"), .index = 1 },
      &everything,
      SLICE_INIT(HEAD("\11") "m\0\0\0\1A\0b\0") },
    { "to nothing",
      { .kind = EDIT_CHANGE_HEADER, .name = SLICE_INIT("A"), .text = SLICE_INIT(""), .index = 1 },
      &everything,
      SLICE_INIT(HEAD("\11") "m\0\0\0\1A\0 \0") },
    { "remove",
      { .kind = EDIT_CHANGE_HEADER, .name = SLICE_INIT("A"), .index = 1 },
      &leading,
      SLICE_INIT(HEAD("\10") "m\0\0\0\1A\0\0") },
    { "add a recipient",
      { .kind = EDIT_ADD_RECIPIENT, .text = SLICE_INIT("a@b") },
      &everything,
      SLICE_INIT(HEAD("\7") "+<a@b>\0") },
    { "remove a recipient",
      { .kind = EDIT_REMOVE_RECIPIENT, .text = SLICE_INIT("a@b") },
      &everything,
      SLICE_INIT(HEAD("\7") "-<a@b>\0") },
    { "the null sender",
      { .kind = EDIT_CHANGE_SENDER, .text = SLICE_INIT("") },
      &everything,
      SLICE_INIT(HEAD("\4") "e<>\0") },
    { "body",
      { .kind = EDIT_REPLACE_BODY, .text = SLICE_INIT("a\0b") },
      &everything,
      SLICE_INIT(HEAD("\4") "ba\0b") },
    { "no body",
      { .kind = EDIT_REPLACE_BODY, .text = SLICE_INIT("") },
      &everything,
      SLICE_INIT(HEAD("\1") "b") },
    { "hold",
      { .kind = EDIT_HOLD, .text = SLICE_INIT("a\nb") },
      &everything,
      SLICE_INIT(HEAD("\5") "qa?b\0") },
    { "hold for nothing", { .kind = EDIT_HOLD }, &everything, SLICE_INIT(HEAD("\6") "qheld\0") },
};

static struct arena *arena;

static void add(struct edits *edits, const struct edit *edit)
{
    assert_true(edits_add(edits, arena, edit));
}

static void makes_packets(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(1000);
        struct edits edits;
        enum edit_kind lacking;
        edits_init(&edits);
        add(&edits, &cases[i].edit);
        assert_int_equal(EDITS_OK, edits_print(&edits, cases[i].chosen, &out, &lacking));
        if (!slice_equal(cases[i].want, buf_slice(&out)))
            fail_msg("%s", cases[i].what);
    }
}

static void says_what_the_mta_lacks(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(1000);
        struct negotiation chosen = everything;
        struct edits edits;
        enum edit_kind lacking = (enum edit_kind)EDIT_KINDS;
        edits_init(&edits);
        add(&edits, &cases[i].edit);
        for (uint32_t bit = 1; bit < 0x100; bit <<= 1) {
            chosen.actions = 0x1ff & ~bit;
            if (edits_print(&edits, &chosen, &out, &lacking) == EDITS_NOT_ALLOWED)
                break;
            buf_clear(&out);
        }
        assert_int_equal(cases[i].edit.kind, lacking);
        assert_int_equal(0, out.len);
        assert_non_null(edit_kind_words[lacking]);
    }
}

static void sends_all_or_none(UNUSED void **state)
{
    static char large[70000];
    const struct edit good = { .kind = EDIT_ADD_HEADER, .name = SLICE("A"), .text = SLICE("b") };
    const struct edit bad[] = {
        { .kind = EDIT_ADD_HEADER, .name = SLICE("A"), .text = { large, sizeof large } },
        { .kind = EDIT_ADD_HEADER, .name = SLICE("A\0B"), .text = SLICE("b") },
        { .kind = EDIT_ADD_RECIPIENT, .text = SLICE("a\0b") },
        { .kind = EDIT_INSERT_HEADER, .name = SLICE("A"), .text = SLICE("b"), .index = SIZE_MAX },
    };

    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < COUNT(bad); i++) {
        AUTO_BUF out = BUF_INIT(1000000);
        struct edits edits;
        enum edit_kind lacking;
        edits_init(&edits);
        add(&edits, &good);
        add(&edits, &bad[i]);
        buf_put(&out, "before");
        assert_int_equal(EDITS_TOO_LARGE, edits_print(&edits, &everything, &out, &lacking));
        assert_slice("before", buf_slice(&out));
    }
}

static void large_bodies_go_in_chunks(UNUSED void **state)
{
    static char body[MILTER_DATA_MAX * 2 + 1];
    AUTO_BUF out = BUF_INIT(1000000);
    struct edit edit = { .kind = EDIT_REPLACE_BODY, .text = { body, sizeof body } };
    struct milter_packet packet;
    struct edits edits;
    enum edit_kind lacking;
    size_t used, total = 0, packets = 0;

    edits_init(&edits);
    add(&edits, &edit);
    assert_int_equal(EDITS_OK, edits_print(&edits, &everything, &out, &lacking));
    for (struct slice rest = buf_slice(&out); rest.len > 0; rest = slice_skip(rest, used)) {
        assert_int_equal(WIRE_DONE, milter_packet_read(rest, &packet, &used));
        assert_int_equal(MILTER_SAYS_BODY, packet.command);
        total += packet.data.len;
        packets++;
    }
    assert_int_equal(sizeof body, total);
    assert_int_equal(3, packets);
}

static int setup(UNUSED void **state)
{
    arena = arena_new(16 << 20);
    return arena == NULL ? -1 : 0;
}

static int teardown(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_packets),
        cmocka_unit_test(says_what_the_mta_lacks),
        cmocka_unit_test(sends_all_or_none),
        cmocka_unit_test(large_bodies_go_in_chunks),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
