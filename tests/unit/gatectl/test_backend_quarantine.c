/* tests/unit/gatectl/test_backend_quarantine.c - the quarantine without its daemon: the same answers, and it lets a daemon in. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/quarantine/quarantine.h"
#include "gatectl/backend.h"
#include "gatectl/settings.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/mail_message.h"
#include "tests/fakes/smtp_server.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

struct case_ {
    struct temporary directory;
    struct fake_clock clock;
    struct settings settings;
    struct kept kept;
};

static void begin(struct case_ *test)
{
    static struct kept_recipient to[] = { { SLICE_INIT("a@x.example"), SLICE_INIT("") } };
    struct message *message = mail_message_new(SLICE("Subject: x\n\nbody\r\n"), "a@b.example");
    struct source source = source_of_message(message);
    AUTO_BUF error = BUF_INIT(1000);

    *test = (struct case_){ .settings = { .release = "", .myhostname = "me" } };
    temporary_make(&test->directory);
    fake_clock_init(&test->clock);
    test->settings.quarantine_directory = test->directory.path;
    const struct quarantine_settings settings = { test->directory.path, 0, 1 * DAY, 0 };
    struct quarantine *quarantine = quarantine_open(&settings, &test->clock.clock, &error);
    test->kept = (struct kept){ .recipients = to,
                                .recipient_count = 1,
                                .sender = SLICE("s@x.example"),
                                .reason = SLICE("test") };
    assert_int_equal(0, quarantine_keep(quarantine, &test->kept, &source, &error));
    quarantine_close(&quarantine);
    message_unref(&message);
}

static void end(struct case_ *test)
{
    temporary_remove(&test->directory);
}

static struct backend *open_backend(struct case_ *test)
{
    char error[BACKEND_ERROR_MAX] = "";
    struct backend *backend = backend_quarantine_new(&test->settings, &test->clock.clock, error);

    if (backend == NULL)
        fail_msg("%s", error);
    return backend;
}

/* The answer is the caller's. */
static json_t *ask(struct backend *backend, const struct ask *ask, unsigned want)
{
    char error[BACKEND_ERROR_MAX] = "";
    json_t *answer = NULL;
    unsigned status = 0;

    if (backend_ask(backend, ask, &status, &answer, error) != BACKEND_OK || status != want)
        fail_msg("%u %s", status, error);
    return answer;
}

static void answers_as_the_daemon_does(UNUSED void **state)
{
    struct smtp_server *server = smtp_server_start(NULL);
    char place[100];
    struct case_ test;

    begin(&test);
    snprintf(place, sizeof place, "%.*s", SLICE_ARG(smtp_server_place(server)));
    test.settings.release = place;
    struct backend *backend = open_backend(&test);
    json_t *answer = ask(backend, &(struct ask){ .segments = { "quarantine" } }, 200);
    json_t *row = json_array_get(json_object_get(answer, "messages"), 0);
    assert_string_equal(test.kept.id, json_string_value(json_object_get(row, "id")));
    json_decref(answer);
    json_decref(ask(backend, &(struct ask){ .segments = { "quarantine", test.kept.id } }, 200));
    json_decref(ask(backend,
                    &(struct ask){ .method = CONTROL_POST,
                                   .segments = { "quarantine", test.kept.id, "release" } },
                    200));
    AUTO_BUF message = smtp_server_message(server, 0);
    assert_string_equal("Subject: x\r\n\r\nbody\r\n", buf_text(&message));
    json_decref(
        ask(backend,
            &(struct ask){ .method = CONTROL_DELETE, .segments = { "quarantine", test.kept.id } },
            404));
    assert_int_equal(0, temporary_count(&test.directory));
    backend_free(&backend);
    smtp_server_stop(&server);
    end(&test);
}

static void makes_no_directory(UNUSED void **state)
{
    char error[BACKEND_ERROR_MAX] = "";
    struct case_ test;

    begin(&test);
    test.settings.quarantine_directory = "/nonexistent";
    assert_null(backend_quarantine_new(&test.settings, &test.clock.clock, error));
    assert_string_equal("/nonexistent: No such file or directory", error);
    test.settings.quarantine_directory = test.directory.path;
    test.settings.release = "nowhere";
    assert_null(backend_quarantine_new(&test.settings, &test.clock.clock, error));
    assert_non_null(strstr(error, "release: \"nowhere\" is no place"));
    end(&test);
}

/* A daemon that starts while many messages are dealt with has it soon, and keeps it. */
static void lets_a_daemon_in(UNUSED void **state)
{
    char error[BACKEND_ERROR_MAX] = "", path[200];
    struct case_ test;
    json_t *answer = NULL;
    unsigned status;

    begin(&test);
    snprintf(path, sizeof path, "%s/.lock", test.directory.path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct backend *backend = open_backend(&test);
    const struct ask list = { .segments = { "quarantine" } };
    assert_int_equal(-1, flock(fd, LOCK_EX | LOCK_NB));
    fake_clock_advance(&test.clock, QUARANTINE_HOLD_MS - 1);
    json_decref(ask(backend, &list, 200));
    pid_t child = fork();
    if (child == 0) /* the daemon that waits */
        _exit(flock(open(path, O_RDWR | O_CLOEXEC), LOCK_EX) != 0 || pause() != 0);
    fake_clock_advance(&test.clock, 1);
    while (backend_ask(backend, &list, &status, &answer, error) == BACKEND_OK) {
        json_decref(answer); /* the child may not have come yet */
        fake_clock_advance(&test.clock, QUARANTINE_HOLD_MS);
    }
    assert_non_null(strstr(error, "another process uses it"));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    json_decref(ask(backend, &list, 200));
    backend_free(&backend);
    assert_int_equal(0, flock(fd, LOCK_EX | LOCK_NB));
    close(fd);
    end(&test);
}

/* What root writes belongs to the daemon's user. */
static void leaves_nothing_of_roots(UNUSED void **state)
{
    static struct kept_recipient to[] = { { SLICE_INIT("a@x.example"), SLICE_INIT("") } };
    struct case_ test;
    struct stat about;
    char path[200];

    begin(&test);
    if (geteuid() != 0 || chown(test.directory.path, 65534, 65534) != 0) {
        end(&test);
        skip();
    }
    AUTO_BUF error = BUF_INIT(400);
    struct folder *folder = folder_open(test.directory.path, 0, &test.clock.clock, &error);
    test.kept.recipients = to;
    assert_int_equal(0, folder_update(folder, &test.kept, &error));
    folder_close(&folder);
    static const char *const suffixes[] = { "/.lock", ".json" };
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        snprintf(path, sizeof path, "%s%s%s%s", test.directory.path, i > 0 ? "/" : "",
                 i > 0 ? test.kept.id : "", suffixes[i]);
        assert_int_equal(0, stat(path, &about));
        assert_int_equal(65534, about.st_uid);
        assert_int_equal(65534, about.st_gid);
    }
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_the_daemon_does),
        cmocka_unit_test(makes_no_directory),
        cmocka_unit_test(lets_a_daemon_in),
        cmocka_unit_test(leaves_nothing_of_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
