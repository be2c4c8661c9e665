/* tests/unit/control/test_service.c - what a daemon with rules serves: its status, its rules with their counts, live changes
 * judged by its rules, and nouns of its own; through a real socket. */
#include "tests/unit/control/control_server.h"
#include "tests/unit/policy/policy_case.h"

#include "common/control/service.h"
#include "common/run/daemon_private.h"

/* What is in force. */
struct data {
    struct rule_book book;
    const struct rules_schema *schema;
};

static struct control_server server;
static struct policy_case loaded;
static struct data data;
static struct control_service *service;
static struct daemon daemon_of_case;
static size_t asked;

static void in_force(const void *of, struct control_in_force *out)
{
    const struct data *now = of;

    *out = (struct control_in_force){ .book = &now->book, .schema = now->schema };
}

static void add_status(void *context, const void *of, json_t *status)
{
    assert_ptr_equal(&asked, context);
    assert_ptr_equal(&data, of);
    json_object_set_new(status, "asked", json_integer((json_int_t)asked));
}

static bool serve_own(UNUSED void *context, struct control_request *request)
{
    if (!slice_equal(request->segments[0], SLICE("own")))
        return false;
    asked++;
    request->reply(request, 200, json_pack("{s:b}", "own", true));
    return true;
}

static const struct control_service_spec spec = {
    .program = "gatehouse-testd",
    .in_force = in_force,
    .add_status = add_status,
    .serve = serve_own,
};

static void service_begin(struct control_server *of)
{
    service = control_service_new(&spec, &daemon_of_case, of->store, &asked);
}

static void service_serve(UNUSED struct control_server *of, struct http_call *call)
{
    control_service_serve(service, call);
}

static void service_end(UNUSED struct control_server *of)
{
    control_service_free(&service);
}

static const struct control_server_more more = { service_begin, service_serve, service_end };

static void release(UNUSED void *arg)
{
}

static int open_case(UNUSED void **state)
{
    static struct common_config common = { .mode = CONF_SHADOW };
    static struct loaded file = { .common = &common };

    case_load_with(&loaded,
                   "[list block]\n[rule far]\nwhen = country = KP\nthen = reject Far\n"
                   "[rule late]\norder = 900\nmode = shadow\ntrouble = defer\nstage = rcpt\n"
                   "then = hold\n",
                   CONF_ENFORCE, NULL, &data.book);
    assert_string_equal("", buf_text(&loaded.errors));
    data.schema = &loaded.schema;
    asked = 0;
    daemon_of_case.clock = &control_case_clock;
    daemon_of_case.started_ms = 5 * SECOND;
    daemon_of_case.file = &file;
    daemon_of_case.snapshot = snapshot_new(&data, release, NULL, 1);
    control_server_start_with(&server, &more);
    return 0;
}

static int close_case(UNUSED void **state)
{
    control_server_stop(&server);
    snapshot_unref(&daemon_of_case.snapshot);
    rule_book_free(&data.book);
    case_unload(&loaded);
    return 0;
}

static void tells_what_it_is(UNUSED void **state)
{
    const struct ask status = { .segments = { "status" } };

    control_server_expect(&server, &status, 200,
                          "\"asked\":0,\"connections\":0,\"mode\":\"shadow\",\"program\":"
                          "\"gatehouse-testd\",\"rules\":2,\"started_s\":5,\"store\":{");
}

static void shows_its_rules(UNUSED void **state)
{
    const struct ask rules = { .segments = { "rules" } };

    metric_add(data.book.shadow_matches[1], 3);
    control_server_expect(
        &server, &rules, 200,
        "{\"rules\":[{\"matches\":0,\"mode\":\"enforce\",\"name\":\"far\",\"order\":100,\"origin\":"
        "\"file\",\"stages\":\"any\",\"then\":\"reject Far\",\"trouble\":\"skip\",\"when\":"
        "\"country = KP\"},{\"matches\":3,\"mode\":\"shadow\",\"name\":\"late\",\"order\":900,"
        "\"origin\":\"file\",\"stages\":\"rcpt\",\"then\":\"hold\",\"trouble\":\"defer\","
        "\"when\":\"\"}]}");
}

static void judges_live_changes_by_what_is_in_force(UNUSED void **state)
{
    const struct ask listed = { .method = CONTROL_PUT,
                                .segments = { "live", "list:block", "example.com" } };
    const struct ask unlisted = { .method = CONTROL_PUT,
                                  .segments = { "live", "list:blok", "example.com" } };
    const struct ask rule = { .method = CONTROL_PUT,
                              .segments = { "live", "rule", "r" },
                              .body = SLICE("order=5 when=\"sendr is set\" then=accept") };

    control_server_expect(&server, &listed, 200, "\"existed\":false");
    control_server_expect(&server, &unlisted, 409, "block");
    control_server_expect(&server, &rule, 422,
                          "did you mean \\\"sender\\\"?\",\"offset\":0,\"where\":\"when\"");
}

static void asks_the_daemon_for_other_nouns(UNUSED void **state)
{
    const struct ask own = { .segments = { "own" } }, other = { .segments = { "other" } };
    const struct ask post = { .method = CONTROL_POST, .segments = { "rules" } };

    control_server_expect(&server, &own, 200, "{\"own\":true}");
    control_server_expect(&server, &other, 404, "error");
    control_server_expect(&server, &post, 404, "error");
    assert_int_equal(1, asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_what_it_is, open_case, close_case),
        cmocka_unit_test_setup_teardown(shows_its_rules, open_case, close_case),
        cmocka_unit_test_setup_teardown(judges_live_changes_by_what_is_in_force, open_case,
                                        close_case),
        cmocka_unit_test_setup_teardown(asks_the_daemon_for_other_nouns, open_case, close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
