/* tests/unit/quarantine/test_errand.c - pages of the list are bounded whatever is kept, and lose nothing. */
#include "common/quarantine/errand.h"

#include "tests/fakes/mail_message.h"
#include "tests/fakes/temporary.h"
#include "tests/unit/unit.h"

enum { KEPT_COUNT = 100, TICK_MS = 150, PAGES_MAX = 50 };

/* Each look at it takes a while. */
struct slow_clock {
    struct clock clock; /* first member */
    uint64_t now_ms, tick_ms;
};

static uint64_t slow_now(const struct clock *clock)
{
    struct slow_clock *slow = (struct slow_clock *)(uintptr_t)clock;

    return slow->now_ms += slow->tick_ms;
}

static uint64_t slow_wall(const struct clock *clock)
{
    return 1795314861000 + slow_now(clock);
}

struct case_ {
    struct temporary directory;
    struct slow_clock clock;
    struct quarantine *quarantine;
    char ids[KEPT_COUNT][KEPT_ID_LEN + 1];
};

struct asking {
    struct control_request request; /* first member */
    unsigned status;
    json_t *answer;
};

static void answered(struct control_request *request, unsigned status, json_t *answer)
{
    struct asking *asking = (struct asking *)request;

    asking->status = status;
    asking->answer = answer;
}

/* So many entries that all say `text` of themselves, as often as possible. */
static void begin(struct case_ *test, const char *text)
{
    struct message *message = mail_message_new(SLICE("Subject: x\n\nbody\r\n"), "a@b.example");
    struct source source = source_of_message(message);
    struct slice said = slice_of(text);
    AUTO_BUF error = BUF_INIT(1000);

    *test = (struct case_){ .clock = { .clock = { slow_now, slow_wall }, .tick_ms = 1 } };
    temporary_make(&test->directory);
    const struct quarantine_settings settings = { test->directory.path, 0, DAY, 0 };
    test->quarantine = quarantine_open(&settings, &test->clock.clock, &error);
    for (size_t i = 0; i < KEPT_COUNT; i++) {
        struct kept kept = { .reason = said,
                             .subject = said,
                             .from = said,
                             .message_id = said,
                             .queue_id = said,
                             .client_name = said,
                             .helo_name = said };
        assert_int_equal(0, quarantine_keep(test->quarantine, &kept, &source, &error));
        memcpy(test->ids[i], kept.id, sizeof test->ids[i]);
    }
    message_unref(&message);
}

static void end(struct case_ *test)
{
    quarantine_close(&test->quarantine);
    temporary_remove(&test->directory);
}

/* GET quarantine?count=1000&after=...; the answer is the caller's. */
static json_t *ask_page(struct case_ *test, const char *after)
{
    const struct errand_place place = { .quarantine = test->quarantine,
                                        .clock = &test->clock.clock,
                                        .stop_fd = -1 };
    struct asking asking = { .request = { .method = CONTROL_GET,
                                          .segments = { SLICE("quarantine") },
                                          .segment_count = 1,
                                          .params = { { "count", SLICE("1000") },
                                                      { "after", slice_of(after) } },
                                          .param_count = after == NULL ? 1 : 2,
                                          .reply = answered } };
    struct errand *errand = errand_new(&asking.request);

    assert_non_null(errand);
    errand_run(errand, &place);
    json_t *answer = errand->answer;
    assert_int_equal(200, errand->status);
    free(errand);
    return answer;
}

/* All entries, the newest first, each once, on so many pages. */
static void pages_are(struct case_ *test, size_t least, size_t most)
{
    size_t seen = 0, pages = 0;
    char after[KEPT_ID_LEN + 1] = "";

    do {
        json_t *answer = ask_page(test, pages == 0 ? NULL : after), *row;
        size_t i;
        json_array_foreach (json_object_get(answer, "messages"), i, row)
            assert_string_equal(test->ids[KEPT_COUNT - ++seen],
                                json_string_value(json_object_get(row, "id")));
        char *text = json_dumps(answer, JSON_ENSURE_ASCII);
        assert_true(strlen(text) < 5 << 20);
        free(text);
        const char *next = json_string_value(json_object_get(answer, "next"));
        snprintf(after, sizeof after, "%s", next == NULL ? "" : next);
        json_decref(answer);
        assert_true(++pages < PAGES_MAX);
    } while (after[0] != '\0');
    assert_int_equal(KEPT_COUNT, seen);
    if (pages < least || pages > most)
        fail_msg("%zu pages", pages);
}

static void one_page_for_little(UNUSED void **state)
{
    struct case_ test;

    begin(&test, "x");
    pages_are(&test, 1, 1);
    end(&test);
}

static void a_page_is_bounded_in_bytes(UNUSED void **state)
{
    char hostile[KEPT_TEXT_MAX + 1];
    struct case_ test;

    memset(hostile, 1, KEPT_TEXT_MAX); /* six bytes each in JSON */
    hostile[KEPT_TEXT_MAX] = '\0';
    begin(&test, hostile);
    pages_are(&test, 2, 2); /* some 4.2 MB */
    end(&test);
}

static void a_page_is_bounded_in_time(UNUSED void **state)
{
    struct case_ test;

    begin(&test, "x");
    test.clock.tick_ms = TICK_MS; /* an entry, a look at the clock: 13 in 2 s */
    pages_are(&test, 7, 9);
    end(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_page_for_little),
        cmocka_unit_test(a_page_is_bounded_in_bytes),
        cmocka_unit_test(a_page_is_bounded_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
