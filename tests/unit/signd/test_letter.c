/* tests/unit/signd/test_letter.c - one message from the end of its header fields to what is written down about it, on a worker's
 * thread: what is signed, verified, refused, deferred or let go, and the words, counts and records of it. */
#include "signd/letter.h"

#include "common/mime/mime.h"
#include "common/observe/log.h"
#include "signd/server.h"
#include "tests/fakes/fake_store.h"
#include "tests/fakes/key_directory.h"
#include "tests/fakes/sample_message.h"
#include "tests/fakes/signd_load.h"
#include "tests/unit/unit.h"

enum { TEXT_MAX = 4096 };

static struct signd signd;
static struct fake_store *store;
static struct key_directory keys;
static struct shared *files;

static int server_start(struct worker *worker)
{
    static const struct slice nobody = SLICE_INIT("127.0.0.1@9");
    const struct dns_options options = { .resolvers = &nobody,
                                         .resolver_count = 1,
                                         .timeout_ms = 30000 };
    struct server *server = calloc(1, sizeof *server);
    AUTO_BUF error = BUF_INIT(400);

    server->worker = worker;
    server->signd = &signd;
    server->store = &store->store;
    server->dns = dns_new(worker, &options, &error);
    server->teller = (struct record_teller){ .store = &store->store,
                                             .refunds = signd.metrics.refunds,
                                             .refunds_failed = signd.metrics.refunds_failed };
    worker_set_state(worker, server);
    return server->dns == NULL ? -1 : 0;
}

static void server_stop(struct worker *worker)
{
    struct server *server = worker_state(worker);

    record_teller_stop(&server->teller);
    dns_free(&server->dns);
    free(server);
}

static int open_all(UNUSED void **state)
{
    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL);
    mime_init();
    signd_metrics_register(&signd.metrics);
    signd.verifier = verifier_new();
    key_directory_make(&keys);
    key_directory_domain(&keys, "example.com");
    key_directory_domain(&keys, "broken.example");
    key_directory_put_key(&keys, "example.com/s.key", DKIM_ED25519, 0);
    key_directory_put(&keys, "broken.example/s.key", SLICE("garbage"), 0600);
    key_directory_read(&keys, &files);
    return files == NULL ? -1 : 0;
}

static int close_all(UNUSED void **state)
{
    shared_unref(&files);
    key_directory_remove(&keys);
    verifier_free(&signd.verifier);
    return 0;
}

/* ---- a message's life ---- */

struct bench {
    struct signd_loaded loaded;
    struct worker *worker;
    struct snapshot *snapshot;
    struct message *message;
    struct letter *letter;
};

static void keep(UNUSED void *loaded)
{
}

static void bench_begin(struct bench *bench, const char *conf, const struct sample_message *sample)
{
    static const struct worker_hooks hooks = { server_start, server_stop };
    char text[TEXT_MAX];

    store = fake_store_new(&clock_system);
    store->ops.is_shared = true;
    store->tx_state = TX_FOUND;
    *bench = (struct bench){ .message = sample_message(sample) };
    bench->message->client.daemon_address = SLICE("192.0.2.1");
    snprintf(text, sizeof text, "authserv_id = mx.example.org\nbudget = 1s\n%s", conf);
    signd_load_text(&bench->loaded, text, NULL);
    assert_int_equal(0, bench->loaded.error_count);
    bench->snapshot = snapshot_new(bench->loaded.setup, keep, &bench->loaded, 1);
    bench->worker = worker_new(1, "test", &clock_system, &hooks);
    assert_int_equal(0, worker_start(bench->worker));
}

/* States of both domains' keys; NULL: nothing is known. */
static struct shared *states_of(const char *state)
{
    struct key_lives_builder *builder = key_lives_builder_new(2);

    if (state != NULL) {
        assert_null(key_lives_add(builder, SLICE("example.com/s"), slice_of(state)));
        assert_null(key_lives_add(builder, SLICE("broken.example/s"), slice_of(state)));
    }
    return shared_new(key_lives_finish(&builder), key_lives_free);
}

