/* tests/unit/contentd/test_inspection.c - one message from the end of its header fields to its plan, on a worker's thread. */
#include "common/mime/mime.h"
#include "common/observe/log.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "contentd/inspection.h"
#include "contentd/server.h"
#include "tests/fakes/contentd_load.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

/* Nobody listens there: a scanner in trouble. */
#define SCANNER(name, trouble)                                                                     \
    "[scanner " name "]\nkind = clamd unix:/nonexistent/" name "\ntrouble = " trouble "\n"

static struct contentd contentd;
static struct fake_store *store;

static int server_start(struct worker *worker)
{
    struct server *server = calloc(1, sizeof *server);

    server->worker = worker;
    server->contentd = &contentd;
    server->store = &store->store;
    server->teller = (struct record_teller){ .store = &store->store,
                                             .refunds = contentd.metrics.refunds,
                                             .refunds_failed = contentd.metrics.refunds_failed };
    worker_set_state(worker, server);
    return 0;
}

static void server_stop(struct worker *worker)
{
    struct server *server = worker_state(worker);

    record_teller_stop(&server->teller);
    free(server);
}

struct bench {
    struct worker *worker;
    struct snapshot *snapshot;
    struct message *message;
    struct inspection *inspection;
    sem_t ended;
    enum inspection_end end;
};

static void bench_begin(struct bench *bench, const char *conf, const char *const *recipients)
{
    static const struct worker_hooks hooks = { server_start, server_stop };
    struct message_client client = { .has_address = true, .daemon_address = SLICE("192.0.2.1") };

    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL);
    mime_init();
    contentd_metrics_register(&contentd.metrics);
    store = fake_store_new(&clock_system);
    ip_address_parse(SLICE("198.18.0.1"), &client.address);
    *bench = (struct bench){ .snapshot = contentd_snapshot_of(conf), .message = message_new() };
    sem_init(&bench->ended, 0, 0);
    bench->worker = worker_new(1, "test", &clock_system, &hooks);
    assert_int_equal(0, worker_start(bench->worker));
    assert_int_equal(MESSAGE_OK, message_set_client(bench->message, &client));
    assert_int_equal(MESSAGE_OK,
                     message_set_sender(bench->message, SLICE("a@example.net"), NULL, 0));
    bench->message->queue_id = SLICE("4ABC");
    for (; *recipients != NULL; recipients++)
        message_add_recipient(bench->message, slice_of(*recipients), NULL, 0);
    message_add_header(bench->message, SLICE("From"), SLICE(" A <a@example.net>"));
    message_add_header(bench->message, SLICE("Subject"), SLICE(" Hello"));
}

static void on_end(void *arg, enum inspection_end end)
{
    struct bench *bench = arg;

    bench->end = end;
    sem_post(&bench->ended);
}

static bool on_progress(UNUSED void *arg)
{
    return true;
}

/* Waits for bench->end. */
static void bench_finish(struct bench *bench, bool (*progress)(void *arg))
{
    assert_true(inspection_finish(bench->inspection, on_end, progress, bench));
    while (sem_wait(&bench->ended) != 0)
        ;
}

/* NULL: it could not be decided. */
static const struct decided *bench_run_as(struct bench *bench,
                                          const struct inspection_explained *explained)
{
    const struct spool_bounds bounds = { "/tmp", 1 << 20, 1 << 20 };
    const struct connection_counts counts = { .is_known = true, .address = 3 };

    message_end_headers(bench->message, &bounds);
    struct snapshot *snapshot = snapshot_ref(bench->snapshot);
    bench->inspection =
        explained == NULL
            ? inspection_start(bench->worker, snapshot, bench->message, &counts)
            : inspection_explain(bench->worker, snapshot, bench->message, &counts, explained);
    assert_non_null(bench->inspection);
    message_add_body(bench->message, SLICE("hello\r\n"));
    inspection_more(bench->inspection);
    message_end(bench->message);
    if (explained == NULL)
        bench_finish(bench, on_progress);
    else
        bench->end = inspection_await(bench->inspection); /* as those who explain do */
    return bench->end == INSPECTION_DECIDED ? inspection_decided(bench->inspection) : NULL;
}

