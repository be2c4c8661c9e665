/* tests/unit/store/test_store.c - what store.c does before and after it asks the back end. */
#include "tests/unit/unit.h"

#include "common/store/store_impl.h"

struct recorder {
    struct store store; /* first member */
    size_t calls, abandoned, freed, closed;
    size_t logged; /* bytes of the last line */
};

static struct recorder *recorder_of(struct store *store)
{
    return (struct recorder *)(void *)store;
}

static bool took(struct store *store)
{
    recorder_of(store)->calls++;
    return false;
}

static bool rec_charge(struct store *store, struct store_charge *charge)
{
    charge->call.pending = store;
    return took(store);
}

static bool rec_greylist(struct store *store, UNUSED struct store_greylist *greylist)
{
    return took(store);
}

static bool rec_fetch(struct store *store, UNUSED struct store_fetch *fetch)
{
    return took(store);
}

static bool rec_read(struct store *store, UNUSED struct store_read *read)
{
    return took(store);
}

static bool rec_write(struct store *store, UNUSED struct store_write *write)
{
    return took(store);
}

static bool rec_swap(struct store *store, UNUSED struct store_swap *swap)
{
    return took(store);
}

static bool rec_poll(struct store *store, UNUSED struct store_poll *poll)
{
    return took(store);
}

static bool rec_reset(struct store *store, UNUSED struct store_reset *reset)
{
    return took(store);
}

static bool rec_top(struct store *store, UNUSED struct store_top *top)
{
    return took(store);
}

static bool rec_log_read(struct store *store, UNUSED struct store_log_read *read)
{
    return took(store);
}

static bool rec_tx_write(struct store *store, UNUSED struct store_tx_write *write)
{
    return took(store);
}

static bool rec_tx_read(struct store *store, UNUSED struct store_tx_read *read)
{
    return took(store);
}

static bool rec_tx_update(struct store *store, UNUSED struct store_tx_update *update)
{
    return took(store);
}

static bool rec_refund(struct store *store, UNUSED struct store_refund *refund)
{
    return took(store);
}

static bool rec_tx_find(struct store *store, UNUSED struct store_tx_find *find)
{
    return took(store);
}

static bool rec_lease_open(struct store *store, UNUSED struct store_lease *lease)
{
    return took(store);
}

static void rec_lease_close(struct store *store, UNUSED struct store_lease *lease)
{
    recorder_of(store)->closed++;
}

static void rec_log(struct store *store, struct slice line)
{
    recorder_of(store)->logged = line.len;
}

static void rec_status(UNUSED const struct store *store, struct store_status *out)
{
    out->kind = "recorder";
}

static void rec_abandon(struct store *store, UNUSED struct store_call *call)
{
    recorder_of(store)->abandoned++;
}

static void rec_free(struct store *store)
{
    recorder_of(store)->freed++;
}

static const struct store_ops ops = {
    .charge = rec_charge,
    .greylist = rec_greylist,
    .fetch = rec_fetch,
    .read = rec_read,
    .write = rec_write,
    .swap = rec_swap,
    .poll = rec_poll,
    .reset = rec_reset,
    .top = rec_top,
    .log_read = rec_log_read,
    .log = rec_log,
    .status = rec_status,
    .abandon = rec_abandon,
    .free = rec_free,
    .tx_write = rec_tx_write,
    .tx_read = rec_tx_read,
    .tx_update = rec_tx_update,
    .refund = rec_refund,
    .tx_find = rec_tx_find,
    .lease_open = rec_lease_open,
    .lease_close = rec_lease_close,
    .is_shared = true,
};

static void a_call_begins_failed_and_without_results(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };
    struct limit_use use = { .used = 7, .free_ms = 7, .bucket = 7, .bad = 7 };
    struct store_charge charge = { .call = { .result = STORE_OK, .is_degraded = true },
                                   .uses = &use,
                                   .use_count = 1,
                                   .admitted = true,
                                   .over = 3,
                                   .repeated = true,
                                   .is_recorded = true };

    assert_false(store_charge(&recorder.store, &charge));
    assert_int_equal(1, recorder.calls);
    assert_int_equal(STORE_FAILED, charge.call.result);
    assert_false(charge.call.is_degraded || charge.admitted || charge.repeated);
    assert_false(charge.is_recorded);
    assert_int_equal(0, charge.over);
    assert_true(use.used == 0 && use.free_ms == 0 && use.bucket == 0 && use.bad == SIZE_MAX);
    assert_true(use.rate.most == RATE_UNLIMITED && use.rate.window_ms == 0);
}

