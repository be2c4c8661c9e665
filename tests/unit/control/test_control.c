/* tests/unit/control/test_control.c - the control API over the memory store, request by request. */
#include "tests/unit/control/control_case.h"

#include "tests/fakes/fake_store.h"

struct fixture {
    struct store_memory *memory;
    struct store *store;
    struct limit_set *limits;
    struct classes *classes;
    struct control *control;
    int held; /* views held and not released */
    bool guesses;
};

/* ---- a daemon ---- */

static void hold(void *context, struct control_view *out)
{
    struct fixture *fixture = context;

    fixture->held++;
    *out = (struct control_view){
        .limits = fixture->limits,
        .file_classes = fixture->classes,
        .names = { .is_declared = control_case_declared },
        .guesses_subjects = fixture->guesses,
    };
}

static void release(void *context, UNUSED struct control_view *view)
{
    ((struct fixture *)context)->held--;
}

static void add_status(UNUSED void *context, json_t *status)
{
    json_object_set_new(status, "version", json_string("0"));
}

static bool serve_own(UNUSED void *context, struct control_request *request)
{
    if (!slice_equal(request->segments[0], SLICE("own")))
        return false;
    request->reply(request, 200, json_pack("{s:b}", "own", 1));
    return true;
}

static int setup(void **state)
{
    static const struct class_source gold[] = { { SLICE_INIT("carol@example.com"),
                                                  SLICE_INIT("gold") } };
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct control_daemon daemon = { hold, release, add_status, serve_own, fixture };

    fixture->memory = store_memory_new(&control_case_clock, 16 << 20);
    fixture->store = store_memory_open(fixture->memory);
    fixture->limits = control_case_limits();
    fixture->classes = classes_new(gold, COUNT(gold), NULL, NULL);
    fixture->control = control_new(fixture->store, &control_case_clock, &daemon);
    *state = fixture;
    return fixture->control == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    int held = fixture->held;

    control_free(&fixture->control);
    classes_free(&fixture->classes);
    limit_set_free(&fixture->limits);
    store_free(&fixture->store);
    store_memory_free(&fixture->memory);
    free(fixture);
    return held; /* 0: every view was released */
}

/* ---- requests as text ---- */

struct exchange {
    struct control_request request; /* first member */
    unsigned status;
    char *text; /* the answer, compact and sorted */
    int replies;
};

static void reply(struct control_request *request, unsigned status, json_t *answer)
{
    struct exchange *exchange = (struct exchange *)request;

    exchange->replies++;
    exchange->status = status;
    exchange->text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(answer);
}

/* "PUT live|list:block|example.com ?force=1 text": segments apart by `|`. The answer as "STATUS JSON", to be freed. */
static char *ask(struct fixture *fixture, const char *line)
{
    static const char *const methods[] = {
        [CONTROL_GET] = "GET",
        [CONTROL_PUT] = "PUT",
        [CONTROL_POST] = "POST",
        [CONTROL_DELETE] = "DELETE",
    };
    struct exchange exchange = { .request = { .reply = reply } };
    struct control_request *request = &exchange.request;
    struct slice rest = slice_of(line), word, item;
    char *all;

    assert_true(slice_cut(&rest, ' ', &word));
    for (size_t i = 0; i < COUNT(methods); i++)
        if (slice_equal(word, slice_of(methods[i])))
            request->method = (enum control_method)i;
    if (!slice_cut(&rest, ' ', &word)) {
        word = rest;
        rest = SLICE("");
    }
    while (slice_next(&word, '|', &item))
        request->segments[request->segment_count++] = item;
    while (slice_starts_with(rest, SLICE("?"))) {
        rest = slice_skip(rest, 1);
        if (!slice_cut(&rest, ' ', &word)) {
            word = rest;
            rest = SLICE("");
        }
        assert_true(slice_cut(&word, '=', &item));
        for (size_t i = 0; control_param_names[i] != NULL; i++)
            if (slice_equal(item, slice_of(control_param_names[i])))
                request->params[request->param_count++] =
                    (struct control_param){ control_param_names[i], word };
    }
    request->body = rest;
    control_serve(fixture->control, request);
    assert_int_equal(1, exchange.replies);
    assert_true(asprintf(&all, "%u %s", exchange.status, exchange.text) > 0);
    free(exchange.text);
    return all;
}

