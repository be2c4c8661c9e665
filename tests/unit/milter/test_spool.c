/* tests/unit/milter/test_spool.c - what was added is read back as it was, from memory and file, while it still grows. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/milter/spool.h"

enum { SPACE = 3000 };

static unsigned char byte_at(uint64_t offset)
{
    return (unsigned char)(offset * 31 + (offset >> 11));
}

/* Adds `len` bytes in pieces of `piece`. */
static int grow(struct spool *spool, uint64_t from, size_t len, size_t piece)
{
    char bytes[70000];

    for (size_t done = 0; done < len;) {
        size_t n = len - done < piece ? len - done : piece;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)byte_at(from + done + i);
        if (spool_append(spool, (struct slice){ bytes, n }))
            return -1;
        done += n;
    }
    return 0;
}

/* Reads all from `offset` on; the number of bytes that are right, SIZE_MAX when one is wrong. */
static uint64_t check(const struct spool *spool, uint64_t offset, size_t max)
{
    char space[SPACE];
    struct slice part;
    uint64_t from = offset;

    for (;;) {
        assert_int_equal(0, spool_read(spool, offset, max, space, &part));
        if (part.len == 0)
            return offset - from;
        assert_true(part.len <= max);
        for (size_t i = 0; i < part.len; i++)
            if ((unsigned char)part.ptr[i] != byte_at(offset + i))
                return UINT64_MAX;
        offset += part.len;
    }
}

static const struct {
    const char *what;
    size_t memory_max, len, piece;
} cases[] = {
    { "empty", 1 << 20, 0, 1 },
    { "one byte", 1 << 20, 1, 1 },
    { "exactly the first chunk", 1 << 20, 4096, 4096 },
    { "over several chunks", 1 << 20, 300000, 65535 },
    { "exactly what memory takes", 300000, 300000, 1000 },
    { "one byte in the file", 300000, 300001, 1000 },
    { "a piece across memory and file", 10000, 70000, 65535 },
    { "no memory at all", 0, 100000, 777 },
    { "memory of one byte", 1, 5000, 3 },
};

static void reads_what_was_added(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spool_bounds bounds = { "/tmp", cases[i].memory_max, UINT64_MAX };
        struct spool *spool = spool_new(&bounds);
        assert_non_null(spool);
        if (grow(spool, 0, cases[i].len, cases[i].piece) || spool_size(spool) != cases[i].len)
            fail_msg("%s: adding", cases[i].what);
        for (size_t from = 0; from <= cases[i].len; from += cases[i].len / 7 + 1)
            if (check(spool, from, SPACE) != cases[i].len - from ||
                check(spool, from, 13) != cases[i].len - from)
                fail_msg("%s: reading from %zu", cases[i].what, from);
        assert_int_equal(0, check(spool, cases[i].len + 1, SPACE));
        assert_null(spool_error(spool));
        spool_free(&spool);
        assert_null(spool);
    }
}

static void takes_nothing_more_beyond_its_bound(UNUSED void **state)
{
    struct spool_bounds bounds = { "/tmp", 100, 1000 };
    struct spool *spool = spool_new(&bounds);

    assert_int_equal(0, grow(spool, 0, 1000, 300));
    assert_int_equal(0, spool_append(spool, SLICE("")));
    assert_int_equal(-1, spool_append(spool, SLICE("x")));
    assert_true(spool_is_too_large(spool));
    assert_string_equal("the body is larger than 1000 bytes", spool_error(spool));
    assert_int_equal(-1, spool_append(spool, SLICE("")));
    assert_int_equal(1000, check(spool, 0, SPACE));
    spool_free(&spool);
}

static void knows_what_the_disk_is_needed_for(UNUSED void **state)
{
    struct spool_bounds bounds = { "/tmp", 100, 1000 };
    struct spool *spool = spool_new(&bounds);

    assert_false(spool_needs_file(spool, 100));
    assert_true(spool_needs_file(spool, 101));
    assert_true(spool_needs_file(spool, SIZE_MAX));
    assert_int_equal(0, grow(spool, 0, 100, 100));
    assert_false(spool_needs_file(spool, 0));
    assert_true(spool_needs_file(spool, 1));
    assert_int_equal(0, grow(spool, 100, 200, 100));
    assert_true(spool_needs_file(spool, 0));
    spool_free(&spool);
}

