/* tests/unit/milter/test_session.c - whatever the MTA says in whatever order: each message's hooks are called in theirs,
 * message_gone last and once, and the answers are what hooks and bounds ask for. */
#include "tests/unit/unit.h"

#include "common/milter/milter_private.h"
#include "common/run/descriptors.h"

enum { TRACE_MAX = 1000 };

/* Steps, one letter each: C connect, H helo, M mail, R rcpt, L header, N end of headers, B body, E end, A abort, Q another
 * client follows; S sent, F not sent.
 * Trace: a letter for each hook (c h m r n b e, X too large, T no room, s sent, f not sent, g gone, d disconnected), and behind `=` an answer that
 * is not `continue`: a accept, r reject, t tempfail, d discard. */
struct bench {
    struct milter_shared shared;
    struct milter_settings settings;
    struct milter_session *session;
    struct buf trace;
    struct buf refusal;
    const struct milter_reply *reply; /* of `end`; NULL: as `say` says */
    const char *say; /* pairs: a hook's letter, its answer's */
    bool edits_fail, is_gone;
    size_t edits, progress, wakes;
    struct edits wanted; /* by `end` */
    enum { AT_ONCE, LATER, ON_THREAD, TWICE_LATER, WAYS } way; /* in which hooks answer */
    struct milter_reply kept; /* the answer that comes later */
};

static struct bench bench;

static struct milter_reply say_kept(UNUSED struct milter_session *session)
{
    return bench.kept;
}

static struct milter_reply say_later(UNUSED struct milter_session *session)
{
    return (struct milter_reply){ .action = MILTER_LATER };
}

/* What a hook says that means this. */
static struct milter_reply reply_by(struct milter_reply reply)
{
    bench.kept = reply;
    switch (bench.way) {
    case LATER:
        return say_later(bench.session);
    case ON_THREAD:
        return milter_session_on_thread(bench.session, say_kept);
    case TWICE_LATER:
        return milter_session_on_thread(bench.session, say_later);
    case AT_ONCE:
    case WAYS:
        break;
    }
    return reply;
}

/* What a connection does about MILTER_LATER. */
static enum milter_action await(struct milter_session *session, enum milter_action action)
{
    while (action == MILTER_LATER) {
        if (session_has_work(session))
            session_work(session);
        if (!session_is_answered(session))
            milter_session_answer(session, &bench.kept);
        action = session_go_on(session);
    }
    return action;
}

static struct milter_reply trace(char hook)
{
    static const char answers[] = "-artd";
    struct milter_reply reply = { .action = MILTER_CONTINUE };

    buf_put_char(&bench.trace, hook);
    for (const char *at = bench.say; at[0] != '\0'; at += 2)
        if (at[0] == hook)
            reply.action = (enum milter_action)(strchr(answers, at[1]) - answers);
    return reply;
}

static struct milter_reply on_connect(UNUSED struct milter_session *session)
{
    return reply_by(trace('c'));
}

static struct milter_reply on_helo(UNUSED struct milter_session *session)
{
    return reply_by(trace('h'));
}

static struct milter_reply on_sender(struct milter_session *session)
{
    assert_non_null(milter_session_message(session));
    return reply_by(trace('m'));
}

static struct milter_reply on_recipient(struct milter_session *session, size_t n)
{
    assert_int_equal(n + 1, milter_session_message(session)->recipient_count);
    return reply_by(trace('r'));
}

static struct milter_reply on_headers(UNUSED struct milter_session *session)
{
    return reply_by(trace('n'));
}

static void on_body(UNUSED struct milter_session *session)
{
    trace('b');
}

static struct milter_reply on_end(struct milter_session *session)
{
    struct edit edit = { .kind = EDIT_ADD_HEADER, .name = SLICE("A"), .text = SLICE("b") };

    assert_true(message_is_whole(milter_session_message(session)));
    edits_init(&bench.wanted);
    edits_add(&bench.wanted, milter_session_message(session)->arena, &edit);
    assert_int_equal(bench.is_gone ? -1 : 0, milter_session_progress(session));
    struct milter_reply reply = trace('e');
    if (bench.reply != NULL)
        reply = *bench.reply;
    reply.edits = &bench.wanted;
    return reply_by(reply);
}

static struct milter_reply on_sent(struct milter_session *session, bool ok)
{
    assert_non_null(milter_session_message(session));
    return reply_by(trace(ok ? 's' : 'f'));
}

static void on_gone(struct milter_session *session)
{
    assert_non_null(milter_session_message(session));
    trace('g');
}