static const struct decided *bench_run(struct bench *bench)
{
    return bench_run_as(bench, NULL);
}

static void bench_stop(struct bench *bench)
{
    inspection_drop(&bench->inspection);
    worker_stop(bench->worker); /* after what was posted before */
    worker_join(bench->worker);
}

/* The MTA has taken what was planned: all that follows from it has happened. */
static void bench_settle(struct bench *bench)
{
    inspection_settle(bench->inspection, INSPECTION_AS_PLANNED);
    bench_stop(bench);
}

/* After bench_stop(). */
static void bench_free(struct bench *bench)
{
    worker_free(&bench->worker);
    message_unref(&bench->message);
    snapshot_unref(&bench->snapshot);
    fake_store_free(&store);
}

static void bench_end(struct bench *bench)
{
    bench_stop(bench);
    bench_free(bench);
}

static const char *const one[] = { "b@example.org", NULL };
static const char *const two[] = { "b@example.org", "c@example.com", NULL };

static const struct {
    const char *what, *conf;
    const char *const *recipients;
    enum plan_reply action;
    const char *fates; /* as in test_mixed.c: d r t x q s */
    enum verdict_source source; /* of the first recipient's verdict */
} cases[] = {
    { "nothing configured", "", one, PLAN_ACCEPT, "d", BY_NOTHING },
    { "a dead scanner: tempfail",
      SCANNER("s", "tempfail") "[chain a]\nscanners = s\n[apply]\n* = a\n", one, PLAN_TEMPFAIL, "t",
      BY_TROUBLE },
    { "a dead scanner: accept", SCANNER("s", "accept") "[chain a]\nscanners = s\n[apply]\n* = a\n",
      one, PLAN_ACCEPT, "d", BY_NOTHING },
    { "a dead scanner: quarantine",
      SCANNER("s", "quarantine") "[chain a]\nscanners = s\n[apply]\n* = a\n", one, PLAN_DISCARD,
      "q", BY_TROUBLE },
    { "two chains",
      SCANNER("s", "quarantine") SCANNER(
          "u",
          "accept") "[chain a]\nscanners = s\n[chain b]\nscanners = u\n[apply]\n* = a\n@example.com = b\n",
      two, PLAN_ACCEPT, "qd", BY_TROUBLE },
    { "strictest",
      "mixed = strictest\n" SCANNER("s", "quarantine") SCANNER(
          "u",
          "accept") "[chain a]\nscanners = s\n[chain b]\nscanners = u\n[apply]\n* = a\n@example.com = b\n",
      two, PLAN_DISCARD, "qq", BY_TROUBLE },
    { "a rule about the message", "[rule r]\nwhen = header.Subject = \"Hello\"\nthen = reject\n",
      two, PLAN_REJECT, "rr", BY_RULE },
    { "a rule about one recipient",
      "[rule r]\nwhen = recipient = \"c@example.com\"\nthen = discard\n", two, PLAN_ACCEPT, "dx",
      BY_NOTHING },
    { "a rule before scanning spares the scanner",
      SCANNER(
          "s",
          "tempfail") "[chain a]\nscanners = s\n[apply]\n* = a\n[rule r]\nthen = skip s\nstage = data\n",
      one, PLAN_ACCEPT, "d", BY_NOTHING },
    { "a rule about a finding",
      SCANNER(
          "s",
          "tempfail") "[chain a]\nscanners = s\n[apply]\n* = a\n[rule r]\nwhen = s.result = trouble\nthen = quarantine\n",
      one, PLAN_DISCARD, "q", BY_RULE },
    { "a rule about the score of rules",
      "[rule p]\nthen = score +4\n[rule r]\nwhen = score > 3\nthen = discard\n", one, PLAN_DISCARD,
      "x", BY_RULE },
    { "a threshold over the score of rules",
      "[chain a]\nreject = 5\n[apply]\n* = a\n[rule p]\nthen = score +6\n", one, PLAN_REJECT, "r",
      BY_SCORE },
    { "accept: no score counts",
      "[chain a]\nreject = 5\n[apply]\n* = a\n[rule p]\nthen = score +6\n[rule q]\nthen = accept\n",
      one, PLAN_ACCEPT, "d", BY_RULE },
    { "redirect", "[rule r]\nthen = redirect x@example.org\n", one, PLAN_ACCEPT, "d", BY_RULE },
    { "a number of connections", "[rule r]\nwhen = connections > 2\nthen = tempfail\n", one,
      PLAN_TEMPFAIL, "t", BY_RULE },
    { "the envelope",
      "[rule r]\nwhen = sender_domain = example.net and client_net = 198.18.0.0/24 and recipient_count = 2 and "
      "direction = inbound\nthen = discard\n",
      two, PLAN_DISCARD, "xx", BY_RULE },
    { "the message's author",
      "[rule r]\nwhen = from = a@example.net and from_count = 1 and from_name = \"A\"\nthen = discard\n",
      one, PLAN_DISCARD, "x", BY_RULE },
    { "the size is the real one", "[rule r]\nwhen = size > 20 and size < 100\nthen = discard\n",
      one, PLAN_DISCARD, "x", BY_RULE },
    { "a record that nobody could have written is not known",
      "[rule r]\nwhen = policy.spf is empty\nthen = discard\ntrouble = defer\n", one, PLAN_TEMPFAIL,
      "t", BY_RULE },
};

