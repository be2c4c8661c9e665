/* tests/fakes/both_stores.h - a store in memory, or one in a real Redis: what calls do is the same in both, so a test of
 * cmocka's runs with each.
 *
 *     IN_BOTH(a_test), IN_MEMORY(another), IN_REDIS(a_third) between both_stores_start and both_stores_end */
#ifndef GATEHOUSE_TESTS_BOTH_STORES_H
#define GATEHOUSE_TESTS_BOTH_STORES_H

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/test_store.h"

struct both_stores {
    uint64_t memory_limit; /* of the one in memory; set before the tests run */
    struct redis_server server; /* emptied before each test */
    /* Made for each test. */
    struct fake_clock clock; /* of the store, in Redis too */
    struct arena *arena;
    struct store *store; /* the one under test */
    struct store_memory *memory; /* in memory */
    struct test_store redis; /* in Redis, which may take its time to answer */
    bool is_redis;
};

extern struct both_stores both;

#define IN_MEMORY(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, both_stores_use_memory, both_stores_drop)
#define IN_REDIS(name)                                                                             \
    cmocka_unit_test_setup_teardown(name, both_stores_use_redis, both_stores_drop)
#define IN_BOTH(name) IN_MEMORY(name), IN_REDIS(name)

/* For cmocka_run_group_tests(): a Redis for all tests. */
int both_stores_start(void **state);
int both_stores_end(void **state);

int both_stores_use_memory(void **state);
int both_stores_use_redis(void **state);
int both_stores_drop(void **state);

/* Waits for the end of a call; `is_done` is what starting it returned. Ends the process if memory does not answer at once. */
void both_stores_finish(bool is_done, struct store_call *call);

#endif
