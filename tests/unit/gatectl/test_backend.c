/* tests/unit/gatectl/test_backend.c - requests as paths, and places that cannot be asked. */
#include "tests/unit/unit.h"

#include "gatectl/backend.h"

static void encodes_every_segment_and_parameter(UNUSED void **state)
{
    const struct ask ask = {
        .segments = { "live", "list:allow/bob@example.com", "!192.0.2.0/24" },
        .params = { { "force", SLICE_INIT("1") }, { "value", SLICE_INIT("a b&c=\xc3\xbc?") } },
    };
    AUTO_BUF out = BUF_INIT(400);

    assert_int_equal(0, ask_print_path(&out, &ask));
    assert_string_equal("/v1/live/list%3Aallow%2Fbob%40example.com/%21192.0.2.0%2F24"
                        "?force=1&value=a%20b%26c%3D%C3%BC%3F",
                        buf_text(&out));
}

static void says_when_the_path_does_not_fit(UNUSED void **state)
{
    const struct ask ask = { .segments = { "live", "rule" },
                             .params = { { "count", SLICE_INIT("1") } } };
    AUTO_BUF whole = BUF_INIT(400);

    assert_int_equal(0, ask_print_path(&whole, &ask));
    for (size_t room = 0; room < whole.len; room++) {
        AUTO_BUF out = BUF_INIT(room);
        assert_int_equal(-1, ask_print_path(&out, &ask));
    }
}

static void refuses_what_is_no_place(UNUSED void **state)
{
    static const char *const places[] = { "",          "somewhere", "ftp://x", "redis://x",
                                          "file:///x", "unix:",     "x:/y" };

    for (size_t i = 0; i < COUNT(places); i++) {
        char error[BACKEND_ERROR_MAX] = "";
        assert_null(backend_http_new(places[i], error));
        assert_true(error[0] != '\0');
    }
}

static void tells_that_nobody_listens(UNUSED void **state)
{
    /* The place, and the path of its socket: the current directory is where others begin. */
    static const struct {
        const char *place, *error;
    } rows[] = {
        { "unix:/nonexistent/socket", "/nonexistent/socket: No such file or directory" },
        { "/nonexistent/socket", "/nonexistent/socket: No such file or directory" },
        { "unix:nonexistent", "nonexistent: No such file or directory" },
        { "nonexistent/socket", "nonexistent/socket: No such file or directory" },
        { "./nonexistent", "./nonexistent: No such file or directory" },
    };
    const struct ask ask = { .segments = { "status" } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char error[BACKEND_ERROR_MAX] = "";
        struct backend *backend = backend_http_new(rows[i].place, error);
        unsigned status;
        json_t *answer;

        assert_non_null(backend);
        assert_int_equal(BACKEND_UNREACHABLE, backend_ask(backend, &ask, &status, &answer, error));
        assert_string_equal(rows[i].error, error);
        backend_free(&backend);
        assert_null(backend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_every_segment_and_parameter),
        cmocka_unit_test(says_when_the_path_does_not_fit),
        cmocka_unit_test(refuses_what_is_no_place),
        cmocka_unit_test(tells_that_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
