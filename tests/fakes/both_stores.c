/* tests/fakes/both_stores.c - see both_stores.h. */
#include "tests/fakes/both_stores.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 8 << 20 };

struct both_stores both;

int both_stores_start(UNUSED void **state)
{
    redis_server_init(&both.server);
    redis_server_start(&both.server, NULL);
    return 0;
}

int both_stores_end(UNUSED void **state)
{
    redis_server_end(&both.server);
    return 0;
}

static void use(bool is_redis)
{
    both.is_redis = is_redis;
    fake_clock_init(&both.clock);
    both.arena = arena_new(ARENA_MAX);
}

int both_stores_use_memory(UNUSED void **state)
{
    use(false);
    both.memory = store_memory_new(&both.clock.clock, both.memory_limit);
    both.store = store_memory_open(both.memory);
    return both.store == NULL ? -1 : 0;
}

int both_stores_use_redis(UNUSED void **state)
{
    const struct store_redis_options options = { .clock = &both.clock.clock,
                                                 .own_time = true,
                                                 .answer_ms = PATIENT_MS };

    use(true);
    redis_server_ask(&both.server, "FLUSHALL");
    if (!test_store_reach(&both.redis, &both.server, options))
        return -1;
    both.store = both.redis.store;
    return 0;
}

int both_stores_drop(UNUSED void **state)
{
    if (both.is_redis) {
        test_store_close(&both.redis);
    } else {
        store_free(&both.store);
        store_memory_free(&both.memory);
    }
    arena_free(&both.arena);
    return 0;
}

void both_stores_finish(bool is_done, struct store_call *call)
{
    if (both.is_redis) {
        test_store_finish(&both.redis, is_done, call);
    } else if (!is_done) {
        fprintf(stderr, "both_stores: a call waits in memory\n");
        abort();
    }
}