/* As an earlier use of the struct may have left it. */
static char under_way;
static const struct store_call used = { .result = STORE_OK,
                                        .is_degraded = true,
                                        .pending = &under_way };

static void assert_begun(struct recorder *recorder, const char *what, bool is_done,
                         const struct store_call *call)
{
    if (is_done || recorder->calls != 1 || call->result != STORE_FAILED || call->is_degraded ||
        call->pending != NULL)
        fail_msg("%s", what);
    recorder->calls = 0;
}

static void records_begin_without_results(UNUSED void **state)
{
    static const struct transaction_key key = { .len = 1, .text = "k" };
    struct recorder recorder = { .store = { &ops } };
    struct store_tx_write write = { .call = used, .record = { .key = &key }, .state = TX_FOUND };
    struct store_tx_read read = {
        .call = used, .key = &key, .state = TX_FOUND, .transaction = { .sender = SLICE("a@b") }
    };
    struct store_tx_update update = {
        .call = used, .key = &key, .by = SLICE("contentd"), .state = TX_FOUND
    };
    struct store_refund refund = {
        .call = used, .key = &key, .state = TX_FOUND, .is_repeated = true, .uses = 3
    };
    static struct store_tx_found found;
    struct store_tx_find find = {
        .call = used, .queue_id = SLICE("4Xk2Lq"), .state = TX_FOUND, .found = &found, .count = 1
    };

    assert_begun(&recorder, "write", store_tx_write(&recorder.store, &write), &write.call);
    assert_begun(&recorder, "read", store_tx_read(&recorder.store, &read), &read.call);
    assert_null(read.transaction.sender.ptr);
    assert_begun(&recorder, "update", store_tx_update(&recorder.store, &update), &update.call);
    assert_begun(&recorder, "refund", store_refund(&recorder.store, &refund), &refund.call);
    assert_true(!refund.is_repeated && refund.uses == 0);
    assert_begun(&recorder, "find", store_tx_find(&recorder.store, &find), &find.call);
    assert_true(find.found == NULL && find.count == 0);
    assert_true(write.state == TX_NONE && read.state == TX_NONE && update.state == TX_NONE &&
                refund.state == TX_NONE && find.state == TX_NONE);
}

static void reading_begins_without_results(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };
    struct slice texts[2] = { SLICE("a"), SLICE("b") };
    bool changed[2] = { true, true };
    static struct store_field field;
    static struct store_top_row row;
    struct store_fetch fetch = { .call = used, .key = SLICE("k"), .count = 2, .texts = texts };
    struct store_read read = { .call = used, .key = SLICE("k"), .fields = &field, .count = 1 };
    struct store_write write = { .call = used, .key = SLICE("k"), .existed = true };
    const struct store_change change = { .field = SLICE("f"), .text = SLICE("") };
    struct store_swap swap = {
        .call = used, .key = SLICE("k"), .changes = &change, .count = 1, .is_written = true
    };
    struct store_poll poll = { .call = used, .count = 2, .changed = changed };
    struct store_reset reset = { .call = used, .removed = 5 };
    struct store_top top = { .call = used, .rows = &row, .count = 1 };
    struct store_log_read lines = { .call = used, .lines = &field, .count = 1 };

    assert_begun(&recorder, "fetch", store_fetch(&recorder.store, &fetch), &fetch.call);
    assert_true(texts[0].ptr == NULL && texts[1].ptr == NULL);
    assert_begun(&recorder, "read", store_read(&recorder.store, &read), &read.call);
    assert_true(read.fields == NULL && read.count == 0);
    assert_begun(&recorder, "write", store_write(&recorder.store, &write), &write.call);
    assert_false(write.existed);
    assert_begun(&recorder, "swap", store_swap(&recorder.store, &swap), &swap.call);
    assert_false(swap.is_written);
    assert_begun(&recorder, "poll", store_poll(&recorder.store, &poll), &poll.call);
    assert_false(changed[0] || changed[1]);
    assert_begun(&recorder, "reset", store_reset(&recorder.store, &reset), &reset.call);
    assert_int_equal(0, reset.removed);
    assert_begun(&recorder, "top", store_top(&recorder.store, &top), &top.call);
    assert_null(top.rows);
    assert_begun(&recorder, "log_read", store_log_read(&recorder.store, &lines), &lines.call);
    assert_null(lines.lines);
}