static void on_disconnect(UNUSED struct milter_session *session)
{
    trace('d');
}

static void on_failed(struct milter_session *session, enum milter_action action)
{
    assert_non_null(milter_session_message(session));
    trace(action == MILTER_REJECT ? 'X' : 'T');
}

static const struct milter_hooks hooks = {
    on_connect, on_helo, on_sender, on_recipient, on_headers, false,
    on_body,    on_end,  on_failed, on_sent,      on_gone,    on_disconnect,
};

/* ---- the carrier ---- */

static struct slice get_macro(UNUSED void *carrier, const char *name)
{
    return strcmp(name, "i") == 0 ? SLICE("4Xk2Lq") : (struct slice){ NULL, 0 };
}

static bool take_edits(UNUSED void *carrier, const struct edits *edits)
{
    bench.edits += edits->count;
    return !bench.edits_fail;
}

static void take_reply(UNUSED void *carrier, const struct buf *text)
{
    buf_clear(&bench.refusal);
    buf_add(&bench.refusal, buf_slice(text));
}

static int say_progress(UNUSED void *carrier, bool may_say)
{
    bench.progress += may_say;
    return bench.is_gone ? -1 : 0;
}

static void note_answer(enum milter_action action)
{
    static const char answers[] = "-artd";

    if (action != MILTER_CONTINUE)
        buf_printf(&bench.trace, "=%c", answers[action]);
}

static void note_wake(UNUSED void *carrier)
{
    bench.wakes++;
}

static const struct session_link fake_link = { get_macro, take_edits, take_reply, say_progress,
                                               note_wake };

static enum milter_action step(char letter)
{
    struct session_client client = { SLICE("client"), SLICE("192.0.2.1"), 25 };
    struct milter_session *session = bench.session;

    switch (letter) {
    case 'C':
        return session_connect(session, &client);
    case 'H':
        return session_helo(session, SLICE("client"));
    case 'M':
        return session_sender(session, SLICE("<a@example.net>"), NULL, 0);
    case 'R':
        return session_recipient(session, SLICE("<b@example.org>"), NULL, 0);
    case 'L':
        session_header(session, SLICE("Subject"), SLICE("hello"));
        return MILTER_CONTINUE;
    case 'N':
        return session_headers_end(session);
    case 'B':
        session_body(session, SLICE("12345"));
        return MILTER_CONTINUE;
    case 'E':
        return session_end(session);
    case 'A':
        session_abort(session);
        return MILTER_CONTINUE;
    case 'Q':
        session_reset(session);
        return MILTER_CONTINUE;
    default:
        return session_sent(session, letter == 'S');
    }
}

static int copy_settings(UNUSED struct arena *arena, struct milter_settings *out)
{
    *out = bench.settings;
    return 0;
}

static int setup(UNUSED void **state)
{
    bench = (struct bench){
        .shared = { .hooks = &hooks, .admission = admission_new(), .settings = copy_settings },
        .settings = { .spool_directory = SLICE("/tmp"),
                      .message_memory = 1000,
                      .message_size_max = 12,
                      .max_sessions = 2 },
        .trace = BUF_INIT(TRACE_MAX),
        .refusal = BUF_INIT(TRACE_MAX),
        .say = "",
    };
    milter_metrics_register(&bench.shared.metrics);
    bench.session = session_new(&bench.shared, NULL, &fake_link, &bench);
    return 0;
}

static int teardown(UNUSED void **state)
{
    session_free(&bench.session);
    admission_free(&bench.shared.admission);
    buf_free(&bench.trace);
    buf_free(&bench.refusal);
    return 0;
}

/* The trace of these steps and of the session's end. */
static const char *run(const char *steps, const char *say)
{
    buf_clear(&bench.trace);
    bench.say = say;
    for (; *steps != '\0'; steps++)
        note_answer(await(bench.session, step(*steps)));
    await(bench.session, session_sent(bench.session, false)); /* as a lost connection does */
    session_free(&bench.session);
    bench.session = session_new(&bench.shared, NULL, &fake_link, &bench);
    return buf_text(&bench.trace);
}

