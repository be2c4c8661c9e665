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
    { "1", true, 1 },        { "-1.5", true, -1.5 },
    { "+2.25", true, 2.25 }, { ".5", false, 0 },
    { "1.", false, 0 },      { "1e3", false, 0 },
    { "--1", false, 0 },     { "", false, 0 },
    { "1.2.3", false, 0 },   { "12345678901234567", false, 0 },
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
    static const char input[] = { 0, 1, 2, 3, 4, 5, 6, 7 };

    assert_true(hash_sip13((struct slice){ input, 0 }, key) == UINT64_C(0xabac0158050fc4dc));
    assert_true(hash_sip13((struct slice){ input, 1 }, key) == UINT64_C(0xc9f49bf37d57ca93));
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
        cmocka_unit_test(hash_is_siphash_1_3),
        cmocka_unit_test(digest_is_the_front_of_sha256),
        cmocka_unit_test(references_are_plain_and_differ),
        cmocka_unit_test(what_is_explained_has_no_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
