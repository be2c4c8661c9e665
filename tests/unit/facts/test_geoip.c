/* tests/unit/facts/test_geoip.c - countries from database files that are missing, damaged, exchanged and overwritten.
 * The databases are made by tests/integration/make_mmdb.pl. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policyd/facts/geoip.h"

#define FILE_MAX 65536

static char directory[] = "/tmp/gatehouse-geoip-XXXXXX";
static char path[64], error[GEOIP_ERROR_MAX];

static void make_database(const char *layout, const char *networks)
{
    char command[512];

    snprintf(command, sizeof command, "exec perl tests/integration/make_mmdb.pl %s %s %s", layout,
             path, networks);
    int status = system(command);
    if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s", command);
}

static size_t read_file(char bytes[FILE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, bytes, FILE_MAX);

    assert_true(got > 0 && got < FILE_MAX);
    close(fd);
    return (size_t)got;
}

/* Over the file that is there, as `cp` does: same inode, other bytes. */
static void overwrite_file(const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(len, write(fd, bytes, len));
    close(fd);
}

static struct geoip_record look_up(struct geoip *geoip, const char *address)
{
    struct geoip_record record = { .has_asn = false };
    struct ip_address parsed;

    if (!ip_address_parse(slice_of(address), &parsed) || !geoip_lookup(geoip, &parsed, &record))
        fail_msg("%s: no answer", address);
    return record;
}

static const struct {
    const char *address, *country, *continent;
    uint32_t asn; /* 0: none */
} cases[] = {
    { "192.0.2.1", "DE", "EU", 64500 },
    { "192.0.2.255", "DE", "EU", 64500 },
    { "198.51.100.9", "KP", "AS", 64501 },
    { "203.0.113.4", "US", "NA", 64502 },
    { "::ffff:203.0.113.4", "US", "NA", 64502 },
    { "2001:db8::1", "JP", "AS", 64506 },
    { "2001:db8:dead::1", "KP", "AS", 64501 },
    { "192.0.3.1", "unlisted", "unlisted", 0 },
    { "2001:db9::1", "unlisted", "unlisted", 0 },
    { "10.1.2.3", "none", "none", 0 },
    { "100.64.0.1", "none", "none", 0 },
    { "100.128.0.1", "unlisted", "unlisted", 0 },
    { "127.0.0.1", "none", "none", 0 },
    { "169.254.1.1", "none", "none", 0 },
    { "172.31.255.255", "none", "none", 0 },
    { "172.32.0.0", "unlisted", "unlisted", 0 },
    { "192.168.0.1", "none", "none", 0 },
    { "::1", "none", "none", 0 },
    { "::2", "unlisted", "unlisted", 0 },
    { "fd00::1", "none", "none", 0 },
    { "fe80::1", "none", "none", 0 },
};

static void reads_each_layout(UNUSED void **state)
{
    static const char *const layouts[] = { "maxmind", "flat", "text" };

    for (size_t l = 0; l < COUNT(layouts); l++) {
        make_database(layouts[l], "");
        struct geoip *geoip = geoip_new(path, error);
        assert_string_equal("", error);
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct geoip_record got = look_up(geoip, cases[i].address);
            if (strcmp(got.country, cases[i].country) != 0 ||
                strcmp(got.continent, cases[i].continent) != 0 ||
                got.has_asn != (cases[i].asn > 0) || got.asn != cases[i].asn)
                fail_msg("%s %s: %s %s %u", layouts[l], cases[i].address, got.country,
                         got.continent, got.asn);
        }
        geoip_free(&geoip);
        assert_null(geoip);
    }
}

static void describes_the_database(UNUSED void **state)
{
    char type[GEOIP_TYPE_MAX];
    uint64_t build_s = 0;

    make_database("flat", "");
    struct geoip *geoip = geoip_new(path, error);
    assert_true(geoip_describe(geoip, type, &build_s));
    assert_string_equal("Gatehouse-Test-Flat", type);
    assert_true(build_s > 1600000000);
    geoip_free(&geoip);
}

static void knows_nothing_until_there_is_a_file(UNUSED void **state)
{
    struct ip_address address;
    struct geoip_record record;
    char type[GEOIP_TYPE_MAX];
    uint64_t build_s;

    assert_true(ip_address_parse(SLICE("127.0.0.1"), &address));
    unlink(path);
    struct geoip *geoip = geoip_new(path, error);
    assert_non_null(geoip);
    assert_non_null(strstr(error, "No such file"));
    assert_non_null(strstr(error, path));
    assert_false(geoip_lookup(geoip, &address, &record));
    assert_false(geoip_describe(geoip, type, &build_s));
    assert_int_equal(GEOIP_SAME, geoip_refresh(geoip, error)); /* told once */
    make_database("flat", "");
    assert_int_equal(GEOIP_READ, geoip_refresh(geoip, error));
    assert_string_equal("DE", look_up(geoip, "192.0.2.1").country);
    geoip_free(&geoip);
}