static void expect(struct fixture *fixture, const char *line, const char *want)
{
    char *got = ask(fixture, line);

    if (strcmp(got, want) != 0)
        fail_msg("%s\nwant %s\ngot  %s", line, want, got);
    free(got);
}

/* The answer begins with the status and has this text somewhere. */
static void expect_part(struct fixture *fixture, const char *line, const char *status,
                        const char *part)
{
    char *got = ask(fixture, line);

    if (strncmp(got, status, strlen(status)) != 0 || strstr(got, part) == NULL)
        fail_msg("%s\nwant %s ... %s\ngot  %s", line, status, part, got);
    free(got);
}

/* ---- live state ---- */

static void writes_reads_and_removes_fields(void **state)
{
    static const char *const steps[][2] = {
        { "GET live|list:block", "200 {\"fields\":{},\"key\":\"list:block\"}" },
        { "PUT live|list:block|Example.COM by=root",
          "200 {\"existed\":false,\"field\":\"example.com\",\"key\":\"list:block\"}" },
        { "PUT live|list:block|example.com by=root note=again",
          "200 {\"existed\":true,\"field\":\"example.com\",\"key\":\"list:block\"}" },
        { "GET live|list:block",
          "200 {\"fields\":{\"example.com\":\"by=root note=again\"},\"key\":\"list:block\"}" },
        { "DELETE live|list:block|EXAMPLE.com",
          "200 {\"existed\":true,\"field\":\"example.com\",\"key\":\"list:block\"}" },
        { "DELETE live|list:block|example.com",
          "200 {\"existed\":false,\"field\":\"example.com\",\"key\":\"list:block\"}" },
        { "PUT live|list:block/Bob@example.com|192.0.2.0/24",
          "200 {\"existed\":false,\"field\":\"192.0.2.0/24\",\"key\":\"list:block/"
          "bob@example.com\"}" },
        { "PUT live|rule|storm order=1 then=accept",
          "200 {\"existed\":false,\"field\":\"storm\",\"key\":\"rule\"}" },
    };

    for (size_t i = 0; i < COUNT(steps); i++)
        expect(*state, steps[i][0], steps[i][1]);
}