static void says_why_there_is_no_file(UNUSED void **state)
{
    struct spool_bounds bounds = { "/nonexistent/directory", 100, 1000 };
    struct spool *spool = spool_new(&bounds);

    assert_int_equal(-1, grow(spool, 0, 101, 101));
    assert_false(spool_is_too_large(spool));
    assert_non_null(strstr(spool_error(spool), "/nonexistent/directory"));
    assert_non_null(strstr(spool_error(spool), "No such file"));
    assert_int_equal(0, spool_size(spool)); /* a piece is there as a whole, or not */
    spool_free(&spool);
}

/* A full disk: writing fails in the middle. */
static void says_that_the_disk_is_full(UNUSED void **state)
{
    struct spool_bounds bounds = { "/tmp", 0, 1 << 20 };
    struct spool *spool = spool_new(&bounds);
    struct rlimit before, small = { 5000, 5000 };

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &small));
    assert_int_equal(0, grow(spool, 0, 4000, 4000));
    assert_int_equal(-1, grow(spool, 4000, 4000, 4000));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_non_null(strstr(spool_error(spool), "File too large"));
    assert_false(spool_is_too_large(spool));
    assert_int_equal(4000, check(spool, 0, SPACE));
    spool_free(&spool);
}

static void leaves_no_name_in_the_directory(UNUSED void **state)
{
    char directory[] = "/tmp/spool-XXXXXX";
    struct spool_bounds bounds = { directory, 0, 1000 };

    assert_non_null(mkdtemp(directory));
    struct spool *spool = spool_new(&bounds);
    assert_int_equal(0, grow(spool, 0, 1000, 100));
    assert_int_equal(0, rmdir(directory)); /* empty */
    assert_int_equal(1000, check(spool, 0, SPACE));
    spool_free(&spool);
}

struct growing {
    struct spool *spool;
    atomic_bool is_whole;
};

/* What is wrong; NULL: nothing. */
static const char *read_all(struct growing *growing)
{
    char space[SPACE];
    struct slice part = { 0 };
    uint64_t offset = 0;
    bool is_whole;

    do {
        is_whole = atomic_load(&growing->is_whole);
        if (spool_read(growing->spool, offset, SPACE, space, &part))
            return "a read failed";
        for (size_t i = 0; i < part.len; i++)
            if ((unsigned char)part.ptr[i] != byte_at(offset + i))
                return "a byte is wrong";
        offset += part.len;
    } while (part.len > 0 || !is_whole);
    return offset == 2000000 ? NULL : "not all was read";
}

static void *read_along(void *arg)
{
    return (void *)(uintptr_t)read_all(arg);
}

static void is_read_while_it_grows(UNUSED void **state)
{
    struct spool_bounds bounds = { "/tmp", 1000000, UINT64_MAX };
    struct growing growing = { .spool = spool_new(&bounds) };
    pthread_t readers[2];
    void *wrong;

    for (size_t i = 0; i < COUNT(readers); i++)
        assert_int_equal(0, pthread_create(&readers[i], NULL, read_along, &growing));
    assert_int_equal(0, grow(growing.spool, 0, 2000000, 5000));
    atomic_store(&growing.is_whole, true);
    for (size_t i = 0; i < COUNT(readers); i++) {
        pthread_join(readers[i], &wrong);
        if (wrong != NULL)
            fail_msg("%s", (const char *)wrong);
    }
    spool_free(&growing.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_added),
        cmocka_unit_test(takes_nothing_more_beyond_its_bound),
        cmocka_unit_test(knows_what_the_disk_is_needed_for),
        cmocka_unit_test(says_why_there_is_no_file),
        cmocka_unit_test(says_that_the_disk_is_full),
        cmocka_unit_test(leaves_no_name_in_the_directory),
        cmocka_unit_test(is_read_while_it_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
