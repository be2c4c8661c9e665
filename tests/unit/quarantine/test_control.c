/* tests/unit/quarantine/test_control.c - the quarantine in the control API: list, show, message, release, delete. */
#include "contentd/quarantine/control.h"

#include <pthread.h>
#include <unistd.h>

#include "common/base/base64.h"
#include "common/mime/mime.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/mail_message.h"
#include "tests/fakes/smtp_server.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

enum { KEPT_COUNT = 3 };

/* A request that waits for its answer. */
struct asking {
    struct control_request request; /* first member */
    struct case_ *test;
    bool is_ours, is_done;
    unsigned status;
    json_t *answer;
};

struct case_ {
    struct temporary directory;
    struct fake_clock clock;
    struct quarantine *quarantine;
    struct smtp_server *server;
    struct release *release;
    struct worker *worker;
    struct keeper *keeper;
    struct kept kept[KEPT_COUNT];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_ready;
    struct buf error;
};

static void set_ready(struct case_ *test, bool *flag)
{
    pthread_mutex_lock(&test->lock);
    *flag = true;
    pthread_cond_broadcast(&test->changed);
    pthread_mutex_unlock(&test->lock);
}

static void wait_for(struct case_ *test, const bool *flag)
{
    pthread_mutex_lock(&test->lock);
    while (!*flag)
        pthread_cond_wait(&test->changed, &test->lock);
    pthread_mutex_unlock(&test->lock);
}

/* ---- on the worker's loop ---- */

static void make_keeper(struct worker *worker, void *arg)
{
    struct case_ *test = arg;

    test->keeper = keeper_new(worker, test->quarantine, test->release);
    set_ready(test, &test->is_ready);
}

static void free_keeper(UNUSED struct worker *worker, void *arg)
{
    struct case_ *test = arg;

    keeper_free(&test->keeper);
    set_ready(test, &test->is_ready);
}

static void answered(struct control_request *request, unsigned status, json_t *answer)
{
    struct asking *asking = (struct asking *)request;

    asking->is_ours = true;
    asking->status = status;
    asking->answer = answer;
    set_ready(asking->test, &asking->is_done);
}

static void serve(UNUSED struct worker *worker, void *arg)
{
    struct asking *asking = arg;

    if (!keeper_serve(asking->test->keeper, &asking->request))
        set_ready(asking->test, &asking->is_done);
}

/* ---- the test's thread ---- */

static void begin_in(struct case_ *test, const struct smtp_script *script)
{
    static struct kept_recipient to[] = {
        { SLICE_INIT("a@x.example"), SLICE_INIT("") },
        { SLICE_INIT("b@y.example"), SLICE_INIT("") },
    };
    static const char *const reasons[KEPT_COUNT] = { "virus Eicar", "rule exe", "spam" };
    struct message *message = mail_message_new(SLICE("Subject: x\n\nbody\r\n"), "a@b.example");
    struct source source = source_of_message(message);

    test->error = (struct buf)BUF_INIT(1000);
    pthread_mutex_init(&test->lock, NULL);
    pthread_cond_init(&test->changed, NULL);
    fake_clock_init(&test->clock);
    const struct quarantine_settings settings = { test->directory.path, 1 << 20, 10 * DAY, 0 };
    test->quarantine = quarantine_open(&settings, &test->clock.clock, &test->error);
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        fake_clock_advance(&test->clock, HOUR);
        test->kept[i] = (struct kept){ .sender = i == 2 ? SLICE("") : SLICE("s@z.example"),
                                       .sender_arguments = SLICE(""),
                                       .recipients = to,
                                       .recipient_count = i == 0 ? 1 : 2,
                                       .reason = slice_of(reasons[i]) };
        assert_int_equal(0,
                         quarantine_keep(test->quarantine, &test->kept[i], &source, &test->error));
    }
    message_unref(&message);
    test->server = smtp_server_start(script);
    test->release = release_new(smtp_server_place(test->server), SLICE("me"), &test->error);
    test->worker = worker_new(1, "main", &test->clock.clock, NULL);
    assert_int_equal(0, worker_start(test->worker));
    worker_post(test->worker, make_keeper, test);
    wait_for(test, &test->is_ready);
    assert_non_null(test->keeper);
}

