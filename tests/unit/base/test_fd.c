/* tests/unit/base/test_fd.c - whole files and pipes, in pieces and with signals in between; bounds; a disk that is full. */
#include "common/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

enum { MUCH = 1 << 20, SMALL = 1000 };

static struct temporary folder;
static char path[TEMPORARY_MAX + 8], bytes[MUCH];

static int setup(UNUSED void **state)
{
    temporary_make(&folder);
    snprintf(path, sizeof path, "%s/file", folder.path);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 % 251);
    return 0;
}

static int teardown(UNUSED void **state)
{
    temporary_remove(&folder);
    return 0;
}

static void write_file(size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(0, fd_write_all(fd, (struct slice){ bytes, size }));
    close(fd);
}

static const struct {
    size_t size, max;
    int want; /* errno */
    size_t read;
} cases[] = {
    { 0, 0, 0, 0 },
    { 0, 100, 0, 0 },
    { 1, 0, EFBIG, 0 },
    { 99, 100, 0, 99 },
    { 100, 100, 0, 100 },
    { 101, 100, EFBIG, 100 },
    { 16384, 16384, 0, 16384 },
    { 16385, 16384, EFBIG, 16384 },
    { 16384, MUCH, 0, 16384 },
    { MUCH, MUCH, 0, MUCH },
    { MUCH, MUCH - 1, EFBIG, MUCH - 1 },
};

static void a_file_is_read_up_to_the_bound(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF out = BUF_INIT(cases[i].max);
        write_file(cases[i].size);
        int got = fd_read_file(path, &out) == 0 ? 0 : errno;
        if (got != cases[i].want || out.len != cases[i].read)
            fail_msg("row %zu: %s, %zu bytes", i, strerror(got), out.len);
        assert_true(slice_equal(buf_slice(&out), (struct slice){ bytes, out.len }));
    }
}

static void what_is_read_is_added(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(SMALL);

    assert_int_equal(0, buf_put(&out, "before"));
    write_file(SMALL - 6);
    assert_int_equal(0, fd_read_file(path, &out));
    assert_int_equal(SMALL, out.len);
    assert_memory_equal("before", out.data, 6);
    assert_memory_equal(bytes, out.data + 6, SMALL - 6);
}

static void trouble_is_told(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(SMALL);

    assert_int_equal(-1, fd_read_file("/nonexistent/file", &out));
    assert_int_equal(ENOENT, errno);
    assert_int_equal(-1, fd_read_file(folder.path, &out));
    assert_int_equal(EISDIR, errno);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(-1, fd_write_all(full, SLICE("x")));
    assert_int_equal(ENOSPC, errno);
    assert_int_equal(0, fd_write_all(full, SLICE(""))); /* nothing to write */
    close(full);
}

static void a_part_is_read_where_there_is_more(UNUSED void **state)
{
    char space[SMALL];

    write_file(SMALL + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(SMALL, fd_read(fd, space, SMALL));
    assert_memory_equal(bytes, space, SMALL);
    assert_int_equal(1, fd_read(fd, space, SMALL)); /* fewer: the end */
    assert_int_equal(0, fd_read(fd, space, SMALL));
    close(fd);
}

/* ---- a pipe, and signals all the time ---- */

static void on_alarm(UNUSED int number)
{
}

static void *write_much(void *arg)
{
    int fd = *(int *)arg;

    for (size_t at = 0; at < MUCH; at += SMALL) { /* each reading gets a part of it */
        size_t len = MUCH - at < SMALL ? MUCH - at : SMALL;
        if (fd_write_all(fd, (struct slice){ bytes + at, len }) != 0)
            break;
    }
    close(fd);
    return NULL;
}

static void signals_change_nothing(UNUSED void **state)
{
    const struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
    const struct sigaction action = { .sa_handler = on_alarm }; /* no SA_RESTART */
    AUTO_BUF out = BUF_INIT(MUCH);
    pthread_t writer;
    int ends[2];

    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(0, pthread_create(&writer, NULL, write_much, &ends[1]));
    setitimer(ITIMER_REAL, &often, NULL); /* whichever thread it meets */
    int rc = fd_read_all(ends[0], &out);
    setitimer(ITIMER_REAL, &never, NULL);
    close(ends[0]); /* a writer that has not ended does now */
    pthread_join(writer, NULL);
    assert_int_equal(0, rc);
    assert_int_equal(MUCH, out.len);
    assert_memory_equal(bytes, out.data, MUCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_up_to_the_bound),
        cmocka_unit_test(what_is_read_is_added),
        cmocka_unit_test(trouble_is_told),
        cmocka_unit_test(a_part_is_read_where_there_is_more),
        cmocka_unit_test(signals_change_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
