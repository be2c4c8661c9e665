/* tests/fakes/test_store.c - see test_store.h. */
#include "tests/fakes/test_store.h"

#include <event2/event.h>

enum { ARENA_MOST = 64 << 20, FINISH_MS = 15000, MEMORY_LIMIT = 16 << 20 };

static void give_up(const char *what)
{
    fprintf(stderr, "test_store: %s\n", what);
    abort();
}

void test_store_open_as(struct test_store *test, const char *url, const char *password,
                        struct store_redis_options options)
{
    const char *error;

    if (!redis_url_parse(slice_of(url), &options.url, &error) ||
        !redis_secrets_parse(slice_of(password == NULL ? "" : password), &options.secrets, &error))
        give_up(error);
    test->clock = options.clock;
    test->base = event_base_new();
    test->arena = arena_new(ARENA_MOST);
    test->memory = store_memory_new(options.clock, MEMORY_LIMIT);
    options.shadow = test->memory;
    test->redis = store_redis_new(&options);
    test->store = store_redis_open(test->redis, test->base);
    if (test->store == NULL || test->arena == NULL || test->memory == NULL)
        give_up("out of memory");
}

void test_store_open(struct test_store *test, const char *url, const char *password,
                     const struct clock *clock, bool own_time)
{
    test_store_open_as(test, url, password,
                       (struct store_redis_options){ .clock = clock, .own_time = own_time });
}

void test_store_close(struct test_store *test)
{
    store_free(&test->store);
    store_redis_free(&test->redis);
    store_memory_free(&test->memory);
    arena_free(&test->arena);
    event_base_free(test->base);
}

static void on_alarm(UNUSED evutil_socket_t fd, UNUSED short what, UNUSED void *arg)
{
}

/* One round of the loop, of at most 5 ms. */
static void run_once(struct test_store *test)
{
    const struct timeval delay = { 0, 5000 };
    struct event *alarm = evtimer_new(test->base, on_alarm, NULL);

    evtimer_add(alarm, &delay);
    event_base_loop(test->base, EVLOOP_ONCE);
    event_free(alarm);
}

void test_store_run(struct test_store *test, unsigned ms)
{
    uint64_t end = real_ms() + ms;

    while (real_ms() < end)
        run_once(test);
}

bool test_store_wait(struct test_store *test, enum store_state state, unsigned ms)
{
    uint64_t begin = own_ms();
    struct charged looked;
    struct store_status status;

    do {
        run_once(test);
        looked = test_store_charge(test, NULL, "", 0, NULL, CHARGE_PEEK);
        store_status(test->store, &status);
        if (status.state == state && looked.is_degraded == (state != STORE_UP))
            return true;
    } while (own_ms_since(begin) < ms);
    fprintf(stderr, "test_store: state %d: %s\n", (int)status.state, status.detail);
    return false;
}

bool test_store_reach(struct test_store *test, const struct redis_server *server,
                      struct store_redis_options options)
{
    char url[160];

    snprintf(url, sizeof(url), "redis+unix://%s", server->socket);
    test_store_open_as(test, url, NULL, options);
    return test_store_wait(test, STORE_UP, PATIENT_MS);
}

bool test_store_open_two(struct test_store *here, struct test_store *there,
                         struct redis_server *server, const struct clock *clock, uint64_t answer_ms)
{
    const struct store_redis_options options = { .clock = clock,
                                                 .own_time = true,
                                                 .answer_ms = answer_ms };

    redis_server_ask(server, "FLUSHALL");
    return test_store_reach(here, server, options) && test_store_reach(there, server, options);
}

static struct store_call *told; /* whose end was told last */

static void on_done(struct store_call *call)
{
    told = call;
}

void test_store_finish(struct test_store *test, bool started, struct store_call *call)
{
    uint64_t end = real_ms() + FINISH_MS;
    bool is_pending = !started && call->pending != NULL;

    told = NULL;
    call->done = on_done;
    while (!started && call->pending != NULL) {
        run_once(test);
        if (real_ms() > end)
            give_up("a call does not end");
    }
    if (is_pending && told != call)
        give_up("a call ended and did not tell");
}

struct limit_use test_store_use(struct arena *arena, const struct limit *limit, const char *login,
                                uint64_t amount)
{
    struct limit_use use = { .limit = limit, .amount = amount };

    use.subject = limit_subject(LIMIT_TEXT, slice_of(login), arena);
    use.field_count =
        limit_candidates(limit, slice_of(login), (struct slice){ NULL, 0 }, arena, &use.fields);
    if (use.subject.ptr == NULL || use.field_count == 0)
        give_up("arena");
    return use;
}

struct charged test_store_charge(struct test_store *test, const struct limit *limit,
                                 const char *login, uint64_t amount, const char *once,
                                 enum charge_how how)
{
    struct store_charge charge = { .peek = how == CHARGE_PEEK };
    struct limit_use use = { 0 };
    uint64_t begin = own_ms();
    char name[33];

    arena_reset(test->arena);
    if (limit != NULL) {
        use = test_store_use(test->arena, limit, login, amount);
        use.force = how == CHARGE_FORCE;
        charge.uses = &use;
        charge.use_count = 1;
    }
    if (once != NULL) {
        snprintf(name, sizeof(name), "%-32s", once);
        charge.once = slice_of(name);
    }
    test_store_finish(test, store_charge(test->store, &charge), &charge.call);
    return (struct charged){
        charge.admitted,    charge.repeated, charge.call.is_degraded, charge.call.result, use,
        own_ms_since(begin)
    };
}
