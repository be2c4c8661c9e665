/* tests/unit/quarantine/test_folder.c - kept messages on the disk: whole or not there. */
#include "common/quarantine/folder.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mime/mime.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

struct case_ {
    struct temporary directory;
    struct fake_clock clock;
    struct folder *folder;
    struct arena *arena;
    struct buf error;
};

static void begin(struct case_ *test)
{
    *test = (struct case_){ .error = BUF_INIT(1000), .arena = arena_new(1 << 20) };
    temporary_make(&test->directory);
    fake_clock_init(&test->clock);
    test->folder = folder_open(test->directory.path, 0, &test->clock.clock, &test->error);
    assert_non_null(test->folder);
}

static void reopen(struct case_ *test)
{
    folder_close(&test->folder);
    test->folder = folder_open(test->directory.path, 0, &test->clock.clock, &test->error);
    assert_non_null(test->folder);
}

static void end(struct case_ *test)
{
    folder_close(&test->folder);
    temporary_remove(&test->directory);
    buf_free(&test->error);
    arena_free(&test->arena);
}

/* ---- sources ---- */

static int read_text(const struct source *source, uint64_t offset, size_t max, UNUSED char *space,
                     struct slice *out)
{
    *out = slice_part(source->head, (size_t)offset, max < 1000 ? max : 1000);
    return 0;
}

static struct source source_of_text(struct slice text)
{
    return (struct source){ .size = text.len, .read = read_text, .head = text };
}

static int read_fails(UNUSED const struct source *source, uint64_t offset, size_t max, char *space,
                      struct slice *out)
{
    if (offset > 0)
        return -1;
    *out = (struct slice){ space, max };
    memset(space, 'x', max);
    return 0;
}

static const char message_text[] = "Subject: x\r\n\r\n\xff\0body\r\n";

static enum folder_result add(struct case_ *test, struct kept *kept, uint64_t size_max)
{
    struct source source = source_of_text(SLICE(message_text));

    *kept = (struct kept){ .reason = SLICE("test"), .sender = SLICE("a@x.example") };
    buf_clear(&test->error);
    fake_clock_advance(&test->clock, 1);
    return folder_add(test->folder, kept, &source, size_max, &test->error);
}

static bool message_is_right(struct case_ *test, const char *id)
{
    uint64_t size;
    int fd = folder_open_message(test->folder, slice_of(id), &size);
    char text[100];

    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text);
    close(fd);
    return size == sizeof message_text - 1 && got == (ssize_t)size &&
           memcmp(text, message_text, (size_t)got) == 0;
}

/* ---- tests ---- */

