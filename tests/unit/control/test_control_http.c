/* tests/unit/control/test_control_http.c - the control API through a real unix socket, as gatectl and panels ask it. */
#include "tests/unit/control/control_server.h"

static struct control_server server;

static int setup(UNUSED void **state)
{
    control_server_start(&server);
    return 0;
}

static int teardown(UNUSED void **state)
{
    control_server_stop(&server);
    return 0;
}

static void carries_keys_fields_and_texts_unchanged(UNUSED void **state)
{
    const struct ask put = { .method = CONTROL_PUT,
                             .segments = { "live", "list:block/bob@example.com", "!192.0.2.0/24" },
                             .body = SLICE("by=root note=50% off & more? \xc3\xbc/\"#+") };
    const struct ask get = { .segments = { "live", "list:block/bob@example.com" } };
    const struct ask undo = { .method = CONTROL_DELETE,
                              .segments = { "live", "list:block/bob@example.com",
                                            "!192.0.2.0/24" } };

    control_server_expect(&server, &put, 200, "\"existed\":false");
    control_server_expect(&server, &get, 200,
                          "\"!192.0.2.0/24\":\"by=root note=50% off & more? \xc3\xbc/\\\"#+\"");
    control_server_expect(&server, &undo, 200, "\"existed\":true");
}

static void takes_an_empty_text(UNUSED void **state)
{
    const struct ask put = { .method = CONTROL_PUT,
                             .segments = { "live", "list:block", "example.com" } };

    control_server_expect(&server, &put, 200, "\"existed\":false");
    control_server_expect(&server, &put, 200, "\"existed\":true");
}

static void passes_parameters(UNUSED void **state)
{
    const struct ask usage = { .segments = { "usage" },
                               .params = { { "value", SLICE_INIT("Alice@example.com") } } };
    const struct ask forced = { .method = CONTROL_PUT,
                                .segments = { "live", "list:other", "example.com" },
                                .params = { { "force", SLICE_INIT("1") } } };
    const struct ask reset = { .method = CONTROL_POST,
                               .segments = { "limits", "user-hourly", "reset" },
                               .params = { { "value", SLICE_INIT("a@b.example") } } };

    control_server_expect(&server, &usage, 200, "\"limit\":\"user-hourly\"");
    control_server_expect(&server, &forced, 200, "\"existed\":false");
    control_server_expect(&server, &reset, 200, "\"removed\":0");
}

/* A filter that got lost would show, or release, more than was asked for. */
static void has_room_for_every_parameter(UNUSED void **state)
{
    size_t count = 0;

    while (control_param_names[count] != NULL)
        count++;
    assert_int_equal(CONTROL_PARAMS_MAX, count);
}

static void answers_errors_as_json(UNUSED void **state)
{
    const struct ask nothing = { .segments = { "nothing" } };
    const struct ask undeclared = { .method = CONTROL_PUT,
                                    .segments = { "live", "list:other", "example.com" } };
    const struct ask method = { .method = CONTROL_POST, .segments = { "status" } };

    control_server_expect(&server, &nothing, 404, "\"error\":");
    control_server_expect(&server, &undeclared, 409, "\"error\":");
    control_server_expect(&server, &method, 405, "\"error\":");
}

/* What a client that is no library sends; the first line of the answer. */
static void expect_raw(const char *request, const char *want)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char got[64] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.socket);
    assert_int_equal(0, connect(fd, (const struct sockaddr *)&address, sizeof(address)));
    assert_true(write(fd, request, strlen(request)) == (ssize_t)strlen(request));
    assert_true(read(fd, got, sizeof(got) - 1) > 0);
    close(fd);
    if (strncmp(got, want, strlen(want)) != 0)
        fail_msg("%s: %s", request, got);
}

static void survives_odd_paths(UNUSED void **state)
{
    expect_raw("GET /v1/ HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404");
    expect_raw("GET /v1/a/b/c/d HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404");
    expect_raw("GET /v1/live/list%3ablock%2F HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 422");
    expect_raw("GET /v1/live/%00 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 4");
    expect_raw("GET /v1/live/rule?count HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(carries_keys_fields_and_texts_unchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_an_empty_text, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_parameters, setup, teardown),
        cmocka_unit_test(has_room_for_every_parameter),
        cmocka_unit_test_setup_teardown(answers_errors_as_json, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_odd_paths, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
