/* tests/unit/base/test_base.c - slices, buffers, arenas, hashes. */
#include "tests/unit/unit.h"

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/hash.h"
#include "common/base/hash_sip.h"

static void cuts_at_a_separator_or_not_at_all(UNUSED void **state)
{
    struct slice rest = SLICE("a=b=c"), head;

    assert_true(slice_cut(&rest, '=', &head));
    assert_slice("a", head);
    assert_slice("b=c", rest);
    rest = SLICE("abc");
    assert_false(slice_cut(&rest, '=', &head));
    assert_slice("abc", rest);
}

static void gives_every_item_also_empty_ones(UNUSED void **state)
{
    struct slice rest = SLICE(" a, ,b"), item;

    assert_true(slice_next(&rest, ',', &item));
    assert_slice("a", item);
    assert_true(slice_next(&rest, ',', &item));
    assert_slice("", item);
    assert_true(slice_next(&rest, ',', &item));
    assert_slice("b", item);
    assert_false(slice_next(&rest, ',', &item));
}

static const struct {
    const char *text;
    bool ok;
    uint64_t want;
} numbers[] = {
    { "0", true, 0 },
    { "18446744073709551615", true, UINT64_MAX },
    { "18446744073709551616", false, 0 },
    { "99999999999999999999999", false, 0 },
    { "", false, 0 },
    { "-1", false, 0 },
    { "1 ", false, 0 },
};

static void reads_numbers_to_the_last_and_no_further(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint64_t got = 0;
        bool ok = slice_to_u64(slice_of(numbers[i].text), &got);
        if (ok != numbers[i].ok || got != numbers[i].want)
            fail_msg("\"%s\"", numbers[i].text);
    }
}

static const struct {
    const char *text;
    bool ok;
    double want;
} decimals[] = {
    { "1", true, 1 },
    { "-1.5", true, -1.5 },
    { "+2.25", true, 2.25 },
    { ".5", false, 0 },
    { "1.", false, 0 },
    { "1e3", false, 0 },
    { "--1", false, 0 },
    { "", false, 0 },
    { "1.2.3", false, 0 },
    { "12345678901234567", false, 0 },
    { "-", false, 0 },
    { "999999999999999", true, 999999999999999 },
    { "1000000000000000", false, 0 },
    { "-00000000000000.5", true, -0.5 }, /* 16 bytes behind the sign */
    { "000000000000000.5", false, 0 },
};

static void reads_decimals(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(decimals); i++) {
        double got = 0;
        bool ok = slice_to_double(slice_of(decimals[i].text), &got);
        if (ok != decimals[i].ok || got < decimals[i].want || got > decimals[i].want)
            fail_msg("\"%s\" gives %d, %f", decimals[i].text, ok, got);
    }
}

static void buffer_stops_at_its_ceiling_and_keeps_what_it_has(UNUSED void **state)
{
    AUTO_BUF buf = BUF_INIT(5);

    assert_int_equal(0, buf_put(&buf, "abc"));
    assert_int_equal(-1, buf_put(&buf, "def"));
    assert_int_equal(-1, buf_printf(&buf, "%d", 123));
    assert_int_equal(0, buf_printf(&buf, "%d", 12));
    assert_string_equal("abc12", buf_text(&buf));
    buf_consume(&buf, 3);
    assert_slice("12", buf_slice(&buf));
}

static void buffer_grows_to_its_ceiling_and_not_beyond(UNUSED void **state)
{
    AUTO_BUF buf = BUF_INIT(1000);

    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(0, buf_put_char(&buf, (char)('a' + i % 26)));
        assert_in_range(buf.cap, buf.len, 1000);
    }
    assert_int_equal(-1, buf_put_char(&buf, 'x'));
    assert_int_equal(0, buf_put(&buf, ""));
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal('a' + i % 26, buf_text(&buf)[i]);
    assert_int_equal(1000, strlen(buf_text(&buf)));
    buf_consume(&buf, 999);
    assert_slice("l", buf_slice(&buf));
    buf_consume(&buf, 1);
    assert_slice("", buf_slice(&buf));
    assert_int_equal(0, buf_put(&buf, "again"));
    buf_clear(&buf);
    assert_string_equal("", buf_text(&buf));
    buf_free(&buf);
    assert_int_equal(0, buf.len + buf.cap);
    assert_string_equal("", buf_text(&buf));
    assert_int_equal(0, buf_put(&buf, "anew"));
    assert_slice("anew", buf_slice(&buf));
    buf.max = 2; /* somebody's bound has become smaller */
    buf.cap = 2;
    buf.len = 2;
    assert_int_equal(-1, buf_put_char(&buf, 'x'));
    assert_slice("an", buf_slice(&buf));
}

