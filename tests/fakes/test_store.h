/* tests/fakes/test_store.h - a store in Redis on a loop of its own, with calls that wait for their end, for tests. */
#ifndef GATEHOUSE_TESTS_TEST_STORE_H
#define GATEHOUSE_TESTS_TEST_STORE_H

#include "common/limits/limit_config.h"
#include "common/store/store_redis.h"
#include "tests/fakes/own_time.h"
#include "tests/fakes/redis_server.h"

/* What Redis may take to answer (answer_ms) where nothing is about how long it takes. */
enum { PATIENT_MS = 10000 };

struct test_store {
    struct event_base *base;
    struct arena *arena; /* reset with each charge */
    struct store_memory *memory;
    struct store_redis *redis;
    struct store *store;
    const struct clock *clock; /* of the store */
};

/* Ends the process on a bad URL. `password` may be NULL. */
void test_store_open(struct test_store *test, const char *url, const char *password,
                     const struct clock *clock, bool own_time);
/* The same with other options; url, secrets and shadow are filled in. */
void test_store_open_as(struct test_store *test, const char *url, const char *password,
                        struct store_redis_options options);
/* The same on the server's unix socket; waits until it is used. False: not in time. */
bool test_store_reach(struct test_store *test, const struct redis_server *server,
                      struct store_redis_options options);
void test_store_close(struct test_store *test);
/* Two processes with one Redis, emptied, that both have reached; it may take `answer_ms` to answer (0: as always). False: not
 * in time. */
bool test_store_open_two(struct test_store *here, struct test_store *there,
                         struct redis_server *server, const struct clock *clock,
                         uint64_t answer_ms);

/* Runs the loop until the state is `state`. False: not within `ms`, as own_ms() counts. */
bool test_store_wait(struct test_store *test, enum store_state state, unsigned ms);
/* Runs the loop for `ms`. */
void test_store_run(struct test_store *test, unsigned ms);

/* Runs the loop until a started call has ended; `started` is what starting it returned. Sets its `done`. Ends the process after 15 s. */
void test_store_finish(struct test_store *test, bool started, struct store_call *call);

struct charged {
    bool admitted, repeated, is_degraded;
    enum store_result result;
    struct limit_use use;
    uint64_t took_ms; /* as own_ms() counts */
};
enum charge_how { CHARGE_ONCE, CHARGE_PEEK, CHARGE_FORCE };
/* One use of one limit by `login`. `once` is filled up to 32 digits; NULL: no name. */
struct charged test_store_charge(struct test_store *test, const struct limit *limit,
                                 const char *login, uint64_t amount, const char *once,
                                 enum charge_how how);

/* The use of a limit by `login`, in `arena`. */
struct limit_use test_store_use(struct arena *arena, const struct limit *limit, const char *login,
                                uint64_t amount);

#endif