/* Nothing is asked, and the answer is neither "found" nor a failure. */
static void without_a_key_or_a_shared_store_there_is_no_record(UNUSED void **state)
{
    static const struct transaction_key key = { .len = 1, .text = "k" }, none = { .len = 0 };
    static const struct {
        bool is_shared;
        const struct transaction_key *key;
        enum tx_state want;
    } rows[] = { { true, NULL, TX_NONE },
                 { true, &none, TX_NONE },
                 { false, &key, TX_NOT_SHARED } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store_ops own = ops;
        struct recorder recorder = { .store = { &own } };
        struct store_tx_write write = { .call = used, .record = { .key = rows[i].key } };
        struct store_tx_read read = { .call = used, .key = rows[i].key };
        struct store_tx_update update = { .call = used, .key = rows[i].key, .by = SLICE("x") };
        struct store_refund refund = { .call = used, .key = rows[i].key };
        own.is_shared = rows[i].is_shared;
        bool ended =
            store_tx_write(&recorder.store, &write) && store_tx_read(&recorder.store, &read) &&
            store_tx_update(&recorder.store, &update) && store_refund(&recorder.store, &refund);
        if (!ended || recorder.calls != 0 || write.call.result != STORE_OK ||
            read.call.result != STORE_OK || update.call.result != STORE_OK ||
            refund.call.result != STORE_OK || write.state != rows[i].want ||
            read.state != rows[i].want || update.state != rows[i].want ||
            refund.state != rows[i].want)
            fail_msg("row %zu", i);
    }
}

/* A name that goes into a field of a record: letters, 1 to 16. */
static void only_a_word_says_a_verdict(UNUSED void **state)
{
    static const struct transaction_key key = { .len = 1, .text = "k" };
    static const struct {
        const char *by;
        bool passes;
    } rows[] = {
        { "c", true },
        { "contentdcontentd", true },
        { "contentdcontentdc", false },
        { "", false },
        { "9a", false },
        { "a9", false },
        { "content d", false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct recorder recorder = { .store = { &ops } };
        struct store_tx_update update = { .key = &key, .by = slice_of(rows[i].by) };
        struct store_refund refund = { .key = &key, .by = slice_of(rows[i].by) };
        if (store_tx_update(&recorder.store, &update) == rows[i].passes ||
            store_refund(&recorder.store, &refund) == rows[i].passes ||
            recorder.calls != (rows[i].passes ? 2 : 0) || update.call.result != STORE_FAILED ||
            refund.call.result != STORE_FAILED)
            fail_msg("\"%s\"", rows[i].by);
    }
    struct recorder recorder = { .store = { &ops } };
    struct store_refund silent = { .key = &key };
    assert_false(store_refund(&recorder.store, &silent)); /* it need not be said */
}

static void a_lease_is_closed_once_if_it_was_held(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };
    struct store_lease lease = { .call = used, .held = 5, .totals = { 7, 7 } };

    assert_begun(&recorder, "lease", store_lease_open(&recorder.store, &lease), &lease.call);
    assert_true(lease.held == 0 && lease.totals[0] == 0 && lease.totals[1] == 0);
    store_lease_close(&recorder.store, &lease);
    assert_int_equal(0, recorder.closed);
    lease.held = 1;
    lease.call.pending = &under_way;
    store_lease_close(&recorder.store, &lease);
    store_lease_close(&recorder.store, &lease);
    assert_int_equal(1, recorder.closed);
    assert_int_equal(1, recorder.abandoned);
    assert_int_equal(0, lease.held);
}

static const struct {
    size_t count, looked_at;
    bool passes;
} leases[] = {
    { STORE_LEASE_SUBJECTS_MAX, 0, true },
    { STORE_LEASE_SUBJECTS_MAX, STORE_LEASE_SUBJECTS_MAX, true },
    { STORE_LEASE_SUBJECTS_MAX + 1, 0, false },
    { 1, 2, false },
};

static void leases_are_bounded(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(leases); i++) {
        struct recorder recorder = { .store = { &ops } };
        struct store_lease lease = { .count = leases[i].count, .looked_at = leases[i].looked_at };
        if (store_lease_open(&recorder.store, &lease) == leases[i].passes ||
            recorder.calls != (leases[i].passes ? 1 : 0))
            fail_msg("row %zu", i);
    }
}

/* ---- greylisting ---- */

