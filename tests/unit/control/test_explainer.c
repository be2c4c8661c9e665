/* tests/unit/control/test_explainer.c - what is explained happens on a thread, is answered on the loop, and the end waits for it. */
#include "common/control/explainer.h"

#include <stdatomic.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { AT_ONCE = 10 };

struct asked {
    struct control_request request; /* first member */
    unsigned status;
    char error[80], echo[80];
    bool is_replied;
};

static struct worker *worker;
static struct explainer *explainer;
static struct asked asked[AT_ONCE];
static size_t replies;
static atomic_int waiting; /* on threads; less than 0: nobody waits any more */
static atomic_int running, most; /* at the same time */
static char context[] = "context";

static void note_reply(struct control_request *request, unsigned status, json_t *answer)
{
    struct asked *one = (struct asked *)request;
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *echo = json_string_value(json_object_get(answer, "echo"));

    assert_ptr_equal(worker, worker_current());
    assert_false(one->is_replied);
    one->is_replied = true;
    one->status = status;
    snprintf(one->error, sizeof one->error, "%s", error == NULL ? "" : error);
    snprintf(one->echo, sizeof one->echo, "%s", echo == NULL ? "" : echo);
    json_decref(answer);
    replies++;
}

/* "wait": until the test has seen it. "bad": a mistake. */
static void echo(struct explaining *explaining)
{
    const struct clock *clock = &clock_system;
    uint64_t end = clock->now_ms(clock) + 20000;

    assert_null(worker_current());
    assert_ptr_equal(context, explaining->context);
    assert_ptr_equal(worker, explaining->worker);
    int now = ++running;
    for (int before = most; now > before && !atomic_compare_exchange_weak(&most, &before, now);)
        ;
    if (slice_equal(explaining->body, SLICE("wait"))) {
        waiting++;
        while (waiting >= 0 && clock->now_ms(clock) < end)
            usleep(1000);
    }
    running--;
    if (slice_equal(explaining->body, SLICE("bad")))
        explaining_error(explaining, 400, "%s is bad", "it");
    else
        explaining_answer(explaining,
                          json_pack("{s:s}", "echo", explaining->scans ? "scans" : "does not"));
}

static bool ask(size_t n, enum control_method method, const char *noun, const char *body,
                bool scans)
{
    asked[n] = (struct asked){ .request = { .method = method,
                                            .segments = { slice_of(noun) },
                                            .segment_count = 1,
                                            .body = slice_of(body),
                                            .reply = note_reply } };
    if (scans)
        asked[n].request.params[asked[n].request.param_count++] =
            (struct control_param){ "scan", SLICE("1") };
    return explainer_serve(explainer, &asked[n].request);
}

/* On the worker, until so many have been replied to. */
static void await(size_t count)
{
    while (replies < count)
        event_base_loop(worker_base(worker), EVLOOP_ONCE);
}

static size_t wanted;
static void (*script)(void);

static int start(struct worker *started)
{
    worker = started;
    replies = 0;
    waiting = running = most = 0;
    explainer = explainer_new(worker, echo, context);
    assert_non_null(explainer);
    script();
    worker_stop(worker);
    return 0;
}

static void stop(UNUSED struct worker *stopped)
{
    explainer_free(&explainer);
    assert_int_equal(wanted, replies);
}

/* Runs it on the loop's thread, where requests come. */
static void run(void (*what)(void), size_t want)
{
    static const struct worker_hooks hooks = { start, stop };
    struct worker *main = worker_new(0, "test", &clock_system, &hooks);

    script = what;
    wanted = want;
    assert_int_equal(0, worker_run(main));
    worker_free(&main);
}

static void ask_some(void)
{
    assert_false(ask(0, CONTROL_GET, "explain", "", false));
    assert_false(ask(0, CONTROL_POST, "explains", "", false));
    assert_true(ask(0, CONTROL_POST, "explain", "x", false));
    assert_true(ask(1, CONTROL_POST, "explain", "x", true));
    assert_true(ask(2, CONTROL_POST, "explain", "bad", false));
    await(3);
    assert_int_equal(200, asked[0].status);
    assert_string_equal("does not", asked[0].echo);
    assert_string_equal("scans", asked[1].echo);
    assert_int_equal(400, asked[2].status);
    assert_string_equal("it is bad", asked[2].error);
}

static void answers_come_on_the_loop(UNUSED void **state)
{
    run(ask_some, 3);
}

static void ask_many(void)
{
    for (size_t i = 0; i < AT_ONCE; i++)
        assert_true(ask(i, CONTROL_POST, "explain", "wait", false));
    while (waiting < EXPLAIN_AT_ONCE_MAX)
        usleep(1000);
    assert_int_equal(0, replies);
    waiting = -AT_ONCE;
    await(AT_ONCE);
    assert_int_equal(EXPLAIN_AT_ONCE_MAX, most); /* the others had no thread */
}

static void only_some_run_at_once(UNUSED void **state)
{
    run(ask_many, AT_ONCE);
}

static void leave_some(void)
{
    for (size_t i = 0; i < AT_ONCE; i++)
        assert_true(ask(i, CONTROL_POST, "explain", "x", false));
}

static void the_end_waits_for_all(UNUSED void **state)
{
    run(leave_some, AT_ONCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_on_the_loop),
        cmocka_unit_test(only_some_run_at_once),
        cmocka_unit_test(the_end_waits_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