static void begin(struct case_ *test, const struct smtp_script *script)
{
    *test = (struct case_){ .keeper = NULL };
    temporary_make(&test->directory);
    begin_in(test, script);
}

static void end(struct case_ *test)
{
    test->is_ready = false;
    worker_post(test->worker, free_keeper, test);
    wait_for(test, &test->is_ready);
    worker_stop(test->worker);
    worker_join(test->worker);
    worker_free(&test->worker);
    quarantine_close(&test->quarantine);
    release_free(&test->release);
    smtp_server_stop(&test->server);
    temporary_remove(&test->directory);
    buf_free(&test->error);
}

/* Parameters are name, value, ..., NULL. The answer is the caller's. */
static json_t *ask(struct case_ *test, enum control_method method, const char *id, const char *last,
                   const char *const *params, unsigned want_status)
{
    struct asking asking = { .request = { .method = method, .reply = answered }, .test = test };
    struct control_request *request = &asking.request;

    request->segments[request->segment_count++] = SLICE("quarantine");
    if (id != NULL)
        request->segments[request->segment_count++] = slice_of(id);
    if (last != NULL)
        request->segments[request->segment_count++] = slice_of(last);
    for (; params != NULL && params[0] != NULL; params += 2)
        request->params[request->param_count++] =
            (struct control_param){ params[0], slice_of(params[1]) };
    worker_post(test->worker, serve, &asking);
    wait_for(test, &asking.is_done);
    assert_true(asking.is_ours);
    if (asking.status != want_status)
        fail_msg("%u: %s", asking.status, json_dumps(asking.answer, 0));
    return asking.answer;
}

static void gone(struct case_ *test, enum control_method method, const char *id, const char *last,
                 const char *const *params, unsigned want_status)
{
    json_decref(ask(test, method, id, last, params, want_status));
}

/* The reasons in the list, with blanks between. */
static void list_is(struct case_ *test, const char *const *params, const char *want)
{
    AUTO_BUF got = BUF_INIT(1000);
    json_t *answer = ask(test, CONTROL_GET, NULL, NULL, params, 200), *row;
    size_t i;

    json_array_foreach (json_object_get(answer, "messages"), i, row)
        buf_printf(&got, "%s%s", i > 0 ? ", " : "",
                   json_string_value(json_object_get(row, "reason")));
    if (strcmp(want, buf_text(&got)) != 0)
        fail_msg("want %s, got %s", want, buf_text(&got));
    json_decref(answer);
}

#define PARAMS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void lists_the_newest_first(UNUSED void **state)
{
    struct case_ test;

    begin(&test, NULL);
    list_is(&test, NULL, "spam, rule exe, virus Eicar");
    list_is(&test, PARAMS("count", "1"), "spam");
    list_is(&test, PARAMS("after", test.kept[2].id), "rule exe, virus Eicar");
    list_is(&test, PARAMS("after", test.kept[0].id), "");
    list_is(&test, PARAMS("recipient", "A@x.example"), "spam, rule exe, virus Eicar");
    list_is(&test, PARAMS("recipient", "@Y.example"), "spam, rule exe");
    list_is(&test, PARAMS("recipient", "y.example"), "");
    list_is(&test, PARAMS("sender", ""), "spam");
    list_is(&test, PARAMS("sender", "@z.example", "count", "1"), "rule exe");
    list_is(&test, PARAMS("find", "EICAR"), "virus Eicar");
    list_is(&test, PARAMS("older", "3600"), "rule exe, virus Eicar");
    json_t *answer = ask(&test, CONTROL_GET, NULL, NULL, PARAMS("count", "2"), 200);
    assert_string_equal(test.kept[1].id, json_string_value(json_object_get(answer, "next")));
    assert_int_equal(3, json_integer_value(json_object_get(answer, "total")));
    json_decref(answer);
    answer = ask(&test, CONTROL_GET, NULL, NULL, NULL, 200);
    assert_true(json_is_null(json_object_get(answer, "next")));
    json_decref(answer);
    end(&test);
}