static void numbers_have_as_many_digits_as_asked_for(UNUSED void **state)
{
    static const struct {
        uint64_t number;
        size_t digits;
        const char *want;
    } rows[] = {
        { 0, 1, "0" },
        { 7, 3, "007" },
        { 100, 1, "100" },
        { 100, 4, "0100" },
        { UINT64_MAX, 1, "18446744073709551615" },
        { 1, 20, "00000000000000000001" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        AUTO_BUF buf = BUF_INIT(20);
        assert_int_equal(0, buf_put_number(&buf, rows[i].number, rows[i].digits));
        assert_slice(rows[i].want, buf_slice(&buf));
    }
}

static void compares_and_trims_slices(UNUSED void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        { "", "", 0 },    { "a", "a", 0 },    { "a", "ab", -1 }, { "ab", "a", 1 },
        { "b", "ab", 1 }, { "ab", "b", -1 },  { "", "a", -1 },   { "a", "", 1 },
        { "a", "b", -1 }, { "\xff", "a", 1 }, { "A", "a", -1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int order = slice_compare(slice_of(rows[i].a), slice_of(rows[i].b));
        if ((order > 0) - (order < 0) != rows[i].order)
            fail_msg("%s and %s: %d", rows[i].a, rows[i].b, order);
    }
    assert_false(slice_equal_nocase(SLICE("xbc"), SLICE("abc")));
    assert_false(slice_equal_nocase(SLICE("abc"), SLICE("ab")));
    assert_true(slice_equal_nocase(SLICE("aBZ"), SLICE("AbZ")));
    assert_slice("", slice_trim(SLICE(" ")));
    assert_slice("", slice_trim(SLICE("\t\r\n ")));
    assert_slice("a b", slice_trim(SLICE(" a b ")));
    assert_true(slice_ends_with(SLICE("ab"), SLICE("ab")));
    assert_false(slice_ends_with(SLICE("b"), SLICE("ab")));
    assert_int_equal(0, slice_rfind(SLICE("a"), 'a'));
    assert_true(slice_rfind(SLICE(""), 'a') == SIZE_MAX);
}

static void arena_respects_its_bound_and_can_be_used_again(UNUSED void **state)
{
    struct arena *arena = arena_new(10000);
    char *piece = arena_alloc(arena, 100);

    assert_non_null(piece);
    assert_int_equal(0, piece[99]);
    assert_null(arena_alloc(arena, 20000));
    assert_null(arena_alloc_array(arena, SIZE_MAX / 2, 3));
    assert_non_null(arena_alloc(arena, 5000));
    assert_slice("x=7", arena_printf(arena, "x=%d", 7));
    arena_reset(arena);
    assert_non_null(arena_alloc(arena, 3000));
    assert_slice("copy", arena_copy(arena, SLICE("copy")));
    arena_free(&arena);
    assert_null(arena);
}

static void hash_is_siphash_1_3(UNUSED void **state)
{
    /* Vectors of the reference implementation: key 00..0f, input 00..len-1. */
    static const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    static const struct {
        size_t len;
        uint64_t want;
    } vectors[] = {
        { 0, UINT64_C(0xabac0158050fc4dc) },  { 1, UINT64_C(0xc9f49bf37d57ca93) },
        { 7, UINT64_C(0xd3927d989bb11140) },  { 8, UINT64_C(0x369095118d299a8e) },
        { 9, UINT64_C(0x25a48eb36c063de4) },  { 15, UINT64_C(0xd320d86d2a519956) },
        { 16, UINT64_C(0xcc4fdd1a7d908b66) }, { 63, UINT64_C(0x9d199062b7bbb3a8) },
    };
    char input[63];

    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (char)i;
    for (size_t i = 0; i < COUNT(vectors); i++)
        if (hash_sip13((struct slice){ input, vectors[i].len }, key) != vectors[i].want)
            fail_msg("%zu bytes", vectors[i].len);
}

static void digest_is_the_front_of_sha256(UNUSED void **state)
{
    char hex[HASH_HEX_LEN + 1];

    hash_hex128(SLICE("abc"), hex);
    assert_string_equal("ba7816bf8f01cfea414140de5dae2223", hex);
}

static void references_are_plain_and_differ(UNUSED void **state)
{
    char a[REFERENCE_LEN + 1], b[REFERENCE_LEN + 1];

    random_reference(a);
    random_reference(b);
    assert_int_equal(REFERENCE_LEN, strlen(a));
    assert_string_not_equal(a, b);
}

static void what_is_explained_has_no_reference(UNUSED void **state)
{
    char made[REFERENCE_SIZE];

    reference_make(made, true);
    assert_string_equal("explain", made);
    reference_make(made, false);
    assert_int_equal(REFERENCE_LEN, strlen(made));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_at_a_separator_or_not_at_all),
        cmocka_unit_test(gives_every_item_also_empty_ones),
        cmocka_unit_test(reads_numbers_to_the_last_and_no_further),
        cmocka_unit_test(reads_decimals),
        cmocka_unit_test(buffer_stops_at_its_ceiling_and_keeps_what_it_has),
        cmocka_unit_test(arena_respects_its_bound_and_can_be_used_again),
        cmocka_unit_test(buffer_grows_to_its_ceiling_and_not_beyond),
        cmocka_unit_test(numbers_have_as_many_digits_as_asked_for),
        cmocka_unit_test(compares_and_trims_slices),
        cmocka_unit_test(hash_is_siphash_1_3),
        cmocka_unit_test(digest_is_the_front_of_sha256),
        cmocka_unit_test(references_are_plain_and_differ),
        cmocka_unit_test(what_is_explained_has_no_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
