/* tests/unit/store/test_store.c - what store.c does before and after it asks the back end. */
#include "tests/unit/unit.h"

#include "common/store/store_impl.h"

struct recorder {
    struct store store; /* first member */
    size_t calls, abandoned, freed;
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
    .poll = rec_poll,
    .reset = rec_reset,
    .top = rec_top,
    .log_read = rec_log_read,
    .log = rec_log,
    .status = rec_status,
    .abandon = rec_abandon,
    .free = rec_free,
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
                                   .repeated = true };

    assert_false(store_charge(&recorder.store, &charge));
    assert_int_equal(1, recorder.calls);
    assert_int_equal(STORE_FAILED, charge.call.result);
    assert_false(charge.call.is_degraded || charge.admitted || charge.repeated);
    assert_int_equal(0, charge.over);
    assert_true(use.used == 0 && use.free_ms == 0 && use.bucket == 0 && use.bad == SIZE_MAX);
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
        cmocka_unit_test(only_a_pending_call_is_abandoned),
        cmocka_unit_test(calls_beyond_the_bounds_fail_at_once),
        cmocka_unit_test(long_log_lines_are_cut),
        cmocka_unit_test(is_freed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
