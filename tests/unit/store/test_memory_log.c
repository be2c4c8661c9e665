/* tests/unit/store/test_memory_log.c - the ring of decision lines: what it keeps, drops and finds. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "common/store/memory_log.h"

enum { BYTES = 4096 };

/* The newest `count` lines after `after` with `find` in them, separated by blanks. */
static void read_lines(struct log_ring *ring, struct slice after, struct slice find, size_t count,
                       struct buf *out)
{
    struct arena *arena = arena_new(1 << 20);
    struct store_log_read read = { .arena = arena, .after = after, .find = find, .count = count };

    buf_clear(out);
    assert_true(log_ring_read(ring, &read));
    for (size_t i = 0; i < read.count; i++) {
        assert_int_equal(0, buf_add(out, read.lines[i].text));
        assert_int_equal(0, buf_put_char(out, ' '));
    }
    arena_free(&arena);
}

static void gives_the_newest_lines_in_order(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(BYTES);
    struct log_ring ring;

    assert_true(log_ring_init(&ring, 10, BYTES));
    assert_true(log_ring_add(&ring, SLICE("one"), 5));
    assert_true(log_ring_add(&ring, SLICE("two"), 5));
    assert_true(log_ring_add(&ring, SLICE("three"), 4)); /* ids grow though the clock does not */
    read_lines(&ring, SLICE(""), SLICE(""), 10, &out);
    assert_string_equal("one two three ", buf_text(&out));
    read_lines(&ring, SLICE(""), SLICE(""), 2, &out);
    assert_string_equal("two three ", buf_text(&out));
    read_lines(&ring, SLICE("5-0"), SLICE(""), 10, &out);
    assert_string_equal("two three ", buf_text(&out));
    read_lines(&ring, SLICE(""), SLICE("t"), 1, &out);
    assert_string_equal("three ", buf_text(&out));
    log_ring_free(&ring);
}

static void keeps_no_more_lines_than_told(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(BYTES);
    struct log_ring ring;
    char text[] = "a";

    assert_true(log_ring_init(&ring, 3, BYTES));
    for (; text[0] <= 'z'; text[0]++)
        assert_true(log_ring_add(&ring, slice_of(text), 1));
    read_lines(&ring, SLICE(""), SLICE(""), 10, &out);
    assert_string_equal("x y z ", buf_text(&out));
    log_ring_free(&ring);
}

/* Lines of all lengths go round and round; those that are left are always whole, and the newest without a gap. */
static void overwrites_the_oldest_lines(UNUSED void **state)
{
    static char text[BYTES];
    struct log_ring ring;

    assert_true(log_ring_init(&ring, 10, BYTES));
    size_t lens[2000];
    for (size_t i = 0; i < COUNT(lens); i++) {
        lens[i] = 1 + i * 7919 % 1000;
        memset(text, (char)('a' + i % 26), lens[i]);
        assert_true(log_ring_add(&ring, (struct slice){ text, lens[i] }, i));
        struct arena *arena = arena_new(1 << 20);
        struct store_log_read read = { .arena = arena, .count = 100 };
        assert_true(log_ring_read(&ring, &read));
        assert_in_range(read.count, i < 2 ? i + 1 : 2, 10); /* two always fit */
        for (size_t k = 0; k < read.count; k++) {
            size_t line = i + 1 - read.count + k;
            struct slice kept = read.lines[k].text;
            assert_int_equal(lens[line], kept.len);
            for (size_t c = 0; c < kept.len; c++)
                assert_int_equal('a' + line % 26, kept.ptr[c]);
        }
        arena_free(&arena);
    }
    log_ring_free(&ring);
}

static void refuses_a_line_longer_than_itself(UNUSED void **state)
{
    static char text[BYTES + 1];
    AUTO_BUF out = BUF_INIT(BYTES);
    struct log_ring ring;

    assert_true(log_ring_init(&ring, 10, BYTES));
    assert_true(log_ring_add(&ring, SLICE("kept"), 1));
    assert_false(log_ring_add(&ring, (struct slice){ text, sizeof text }, 1));
    read_lines(&ring, SLICE(""), SLICE(""), 10, &out);
    assert_string_equal("kept ", buf_text(&out));
    log_ring_free(&ring);
}

static void *add_many(void *arg)
{
    struct log_ring *ring = arg;

    for (uint64_t i = 0; i < 20000; i++)
        log_ring_add(ring, SLICE("a line of some thread"), i);
    return NULL;
}

static void serves_many_threads(UNUSED void **state)
{
    struct log_ring ring;
    pthread_t threads[3];

    assert_true(log_ring_init(&ring, 20, BYTES));
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_create(&threads[i], NULL, add_many, &ring);
    for (size_t i = 0; i < 100; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct store_log_read read = { .arena = arena, .count = 20 };
        assert_true(log_ring_read(&ring, &read));
        for (size_t k = 0; k < read.count; k++)
            assert_true(slice_equal(SLICE("a line of some thread"), read.lines[k].text));
        arena_free(&arena);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    log_ring_free(&ring);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_newest_lines_in_order),
        cmocka_unit_test(keeps_no_more_lines_than_told),
        cmocka_unit_test(overwrites_the_oldest_lines),
        cmocka_unit_test(refuses_a_line_longer_than_itself),
        cmocka_unit_test(serves_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