static void keeps_and_gives_back(UNUSED void **state)
{
    struct case_ test;
    struct kept kept, back;

    begin(&test);
    assert_int_equal(FOLDER_OK, add(&test, &kept, 0));
    assert_int_equal(FAKE_CLOCK_WALL + 1, kept.time_ms);
    assert_int_equal(kept.time_ms, kept_id_time_ms(slice_of(kept.id)));
    for (unsigned i = 0; i < 2; i++) { /* the second time after a restart */
        assert_int_equal(1, folder_count(test.folder));
        assert_int_equal(
            FOLDER_OK, folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
        assert_slice("test", back.reason);
        assert_slice("a@x.example", back.sender);
        assert_int_equal(sizeof message_text - 1, back.size);
        assert_true(message_is_right(&test, kept.id));
        assert_true(folder_bytes(test.folder) > back.size);
        reopen(&test);
    }
    assert_int_equal(2, temporary_count(&test.directory));
    assert_int_equal(FOLDER_OK, folder_remove(test.folder, slice_of(kept.id), &test.error));
    assert_int_equal(FOLDER_NOT_THERE, folder_remove(test.folder, slice_of(kept.id), &test.error));
    assert_int_equal(FOLDER_NOT_THERE,
                     folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
    assert_int_equal(0, temporary_count(&test.directory));
    assert_int_equal(0, folder_bytes(test.folder));
    end(&test);
}

/* What adding, changing and removing leave behind when they are cut off, whatever of their renames is on the disk. */
static void removes_what_a_crash_left(UNUSED void **state)
{
    static const char *const left[] = {
        "0123456789abcdefghjk.part", /* being added */
        "1123456789abcdefghjk.part", "1123456789abcdefghjk.tmp",
        "2123456789abcdefghjk.eml",  "2123456789abcdefghjk.tmp", /* or removed */
        "3123456789abcdefghjk.part", "3123456789abcdefghjk.json",
        "4123456789abcdefghjk.tmp",  "5123456789abcdefghjk.spare",
    };
    struct case_ test;
    struct kept kept;
    char changed[50];

    begin(&test);
    assert_int_equal(FOLDER_OK, add(&test, &kept, 0));
    for (size_t i = 0; i < COUNT(left); i++)
        temporary_put(&test.directory, left[i], "{");
    snprintf(changed, sizeof changed, "%s.tmp", kept.id);
    temporary_put(&test.directory, changed, "{");
    temporary_put(&test.directory, "README", "not ours");
    temporary_put(&test.directory, "3123456789abcdefghjk.txt", "not ours");
    reopen(&test);
    assert_int_equal(1, folder_count(test.folder));
    assert_int_equal(0, folder_damaged_count(test.folder));
    assert_int_equal(4, temporary_count(&test.directory));
    assert_true(temporary_has(&test.directory, "README", ""));
    assert_true(temporary_has(&test.directory, kept.id, ".json"));
    end(&test);
}

#define ID "2123456789abcdefghjk"

/* Nobody but somebody else's hand, or a broken disk, makes these. */
static void keeps_what_is_damaged(UNUSED void **state)
{
    static const struct {
        const char *message, *description; /* NULL: gone */
        const char *damage; /* a part of it */
        const char *subject, *sender;
        size_t recipients;
        bool is_cut;
    } rows[] = {
        { "Subject: found\n\nx", NULL, "lost: the description is missing", "found", "", 0, false },
        { "Subject: found\n\nx", "{", "lost: it is no JSON object", "found", "", 0, false },
        { "Subject: found\n\nx", "", "lost: it is no JSON object", "found", "", 0, false },
        { "Subject: found\n\nx",
          "{\"id\": \"" ID
          "\", \"sender\": \"a@x.example\", \"subject\": \"said\", \"recipients\": "
          "[{\"address\": \"b@x.example\", \"arguments\": \"\"}, 7]}",
          "lost: it is not what was written", "said", "a@x.example", 1, false },
        { "\xff\x80no field", "[]", "no JSON object", "", "", 0, false },
        { "", NULL, "missing", "", "", 0, false },
        { NULL, "{\"subject\": \"said\"}", "the message is missing: No such file", "said", "", 0,
          true },
        { NULL, "junk", "no JSON object", "", "", 0, true },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct case_ test;
        struct kept back;
        begin(&test);
        if (rows[i].message != NULL)
            temporary_put(&test.directory, ID ".eml", rows[i].message);
        if (rows[i].description != NULL)
            temporary_put(&test.directory, ID ".json", rows[i].description);
        reopen(&test);
        assert_int_equal(1, folder_count(test.folder));
        assert_int_equal(FOLDER_DAMAGED,
                         folder_read(test.folder, SLICE(ID), test.arena, &back, &test.error));
        AUTO_BUF damage = BUF_INIT(1000);
        buf_add(&damage, back.damage);
        if (strstr(buf_text(&damage), rows[i].damage) == NULL)
            fail_msg("row %zu: %s", i, buf_text(&damage));
        assert_string_equal(ID, back.id);
        assert_int_equal(kept_id_time_ms(SLICE(ID)), back.time_ms);
        assert_int_equal(rows[i].message == NULL ? 0 : strlen(rows[i].message), back.size);
        if (!slice_equal(slice_of(rows[i].subject), back.subject) ||
            !slice_equal(slice_of(rows[i].sender), back.sender) ||
            back.recipient_count != rows[i].recipients || back.is_cut != rows[i].is_cut)
            fail_msg("row %zu: %.*s", i, SLICE_ARG(back.subject));
        assert_int_equal(1, folder_damaged_count(test.folder));
        assert_int_equal(FOLDER_OK, folder_remove(test.folder, SLICE(ID), &test.error));
        assert_int_equal(0, folder_damaged_count(test.folder));
        assert_int_equal(0, temporary_count(&test.directory));
        end(&test);
    }
}

static void belongs_to_one_process(UNUSED void **state)
{
    struct case_ test;

    begin(&test);
    assert_null(folder_open(test.directory.path, 0, &test.clock.clock, &test.error));
    assert_non_null(strstr(buf_text(&test.error), "another process"));
    end(&test);
}

static void says_what_cannot_be_opened(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(1000);

    assert_null(folder_open("/nonexistent/quarantine", 0, &clock_system, &error));
    assert_string_equal("/nonexistent/quarantine: No such file or directory", buf_text(&error));
    buf_clear(&error);
    assert_null(folder_open("/dev/null", 0, &clock_system, &error));
    assert_string_equal("/dev/null: Not a directory", buf_text(&error));
}

static void passes_no_bound(UNUSED void **state)
{
    struct case_ test;
    struct kept kept;

    begin(&test);
    assert_int_equal(FOLDER_FULL, add(&test, &kept, sizeof message_text - 2));
    assert_int_equal(FOLDER_OK, add(&test, &kept, sizeof message_text - 1));
    assert_int_equal(FOLDER_FULL, add(&test, &kept, folder_bytes(test.folder)));
    assert_int_equal(1, folder_count(test.folder));
    assert_int_equal(2, temporary_count(&test.directory));
    end(&test);
}

static void leaves_nothing_when_it_fails(UNUSED void **state)
{
    struct case_ test;
    struct kept kept = { .size = 0 };
    struct source source = { .size = SOURCE_CHUNK + 1, .read = read_fails };
    struct rlimit limit, old;

    begin(&test);
    assert_int_equal(FOLDER_FAILED, folder_add(test.folder, &kept, &source, 0, &test.error));
    assert_int_equal(0, temporary_count(&test.directory));
    /* As a full disk: the file may not grow. */
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = old;
    limit.rlim_cur = 10;
    setrlimit(RLIMIT_FSIZE, &limit);
    enum folder_result result = add(&test, &kept, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(FOLDER_FAILED, result);
    assert_non_null(strstr(buf_text(&test.error), "File too large"));
    assert_int_equal(0, temporary_count(&test.directory));
    assert_int_equal(0, folder_count(test.folder));
    assert_int_equal(0, folder_bytes(test.folder));
    end(&test);
}

/* A real full disk, where one can be had. */
static void says_that_the_disk_is_full(UNUSED void **state)
{
    struct case_ test;
    struct kept kept = { .size = 0 };
    static char large[1 << 20];
    struct source source = source_of_text((struct slice){ large, sizeof large });

    if (!temporary_make_disk(&test.directory, "64k")) {
        temporary_remove(&test.directory);
        skip();
    }
    fake_clock_init(&test.clock);
    test.error = (struct buf)BUF_INIT(1000);
    test.arena = arena_new(1 << 20);
    test.folder = folder_open(test.directory.path, 0, &test.clock.clock, &test.error);
    assert_int_equal(FOLDER_FAILED, folder_add(test.folder, &kept, &source, 0, &test.error));
    assert_non_null(strstr(buf_text(&test.error), "No space left on device"));
    assert_int_equal(0, temporary_count(&test.directory));
    assert_int_equal(FOLDER_OK, add(&test, &kept, 0));
    end(&test);
}

/* As long as a description does not become longer. */
static void changes_what_is_known_on_a_full_disk(UNUSED void **state)
{
    struct case_ test = { .error = BUF_INIT(1000), .arena = arena_new(1 << 20) };
    struct kept kept, back;
    char path[512];

    if (!temporary_make_disk(&test.directory, "64k")) {
        temporary_remove(&test.directory);
        arena_free(&test.arena);
        skip();
    }
    fake_clock_init(&test.clock);
    test.folder = folder_open(test.directory.path, 0, &test.clock.clock, &test.error);
    assert_int_equal(FOLDER_OK, add(&test, &kept, 0));
    assert_int_equal(0, folder_spare(test.folder, slice_of(kept.id), &test.error));
    temporary_fill(&test.directory);
    static const char *const reasons[] = { "two", "3", "" }; /* again and again */
    for (size_t i = 0; i < COUNT(reasons); i++) {
        kept.reason = slice_of(reasons[i]);
        if (folder_update(test.folder, &kept, &test.error) != 0)
            fail_msg("%zu: %s", i, buf_text(&test.error));
        assert_int_equal(
            FOLDER_OK, folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
        assert_slice(reasons[i], back.reason);
    }
    snprintf(path, sizeof path, "%s/%s.spare", test.directory.path, kept.id);
    assert_int_equal(0, unlink(path));
    temporary_fill(&test.directory);
    assert_int_equal(-1, folder_update(test.folder, &kept, &test.error));
    assert_non_null(strstr(buf_text(&test.error), "No space left"));
    assert_int_equal(FOLDER_OK,
                     folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
    assert_int_equal(FOLDER_OK, folder_remove(test.folder, slice_of(kept.id), &test.error));
    assert_int_equal(1, temporary_count(&test.directory)); /* what fills it */
    end(&test);
}

static void lists_in_pages(UNUSED void **state)
{
    struct case_ test;
    struct kept kept[5];
    char ids[3][KEPT_ID_LEN + 1];

    begin(&test);
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_int_equal(FOLDER_OK, add(&test, &kept[i], 0));
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(3, folder_list(test.folder, SLICE(""), false, 3, ids));
        assert_string_equal(kept[0].id, ids[0]);
        assert_string_equal(kept[2].id, ids[2]);
        assert_int_equal(2, folder_list(test.folder, slice_of(kept[2].id), false, 3, ids));
        assert_string_equal(kept[3].id, ids[0]);
        assert_int_equal(0, folder_list(test.folder, slice_of(kept[4].id), false, 3, ids));
        assert_int_equal(3, folder_list(test.folder, SLICE(""), true, 3, ids));
        assert_string_equal(kept[4].id, ids[0]);
        assert_int_equal(2, folder_list(test.folder, slice_of(kept[2].id), true, 3, ids));
        assert_string_equal(kept[1].id, ids[0]);
        reopen(&test);
    }
    end(&test);
}

static void changes_what_is_known(UNUSED void **state)
{
    struct case_ test;
    struct kept kept, back;

    begin(&test);
    assert_int_equal(FOLDER_OK, add(&test, &kept, 0));
    uint64_t before = folder_bytes(test.folder);
    kept.reason = SLICE("another, longer reason");
    assert_int_equal(0, folder_update(test.folder, &kept, &test.error));
    assert_true(folder_bytes(test.folder) > before);
    before = folder_bytes(test.folder);
    reopen(&test);
    assert_int_equal(before, folder_bytes(test.folder));
    assert_int_equal(FOLDER_OK,
                     folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
    assert_slice("another, longer reason", back.reason);
    folder_remove(test.folder, slice_of(kept.id), &test.error);
    assert_int_equal(-1, folder_update(test.folder, &kept, &test.error));
    assert_int_equal(0, temporary_count(&test.directory));
    end(&test);
}

/* Found out when it is read; mended by hand it is as good as new. */
static void tells_damage_when_it_is_read(UNUSED void **state)
{
    struct case_ test;
    struct kept kept, back;
    char name[50], cut[512];

    begin(&test);
    assert_int_equal(FOLDER_OK, add(&test, &kept, 0));
    snprintf(name, sizeof name, "%s.json", kept.id);
    temporary_put(&test.directory, name, "{");
    assert_int_equal(0, folder_damaged_count(test.folder));
    assert_int_equal(FOLDER_DAMAGED,
                     folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
    assert_int_equal(1, folder_damaged_count(test.folder));
    assert_slice("x", back.subject);
    assert_int_equal(0, folder_update(test.folder, &kept, &test.error));
    assert_int_equal(FOLDER_OK,
                     folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
    assert_int_equal(0, folder_damaged_count(test.folder));
    snprintf(cut, sizeof cut, "%s/%s.eml", test.directory.path, kept.id);
    assert_int_equal(0, truncate(cut, 5));
    assert_int_equal(FOLDER_DAMAGED,
                     folder_read(test.folder, slice_of(kept.id), test.arena, &back, &test.error));
    assert_slice("5 bytes of 22 are there", back.damage);
    assert_true(back.is_cut);
    assert_slice("test", back.reason);
    end(&test);
}

/* ---- killed at any time, everything that was confirmed is there ---- */

enum { WRITERS = 3 };

static void *write_for_ever(void *arg)
{
    struct case_ *test = arg;

    for (;;) {
        struct kept kept = { .reason = SLICE("test") };
        struct source source = source_of_text(SLICE(message_text));
        AUTO_BUF error = BUF_INIT(1000);
        if (folder_add(test->folder, &kept, &source, 0, &error) != FOLDER_OK ||
            write(STDOUT_FILENO, kept.id, KEPT_ID_LEN) != KEPT_ID_LEN)
            _exit(1);
    }
    return NULL;
}

static void killed_it_has_all_that_it_confirmed(UNUSED void **state)
{
    struct case_ test;
    int pipes[2], status;
    char id[KEPT_ID_LEN + 1] = "";
    size_t confirmed = 0;

    begin(&test);
    folder_close(&test.folder);
    assert_int_equal(0, pipe(pipes));
    pid_t child = fork();
    if (child == 0) {
        pthread_t threads[WRITERS];
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        test.folder = folder_open(test.directory.path, 0, &clock_system, &test.error);
        for (size_t i = 0; i < WRITERS && test.folder != NULL; i++)
            pthread_create(&threads[i], NULL, write_for_ever, &test);
        pause();
    }
    close(pipes[1]);
    FILE *ids = fdopen(pipes[0], "r");
    for (confirmed = 0; confirmed < 50; confirmed++)
        assert_int_equal(1, fread(id, KEPT_ID_LEN, 1, ids));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    reopen(&test);
    do
        assert_true(message_is_right(&test, id));
    while (fread(id, KEPT_ID_LEN, 1, ids) == 1 && ++confirmed > 0);
    assert_true(folder_count(test.folder) >= confirmed);
    assert_int_equal(2 * folder_count(test.folder), temporary_count(&test.directory));
    fclose(ids);
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_and_gives_back),
        cmocka_unit_test(removes_what_a_crash_left),
        cmocka_unit_test(belongs_to_one_process),
        cmocka_unit_test(says_what_cannot_be_opened),
        cmocka_unit_test(passes_no_bound),
        cmocka_unit_test(leaves_nothing_when_it_fails),
        cmocka_unit_test(says_that_the_disk_is_full),
        cmocka_unit_test(changes_what_is_known_on_a_full_disk),
        cmocka_unit_test(lists_in_pages),
        cmocka_unit_test(changes_what_is_known),
        cmocka_unit_test(keeps_what_is_damaged),
        cmocka_unit_test(tells_damage_when_it_is_read),
        cmocka_unit_test(killed_it_has_all_that_it_confirmed),
    };

    mime_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