static const struct {
    uint64_t delay, window, expiry, allow;
    bool passes;
} greylists[] = {
    { RATE_WINDOW_MAX, RATE_WINDOW_MAX, RATE_WINDOW_MAX, RATE_WINDOW_MAX, true },
    { RATE_WINDOW_MAX + 1, 1, 1, 1, false },
    { 1, RATE_WINDOW_MAX + 1, 1, 1, false },
    { 1, 1, RATE_WINDOW_MAX + 1, 1, false },
    { 1, 1, 1, RATE_WINDOW_MAX + 1, false },
};

/* What cannot be asked passes: it is no reason to delay mail. */
static void greylisting_begins_passed(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(greylists); i++) {
        struct recorder recorder = { .store = { &ops } };
        struct store_greylist greylist = { .call = used,
                                           .delay_ms = greylists[i].delay,
                                           .window_ms = greylists[i].window,
                                           .expiry_ms = greylists[i].expiry,
                                           .allow_expiry_ms = greylists[i].allow,
                                           .state = GREYLIST_EARLY,
                                           .left_ms = 9,
                                           .is_crowded = true };
        bool is_done = store_greylist(&recorder.store, &greylist);
        if (is_done == greylists[i].passes || recorder.calls != (greylists[i].passes ? 1 : 0) ||
            greylist.state != GREYLIST_PASSED || greylist.left_ms != 0 || greylist.is_crowded ||
            greylist.call.result != STORE_FAILED || greylist.call.is_degraded)
            fail_msg("row %zu", i);
    }
}

static void greylist_names_are_bounded(UNUSED void **state)
{
    static char text[GREYLIST_SUBJECT_MAX + 1];
    static const struct {
        size_t origin, sender, recipient;
        bool ok;
    } rows[] = {
        { GREYLIST_SUBJECT_MAX, GREYLIST_SUBJECT_MAX, GREYLIST_SUBJECT_MAX, true },
        { 1, 0, 0, true },
        { 0, 1, 1, false },
        { GREYLIST_SUBJECT_MAX + 1, 1, 1, false },
        { 1, GREYLIST_SUBJECT_MAX + 1, 1, false },
        { 1, 1, GREYLIST_SUBJECT_MAX + 1, false },
    };
    struct greylist_names names;

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store_greylist greylist = { .origin = { text, rows[i].origin },
                                           .sender = { text, rows[i].sender },
                                           .recipient = { text, rows[i].recipient } };
        if (greylist_names(&greylist, &names) != rows[i].ok)
            fail_msg("row %zu", i);
        if (rows[i].ok &&
            (names.origin.len != rows[i].origin + 2 ||
             names.triplet.len != rows[i].origin + rows[i].sender + rows[i].recipient + 6 ||
             names.shared.len != rows[i].origin + 4 ||
             strlen(names.triplet.text) != names.triplet.len))
            fail_msg("row %zu: \"%s\"", i, names.triplet.text);
    }
}

static void only_a_pending_call_is_abandoned(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };
    struct store_charge charge = { .use_count = 0 };

    store_abandon(&recorder.store, &charge.call);
    assert_int_equal(0, recorder.abandoned);
    store_charge(&recorder.store, &charge);
    store_abandon(&recorder.store, &charge.call);
    assert_int_equal(1, recorder.abandoned);
    assert_null(charge.call.pending);
    store_abandon(&recorder.store, &charge.call);
    assert_int_equal(1, recorder.abandoned);
}

static char bytes[STORE_TEXT_MAX + 1];

static const struct {
    size_t key, field, text;
    bool has_field, passes;
} writes[] = {
    { 1, 1, 0, true, true },
    { STORE_KEY_MAX, STORE_FIELD_MAX, STORE_TEXT_MAX, true, true },
    { 1, 0, 0, false, true }, /* the whole hash */
    { 0, 1, 0, true, false },
    { STORE_KEY_MAX + 1, 1, 0, true, false },
    { 1, 0, 0, true, false },
    { 1, STORE_FIELD_MAX + 1, 0, true, false },
    { 1, 1, STORE_TEXT_MAX + 1, true, false },
};