static void shows_all_that_is_known(UNUSED void **state)
{
    struct case_ test;

    begin(&test, NULL);
    json_t *answer = ask(&test, CONTROL_GET, test.kept[1].id, NULL, NULL, 200);
    assert_string_equal("rule exe", json_string_value(json_object_get(answer, "reason")));
    assert_int_equal(2, json_array_size(json_object_get(answer, "recipients")));
    json_decref(answer);
    answer = ask(&test, CONTROL_GET, test.kept[1].id, "message", PARAMS("offset", "12"), 200);
    AUTO_BUF bytes = BUF_INIT(1000);
    assert_true(base64_parse(&bytes, slice_of(json_string_value(json_object_get(answer, "data")))));
    assert_string_equal("\r\nbody\r\n", buf_text(&bytes));
    assert_int_equal(20, json_integer_value(json_object_get(answer, "size")));
    json_decref(answer);
    answer = ask(&test, CONTROL_GET, test.kept[1].id, "message", PARAMS("offset", "20"), 200);
    assert_string_equal("", json_string_value(json_object_get(answer, "data")));
    json_decref(answer);
    end(&test);
}

static void deletes(UNUSED void **state)
{
    struct case_ test;

    begin(&test, NULL);
    gone(&test, CONTROL_DELETE, test.kept[1].id, NULL, NULL, 200);
    gone(&test, CONTROL_DELETE, test.kept[1].id, NULL, NULL, 404);
    list_is(&test, NULL, "spam, virus Eicar");
    end(&test);
}

/* Damages the n-th entry: another description. */
static void describe(struct case_ *test, size_t n, const char *text)
{
    char name[50];

    snprintf(name, sizeof name, "%s.json", test->kept[n].id);
    temporary_put(&test->directory, name, text);
}

static void what_is_damaged_stays_in_sight(UNUSED void **state)
{
    struct case_ test;
    json_t *row, *answer;

    begin(&test, NULL);
    describe(&test, 1, "{\"reason\": \"rule exe\"}");
    list_is(&test, NULL, "spam, rule exe, virus Eicar");
    list_is(&test, PARAMS("find", "lost: it is not what was"), "rule exe");
    list_is(&test, PARAMS("recipient", "a@x.example"), "spam, virus Eicar");
    answer = ask(&test, CONTROL_GET, test.kept[1].id, NULL, NULL, 200);
    assert_string_equal("the description is lost: it is not what was written",
                        json_string_value(json_object_get(answer, "damaged")));
    assert_string_equal("x", json_string_value(json_object_get(answer, "subject")));
    json_decref(answer);
    gone(&test, CONTROL_GET, test.kept[1].id, "message", NULL, 200);
    answer = ask(&test, CONTROL_GET, NULL, NULL, PARAMS("count", "1"), 200);
    row = json_array_get(json_object_get(answer, "messages"), 0);
    assert_null(json_object_get(row, "damaged"));
    json_decref(answer);
    /* To whom is not known: somebody says it. */
    gone(&test, CONTROL_POST, test.kept[1].id, "release", NULL, 422);
    gone(&test, CONTROL_POST, test.kept[1].id, "release", PARAMS("recipient", "a@x.example"), 422);
    assert_int_equal(0, smtp_server_count(test.server));
    gone(&test, CONTROL_POST, test.kept[1].id, "release",
         PARAMS("to", "c@x.example", "sender", "s@x.example"), 200);
    AUTO_BUF lines = smtp_server_lines(test.server);
    assert_non_null(strstr(buf_text(&lines), "MAIL FROM:<s@x.example>"));
    assert_non_null(strstr(buf_text(&lines), "RCPT TO:<c@x.example>\nDATA"));
    AUTO_BUF message = smtp_server_message(test.server, 0);
    assert_string_equal("Subject: x\r\n\r\nbody\r\n", buf_text(&message));
    list_is(&test, NULL, "spam, rule exe, virus Eicar");
    gone(&test, CONTROL_DELETE, test.kept[1].id, NULL, NULL, 200);
    list_is(&test, NULL, "spam, virus Eicar");
    end(&test);
}

