/* tests/unit/policy/test_resources.c - store and resolver as a configuration names them. */
#include "tests/unit/unit.h"

#include "common/observe/log.h"
#include "common/policy/resources.h"

struct program {
    struct common_config common;
    struct dns_config dns;
};

#define CONF_STRUCT struct program
static const struct conf_param params[] = { COMMON_PARAMS("testd", "unix:/run/test"), DNS_PARAMS };
#undef CONF_STRUCT

static const struct conf_schema schema = { PARAMS(params), NULL, 0, sizeof(struct program) };

static struct arena *arena;
static struct program program;

static void load(const char *text)
{
    struct conf_errors *errors = conf_errors_new();

    arena = arena_new(1 << 20);
    struct conf *conf = conf_parse(SLICE("t.conf"), slice_of(text), NULL, 0, arena, errors);
    assert_true(conf_load(&schema, conf, arena, &program, errors));
    conf_errors_free(&errors);
}

static int close_case(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

static void the_table_is_sound(UNUSED void **state)
{
    struct conf_complaint why;

    if (!conf_schema_is_sound(&schema, &why))
        fail_msg("%s", why.text);
}

static void the_store_is_the_one_named(UNUSED void **state)
{
    AUTO_BUF reason = BUF_INIT(400);
    struct event_base *base = event_base_new();

    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL);
    load("");
    struct stores *stores = resources_stores(&program.common, &clock_system);
    struct store *store = stores_open(stores, base);
    assert_int_equal(READY_OK, resources_ready(store, &reason));
    assert_int_equal(0, reason.len);
    store_free(&store);
    stores_free(&stores);
    arena_free(&arena);
    load("store = redis+unix:///nonexistent/redis\n");
    stores = resources_stores(&program.common, &clock_system);
    store = stores_open(stores, base);
    for (size_t i = 0; i < 100 && resources_ready(store, &reason) == READY_OK; i++)
        event_base_loop(base, EVLOOP_ONCE); /* until the first try has failed */
    assert_true(slice_starts_with(buf_slice(&reason), SLICE("store redis: ")));
    store_free(&store);
    stores_free(&stores);
    event_base_free(base);
}

static void a_store_that_cannot_be_had_is_none(UNUSED void **state)
{
    load("store = redis://127.0.0.1:1/0\nstore_password_file = /nonexistent/password\n");
    assert_null(resources_stores(&program.common, &clock_system));
}

static void the_resolver_has_its_settings(UNUSED void **state)
{
    struct worker *worker = worker_new(0, "test", &clock_system, NULL);

    load("resolver = 127.0.0.1@5353\ndns_timeout = 200ms\ndns_cache_size = 0\ndns_in_flight = 7\n");
    assert_int_equal(200, program.dns.timeout);
    assert_int_equal(0, program.dns.cache_size);
    assert_int_equal(7, program.dns.in_flight);
    struct dns *dns = resources_dns(worker, &program.common, &program.dns);
    assert_non_null(dns);
    dns_free(&dns);
    worker_free(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test_teardown(the_store_is_the_one_named, close_case),
        cmocka_unit_test_teardown(a_store_that_cannot_be_had_is_none, close_case),
        cmocka_unit_test_teardown(the_resolver_has_its_settings, close_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