static void expect_case(size_t i, const struct message *message, const struct decided *decided)
{
    char fates[8] = "";

    if (decided == NULL)
        fail_msg("%s: not decided", cases[i].what);
    for (size_t n = 0; n < message->recipient_count; n++)
        fates[n] = "drtxqs"[decided->plan.fates[n]];
    if (decided->plan.action != cases[i].action || strcmp(fates, cases[i].fates) != 0 ||
        decided->verdicts[0]->source != cases[i].source)
        fail_msg("%s: action %d, %s by %s", cases[i].what, (int)decided->plan.action, fates,
                 verdict_source_words[decided->verdicts[0]->source]);
}

static void comes_to_a_plan(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bench bench;
        bench_begin(&bench, cases[i].conf, cases[i].recipients);
        expect_case(i, bench.message, bench_run(&bench));
        bench_end(&bench);
    }
}

/* ---- explaining ---- */

static const struct finding nothing_said[SCANNERS_MAX];

static uint64_t rules_counted(const struct snapshot *snapshot)
{
    const struct setup *setup = snapshot_data(snapshot);
    uint64_t count = 0;

    for (size_t i = 0; i < rule_set_count(setup->book.rules); i++)
        count += metric_read(setup->book.matches[i]);
    return count;
}

static void explaining_comes_to_the_same_and_counts_nothing(UNUSED void **state)
{
    const struct inspection_explained explained = { .asks_scanners = true,
                                                    .found = nothing_said,
                                                    .budget_ms = 5000 };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bench bench;
        bench_begin(&bench, cases[i].conf, cases[i].recipients);
        uint64_t before = rules_counted(bench.snapshot);
        const struct decided *decided = bench_run_as(&bench, &explained);
        expect_case(i, bench.message, decided);
        assert_string_equal("explain", decided->reference);
        if (rules_counted(bench.snapshot) != before)
            fail_msg("%s: rules were counted", cases[i].what);
        assert_int_equal(0, store->log.len);
        assert_int_equal(0, store->tx_updates);
        bench_end(&bench);
    }
}

#define CHAIN_OF_BOTH "[chain a]\nscanners = s, u\nreject = 5\n[apply]\n* = a\n"