static const struct {
    const char *what, *steps, *say, *want;
} cases[] = {
    { "a message", "CHMRLNBBES", "", "chmrnbbesgd" },
    { "two messages", "CHMRNBESMRRNES", "", "chmrnbesgmrrnesgd" },
    { "nothing at all", "", "", "" },
    { "a connection alone", "CH", "", "chd" },
    { "the answer is not taken", "CMNEF", "", "cmnefgd" },
    { "gone before it is taken", "CMNE", "", "cmnefgd" },
    { "aborted", "CMRLNBA", "", "cmrnbgd" },
    { "aborted without a message", "CA", "", "cd" },
    { "aborted at once", "CMAMNES", "", "cmgmnesgd" },
    { "lost in the middle", "CMR", "", "cmrgd" },
    { "MAIL twice", "CMMNES", "", "cmgmnesgd" },
    { "HELO again", "CHMH", "", "chmghd" },
    { "another client", "CHMQCMNES", "", "chmgdcmnesgd" },
    { "connect twice", "CC", "", "cdcd" },
    { "all before MAIL", "RLNBES", "", "" },
    { "the end twice", "CMNESES", "", "cmnesgd" },
    { "recipient after the header", "CMNRES", "", "cmnesgd" },
    { "header twice", "CMNNES", "", "cmnesgd" },
    { "body before the end of the header", "CMBNES", "", "cmnesgd" },
    { "the end without the header's", "CME", "", "cmTg=td" },
    { "accepted connection", "CHMR", "ha", "ch=a=ad" },
    { "refused connection", "CH", "cr", "c=rhd" },
    { "MAIL without a client", "MNES", "", "=t" },
    { "HELO without a client", "HM", "", "=t" },
    { "refused HELO", "CHMNES", "ht", "ch=tmnesgd" },
    { "a connection cannot be discarded", "CM", "cd", "cmgd" },
    { "accepted at MAIL", "CMRNE", "ma", "cmg=ad" },
    { "refused at MAIL", "CMR", "mr", "cmg=rd" },
    { "discarded at MAIL", "CMR", "md", "cmg=dd" },
    { "refused recipient", "CMRRNES", "rr", "cmr=rr=rnesgd" },
    { "accepted at RCPT", "CMRNE", "ra", "cmrg=ad" },
    { "refused at the end of the header", "CMNBE", "nt", "cmng=td" },
    { "refused at the end", "CMNES", "er", "cmne=rsgd" },
    { "discarded at the end", "CMNES", "ed", "cmne=dsgd" },
    { "accepted at the end", "CMNES", "ea", "cmne=asgd" },
    { "too large", "CMNBBBES", "", "cmnbbXg=rd" },
};

/* An answer that was not taken has ended nothing, whatever it said. */
enum { ACCEPTED, REJECTED, TEMPFAILED, DISCARDED, ABORTED, RESULTS };
static const struct {
    const char *steps, *say;
    size_t result;
} endings[] = {
    { "CMNES", "", ACCEPTED }, { "CMNES", "er", REJECTED },   { "CMNES", "et", TEMPFAILED },
    { "CMR", "mr", REJECTED }, { "CMNBE", "nt", TEMPFAILED }, { "CMNES", "ed", DISCARDED },
    { "CMNEF", "", ABORTED },  { "CMNEF", "er", ABORTED },    { "CMNE", "", ABORTED },
    { "CMNA", "", ABORTED },
};

static uint64_t result_of(size_t n)
{
    const struct milter_metrics *metrics = &bench.shared.metrics;
    const metric_id ids[RESULTS] = { metrics->accepted, metrics->rejected, metrics->tempfailed,
                                     metrics->discarded, metrics->aborted };

    return metric_read(ids[n]);
}

static void counts_each_message_once(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(endings); i++) {
        uint64_t before[RESULTS];
        for (size_t n = 0; n < RESULTS; n++)
            before[n] = result_of(n);
        run(endings[i].steps, endings[i].say);
        for (size_t n = 0; n < RESULTS; n++)
            if (result_of(n) - before[n] != (n == endings[i].result))
                fail_msg("%s %s: result %zu", endings[i].steps, endings[i].say, n);
    }
}

/* However late their answers are. */
static void calls_hooks_in_their_order(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases) * WAYS; i++) {
        size_t n = i / WAYS;
        bench.way = i % WAYS;
        const char *got = run(cases[n].steps, cases[n].say);
        if (strcmp(got, cases[n].want) != 0)
            fail_msg("%s: want %s, got %s in way %d", cases[n].what, cases[n].want, got,
                     (int)bench.way);
    }
}

