/* tests/unit/release/test_outbox.c - edited copies are sent until they are taken; none is lost. */
#include "contentd/release/outbox.h"

#include <limits.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "common/mime/mime.h"
#include "tests/fakes/mail_message.h"
#include "tests/fakes/shown_metric.h"
#include "tests/fakes/smtp_server.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

struct case_ {
    struct temporary directory, quarantine_directory;
    struct smtp_server *server;
    struct release *release;
    struct quarantine *quarantine;
    struct outbox *outbox;
    struct message *message;
    struct source source;
    struct outbox_settings settings;
    struct buf error;
};

enum { WAITS_MAX = 20000 };

static void moment(void)
{
    nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

static void start(struct case_ *test)
{
    test->outbox =
        outbox_start(&test->settings, test->release, test->quarantine, &clock_system, &test->error);
    if (test->outbox == NULL)
        fail_msg("%s", buf_text(&test->error));
}

static void begin_in(struct case_ *test, const struct smtp_script *script)
{
    test->error = (struct buf)BUF_INIT(1000);
    temporary_make(&test->quarantine_directory);
    test->server = smtp_server_start(script);
    test->release = release_new(smtp_server_place(test->server), SLICE("me"), &test->error);
    const struct quarantine_settings settings = { test->quarantine_directory.path, 1 << 20, DAY,
                                                  0 };
    test->quarantine = quarantine_open(&settings, &clock_system, &test->error);
    test->message = mail_message_new(SLICE("Subject: x\n\nbody\r\n"), "a@b.example");
    test->source = source_of_message(test->message);
    test->settings = (struct outbox_settings){ .directory = test->directory.path,
                                               .size_max = 1 << 20,
                                               .age_max_ms = DAY,
                                               .retry_min_ms = 1,
                                               .retry_max_ms = 10,
                                               .connections = 4 };
    start(test);
}

static void end(struct case_ *test)
{
    outbox_stop(&test->outbox);
    quarantine_close(&test->quarantine);
    release_free(&test->release);
    smtp_server_stop(&test->server);
    temporary_remove(&test->directory);
    temporary_remove(&test->quarantine_directory);
    message_unref(&test->message);
    buf_free(&test->error);
}

static void begin(struct case_ *test, const struct smtp_script *script)
{
    *test = (struct case_){ .outbox = NULL };
    temporary_make(&test->directory);
    begin_in(test, script);
}

/* A copy for a@, b@ and c@x.example. */
static void put(struct case_ *test, struct kept *kept)
{
    static struct kept_recipient to[] = {
        { SLICE_INIT("a@x.example"), SLICE_INIT("") },
        { SLICE_INIT("b@x.example"), SLICE_INIT("") },
        { SLICE_INIT("c@x.example"), SLICE_INIT("") },
    };

    *kept = (struct kept){ .sender = SLICE("s@x.example"),
                           .sender_arguments = SLICE(""),
                           .recipients = to,
                           .recipient_count = COUNT(to) };
    assert_int_equal(0, outbox_put(test->outbox, kept, &test->source, &test->error));
}

/* Until no more than `count` copies are left. */
static void wait_for_count(struct case_ *test, size_t count)
{
    for (unsigned i = 0; outbox_count(test->outbox) > count; i++) {
        assert_true(i < WAITS_MAX);
        moment();
    }
}

/* Puts a copy that the MTA has confirmed: it is sent. */
static void send_one(struct case_ *test)
{
    struct kept kept;

    put(test, &kept);
    outbox_send(test->outbox, kept.id);
}

/* The same, and waits until nothing is left to send. */
static void send_all(struct case_ *test)
{
    send_one(test);
    wait_for_count(test, 0);
}

static size_t lines_with(struct case_ *test, const char *text)
{
    AUTO_BUF lines = smtp_server_lines(test->server);
    size_t count = 0;

    for (const char *at = buf_text(&lines); (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

static void wait_for_lines(struct case_ *test, const char *text, size_t count)
{
    for (unsigned i = 0; lines_with(test, text) < count; i++) {
        assert_true(i < WAITS_MAX);
        moment();
    }
}

/* An SMTP server that gives `reply` to a line the first `times` times, whichever of its threads are asked. */
struct moody {
    const char *line, *reply;
    _Atomic unsigned times;
};

enum { ALWAYS = 1000000 };

static const char *moody_reply(void *arg, const char *line)
{
    struct moody *moody = arg;
    unsigned left = strcmp(line, moody->line) == 0 ? atomic_load(&moody->times) : 0;

    while (left > 0 && !atomic_compare_exchange_weak(&moody->times, &left, left - 1))
        ;
    return left > 0 ? moody->reply : NULL;
}

static void begin_moody(struct case_ *test, struct moody *moody)
{
    begin(test, &(struct smtp_script){ NULL, moody_reply, moody });
}

static void sends_when_the_mta_has_confirmed(UNUSED void **state)
{
    struct case_ test;
    struct kept kept, other;

    begin(&test, NULL);
    put(&test, &kept);
    put(&test, &other);
    outbox_send(test.outbox, kept.id);
    wait_for_lines(&test, "DATA", 1);
    outbox_drop(test.outbox, other.id);
    wait_for_count(&test, 0);
    assert_int_equal(1, smtp_server_count(test.server));
    assert_int_equal(3, lines_with(&test, "RCPT TO"));
    AUTO_BUF message = smtp_server_message(test.server, 0);
    assert_string_equal("Subject: x\r\n\r\nbody\r\n", buf_text(&message));
    assert_int_equal(0, temporary_count(&test.directory));
    assert_int_equal(0, temporary_count(&test.quarantine_directory));
    end(&test);
}

static void tries_again(UNUSED void **state)
{
    static const struct moody moods[] = {
        { "", "421 busy\r\n", 3 },       { "", "", 3 },
        { "DATA", "451 later\r\n", 3 },  { ".", "", 3 },
        { ".", "452 disk full\r\n", 3 }, { "MAIL FROM:<s@x.example> SIZE=20", "450 x\r\n", 3 },
    };

    for (size_t i = 0; i < COUNT(moods); i++) {
        struct moody moody = moods[i];
        struct case_ test;
        begin_moody(&test, &moody);
        send_all(&test);
        if (smtp_server_count(test.server) != 1 || temporary_count(&test.quarantine_directory) != 0)
            fail_msg("%s %s", moods[i].line, moods[i].reply);
        end(&test);
    }
}

static void sends_to_each_once(UNUSED void **state)
{
    struct moody moody = { "RCPT TO:<b@x.example>", "450 4.2.0 greylisted\r\n", 2 };
    struct case_ test;

    begin_moody(&test, &moody);
    send_all(&test);
    assert_int_equal(1, lines_with(&test, "RCPT TO:<a@x.example>"));
    assert_int_equal(3, lines_with(&test, "RCPT TO:<b@x.example>"));
    assert_int_equal(1, lines_with(&test, "RCPT TO:<c@x.example>"));
    assert_int_equal(2, smtp_server_count(test.server));
    end(&test);
}

/* The one entry of the quarantine. */
static void read_quarantined(struct case_ *test, struct arena *arena, struct kept *out)
{
    char ids[2][KEPT_ID_LEN + 1];
    struct folder *folder = quarantine_folder(test->quarantine);

    assert_int_equal(1, folder_list(folder, SLICE(""), false, 2, ids));
    assert_int_equal(FOLDER_OK, folder_read(folder, slice_of(ids[0]), arena, out, &test->error));
}

static void what_is_refused_goes_to_the_quarantine(UNUSED void **state)
{
    struct moody moody = { "RCPT TO:<b@x.example>", "550 5.1.1 no such user\r\n", ALWAYS };
    struct arena *arena = arena_new(1 << 20);
    struct case_ test;
    struct kept aside;

    begin_moody(&test, &moody);
    send_all(&test);
    assert_int_equal(1, smtp_server_count(test.server));
    read_quarantined(&test, arena, &aside);
    assert_int_equal(1, aside.recipient_count);
    assert_slice("b@x.example", aside.recipients[0].address);
    assert_slice("edited copy not deliverable: 550 5.1.1 no such user", aside.reason);
    arena_free(&arena);
    end(&test);
}

static void what_is_never_taken_goes_to_the_quarantine(UNUSED void **state)
{
    struct moody moody = { "", "421 busy\r\n", ALWAYS };
    struct arena *arena = arena_new(1 << 20);
    struct case_ test;
    struct kept aside;

    begin_moody(&test, &moody);
    outbox_stop(&test.outbox);
    test.settings.age_max_ms = 50;
    start(&test);
    send_all(&test);
    read_quarantined(&test, arena, &aside);
    assert_int_equal(3, aside.recipient_count);
    assert_slice("edited copy not deliverable: 421 busy", aside.reason);
    arena_free(&arena);
    end(&test);
}

static void survives_a_restart(UNUSED void **state)
{
    struct moody moody = { "", "421 busy\r\n", ALWAYS };
    struct case_ test;
    struct kept held;

    begin_moody(&test, &moody);
    send_one(&test);
    put(&test, &held); /* never confirmed: the MTA may have had its answer */
    outbox_stop(&test.outbox);
    assert_int_equal(6, temporary_count(&test.directory));
    smtp_server_set(test.server, NULL);
    start(&test);
    wait_for_count(&test, 0);
    assert_int_equal(2, smtp_server_count(test.server));
    end(&test);
}

static void stops_while_a_listener_hangs(UNUSED void **state)
{
    struct moody moody = { "DATA", "hang", 1 };
    struct case_ test;

    begin_moody(&test, &moody);
    send_one(&test);
    wait_for_lines(&test, "DATA", 1);
    outbox_stop(&test.outbox);
    assert_int_equal(3, temporary_count(&test.directory));
    start(&test);
    wait_for_count(&test, 0);
    assert_int_equal(1, smtp_server_count(test.server));
    end(&test);
}

/* The listener has the whole message, and answers late. */
static const char *late_reply(void *arg, const char *line)
{
    static const struct timespec while_ = { 0, 300000000 };
    atomic_bool *is_asked = arg;

    if (strcmp(line, ".") != 0)
        return NULL;
    atomic_store(is_asked, true);
    nanosleep(&while_, NULL);
    return NULL;
}

static void stopping_sends_nothing_twice(UNUSED void **state)
{
    atomic_bool is_asked = false;
    struct case_ test;

    begin(&test, &(struct smtp_script){ NULL, late_reply, &is_asked });
    send_one(&test);
    while (!atomic_load(&is_asked))
        moment();
    outbox_stop(&test.outbox);
    assert_int_equal(0, temporary_count(&test.directory));
    assert_int_equal(1, smtp_server_count(test.server));
    end(&test);
}

/* Whatever cut it: a part of a message is not the message. */
static void sends_nothing_that_is_damaged(UNUSED void **state)
{
    struct case_ test;
    struct kept kept;
    char path[512];

    begin(&test, NULL);
    put(&test, &kept);
    snprintf(path, sizeof path, "%s/%s.eml", test.directory.path, kept.id);
    assert_int_equal(0, truncate(path, 5));
    outbox_send(test.outbox, kept.id);
    send_one(&test);
    wait_for_count(&test, 1);
    outbox_stop(&test.outbox);
    assert_int_equal(3, temporary_count(&test.directory));
    assert_int_equal(1, smtp_server_count(test.server));
    end(&test);
}

/* Nobody knows for whom it was: somebody has to say. */
static void what_lost_its_description_goes_to_the_quarantine(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct case_ test;
    struct kept kept, aside;
    char name[50];

    begin(&test, NULL);
    put(&test, &kept);
    snprintf(name, sizeof name, "%s.json", kept.id);
    temporary_put(&test.directory, name, "{");
    outbox_send(test.outbox, kept.id);
    wait_for_count(&test, 0);
    outbox_stop(&test.outbox);
    assert_int_equal(0, smtp_server_count(test.server));
    read_quarantined(&test, arena, &aside);
    assert_int_equal(0, aside.recipient_count);
    assert_slice("edited copy: the description is lost: it is no JSON object", aside.reason);
    assert_slice("x", aside.subject);
    assert_int_equal(20, aside.size);
    arena_free(&arena);
    end(&test);
}

/* ---- several at the same time ---- */

/* A copy for one recipient, sent. */
static void send_to_one(struct case_ *test, const char *address)
{
    struct kept_recipient to = { slice_of(address), SLICE("") };
    struct kept kept = { .sender = SLICE("s@x.example"),
                         .sender_arguments = SLICE(""),
                         .recipients = &to,
                         .recipient_count = 1 };

    assert_int_equal(0, outbox_put(test->outbox, &kept, &test->source, &test->error));
    outbox_send(test->outbox, kept.id);
}

static const char *hang_for_one(UNUSED void *arg, const char *line)
{
    return strcmp(line, "RCPT TO:<hang@x.example>") == 0 ? "hang" : NULL;
}

static void one_that_hangs_holds_up_nobody(UNUSED void **state)
{
    const struct smtp_script script = { NULL, hang_for_one, NULL };
    struct case_ test;

    begin(&test, &script);
    for (unsigned i = 0; i < 3; i++)
        send_to_one(&test, "hang@x.example");
    wait_for_lines(&test, "RCPT TO:<hang@x.example>", 3);
    for (unsigned i = 0; i < 20; i++)
        send_to_one(&test, "good@x.example");
    wait_for_count(&test, 3);
    assert_int_equal(20, smtp_server_count(test.server));
    assert_int_equal(3, lines_with(&test, "RCPT TO:<hang@x.example>"));
    outbox_stop(&test.outbox); /* all of them are broken off */
    assert_int_equal(6, temporary_count(&test.directory));
    smtp_server_set(test.server, NULL);
    start(&test);
    wait_for_count(&test, 0);
    assert_int_equal(23, smtp_server_count(test.server));
    end(&test);
}

/* "hang3@...": the first time it says so, later it hangs. */
struct moodier {
    atomic_bool was_asked[10];
};

static const char *hang_later(void *arg, const char *line)
{
    struct moodier *moodier = arg;
    struct slice rest = slice_of(line), begin = SLICE("RCPT TO:<hang");

    if (!slice_starts_with(rest, begin))
        return NULL;
    size_t which = (size_t)(rest.ptr[begin.len] - '0');
    return atomic_exchange(&moodier->was_asked[which], true) ? "hang" : "450 4.2.0 later\r\n";
}

static void those_tried_in_vain_leave_half_of_the_connections(UNUSED void **state)
{
    struct moodier moodier = { .was_asked = { false } };
    const struct smtp_script script = { NULL, hang_later, &moodier };
    struct case_ test;
    char address[40];

    begin(&test, &script);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(address, sizeof address, "hang%u@x.example", i);
        send_to_one(&test, address);
    }
    wait_for_lines(&test, "RCPT TO:<hang", 12);
    for (unsigned i = 0; i < 20; i++)
        send_to_one(&test, "good@x.example");
    wait_for_count(&test, 10);
    assert_int_equal(20, smtp_server_count(test.server));
    assert_int_equal(12, lines_with(&test, "RCPT TO:<hang"));
    end(&test);
}

static void each_copy_is_sent_once(UNUSED void **state)
{
    enum { COPIES = 200 };
    struct case_ test;
    char address[40];

    begin(&test, NULL);
    for (unsigned i = 0; i < COPIES; i++) {
        snprintf(address, sizeof address, "r%u@x.example", i);
        send_to_one(&test, address);
    }
    wait_for_count(&test, 0);
    assert_int_equal(COPIES, smtp_server_count(test.server));
    for (unsigned i = 0; i < COPIES; i++) {
        snprintf(address, sizeof address, "RCPT TO:<r%u@x.example>", i);
        assert_int_equal(1, lines_with(&test, address));
    }
    end(&test);
}

/* A copy is on its way, and nothing more can be written; nor into its spare room, unless it has that. False: no such disk here. */
static bool send_on_a_full_disk(struct case_ *test, const struct smtp_script *script,
                                struct kept *kept, bool has_spare)
{
    char path[512];

    if (!temporary_make_disk(&test->directory, "64k")) {
        temporary_remove(&test->directory);
        return false;
    }
    begin_in(test, script);
    put(test, kept);
    snprintf(path, sizeof path, "%s/%s.spare", test->directory.path, kept->id);
    if (!has_spare)
        assert_int_equal(0, unlink(path));
    temporary_fill(&test->directory);
    outbox_send(test->outbox, kept->id);
    return true;
}

static void make_room(const struct case_ *test)
{
    char path[512];

    snprintf(path, sizeof path, "%s/fill", test->directory.path);
    assert_int_equal(0, unlink(path));
}

/* Some have taken it, and the disk is full when that is to be written down. */
static void nobody_gets_it_twice_when_the_disk_is_full(UNUSED void **state)
{
    for (unsigned has_spare = 0; has_spare < 2; has_spare++) {
        struct moody moody = { "RCPT TO:<b@x.example>", "450 4.2.0 greylisted\r\n", UINT_MAX };
        const struct smtp_script script = { NULL, moody_reply, &moody };
        struct case_ test = { .outbox = NULL };
        struct kept kept;
        if (!send_on_a_full_disk(&test, &script, &kept, has_spare != 0))
            skip();
        wait_for_lines(&test, "RCPT TO:<b@x.example>", 5);
        if (has_spare) { /* it is written down */
            outbox_stop(&test.outbox);
            start(&test);
        }
        wait_for_lines(&test, "RCPT TO:<b@x.example>", 8);
        make_room(&test);
        wait_for_lines(&test, "RCPT TO:<b@x.example>", 12);
        outbox_stop(&test.outbox); /* now it is, in any case */
        start(&test);
        smtp_server_set(test.server, NULL);
        wait_for_count(&test, 0);
        assert_int_equal(2, smtp_server_count(test.server));
        assert_int_equal(1, lines_with(&test, "RCPT TO:<a@x.example>"));
        assert_int_equal(1, lines_with(&test, "RCPT TO:<c@x.example>"));
        assert_int_equal(0, temporary_count(&test.directory));
        assert_int_equal(0, temporary_count(&test.quarantine_directory));
        end(&test);
    }
    assert_true(shown_metric("gatehouse_outbox_record_errors_total") > 0);
}

static const char *refuse_b_defer_c(UNUSED void *arg, const char *line)
{
    if (strcmp(line, "RCPT TO:<b@x.example>") == 0)
        return "550 5.1.1 no such user\r\n";
    return strcmp(line, "RCPT TO:<c@x.example>") == 0 ? "450 4.2.0 greylisted\r\n" : NULL;
}

/* What was refused for ever is in the quarantine once, too, when that cannot be written down. */
static void nobody_has_it_in_the_quarantine_twice(UNUSED void **state)
{
    const struct smtp_script script = { NULL, refuse_b_defer_c, NULL };
    struct case_ test = { .outbox = NULL };
    struct kept kept;

    if (!send_on_a_full_disk(&test, &script, &kept, false))
        skip();
    wait_for_lines(&test, "RCPT TO:<c@x.example>", 6);
    smtp_server_set(test.server, NULL);
    wait_for_count(&test, 0); /* removing needs no room */
    assert_int_equal(2, smtp_server_count(test.server));
    assert_int_equal(1, lines_with(&test, "RCPT TO:<b@x.example>"));
    assert_int_equal(2, temporary_count(&test.quarantine_directory));
    end(&test);
}

static void makes_no_room_when_it_is_full(UNUSED void **state)
{
    struct case_ test;
    struct kept kept = { .reason = SLICE("") };

    begin(&test, NULL);
    outbox_stop(&test.outbox);
    test.settings.size_max = 10;
    start(&test);
    assert_int_equal(-1, outbox_put(test.outbox, &kept, &test.source, &test.error));
    assert_non_null(strstr(buf_text(&test.error), "full"));
    assert_int_equal(0, temporary_count(&test.directory));
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_when_the_mta_has_confirmed),
        cmocka_unit_test(tries_again),
        cmocka_unit_test(sends_to_each_once),
        cmocka_unit_test(what_is_refused_goes_to_the_quarantine),
        cmocka_unit_test(what_is_never_taken_goes_to_the_quarantine),
        cmocka_unit_test(survives_a_restart),
        cmocka_unit_test(stops_while_a_listener_hangs),
        cmocka_unit_test(stopping_sends_nothing_twice),
        cmocka_unit_test(sends_nothing_that_is_damaged),
        cmocka_unit_test(what_lost_its_description_goes_to_the_quarantine),
        cmocka_unit_test(one_that_hangs_holds_up_nobody),
        cmocka_unit_test(those_tried_in_vain_leave_half_of_the_connections),
        cmocka_unit_test(each_copy_is_sent_once),
        cmocka_unit_test(nobody_gets_it_twice_when_the_disk_is_full),
        cmocka_unit_test(nobody_has_it_in_the_quarantine_twice),
        cmocka_unit_test(makes_no_room_when_it_is_full),
    };

    mime_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
