/* tests/fakes/policyd_case.c - see policyd_case.h. */
#include "tests/fakes/policyd_case.h"

#include "common/observe/log.h"
#include "policyd/live.h"
#include "tests/fakes/worker_loop.h"

enum { CONFIG_MEMORY_MAX = 64 << 20, ANSWERS_MOST = 1 << 14 };

static void give_up(const char *what)
{
    fprintf(stderr, "policyd_case: %s\n", what);
    abort();
}

static void load_text(struct policyd_loaded *loaded, const char *text, const struct slice *changes,
                      size_t count, const struct policy *previous)
{
    struct conf_errors *errors = conf_errors_new();

    *loaded = (struct policyd_loaded){ .arena = arena_new(CONFIG_MEMORY_MAX),
                                       .errors = BUF_INIT(1 << 16) };
    loaded->conf =
        conf_parse(SLICE("policyd.conf"), slice_of(text), changes, count, loaded->arena, errors);
    loaded->config = arena_alloc(loaded->arena, sizeof *loaded->config);
    if (loaded->conf == NULL || loaded->config == NULL)
        give_up("the configuration is not even read");
    conf_load(&policyd_schema, loaded->conf, loaded->arena, loaded->config, errors);
    struct daemon_load load = { loaded->conf, loaded->config, loaded->arena, errors, previous };
    loaded->policy = policy_load(&load);
    loaded->error_count = conf_errors_count(errors);
    conf_errors_print(errors, &loaded->errors);
    conf_errors_free(&errors);
}

void policyd_load_text(struct policyd_loaded *loaded, const char *text,
                       const struct policy *previous)
{
    load_text(loaded, text, NULL, 0, previous);
}

void policyd_loaded_free(struct policyd_loaded *loaded)
{
    policy_free(loaded->policy);
    buf_free(&loaded->errors);
    arena_free(&loaded->arena);
}

static void release_loaded(void *arg)
{
    policyd_loaded_free(arg);
    free(arg);
}

const struct policy *policyd_case_policy(const struct policyd_case *test)
{
    struct snapshot *snapshot = worker_snapshot(test->worker);

    return snapshot == NULL ? NULL : snapshot_data(snapshot);
}

static void case_load(struct policyd_case *test, const char *text, const struct slice *changes,
                      size_t count)
{
    struct policyd_loaded *loaded = calloc(1, sizeof *loaded);

    if (loaded == NULL)
        give_up("out of memory");
    load_text(loaded, text, changes, count, policyd_case_policy(test));
    if (loaded->error_count > 0 || loaded->policy == NULL)
        give_up(buf_text(&loaded->errors));
    struct snapshot *snapshot =
        snapshot_new(loaded->policy, release_loaded, loaded, ++test->generation);
    worker_set_snapshot(test->worker, snapshot);
    snapshot_unref(&snapshot);
}

void policyd_case_load(struct policyd_case *test, const char *text)
{
    case_load(test, text, NULL, 0);
}

void policyd_case_open_changed(struct policyd_case *test, const char *text,
                               const struct slice *changes, size_t count)
{
    *test = (struct policyd_case){ .generation = 0 };
    log_adjust(LOG_LEVEL_WARNING, LOG_ADDRESSES_FULL); /* the fake store has the decision lines */
    fake_clock_init(&test->clock);
    test->store = fake_store_new(&test->clock.clock);
    test->worker = worker_new(0, "test", &test->clock.clock, NULL);
    test->server = calloc(1, sizeof *test->server);
    test->policyd.answers = answers_new(ANSWERS_MOST);
    test->policyd.seen = seen_new(ANSWERS_MOST);
    if (test->worker == NULL || test->server == NULL || test->policyd.answers == NULL ||
        test->policyd.seen == NULL)
        give_up("out of memory");
    policy_metrics_register(&test->policyd.metrics);
    test->server->worker = test->worker;
    test->server->policyd = &test->policyd;
    test->server->store = &test->store->store;
    case_load(test, text, changes, count);
}

void policyd_case_open(struct policyd_case *test, const char *text)
{
    policyd_case_open_changed(test, text, NULL, 0);
}

void policyd_case_close(struct policyd_case *test)
{
    inquiries_free(test->server);
    free(test->server);
    answers_free(&test->policyd.answers);
    seen_free(&test->policyd.seen);
    worker_free(&test->worker);
    fake_store_free(&test->store);
}

struct policy_request policyd_request(struct buf *bytes, const char *lines)
{
    struct policy_request req = { .stage = STAGE_OTHER };
    size_t used;

    *bytes = (struct buf)BUF_INIT(POLICY_REQUEST_MAX);
    if (buf_printf(bytes, "request=smtpd_access_policy\n%s\n", lines) ||
        policy_parse(buf_slice(bytes), &req, &used) != PROTO_DONE || used != bytes->len)
        give_up(lines);
    return req;
}

static void answered(void *owner, struct slice reply)
{
    struct policyd_answer *answer = owner;

    answer->inquiry = NULL;
    answer->count++;
    snprintf(answer->reply, sizeof answer->reply, "%.*s", SLICE_ARG(reply));
}

void policyd_case_start(struct policyd_case *test, const char *lines, const struct answer_key *key,
                        struct policyd_answer *answer)
{
    AUTO_BUF bytes = BUF_INIT(0);
    AUTO_BUF reply = BUF_INIT(POLICY_REPLY_MAX);
    struct policy_request req = policyd_request(&bytes, lines);

    *answer = (struct policyd_answer){ .count = 0 };
    answer->inquiry = inquiry_start(test->server, &req, key, &reply, answered, answer);
    if (answer->inquiry == NULL)
        answered(answer, buf_slice(&reply));
}

const char *policyd_case_ask(struct policyd_case *test, const char *lines)
{
    static struct policyd_answer answer;

    policyd_case_start(test, lines, NULL, &answer);
    if (answer.count != 1)
        give_up("the request is not decided at once");
    return answer.reply;
}

void policyd_case_run(struct policyd_case *test, uint64_t ms)
{
    worker_loop_for(test->worker, ms);
}
