#include "tests/unit/unit.h"

#include <event2/event.h>

#include "common/net/resolver.h"

struct asked {
    struct event_base *base;
    struct resolver *resolver;
    struct resolver_answer answer;
    unsigned answers;
};

static int start(void **state)
{
    struct asked *asked = calloc(1, sizeof(*asked));

    asked->base = event_base_new();
    asked->resolver = resolver_new(asked->base);
    *state = asked;
    return asked->resolver == NULL ? -1 : 0;
}

static int stop(void **state)
{
    struct asked *asked = *state;

    resolver_free(&asked->resolver);
    event_base_free(asked->base);
    free(asked);
    return 0;
}

static void on_answer(void *arg, const struct resolver_answer *answer)
{
    struct asked *asked = arg;

    asked->answer = *answer;
    asked->answers++;
}

static void ask(struct asked *asked, const char *name, unsigned timeout_ms)
{
    asked->answers = 0;
    resolver_ask(asked->resolver, name, timeout_ms, on_answer, asked);
    assert_int_equal(0, asked->answers); /* never from inside */
    event_base_dispatch(asked->base); /* ends when nothing is left to wait for */
    assert_int_equal(1, asked->answers);
}

static void addresses_are_their_own_answer(void **state)
{
    static const struct {
        const char *name, *address; /* NULL: none */
    } rows[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "2001:db8::1", "2001:db8::1" },
        { "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct asked *asked = *state;
        ask(asked, rows[i].name, 0);
        assert_int_equal(1, asked->answer.count);
        assert_string_equal(rows[i].address, asked->answer.addresses[0]);
    }
}

static void names_are_looked_up_in_a_thread(void **state)
{
    struct asked *asked = *state;

    ask(asked, "localhost", 5000);
    assert_true(asked->answer.count > 0);
    ask(asked, "name.invalid", 20000);
    assert_int_equal(0, asked->answer.count);
}

static void what_was_known_serves_when_time_is_up(void **state)
{
    struct asked *asked = *state;

    ask(asked, "localhost", 5000);
    ask(asked, "localhost", 0);
    assert_true(asked->answer.count > 0);
}

static void a_stopped_question_has_no_answer(void **state)
{
    struct asked *asked = *state;

    resolver_ask(asked->resolver, "localhost", 5000, on_answer, asked);
    resolver_stop(asked->resolver);
    event_base_dispatch(asked->base);
    assert_int_equal(0, asked->answers);
    ask(asked, "127.0.0.1", 1000);
    assert_string_equal("127.0.0.1", asked->answer.addresses[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
        T(addresses_are_their_own_answer),
        T(names_are_looked_up_in_a_thread),
        T(what_was_known_serves_when_time_is_up),
        T(a_stopped_question_has_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