/* NULL: it could not be decided. */
static const struct letter_answer *bench_run(struct bench *bench, const char *state)
{
    bench->letter = letter_start(bench->worker, snapshot_ref(bench->snapshot), bench->message);
    assert_non_null(bench->letter);
    bool is_decided = letter_finish(bench->letter, shared_ref(files), states_of(state), NULL, NULL);
    return is_decided ? letter_answer(bench->letter) : NULL;
}

/* Ends the worker: all that was to be written down has been. */
static void bench_settle(struct bench *bench, bool is_sent)
{
    letter_settle(bench->letter, is_sent);
    letter_drop(&bench->letter);
    worker_stop(bench->worker);
    worker_join(bench->worker);
    worker_free(&bench->worker);
}

static void bench_end(struct bench *bench)
{
    message_unref(&bench->message);
    snapshot_unref(&bench->snapshot);
    signd_loaded_free(&bench->loaded);
    fake_store_free(&store);
}

/* "i:DKIM-Signature i:Authentication-Results q", in the order in which it is done. */
static const char *edits_print(const struct letter_answer *answer)
{
    static char text[TEXT_MAX];
    static const char letters[] = { [EDIT_ADD_HEADER] = 'a',
                                    [EDIT_INSERT_HEADER] = 'i',
                                    [EDIT_CHANGE_HEADER] = 'c',
                                    [EDIT_HOLD] = 'q' };
    size_t len = 0;

    text[0] = '\0';
    for (const struct edit *edit = answer->edits.first; edit != NULL; edit = edit->next)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%c:%.*s", len > 0 ? " " : "",
                                letters[edit->kind], SLICE_ARG(edit->name));
    return text;
}

#define FROM(address) "From: <" address ">\nSubject: hello\n"
#define FORGED "Authentication-Results: mx.example.org; dkim=pass\n"
#define INSIDE .address = "127.0.0.1"
#define OUTSIDE .address = "198.18.0.1"
#define MAIL                                                                                       \
    .sender = "a@example.com", .recipients = "b@example.org", .body = "hello\r\n",                 \
    .has_leading_space = true, .queue_id = "4Xk2Lq"