static void takes_over_a_changed_file(UNUSED void **state)
{
    make_database("flat", "");
    struct geoip *geoip = geoip_new(path, error);
    assert_int_equal(GEOIP_SAME, geoip_refresh(geoip, error));
    make_database("maxmind", "192.0.2.0/24=FR/EU/64511");
    assert_int_equal(GEOIP_READ, geoip_refresh(geoip, error));
    assert_string_equal("FR", look_up(geoip, "192.0.2.1").country);
    assert_string_equal("unlisted", look_up(geoip, "203.0.113.4").country);
    geoip_free(&geoip);
}

static void refuses_what_is_no_database(UNUSED void **state)
{
    static char good[FILE_MAX], bad[FILE_MAX];

    make_database("flat", "");
    size_t len = read_file(good);
    struct geoip *geoip = geoip_new(path, error);
    const struct {
        const char *what;
        size_t keep, zero_from, zero_to;
    } damages[] = {
        { "empty", 0, 0, 0 },
        { "cut in half", len / 2, 0, 0 },
        { "cut by a quarter", len - len / 4, 0, 0 },
        { "without its head", len, 0, len - 100 },
        { "without its tail", len, len - 200, len },
    };
    for (size_t i = 0; i < COUNT(damages); i++) {
        memcpy(bad, good, len);
        if (damages[i].zero_to > damages[i].zero_from)
            memset(bad + damages[i].zero_from, 0xff, damages[i].zero_to - damages[i].zero_from);
        overwrite_file(bad, damages[i].keep);
        error[0] = '\0';
        if (geoip_refresh(geoip, error) != GEOIP_BAD || error[0] == '\0')
            fail_msg("%s: accepted", damages[i].what);
        assert_int_equal(GEOIP_SAME, geoip_refresh(geoip, error)); /* told once */
        assert_string_equal("DE", look_up(geoip, "192.0.2.1").country); /* the old one serves */
    }
    overwrite_file(good, len);
    assert_int_equal(GEOIP_READ, geoip_refresh(geoip, error));
    geoip_free(&geoip);
}

static void refuses_what_is_no_file(UNUSED void **state)
{
    struct geoip *geoip = geoip_new(directory, error);

    assert_non_null(strstr(error, "not a regular file"));
    geoip_free(&geoip);
    unlink(path);
    assert_int_equal(0, mkfifo(path, 0600));
    geoip = geoip_new(path, error); /* and does not wait for a writer */
    assert_non_null(strstr(error, "not a regular file"));
    geoip_free(&geoip);
    unlink(path);
}

static void lives_as_long_as_its_last_owner(UNUSED void **state)
{
    make_database("flat", "");
    struct geoip *first = geoip_new(path, error), *second = geoip_ref(first);
    geoip_free(&first);
    assert_string_equal("DE", look_up(second, "192.0.2.1").country);
    geoip_free(&second);
    geoip_free(&second); /* NULL is harmless */
}

struct readers {
    struct geoip *geoip;
    atomic_bool stop;
    atomic_uint wrong, done;
};

static void *read_on(void *arg)
{
    struct readers *readers = arg;
    struct ip_address address;

    if (!ip_address_parse(SLICE("192.0.2.1"), &address))
        return NULL;
    while (!atomic_load(&readers->stop)) {
        struct geoip_record record;
        if (!geoip_lookup(readers->geoip, &address, &record) || strcmp(record.country, "DE") != 0)
            atomic_fetch_add(&readers->wrong, 1);
        atomic_fetch_add(&readers->done, 1);
    }
    return NULL;
}

/* A mapped file that is cut under its reader ends the process with SIGBUS: ours is not mapped. */
static void outlives_a_file_overwritten_in_place(UNUSED void **state)
{
    static char good[FILE_MAX];
    pthread_t threads[2];

    make_database("flat", "");
    size_t len = read_file(good);
    struct readers readers = { .geoip = geoip_new(path, error) };
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, read_on, &readers));
    for (unsigned i = 0; i < 50 || atomic_load(&readers.done) < 1000; i++) {
        overwrite_file(good, i % 3 == 0 ? 0 : i % 3 == 1 ? len / 2 : len);
        geoip_refresh(readers.geoip, error);
    }
    atomic_store(&readers.stop, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(0, atomic_load(&readers.wrong));
    geoip_free(&readers.geoip);
}

static int make_directory(UNUSED void **state)
{
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/test.mmdb", directory);
    return 0;
}

static int remove_directory(UNUSED void **state)
{
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_layout),
        cmocka_unit_test(describes_the_database),
        cmocka_unit_test(knows_nothing_until_there_is_a_file),
        cmocka_unit_test(takes_over_a_changed_file),
        cmocka_unit_test(refuses_what_is_no_database),
        cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(lives_as_long_as_its_last_owner),
        cmocka_unit_test(outlives_a_file_overwritten_in_place),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