static void whoever_waits_for_an_answer_is_woken(UNUSED void **state)
{
    bench.way = LATER;
    assert_int_equal(MILTER_LATER, step('C'));
    assert_int_equal(0, bench.wakes);
    assert_false(session_has_work(bench.session) || session_is_answered(bench.session));
    milter_session_on_thread(bench.session, say_kept);
    assert_int_equal(1, bench.wakes);
    assert_true(session_has_work(bench.session) && !session_is_answered(bench.session));
    session_work(bench.session);
    assert_true(session_is_answered(bench.session) && !session_has_work(bench.session));
    assert_int_equal(MILTER_CONTINUE, session_go_on(bench.session));
    assert_int_equal(MILTER_LATER, step('M'));
    milter_session_answer(bench.session, &(struct milter_reply){ .action = MILTER_REJECT });
    assert_int_equal(2, bench.wakes);
    assert_int_equal(MILTER_REJECT, session_go_on(bench.session));
    assert_false(session_is_answered(bench.session));
}

/* Room is waited for on a thread. */
static void waits_for_room(UNUSED void **state)
{
    struct milter_session *other = session_new(&bench.shared, NULL, &fake_link, &bench);
    struct session_client client = { SLICE("client"), { NULL, 0 }, 0 };

    bench.settings.max_sessions = 1;
    bench.settings.session_wait_ms = 60000;
    session_connect(other, &client);
    assert_int_equal(MILTER_CONTINUE, session_sender(other, SLICE("<a@example.net>"), NULL, 0));
    step('C');
    assert_int_equal(MILTER_LATER, step('M'));
    session_abort(other); /* the thread that waits sees it */
    assert_true(session_has_work(bench.session));
    session_work(bench.session);
    assert_int_equal(MILTER_CONTINUE, session_go_on(bench.session));
    assert_int_equal(1, admission_count(bench.shared.admission));
    session_free(&other);
}

static void what_goes_to_the_disk_is_for_a_thread(UNUSED void **state)
{
    bench.settings.message_memory = 5;
    assert_false(session_body_waits(bench.session, 100)); /* there is no message */
    step('C');
    step('M');
    assert_false(session_body_waits(bench.session, 100));
    step('N');
    assert_false(session_body_waits(bench.session, 5));
    assert_true(session_body_waits(bench.session, 6));
    step('B');
    assert_true(session_body_waits(bench.session, 1));
    step('B');
    step('B'); /* too large: it is not kept any more */
    assert_false(session_body_waits(bench.session, 1));
}

static void any_order_is_taken(UNUSED void **state)
{
    static const char letters[] = "CHMRLNBEAQ";
    unsigned seed = 7;
    char steps[30];

    for (size_t round = 0; round < 20000; round++) {
        size_t begun = 0, gone = 0, connected = 0, disconnected = 0;
        for (size_t i = 0; i < sizeof steps; i++) {
            seed = seed * 1103515245 + 12345;
            steps[i] = letters[(seed >> 16) % (sizeof letters - 1)];
            if (i > 0 && steps[i - 1] == 'E')
                steps[i] = seed & (1 << 20) ? 'S' : 'F';
        }
        steps[sizeof steps - 1] = '\0';
        const char *got = run(steps, round % 2 ? "" : "rrnt");
        for (const char *at = got; *at != '\0'; at++) {
            if (*at == '=')
                at++; /* an answer */
            else if (*at == 'm')
                begun++;
            else if (*at == 'g')
                gone++;
            else if (*at == 'c')
                connected++;
            else if (*at == 'd')
                disconnected++;
        }
        if (begun != gone || connected != disconnected)
            fail_msg("%s: %s", steps, got);
    }
}

static void a_change_that_is_not_possible_defers(UNUSED void **state)
{
    bench.edits_fail = true;
    assert_string_equal("cmne=tfgd", run("CMNES", ""));
    assert_slice("451 4.3.0 Message cannot be changed as it must be", buf_slice(&bench.refusal));
}

static void edits_are_for_what_is_delivered(UNUSED void **state)
{
    run("CMNES", "er");
    run("CMNES", "et");
    run("CMNES", "ed");
    assert_int_equal(0, bench.edits);
    run("CMNES", "ea");
    run("CMNESMNES", "");
    assert_int_equal(3, bench.edits);
}