static const struct {
    const char *what, *conf;
    struct sample_message message;
    const char *state; /* of the keys */
    enum fate fate;
    unsigned code; /* of the reply */
    const char *edits; /* those of the names that tell */
    enum signing signing; /* what is counted */
    const char *line, *record; /* in the decision line; in policyd's record */
} cases[] = {
    { "signed",
      "",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_ACCEPT,
      0,
      "i:DKIM-Signature",
      SIGNING_DONE,
      "signed=example.com/s",
      "accept sign example.com/s" },
    { "of a subdomain",
      "",
      { INSIDE, MAIL, .headers = FROM("a@sub.example.com") },
      "active",
      FATE_ACCEPT,
      0,
      "i:DKIM-Signature",
      SIGNING_DONE,
      "signed=example.com/s",
      "sign example.com/s" },
    { "a key that waits",
      "",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "pending",
      FATE_ACCEPT,
      0,
      "",
      SIGNING_NO_KEYS,
      "signed=no_keys",
      "accept sign no_keys" },
    { "a key of unknown state",
      "",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      NULL,
      FATE_TEMPFAIL,
      451,
      "",
      SIGNING_KEYS_UNUSABLE,
      "the store has not said yet",
      "tempfail sign keys_unusable" },
    { "a key that is broken",
      "",
      { INSIDE, MAIL, .headers = FROM("a@broken.example") },
      "active",
      FATE_TEMPFAIL,
      451,
      "",
      SIGNING_KEYS_UNUSABLE,
      "broken.example/s.key",
      "tempfail" },
    { "a domain without keys",
      "",
      { INSIDE, MAIL, .headers = FROM("a@other.example") },
      "active",
      FATE_ACCEPT,
      0,
      "",
      SIGNING_NO_KEYS,
      "signed=no_keys",
      "accept" },
    { "no From",
      "",
      { INSIDE, MAIL, .headers = "Subject: hello\n" },
      "active",
      FATE_REJECT,
      550,
      "",
      SIGNING_BAD_FROM,
      "author=\"no From field\"",
      "reject sign bad_from no From field" },
    { "two of them, let go",
      "bad_from = unsigned\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") FROM("b@example.com") },
      "active",
      FATE_ACCEPT,
      0,
      "",
      SIGNING_BAD_FROM_PASSED,
      "author=\"several From fields\"",
      "accept" },
    { "what no signature can be of",
      "",
      { INSIDE, MAIL, .headers = FROM("a@example.com") "To\t: b@example.org\n" },
      "active",
      FATE_REJECT,
      550,
      "",
      SIGNING_IMPOSSIBLE,
      "signed=impossible",
      "more than one" },
    { "a login",
      "",
      { OUTSIDE, MAIL, .sasl_username = "alice", .headers = FROM("a@example.com") FORGED },
      "active",
      FATE_ACCEPT,
      0,
      "c:Authentication-Results i:Authentication-Results i:DKIM-Signature",
      SIGNING_DONE,
      "forged=1",
      "accept" },
    { "a rule that refuses",
      "[rule no]\nwhen = header.subject = hello\nthen = reject Not this\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_REJECT,
      550,
      "",
      SIGNING_NOT_WANTED,
      "rule=no",
      "reject rule no" },
    { "a rule at the end that refuses what is signed",
      "[rule late]\nwhen = signed\nthen = tempfail Not now\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_TEMPFAIL,
      451,
      "",
      SIGNING_NOT_WANTED,
      "rule=late",
      "tempfail rule late" },
    { "held, and signed",
      "[rule hold]\nthen = hold a look\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_HOLD,
      0,
      "i:DKIM-Signature q:",
      SIGNING_DONE,
      "verdict=hold",
      "hold sign" },
    { "neither signed nor verified",
      "[rule none]\nthen = none\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_ACCEPT,
      0,
      "",
      SIGNING_NOT_WANTED,
      "task=none",
      "accept" },
    { "discarded",
      "[rule away]\nthen = discard\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_DISCARD,
      0,
      "",
      SIGNING_NOT_WANTED,
      "verdict=discard",
      "discard rule away" },
    { "only watched",
      "mode = shadow\n[rule no]\nthen = reject No\n",
      { INSIDE, MAIL, .headers = FROM("a@example.com") },
      "active",
      FATE_ACCEPT,
      0,
      "",
      SIGNING_NOT_WANTED,
      "mode=shadow",
      "accept" },
    { "from outside, nobody knows its policy",
      "",
      { OUTSIDE, MAIL, .headers = FROM("a@example.com") FORGED },
      "active",
      FATE_ACCEPT,
      0,
      "c:Authentication-Results i:Authentication-Results",
      SIGNING_NOT_WANTED,
      "dmarc=temperror",
      "accept dkim=none dmarc=temperror" },
    { "and without an author",
      "",
      { OUTSIDE, MAIL, .headers = "Subject: hello\n" },
      "active",
      FATE_ACCEPT,
      0,
      "i:Authentication-Results",
      SIGNING_NOT_WANTED,
      "author=\"no From field\"",
      "dmarc=permerror" },
};

static bool has(const struct buf *text, const char *part)
{
    return text->len > 0 && memmem(text->data, text->len, part, strlen(part)) != NULL;
}