static void a_part_of_a_message_is_never_released(UNUSED void **state)
{
    struct case_ test;
    char path[512];

    begin(&test, NULL);
    snprintf(path, sizeof path, "%s/%s.eml", test.directory.path, test.kept[1].id);
    assert_int_equal(0, truncate(path, 7));
    gone(&test, CONTROL_POST, test.kept[1].id, "release", NULL, 422);
    gone(&test, CONTROL_POST, test.kept[1].id, "release", PARAMS("to", "c@x.example"), 500);
    gone(&test, CONTROL_GET, test.kept[1].id, "message", NULL, 200);
    assert_int_equal(0, unlink(path));
    gone(&test, CONTROL_POST, test.kept[1].id, "release", PARAMS("to", "c@x.example"), 500);
    gone(&test, CONTROL_GET, test.kept[1].id, "message", NULL, 500);
    gone(&test, CONTROL_GET, test.kept[1].id, NULL, NULL, 200);
    list_is(&test, NULL, "spam, rule exe, virus Eicar");
    assert_int_equal(0, smtp_server_count(test.server));
    gone(&test, CONTROL_DELETE, test.kept[1].id, NULL, NULL, 200);
    end(&test);
}

static void refuses_what_it_does_not_know(UNUSED void **state)
{
    struct case_ test;

    begin(&test, NULL);
    gone(&test, CONTROL_GET, "../../../etc/passwd00", NULL, NULL, 404);
    gone(&test, CONTROL_GET, "0123456789abcdefghjk", "message", NULL, 404);
    gone(&test, CONTROL_POST, "0123456789abcdefghjk", "release", NULL, 404);
    gone(&test, CONTROL_GET, test.kept[0].id, "other", NULL, 404);
    gone(&test, CONTROL_GET, test.kept[0].id, "release", NULL, 405);
    gone(&test, CONTROL_PUT, NULL, NULL, NULL, 405);
    gone(&test, CONTROL_GET, NULL, NULL, PARAMS("count", "0"), 400);
    gone(&test, CONTROL_GET, NULL, NULL, PARAMS("count", "1001"), 400);
    gone(&test, CONTROL_GET, NULL, NULL, PARAMS("older", "-1"), 400);
    end(&test);
}

static size_t size_of(json_t *answer, const char *name)
{
    return json_array_size(json_object_get(answer, name));
}

static void releases(UNUSED void **state)
{
    struct case_ test;

    begin(&test, NULL);
    gone(&test, CONTROL_POST, test.kept[1].id, "release", PARAMS("to", ""), 422);
    assert_int_equal(0, smtp_server_count(test.server));
    json_t *answer = ask(&test, CONTROL_POST, test.kept[1].id, "release", NULL, 200);
    assert_int_equal(2, size_of(answer, "released"));
    assert_int_equal(0, size_of(answer, "refused"));
    assert_int_equal(0, json_integer_value(json_object_get(answer, "kept")));
    assert_null(json_object_get(answer, "error"));
    assert_null(json_object_get(answer, "unrecorded"));
    json_decref(answer);
    list_is(&test, NULL, "spam, virus Eicar");
    AUTO_BUF message = smtp_server_message(test.server, 0);
    assert_string_equal("Subject: x\r\n\r\nbody\r\n", buf_text(&message));
    /* for one of them */
    gone(&test, CONTROL_POST, test.kept[2].id, "release", PARAMS("recipient", "B@y.example"), 200);
    list_is(&test, PARAMS("recipient", "b@y.example"), "");
    list_is(&test, PARAMS("recipient", "a@x.example"), "spam, virus Eicar");
    gone(&test, CONTROL_POST, test.kept[2].id, "release", PARAMS("recipient", "B@y.example"), 404);
    /* to somebody else */
    answer =
        ask(&test, CONTROL_POST, test.kept[2].id, "release", PARAMS("to", "me@w.example"), 200);
    assert_int_equal(1, json_integer_value(json_object_get(answer, "kept")));
    json_decref(answer);
    list_is(&test, NULL, "spam, virus Eicar");
    AUTO_BUF lines = smtp_server_lines(test.server);
    assert_non_null(strstr(buf_text(&lines), "RCPT TO:<me@w.example>\n"));
    /* a copy is one, whoever gets it */
    answer = ask(&test, CONTROL_POST, test.kept[2].id, "release", PARAMS("to", "a@x.example"), 200);
    assert_int_equal(1, json_integer_value(json_object_get(answer, "kept")));
    json_decref(answer);
    list_is(&test, PARAMS("recipient", "a@x.example"), "spam, virus Eicar");
    end(&test);
}

