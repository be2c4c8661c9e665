/* tests/unit/config/test_common_params.c - the parameters of every daemon: defaults, and what they refuse. */
#include "tests/unit/unit.h"

#include "common/config/common_params.h"

struct program {
    struct common_config common;
};

#define CONF_STRUCT struct program
static const struct conf_param params[] = {
    COMMON_PARAMS("testd", "unix:/var/spool/postfix/gatehouse/test"),
};

static const struct conf_schema schema = { PARAMS(params), NULL, 0, sizeof(struct program) };

static void the_table_is_sound(UNUSED void **state)
{
    struct conf_complaint why;

    if (!conf_schema_is_sound(&schema, &why))
        fail_msg("%s", why.text);
}

static void has_defaults_for_everything(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct conf_errors *errors = conf_errors_new();
    struct conf *conf = conf_parse(SLICE("t.conf"), SLICE(""), NULL, 0, arena, errors);
    struct program program;
    const struct common_config *common = &program.common;

    assert_true(conf_load(&schema, conf, arena, &program, errors));
    assert_int_equal(1, common->listen.count);
    assert_slice("memory", common->store);
    assert_null(common->store_password_file.ptr);
    assert_int_equal(100, common->store_timeout);
    assert_int_equal(0, common->resolver.count);
    assert_int_equal(1, common->http.count);
    assert_slice("/run/gatehouse/testd.http", common->http.items[0].path);
    assert_int_equal(0660, common->http_mode);
    assert_int_equal(CONF_ENFORCE, common->mode);
    assert_int_equal(0, common->workers);
    assert_slice("syslog", common->log);
    assert_int_equal(CONF_LOG_INFO, common->log_level);
    assert_int_equal(CONF_ADDRESSES_FULL, common->log_addresses);
    assert_int_equal(5000, common->budget);
    assert_int_equal(256 << 20, common->memory_limit);
    arena_free(&arena);
    conf_errors_free(&errors);
}

static const struct {
    const char *text;
    const char *want; /* NULL: fine */
    size_t offset;
} stores[] = {
    { "memory", NULL, 0 },
    { "redis://127.0.0.1:6379", NULL, 0 },
    { "redis://127.0.0.1:6379/0", NULL, 0 },
    { "redis://gatehouse@redis.example.com:6380/15", NULL, 0 },
    { "redis://[2001:db8::1]:6379/0", NULL, 0 },
    { "redis+unix:///run/redis/redis.sock", NULL, 0 },
    { "redis+sentinel://h1:26379,h2:26379/mymaster", NULL, 0 },
    { "Memory", "it must be memory, redis://HOST:PORT/DB, redis+unix:///PATH or "
                "redis+sentinel://HOST:PORT,HOST:PORT/NAME", 0 },
    { "redis:127.0.0.1", "it must be memory, redis://HOST:PORT/DB, redis+unix:///PATH or "
                         "redis+sentinel://HOST:PORT,HOST:PORT/NAME", 0 },
    { "redis://", "HOST:PORT is expected here", 8 },
    { "redis://h", "HOST:PORT is expected here", 8 },
    { "redis://u@:1", "HOST:PORT is expected here", 10 },
    { "redis://h:0", "a port is a number from 1 to 65535", 10 },
    { "redis://h:65536/0", "a port is a number from 1 to 65535", 10 },
    { "redis://h:1/x", "a database is a number from 0 to 65535", 12 },
    { "redis://h:1/", "a database is a number from 0 to 65535", 12 },
    { "redis://::1:6379", "an IPv6 address is written in [ ]", 8 },
    { "redis://u:p@h:1", "only a user's name stands before the @; the password belongs into "
                         "store_password_file", 8 },
    { "redis://@h:1", "only a user's name stands before the @; the password belongs into "
                      "store_password_file", 8 },
    { "redis://h:1 /0", "a store has no blanks", 11 },
    { "redis+unix://run/x", "the path of the socket must begin with /", 13 },
    { "redis+unix:///", "the path of the socket must begin with /", 13 },
    { "redis+sentinel://h:1", "the name of the master must end it: HOST:PORT,HOST:PORT/NAME", 20 },
    { "redis+sentinel://h:1/", "the name of the master must end it: HOST:PORT,HOST:PORT/NAME", 21 },
    { "redis+sentinel://h:1,,i:2/m", "HOST:PORT is expected here", 21 },
    { "redis+sentinel://h:1,i/m", "HOST:PORT is expected here", 21 },
}, resolvers[] = {
    { "127.0.0.1", NULL, 0 },
    { "127.0.0.1@5353", NULL, 0 },
    { "2001:db8::1@53", NULL, 0 },
    { "localhost", "\"localhost\" is neither an IPv4 nor an IPv6 address; a resolver is ADDRESS or ADDRESS@PORT", 0 },
    { "127.0.0.1:53", "\"127.0.0.1:53\" is neither an IPv4 nor an IPv6 address; a resolver is ADDRESS or ADDRESS@PORT", 0 },
    { "127.0.0.1@", "a port is a number from 1 to 65535", 10 },
    { "@53", "\"\" is neither an IPv4 nor an IPv6 address; a resolver is ADDRESS or ADDRESS@PORT", 0 },
    { "00000000000000000000000000000000000000000000000", "it must be an IPv4 or IPv6 address", 0 },
}, logs[] = {
    { "syslog", NULL, 0 },
    { "journal", NULL, 0 },
    { "stderr", NULL, 0 },
    { "file:/var/log/x", NULL, 0 },
    { "file:x", "the path of the log file must begin with /", 5 },
    { "file:", "the path of the log file must begin with /", 5 },
    { "stdout", "it must be syslog, journal, stderr or file:PATH", 0 },
};

static void check_row(const char *text, const char *want, size_t offset,
                      bool (*check)(struct slice, struct conf_complaint *))
{
    struct conf_complaint why = { .text = "" };
    bool ok = check(slice_of(text), &why);

    if (ok != (want == NULL))
        fail_msg("%s: %s", text, ok ? "taken" : why.text);
    if (want != NULL && (strcmp(want, why.text) != 0 || why.offset != offset))
        fail_msg("%s: %zu: %s", text, why.offset, why.text);
}

static void checks_stores(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(stores); i++)
        check_row(stores[i].text, stores[i].want, stores[i].offset, conf_check_store);
}

static void checks_resolvers(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(resolvers); i++)
        check_row(resolvers[i].text, resolvers[i].want, resolvers[i].offset, conf_check_resolver);
}

static void checks_logs(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(logs); i++)
        check_row(logs[i].text, logs[i].want, logs[i].offset, conf_check_log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound), cmocka_unit_test(has_defaults_for_everything),
        cmocka_unit_test(checks_stores),      cmocka_unit_test(checks_resolvers),
        cmocka_unit_test(checks_logs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