static void comes_to_an_answer_and_writes_it_down(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bench bench;
        enum signing signing = cases[i].signing;
        uint64_t before =
            signing == SIGNING_NOT_WANTED ? 0 : metric_read(signd.metrics.signings[signing]);
        uint64_t decided = metric_read(signd.metrics.messages);

        bench_begin(&bench, cases[i].conf, &cases[i].message);
        const struct letter_answer *answer = bench_run(&bench, cases[i].state);
        assert_non_null(answer);
        if (answer->fate != cases[i].fate || answer->reply.code != cases[i].code ||
            strcmp(edits_print(answer), cases[i].edits) != 0)
            fail_msg("%s: fate %d, %u %.*s, %s", cases[i].what, (int)answer->fate,
                     answer->reply.code, SLICE_ARG(answer->reply.text), edits_print(answer));
        if (cases[i].code != 0 && memmem(answer->reply.text.ptr, answer->reply.text.len,
                                         ", ref=", strlen(", ref=")) == NULL)
            fail_msg("%s: no reference: %.*s", cases[i].what, SLICE_ARG(answer->reply.text));
        bench_settle(&bench, true);
        if (!has(&store->log, cases[i].line) || !has(&store->verdict, cases[i].record))
            fail_msg("%s: %.*s; %.*s", cases[i].what, (int)store->log.len, store->log.data,
                     (int)store->verdict.len, store->verdict.data);
        if (metric_read(signd.metrics.messages) != decided + 1 ||
            (signing != SIGNING_NOT_WANTED &&
             metric_read(signd.metrics.signings[signing]) != before + 1))
            fail_msg("%s: not counted", cases[i].what);
        bench_end(&bench);
    }
}

static const struct sample_message plain = { INSIDE, MAIL, .headers = FROM("a@example.com") };

/* Keys that have not been read, as at a start: what is to be signed waits. */
static void without_keys_it_is_deferred(UNUSED void **state)
{
    struct bench bench;

    bench_begin(&bench, "", &plain);
    bench.letter = letter_start(bench.worker, snapshot_ref(bench.snapshot), bench.message);
    assert_true(letter_finish(bench.letter, NULL, states_of(NULL), NULL, NULL));
    assert_int_equal(FATE_TEMPFAIL, letter_answer(bench.letter)->fate);
    bench_settle(&bench, true);
    assert_true(has(&store->log, "the keys have not been read"));
    bench_end(&bench);
}

/* The MTA was gone, or did not take the changes: it comes again, whatever was decided. */
static void what_was_not_sent_is_called_deferred(UNUSED void **state)
{
    struct bench bench;
    uint64_t before = metric_read(signd.metrics.fates[FATE_TEMPFAIL]);

    bench_begin(&bench, "", &plain);
    assert_int_equal(FATE_ACCEPT, bench_run(&bench, "active")->fate);
    bench_settle(&bench, false);
    assert_true(has(&store->log, "verdict=tempfail") && has(&store->log, "sent=no"));
    assert_true(has(&store->verdict, "tempfail"));
    assert_true(metric_read(signd.metrics.fates[FATE_TEMPFAIL]) == before + 1);
    bench_end(&bench);
}

/* Resolver and store are silent: after `budget` it is decided with what is known, and that is said. */
static void the_budget_ends_what_hangs(UNUSED void **state)
{
    const struct sample_message outside = { OUTSIDE, MAIL, .headers = FROM("a@example.com") };
    struct bench bench;

    bench_begin(&bench, "", &outside);
    store->holds = true;
    const struct letter_answer *answer = bench_run(&bench, "active");
    assert_non_null(answer);
    assert_int_equal(FATE_ACCEPT, answer->fate);
    store->holds = false;
    bench_settle(&bench, true);
    assert_true(has(&store->log, "budget=over") && has(&store->log, "dmarc=temperror"));
    bench_end(&bench);
}

static void it_can_be_dropped_at_any_time(UNUSED void **state)
{
    const struct sample_message outside = { OUTSIDE, MAIL, .headers = FROM("a@example.com") };
    struct bench bench;

    bench_begin(&bench, "", &outside);
    bench.letter = letter_start(bench.worker, snapshot_ref(bench.snapshot), bench.message);
    assert_non_null(bench.letter);
    letter_settle(bench.letter, true); /* nothing is decided, nothing is written */
    bench_settle(&bench, true);
    assert_int_equal(0, store->lines);
    bench_end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_to_an_answer_and_writes_it_down),
        cmocka_unit_test(without_keys_it_is_deferred),
        cmocka_unit_test(what_was_not_sent_is_called_deferred),
        cmocka_unit_test(the_budget_ends_what_hangs),
        cmocka_unit_test(it_can_be_dropped_at_any_time),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