static void there_is_a_cap(UNUSED void **state)
{
    struct session_client client = { SLICE("client"), { NULL, 0 }, 0 };
    struct milter_session *others[2];
    struct slice sender = SLICE("<a@example.net>");

    for (size_t i = 0; i < COUNT(others); i++) {
        others[i] = session_new(&bench.shared, NULL, &fake_link, &bench);
        session_connect(others[i], &client);
        assert_int_equal(MILTER_CONTINUE, session_sender(others[i], sender, NULL, 0));
    }
    assert_string_equal("c=td", run("CM", ""));
    assert_slice("451 4.3.2 Too many messages at the same time, try again later",
                 buf_slice(&bench.refusal));
    bench.settings.overload = MILTER_OVERLOAD_ACCEPT;
    assert_string_equal("c=ad", run("CM", ""));
    session_abort(others[0]);
    assert_string_equal("cmgd", run("CM", ""));
    admission_close(bench.shared.admission);
    assert_string_equal("c=td", run("CM", ""));
    assert_slice("451 4.3.2 Service is restarting, try again later", buf_slice(&bench.refusal));
    for (size_t i = 0; i < COUNT(others); i++)
        session_free(&others[i]);
}

static void few_descriptors_are_a_cap_too(UNUSED void **state)
{
    struct session_client client = { SLICE("client"), { NULL, 0 }, 0 };
    struct slice sender = SLICE("<a@example.net>");
    struct milter_session *other = session_new(&bench.shared, NULL, &fake_link, &bench);

    bench.settings.descriptors_each = 1;
    session_connect(other, &client);
    assert_int_equal(MILTER_CONTINUE, session_sender(other, sender, NULL, 0));
    assert_string_equal("cmgd", run("CM", "")); /* there are enough for max_sessions, 2 */
    bench.settings.descriptors_each = descriptors_for_work(0);
    assert_string_equal("c=td", run("CM", ""));
    assert_slice("451 4.3.2 Too many messages at the same time, try again later",
                 buf_slice(&bench.refusal));
    session_abort(other);
    bench.settings.descriptors_each = SIZE_MAX; /* one at a time, always */
    assert_string_equal("cmgd", run("CM", ""));
    session_free(&other);
}

static void hooks_learn_that_nobody_waits(UNUSED void **state)
{
    run("CMNES", "");
    assert_int_equal(1, bench.progress); /* only `end` says it */
    bench.is_gone = true;
    run("CMNEF", "");
}

static const struct {
    const char *what;
    struct milter_reply reply;
    const char *want;
} replies[] = {
    { "nothing said", { .action = MILTER_REJECT, .reply = { 0 } }, "554 5.7.1 Message refused" },
    { "deferred", { .action = MILTER_TEMPFAIL, .reply = { 0 } }, "451 4.7.1 Try again later" },
    { "all said",
      { .action = MILTER_REJECT, .reply = { 550, SLICE_INIT("5.1.1"), SLICE_INIT("no") } },
      "550 5.1.1 no" },
    { "codes of the other kind",
      { .action = MILTER_REJECT, .reply = { 450, SLICE_INIT("4.1.1"), SLICE_INIT("no") } },
      "554 5.7.1 no" },
    { "codes that disagree",
      { .action = MILTER_TEMPFAIL, .reply = { 450, SLICE_INIT("5.1.1"), SLICE_INIT("no") } },
      "450 4.7.1 no" },
    { "a code of success",
      { .action = MILTER_TEMPFAIL, .reply = { 250, SLICE_INIT("2.0.0"), SLICE_INIT("ok") } },
      "451 4.7.1 ok" },
    { "no code at all",
      { .action = MILTER_REJECT, .reply = { 9999, SLICE_INIT("junk"), SLICE_INIT("a\r\nb") } },
      "554 5.7.1 a??b" },
};

static void refusals_are_well_formed(UNUSED void **state)
{
    step('C');
    for (size_t i = 0; i < COUNT(replies); i++) {
        bench.reply = &replies[i].reply;
        step('M');
        step('N');
        assert_int_equal(replies[i].reply.action, step('E'));
        if (!slice_equal(slice_of(replies[i].want), buf_slice(&bench.refusal)))
            fail_msg("%s: %s", replies[i].what, buf_text(&bench.refusal));
        step('S');
    }
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(calls_hooks_in_their_order),
        TEST(counts_each_message_once),
        TEST(whoever_waits_for_an_answer_is_woken),
        TEST(waits_for_room),
        TEST(what_goes_to_the_disk_is_for_a_thread),
        TEST(any_order_is_taken),
        TEST(a_change_that_is_not_possible_defers),
        TEST(edits_are_for_what_is_delivered),
        TEST(there_is_a_cap),
        TEST(few_descriptors_are_a_cap_too),
        TEST(hooks_learn_that_nobody_waits),
        TEST(refusals_are_well_formed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