static void calls_beyond_the_bounds_fail_at_once(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };

    for (size_t i = 0; i < COUNT(writes); i++) {
        struct store_write write = { .key = { bytes, writes[i].key },
                                     .field = { writes[i].has_field ? bytes : NULL,
                                                writes[i].field },
                                     .text = { bytes, writes[i].text } };
        recorder.calls = 0;
        bool is_done = store_write(&recorder.store, &write);
        if (is_done == writes[i].passes || recorder.calls != (writes[i].passes ? 1 : 0))
            fail_msg("row %zu", i);
        assert_int_equal(STORE_FAILED, write.call.result);
    }
    recorder.calls = 0;
    struct store_read read = { .key = { bytes, 0 } };
    struct store_fetch fetch = { .key = { bytes, STORE_KEY_MAX + 1 } };
    struct store_charge charge = { .use_count = STORE_USES_MAX + 1 };
    static struct limit_use uses[STORE_USES_MAX + 1];
    charge.uses = uses;
    assert_true(store_read(&recorder.store, &read));
    assert_true(store_fetch(&recorder.store, &fetch));
    assert_true(store_charge(&recorder.store, &charge));
    assert_int_equal(0, recorder.calls);
    charge.use_count = STORE_USES_MAX;
    assert_false(store_charge(&recorder.store, &charge));
    assert_int_equal(1, recorder.calls);
}

static const struct {
    size_t key, field, was, text, count;
    bool has_text, passes;
} swaps[] = {
    { 1, 1, 0, 0, 1, true, true },
    { STORE_KEY_MAX, STORE_FIELD_MAX, STORE_TEXT_MAX, STORE_TEXT_MAX, STORE_CHANGES_MAX, true,
      true },
    { 0, 1, 0, 0, 1, true, false },
    { STORE_KEY_MAX + 1, 1, 0, 0, 1, true, false },
    { 1, 0, 0, 0, 1, true, false },
    { 1, STORE_FIELD_MAX + 1, 0, 0, 1, true, false },
    { 1, 1, STORE_TEXT_MAX + 1, 0, 1, true, false },
    { 1, 1, 0, STORE_TEXT_MAX + 1, 1, true, false },
    { 1, 1, 0, 0, 1, false, false }, /* nothing is removed */
    { 1, 1, 0, 0, 0, true, false },
    { 1, 1, 0, 0, STORE_CHANGES_MAX + 1, true, false },
};

static void swaps_beyond_the_bounds_fail_at_once(UNUSED void **state)
{
    static struct store_change changes[STORE_CHANGES_MAX + 1];

    for (size_t i = 0; i < COUNT(swaps); i++) {
        struct recorder recorder = { .store = { &ops } };
        struct store_swap swap = { .key = { bytes, swaps[i].key },
                                   .changes = changes,
                                   .count = swaps[i].count };
        for (size_t n = 0; n < COUNT(changes); n++)
            changes[n] = (struct store_change){ .field = { bytes, 1 }, .text = { bytes, 0 } };
        if (swaps[i].count > 0) /* the last one is looked at, too */
            changes[swaps[i].count - 1] =
                (struct store_change){ .field = { bytes, swaps[i].field },
                                       .was = { bytes, swaps[i].was },
                                       .text = { swaps[i].has_text ? bytes : NULL,
                                                 swaps[i].text } };
        if (store_swap(&recorder.store, &swap) == swaps[i].passes ||
            recorder.calls != (swaps[i].passes ? 1 : 0))
            fail_msg("row %zu", i);
        assert_int_equal(STORE_FAILED, swap.call.result);
    }
}

static void long_log_lines_are_cut(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };

    store_log(&recorder.store, (struct slice){ bytes, 100 });
    assert_int_equal(100, recorder.logged);
    store_log(&recorder.store, (struct slice){ bytes, sizeof bytes });
    assert_int_equal(STORE_LOG_LINE_MAX, recorder.logged);
}

static void is_freed_once(UNUSED void **state)
{
    struct recorder recorder = { .store = { &ops } };
    struct store *store = &recorder.store;

    store_free(&store);
    assert_null(store);
    store_free(&store);
    assert_int_equal(1, recorder.freed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_begins_failed_and_without_results),
        cmocka_unit_test(records_begin_without_results),
        cmocka_unit_test(reading_begins_without_results),
        cmocka_unit_test(without_a_key_or_a_shared_store_there_is_no_record),
        cmocka_unit_test(only_a_word_says_a_verdict),
        cmocka_unit_test(a_lease_is_closed_once_if_it_was_held),
        cmocka_unit_test(leases_are_bounded),
        cmocka_unit_test(greylisting_begins_passed),
        cmocka_unit_test(greylist_names_are_bounded),
        cmocka_unit_test(only_a_pending_call_is_abandoned),
        cmocka_unit_test(calls_beyond_the_bounds_fail_at_once),
        cmocka_unit_test(swaps_beyond_the_bounds_fail_at_once),
        cmocka_unit_test(long_log_lines_are_cut),
        cmocka_unit_test(is_freed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