static const char *refuse_a(UNUSED void *arg, const char *line)
{
    return strcmp(line, "RCPT TO:<a@x.example>") == 0 ? "550 5.1.1 no such user\r\n" : NULL;
}

static void keeps_what_was_not_taken(UNUSED void **state)
{
    const struct smtp_script script = { NULL, refuse_a, NULL };
    struct case_ test;

    begin(&test, &script);
    json_t *answer = ask(&test, CONTROL_POST, test.kept[1].id, "release", NULL, 200);
    assert_int_equal(1, size_of(answer, "released"));
    assert_int_equal(1, size_of(answer, "refused"));
    assert_int_equal(1, json_integer_value(json_object_get(answer, "kept")));
    json_decref(answer);
    answer = ask(&test, CONTROL_POST, test.kept[1].id, "release", NULL, 502);
    assert_string_equal("the release listener did not take it: 550 5.1.1 no such user",
                        json_string_value(json_object_get(answer, "error")));
    json_decref(answer);
    list_is(&test, PARAMS("recipient", "a@x.example"), "spam, rule exe, virus Eicar");
    end(&test);
}

/* Some have it, and the disk is full when that is to be written down: who asked is told. */
static void says_what_could_not_be_written_down(UNUSED void **state)
{
    struct case_ test = { .keeper = NULL };

    if (!temporary_make_disk(&test.directory, "64k")) {
        temporary_remove(&test.directory);
        skip();
    }
    begin_in(&test, NULL);
    temporary_fill(&test.directory);
    json_t *answer = ask(&test, CONTROL_POST, test.kept[1].id, "release",
                         PARAMS("recipient", "a@x.example"), 200);
    assert_int_equal(1, size_of(answer, "released"));
    assert_non_null(strstr(json_string_value(json_object_get(answer, "unrecorded")), "No space"));
    json_decref(answer);
    list_is(&test, PARAMS("recipient", "a@x.example"), "spam, rule exe, virus Eicar");
    answer = ask(&test, CONTROL_POST, test.kept[1].id, "release", NULL,
                 200); /* removing needs no room */
    assert_null(json_object_get(answer, "unrecorded"));
    json_decref(answer);
    list_is(&test, NULL, "spam, virus Eicar");
    end(&test);
}

static const char *hang(UNUSED void *arg, const char *line)
{
    return strcmp(line, "DATA") == 0 ? "hang" : NULL;
}

static void breaks_off_when_the_daemon_ends(UNUSED void **state)
{
    const struct smtp_script script = { NULL, hang, NULL };
    struct asking first = { .request = { .method = CONTROL_POST, .reply = answered } };
    struct asking second = { .request = { .method = CONTROL_GET, .reply = answered } };
    struct case_ test;

    begin(&test, &script);
    first.test = second.test = &test;
    first.request.segments[0] = second.request.segments[0] = SLICE("quarantine");
    first.request.segments[1] = slice_of(test.kept[1].id);
    first.request.segments[2] = SLICE("release");
    first.request.segment_count = 3;
    second.request.segment_count = 1;
    worker_post(test.worker, serve, &first);
    for (bool hangs = false; !hangs;) {
        AUTO_BUF lines = smtp_server_lines(test.server);
        hangs = strstr(buf_text(&lines), "DATA") != NULL;
    }
    worker_post(test.worker, serve, &second);
    char id[KEPT_ID_LEN + 1];
    memcpy(id, test.kept[1].id, sizeof id);
    test.is_ready = false;
    worker_post(test.worker, free_keeper, &test);
    wait_for(&test, &first.is_done);
    wait_for(&test, &second.is_done);
    wait_for(&test, &test.is_ready);
    assert_int_equal(502, first.status);
    assert_int_equal(503, second.status);
    json_decref(first.answer);
    json_decref(second.answer);
    assert_true(temporary_has(&test.directory, id, ".json"));
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_the_newest_first),
        cmocka_unit_test(shows_all_that_is_known),
        cmocka_unit_test(deletes),
        cmocka_unit_test(what_is_damaged_stays_in_sight),
        cmocka_unit_test(a_part_of_a_message_is_never_released),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(releases),
        cmocka_unit_test(keeps_what_was_not_taken),
        cmocka_unit_test(says_what_could_not_be_written_down),
        cmocka_unit_test(breaks_off_when_the_daemon_ends),
    };

    mime_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