static void without_asking_scanners_find_what_is_said(UNUSED void **state)
{
    static const struct {
        const char *what, *rule;
        struct finding s, u; /* NONE: nothing is said */
        enum plan_reply action;
        enum verdict_source source;
        const char *results; /* of s, u */
        scanner_set wanted;
    } rows[] = {
        { "nothing is said", "", { 0 }, { 0 }, PLAN_ACCEPT, BY_NOTHING, "clean clean", 3 },
        { "malware",
          "",
          { .result = FINDING_VIRUS, .virus = SLICE_INIT("X") },
          { 0 },
          PLAN_REJECT,
          BY_VIRUS,
          "virus clean",
          3 },
        { "a score",
          "",
          { 0 },
          { .result = FINDING_CLEAN, .has_score = true, .score = 6 },
          PLAN_REJECT,
          BY_SCORE,
          "clean clean",
          3 },
        { "trouble",
          "",
          { .result = FINDING_TROUBLE },
          { 0 },
          PLAN_TEMPFAIL,
          BY_TROUBLE,
          "trouble clean",
          3 },
        { "one that a rule skips finds nothing",
          "[rule r]\nthen = skip s\nstage = data\n",
          { .result = FINDING_VIRUS },
          { 0 },
          PLAN_ACCEPT,
          BY_NOTHING,
          "none clean",
          2 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct finding found[] = { rows[i].s, rows[i].u };
        const struct inspection_explained explained = { .found = found, .budget_ms = 5000 };
        char conf[600], results[40];
        struct bench bench;
        snprintf(conf, sizeof conf, "%s%s%s%s", SCANNER("s", "tempfail"), SCANNER("u", "tempfail"),
                 CHAIN_OF_BOTH, rows[i].rule);
        bench_begin(&bench, conf, one);
        const struct decided *decided = bench_run_as(&bench, &explained);
        assert_non_null(decided);
        snprintf(results, sizeof results, "%s %s", finding_words[decided->findings[0].result],
                 finding_words[decided->findings[1].result]);
        if (decided->plan.action != rows[i].action || strcmp(results, rows[i].results) != 0 ||
            decided->verdicts[0]->source != rows[i].source || decided->wanted != rows[i].wanted)
            fail_msg("%s: action %d by %s, %s, wanted %d", rows[i].what, (int)decided->plan.action,
                     verdict_source_words[decided->verdicts[0]->source], results,
                     (int)decided->wanted);
        bench_end(&bench);
    }
}

static void explaining_may_suppose_a_record(UNUSED void **state)
{
    const struct inspection_explained explained = {
        .found = nothing_said,
        .budget_ms = 5000,
        .has_record = true,
        .record = { .spf = { SLICE("pass"), SLICE("example.net") } },
    };
    struct bench bench;

    bench_begin(&bench, "[rule r]\nwhen = policy.spf = pass\nthen = discard\nstage = data\n", one);
    store->ops.is_shared = true;
    const struct decided *decided = bench_run_as(&bench, &explained);
    assert_int_equal(PLAN_DISCARD, decided->plan.action);
    assert_int_equal(0, store->tx_reads);
    assert_non_null(decided->data_traces[0]);
    assert_null(decided->parties->parties[0].trace); /* no rule runs at the end */
    bench_end(&bench);
}

static void refusals_carry_the_reference(UNUSED void **state)
{
    struct bench bench;

    bench_begin(&bench, "[rule r]\nthen = reject 550 5.7.1 Not for us, {sender}\n", one);
    const struct decided *decided = bench_run(&bench);
    AUTO_BUF want = BUF_INIT(100);
    buf_printf(&want, "Not for us, a@example.net, ref=%s", decided->reference);
    assert_slice(buf_text(&want), decided->plan.spoken->reply.text);
    assert_int_equal(550, decided->plan.spoken->reply.code);
    bench_end(&bench);
}

static void what_policyd_wrote_is_known_and_given_back(UNUSED void **state)
{
    struct transaction_charge charge = { .amount = 1 };
    struct bench bench;

    bench_begin(&bench,
                "[rule r]\nwhen = policy.spf = fail and policy.rule = \"x\"\nthen = reject\n", one);
    store->ops.is_shared = true;
    store->tx_state = TX_FOUND;
    store->transaction = (struct transaction){ .spf = { SLICE("fail"), SLICE("example.net") },
                                               .rule = SLICE("x"),
                                               .charges = &charge,
                                               .charge_count = 1 };
    const struct decided *decided = bench_run(&bench);
    assert_int_equal(PLAN_REJECT, decided->plan.action);
    assert_int_equal(1, store->tx_reads);
    bench_settle(&bench);
    assert_int_equal(1, store->refunds);
    assert_int_equal(0, store->tx_updates);
    assert_non_null(strstr(buf_text(&store->verdict), "reject rule=r"));
    assert_non_null(strstr(buf_text(&store->log), "verdict=reject"));
    bench_free(&bench);
}

/* Whom others get the message without: removed, or refused at RCPT. Who is kept in the quarantine has it. */
static void what_was_charged_for_the_lost_is_given_back(UNUSED void **state)
{
    static const char *const all[] = { "Gone@example.org", "here@example.org", "kept@example.org",
                                       "early@example.org", NULL };
    struct bench bench;

    bench_begin(&bench,
                "[rule g]\nwhen = recipient = gone@example.org\nthen = discard\n"
                "[rule k]\nwhen = recipient = kept@example.org\nthen = quarantine for the test\n",
                all);
    message_drop_recipient(bench.message);
    store->ops.is_shared = true;
    store->tx_state = TX_FOUND;
    assert_int_equal(PLAN_ACCEPT, bench_run(&bench)->plan.action);
    bench_settle(&bench);
    assert_int_equal(1, store->tx_updates);
    assert_int_equal(1, store->refunds);
    assert_string_equal("m:early@example.org m:gone@example.org ", buf_text(&store->refunded));
    bench_free(&bench);
}

/* A scanner that listens and never answers: the only one of everybody's chain. */
struct silent {
    struct temporary directory;
    char path[TEMPORARY_MAX + 10];
    int fd;
};

/* `before`, `after`: what else the configuration has. */
static void begin_silent(struct bench *bench, struct silent *silent, const char *before,
                         const char *after)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char conf[600];

    temporary_make(&silent->directory);
    snprintf(silent->path, sizeof silent->path, "%s/socket", silent->directory.path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", silent->path);
    silent->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(0, bind(silent->fd, (const struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(silent->fd, 10));
    snprintf(conf, sizeof conf,
             "%s[scanner s]\nkind = clamd unix:%s\n[chain a]\nscanners = s\n[apply]\n* = a\n%s",
             before, silent->path, after);
    bench_begin(bench, conf, one);
}

static void end_silent(struct bench *bench, struct silent *silent)
{
    bench_end(bench);
    close(silent->fd);
    temporary_remove(&silent->directory);
}

static void the_budget_ends_what_hangs(UNUSED void **state)
{
    struct silent silent;
    struct bench bench;

    begin_silent(&bench, &silent, "message_budget = 1s\n",
                 "[rule r]\nwhen = s.result = clean\nthen = accept\n");
    const struct decided *decided = bench_run(&bench);
    assert_non_null(decided);
    assert_int_equal(PLAN_TEMPFAIL, decided->plan.action);
    assert_int_equal(BY_TROUBLE, decided->verdicts[0]->source);
    assert_true(decided->decided_ms - decided->ended_ms < 3000);
    end_silent(&bench, &silent);
}

/* Rules at DATA have used it up: no scanner is asked any more, and what none has found is trouble. */
static void the_budget_is_one_for_all(UNUSED void **state)
{
    struct silent silent;
    struct bench bench;

    begin_silent(&bench, &silent, "message_budget = 1s\n[list l]\n",
                 "[rule r]\nwhen = sender in list:l/{recipient}\nthen = discard\nstage = data\n");
    store->holds = true;
    const struct decided *decided = bench_run(&bench);
    assert_non_null(decided);
    assert_true(decided->is_late);
    assert_int_equal(1, store->fetches);
    assert_int_equal(PLAN_TEMPFAIL, decided->plan.action);
    assert_int_equal(BY_TROUBLE, decided->verdicts[0]->source);
    assert_int_equal(-1, accept4(silent.fd, NULL, NULL, SOCK_NONBLOCK)); /* nobody has called */
    end_silent(&bench, &silent);
}

static bool has_gone(UNUSED void *arg)
{
    return false;
}

static void is_closed_soon(int fd)
{
    char bytes[1000];
    struct timeval most = { .tv_sec = 10 };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    assert_int_equal(0, recv(fd, bytes, sizeof bytes, 0));
}

/* The MTA goes while a scanner is silent: nobody waits any longer, and the scanner is let go of. */
static void without_a_waiter_nothing_goes_on(UNUSED void **state)
{
    const struct spool_bounds bounds = { "/tmp", 1 << 20, 1 << 20 };
    const struct connection_counts counts = { .is_known = false };
    struct silent silent;
    struct bench bench;

    begin_silent(&bench, &silent, "", "");
    message_end_headers(bench.message, &bounds);
    bench.inspection =
        inspection_start(bench.worker, snapshot_ref(bench.snapshot), bench.message, &counts);
    message_end(bench.message);
    bench_finish(&bench, has_gone);
    assert_int_equal(INSPECTION_UNWANTED, bench.end);
    assert_int_equal(1, poll(&(struct pollfd){ .fd = silent.fd, .events = POLLIN }, 1, 10000));
    int scanner = accept4(silent.fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(scanner >= 0);
    inspection_drop(&bench.inspection);
    is_closed_soon(scanner);
    end_silent(&bench, &silent);
    close(scanner);
}

static void a_message_can_go_at_any_time(UNUSED void **state)
{
    const struct spool_bounds bounds = { "/tmp", 1 << 20, 1 << 20 };
    const struct connection_counts counts = { .is_known = false };
    struct bench bench;

    bench_begin(&bench, SCANNER("s", "tempfail") "[chain a]\nscanners = s\n[apply]\n* = a\n", one);
    message_end_headers(bench.message, &bounds);
    for (int i = 0; i < 50; i++) {
        bench.inspection =
            inspection_start(bench.worker, snapshot_ref(bench.snapshot), bench.message, &counts);
        if (i % 2 == 0)
            inspection_more(bench.inspection);
        inspection_drop(&bench.inspection);
    }
    bench_end(&bench);
}

static void many_recipients_with_rules_of_their_own(UNUSED void **state)
{
    enum { MANY = 2000 };
    static const char *recipients[MANY + 1];
    static char names[MANY][32];
    struct bench bench;

    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "r%zu@example.org", i);
        recipients[i] = names[i];
    }
    bench_begin(&bench, "[rule r]\nwhen = recipient matches \"r1*\"\nthen = discard\n", recipients);
    const struct decided *decided = bench_run(&bench);
    assert_non_null(decided);
    assert_int_equal(PLAN_ACCEPT, decided->plan.action);
    for (size_t n = 0; n < MANY; n++)
        assert_int_equal(names[n][1] == '1' ? FATE_DISCARDED : FATE_DELIVERED,
                         decided->plan.fates[n]);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_to_a_plan),
        cmocka_unit_test(explaining_comes_to_the_same_and_counts_nothing),
        cmocka_unit_test(without_asking_scanners_find_what_is_said),
        cmocka_unit_test(explaining_may_suppose_a_record),
        cmocka_unit_test(refusals_carry_the_reference),
        cmocka_unit_test(what_policyd_wrote_is_known_and_given_back),
        cmocka_unit_test(what_was_charged_for_the_lost_is_given_back),
        cmocka_unit_test(the_budget_ends_what_hangs),
        cmocka_unit_test(the_budget_is_one_for_all),
        cmocka_unit_test(without_a_waiter_nothing_goes_on),
        cmocka_unit_test(a_message_can_go_at_any_time),
        cmocka_unit_test(many_recipients_with_rules_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