static void refuses_with_a_fitting_status(void **state)
{
    static const char *const cases[][3] = {
        { "GET nothing", "404", "no such resource" },
        { "GET live", "404", "no such resource" },
        { "GET live|q:x", "404", "is expected" },
        { "PUT live|gen|x 1", "404", "is expected" },
        { "PUT status", "405", "no such method" },
        { "POST live|rule|x", "405", "no such method" },
        { "PUT live|limit:user-hourly|default 500", "422", "\"where\":\"text\"" },
        { "PUT live|limit:user-hourly|user:a\tb 1/1h", "422", "\"offset\":6" },
        { "PUT live|list:blok|example.com", "409", "no list" },
        { "DELETE live|list:block|192.0.2.1/24", "422", "\"where\":\"field\"" },
        { "GET top ?count=0", "400", "count" },
        { "GET top ?count=1001", "400", "count" },
        { "GET log ?count=x", "400", "count" },
        { "POST limits|nothing|reset ?value=a", "404", "no limit" },
        { "POST limits|user-hourly|reset", "400", "say whose count" },
        { "POST limits|everybody|reset ?value=a", "400", "no key" },
        { "POST limits|user-hourly|set ?value=a", "404", "no such resource" },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        expect_part(*state, cases[i][0], cases[i][1], cases[i][2]);
}

static void force_writes_what_is_not_declared(void **state)
{
    expect_part(*state, "PUT live|list:other|example.com ?force=1", "200", "\"existed\":false");
    expect_part(*state, "PUT live|list:other|192.0.2.1/24 ?force=1", "422", "field");
    expect_part(*state, "GET live|list:other", "200", "example.com");
    expect_part(*state, "DELETE live|list:other|example.com", "200", "\"existed\":true");
    /* typed by hand, in a spelling that no lookup uses */
    struct fixture *fixture = *state;
    struct store_write write = { .key = SLICE("list:block"),
                                 .field = SLICE("EXAMPLE.com"),
                                 .text = SLICE("") };
    assert_true(store_write(fixture->store, &write));
    expect_part(fixture, "DELETE live|list:block|EXAMPLE.com", "200", "\"existed\":false");
    expect_part(fixture, "DELETE live|list:block|EXAMPLE.com ?force=1", "200", "\"existed\":true");
}

static void shows_bytes_that_are_no_utf8(void **state)
{
    struct fixture *fixture = *state;
    struct store_write write = { .key = SLICE("class"),
                                 .field = SLICE("a\xff"),
                                 .text = SLICE("\xc3") };

    assert_true(store_write(fixture->store, &write));
    write.field = SLICE("b\xfe"
                        "c\xfd\xfc");
    write.text = SLICE("");
    assert_true(store_write(fixture->store, &write));
    expect(fixture, "GET live|class",
           "200 {\"fields\":{\"a\xef\xbf\xbd\":\"\xef\xbf\xbd\","
           "\"b\xef\xbf\xbd"
           "c\xef\xbf\xbd\xef\xbf\xbd\":\"\"},\"key\":\"class\"}");
}

/* ---- limits ---- */

static void charge(struct fixture *fixture, const char *name, struct slice value, uint64_t amount)
{
    const struct limit *limit = limit_set_find(fixture->limits, slice_of(name));
    struct arena *arena = arena_new(1 << 16);
    struct limit_use use = { .limit = limit,
                             .subject = limit_key_subject(limit, value, arena),
                             .amount = amount };
    struct store_charge step = { .uses = &use, .use_count = 1 };

    use.field_count = limit_candidates(limit, value, (struct slice){ NULL, 0 }, arena, &use.fields);
    assert_true(store_charge(fixture->store, &step));
    assert_true(step.admitted);
    arena_free(&arena);
}

static void lists_limits_as_configured(void **state)
{
    expect_part(*state, "GET limits", "200",
                "{\"charge\":\"data\",\"count\":\"recipients\",\"key\":[\"sasl_username\"],"
                "\"name\":\"user-hourly\",\"over\":");
    expect_part(*state, "GET limits", "200",
                "\"rates\":{\"class:gold\":\"unlimited\",\"user:bob@example.com\":\"10/1h\"}");
    expect_part(*state, "GET limits", "200", "\"key\":[]");
}

static size_t count_text(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

static void shows_usage_and_where_the_rate_comes_from(void **state)
{
    struct fixture *fixture = *state;
    char *got;

    charge(fixture, "user-hourly", SLICE("alice@example.com"), 199);
    got = ask(fixture, "GET usage ?value=Alice@Example.com");
    assert_int_equal(1, count_text(got, "\"limit\":"));
    assert_non_null(strstr(got, "\"used\":199"));
    assert_non_null(strstr(got, "\"allowed\":200"));
    assert_non_null(strstr(got, "\"free_in_ms\":0"));
    assert_non_null(strstr(got, "\"source\":\"default\""));
    assert_non_null(strstr(got, "\"live\":false"));
    assert_non_null(strstr(got, "\"subject\":\"m:alice@example.com\""));
    free(got);

    charge(fixture, "user-hourly", SLICE("alice@example.com"), 1);
    got = ask(fixture, "GET usage ?value=alice@example.com");
    assert_non_null(strstr(got, "\"used\":200"));
    assert_null(strstr(got, "\"free_in_ms\":0"));
    free(got);

    expect_part(fixture, "PUT live|limit:user-hourly|domain:example.com 500/1h", "200", "");
    got = ask(fixture, "GET usage ?value=alice@example.com");
    assert_non_null(strstr(got, "\"allowed\":500"));
    assert_non_null(strstr(got, "\"field\":\"domain:example.com\""));
    assert_non_null(strstr(got, "\"live\":true"));
    free(got);

    expect_part(fixture, "GET usage ?value=carol@example.com", "200", "domain:example.com");
    expect_part(fixture, "DELETE live|limit:user-hourly|domain:example.com", "200", "");
    expect_part(fixture, "GET usage ?value=carol@example.com", "200", "\"allowed\":null");
    expect_part(fixture, "GET usage ?value=bob@example.com", "200", "\"source\":\"user\"");
}

static void finds_the_limits_that_a_value_fits(void **state)
{
    static const struct {
        const char *value, *limits; /* names in order */
    } cases[] = {
        { "alice@example.com", "user-hourly" },
        { "alice", "user-hourly" },
        { "example.com", "user-hourly domain-daily" },
        { "192.0.2.1", "address" },
        { "2001:db8::1", "address" },
        { "example.com,192.0.2.1", "pair" },
        { "a,b,c", "" },
        { "", "everybody" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF line = BUF_INIT(200), names = BUF_INIT(200);
        buf_printf(&line, "GET usage ?value=%s", cases[i].value);
        char *got = ask(*state, buf_text(&line));
        json_t *answer = json_loads(strchr(got, ' '), 0, NULL), *row;
        size_t n;
        json_array_foreach (json_object_get(answer, "limits"), n, row)
            buf_printf(&names, "%s%s", n == 0 ? "" : " ",
                       json_string_value(json_object_get(row, "limit")));
        if (strcmp(buf_text(&names), cases[i].limits) != 0)
            fail_msg("%s: want %s, got %s", cases[i].value, cases[i].limits, buf_text(&names));
        json_decref(answer);
        free(got);
    }
}

static void counts_an_ipv6_address_as_its_network(void **state)
{
    charge(*state, "address", SLICE("2001:db8:1:2::/64"), 7);
    expect_part(*state, "GET usage ?value=2001:db8:1:2::99", "200", "\"used\":7");
}

static void finds_usage_without_knowing_types(void **state)
{
    struct fixture *fixture = *state;
    char *got;

    charge(fixture, "user-hourly", SLICE("alice@example.com"), 3);
    charge(fixture, "pair", SLICE("example.com,192.0.2.1"), 2);
    fixture->guesses = true;
    got = ask(fixture, "GET usage ?value=Alice@example.com");
    assert_int_equal(3, count_text(got, "\"limit\":")); /* any with one fact in its key */
    assert_int_equal(1, count_text(got, "\"used\":3"));
    free(got);
    expect_part(fixture, "GET usage ?value=example.com,192.0.2.1", "200", "\"used\":2");
    charge(fixture, "address", SLICE("192.0.2.1"), 5);
    expect_part(fixture, "GET usage ?value=192.0.2.1", "200",
                "\"subject\":\"a:192.0.2.1\",\"used\":5");
    expect_part(fixture, "POST limits|user-hourly|reset ?value=alice@example.com", "200",
                "\"removed\":1");
    expect_part(fixture, "GET usage ?value=alice@example.com", "200", "\"used\":0");
}

static void resets_what_a_value_has_used(void **state)
{
    charge(*state, "user-hourly", SLICE("alice@example.com"), 3);
    charge(*state, "everybody", SLICE(""), 4);
    expect(*state, "POST limits|user-hourly|reset ?value=ALICE@example.com",
           "200 {\"limit\":\"user-hourly\",\"removed\":1,\"value\":\"ALICE@example.com\"}");
    expect_part(*state, "GET usage ?value=alice@example.com", "200", "\"used\":0");
    expect_part(*state, "POST limits|user-hourly|reset ?value=alice@example.com", "200",
                "\"removed\":0");
    expect_part(*state, "POST limits|everybody|reset", "200", "\"removed\":1");
}

static void names_who_uses_most(void **state)
{
    charge(*state, "user-hourly", SLICE("alice@example.com"), 3);
    charge(*state, "user-hourly", SLICE("bob@example.com"), 9);
    charge(*state, "address", SLICE("192.0.2.1"), 5);
    expect(*state, "GET top ?limit=user-hourly ?count=1",
           "200 {\"rows\":[{\"limit\":\"user-hourly\",\"subject\":\"m:bob@example.com\",\"used\":9,"
           "\"window_ms\":3600000}]}");
    expect_part(*state, "GET top", "200", "192.0.2.1");
}

/* ---- a store that is slow, broken or away ---- */

static void ask_store(struct control *control, struct exchange *exchange, const char *noun,
                      const char *key)
{
    *exchange = (struct exchange){ .request = { .segments = { slice_of(noun), slice_of(key) },
                                                .segment_count = key == NULL ? 1 : 2,
                                                .reply = reply } };
    control_serve(control, &exchange->request);
}

static void assert_told(struct exchange *exchange, unsigned status, const char *part)
{
    assert_int_equal(1, exchange->replies);
    if (exchange->status != status || strstr(exchange->text, part) == NULL)
        fail_msg("want %u ... %s, got %u %s", status, part, exchange->status, exchange->text);
    free(exchange->text);
}

static struct control *slow_control(struct fixture *fixture, struct fake_store **fake)
{
    const struct control_daemon daemon = { .hold = hold, .release = release, .context = fixture };

    *fake = fake_store_new(&control_case_clock);
    (*fake)->holds = true;
    return control_new(&(*fake)->store, &control_case_clock, &daemon);
}

static void answers_each_when_the_store_has(void **state)
{
    struct fake_store *fake;
    struct control *control = slow_control(*state, &fake);
    struct exchange asked[4];

    for (size_t i = 0; i < COUNT(asked); i++)
        ask_store(control, &asked[i], "live", "rule");
    assert_int_equal(4, ((struct fixture *)*state)->held);
    fake_store_release_one(fake); /* of those that wait the first, */
    assert_told(&asked[0], 200, "\"fields\":{}");
    fake_store_release_one(fake);
    assert_told(&asked[1], 200, "\"fields\":{}");
    assert_int_equal(0, asked[2].replies + asked[3].replies);
    control_free(&control); /* and the others when all ends */
    assert_null(control);
    assert_told(&asked[2], 503, "ended before the store answered");
    assert_told(&asked[3], 503, "ended before the store answered");
    assert_int_equal(2, fake->abandoned);
    control_free(&control);
    fake_store_free(&fake);
}

static void says_that_the_store_did_not_do_it(void **state)
{
    struct fake_store *fake;
    struct control *control = slow_control(*state, &fake);
    struct exchange asked;

    fake->fails = true;
    ask_store(control, &asked, "live", "rule");
    assert_int_equal(0, asked.replies);
    fake_store_release(fake);
    assert_told(&asked, 503, "store did not do it: ");
    control_free(&control);
    fake_store_free(&fake);
}

static void says_that_a_local_copy_answered(void **state)
{
    struct fake_store *fake;
    struct control *control = slow_control(*state, &fake);
    struct exchange asked;

    fake->holds = false;
    ask_store(control, &asked, "usage", NULL);
    assert_null(strstr(asked.text, "degraded"));
    assert_told(&asked, 200, "everybody");
    assert_int_equal(1, fake->peeks); /* who looks charges nothing */
    assert_int_equal(0, fake->charges);
    fake->is_degraded = true;
    ask_store(control, &asked, "usage", NULL);
    assert_told(&asked, 200, "\"degraded\":true");
    ask_store(control, &asked, "live", "rule");
    assert_null(strstr(asked.text, "degraded\":true"));
    assert_told(&asked, 503, "store did not do it: ");
    control_free(&control);
    fake_store_free(&fake);
}

/* ---- log, status, others ---- */

static void reads_the_log_forward_and_by_text(void **state)
{
    struct fixture *fixture = *state;
    char *got, *id;

    store_log(fixture->store, SLICE("decision ref=aaaaaa"));
    store_log(fixture->store, SLICE("decision ref=bbbbbb"));
    store_log(fixture->store, SLICE("decision ref=cccccc"));
    expect_part(fixture, "GET log ?find=bbbbbb", "200", "\"text\":\"decision ref=bbbbbb\"}]");
    got = ask(fixture, "GET log ?find=bbbbbb");
    id = strstr(got, "\"id\":\"");
    assert_non_null(id);
    AUTO_BUF line = BUF_INIT(200);
    buf_printf(&line, "GET log ?after=%.*s", (int)strcspn(id + 6, "\""), id + 6);
    free(got);
    got = ask(fixture, buf_text(&line));
    assert_null(strstr(got, "bbbbbb"));
    assert_non_null(strstr(got, "cccccc"));
    free(got);
}

static void tells_its_status(void **state)
{
    expect_part(*state, "GET status", "200", "\"kind\":\"memory\"");
    expect_part(*state, "GET status", "200", "\"version\":\"0\"");
}

static void leaves_other_nouns_to_the_daemon(void **state)
{
    expect(*state, "GET own", "200 {\"own\":true}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(writes_reads_and_removes_fields),
        TEST(refuses_with_a_fitting_status),
        TEST(force_writes_what_is_not_declared),
        TEST(shows_bytes_that_are_no_utf8),
        TEST(lists_limits_as_configured),
        TEST(shows_usage_and_where_the_rate_comes_from),
        TEST(finds_the_limits_that_a_value_fits),
        TEST(counts_an_ipv6_address_as_its_network),
        TEST(finds_usage_without_knowing_types),
        TEST(resets_what_a_value_has_used),
        TEST(names_who_uses_most),
        TEST(answers_each_when_the_store_has),
        TEST(says_that_the_store_did_not_do_it),
        TEST(says_that_a_local_copy_answered),
        TEST(reads_the_log_forward_and_by_text),
        TEST(tells_its_status),
        TEST(leaves_other_nouns_to_the_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
