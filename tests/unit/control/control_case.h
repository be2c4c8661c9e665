/* tests/unit/control/control_case.h - what tests of the control API share: a memory store under a set clock, a small
 * configuration, and requests written as one line. */
#ifndef GATEHOUSE_TESTS_CONTROL_CASE_H
#define GATEHOUSE_TESTS_CONTROL_CASE_H

#include "tests/unit/unit.h"

#include "common/control/control.h"
#include "common/store/store_memory.h"

static uint64_t control_case_ms = UINT64_C(1795000000) * SECOND;

static uint64_t control_case_now(UNUSED const struct clock *clock)
{
    return control_case_ms;
}

static const struct clock control_case_clock = { control_case_now, control_case_now };

static const struct fact_type control_case_facts[] = {
    { .name = "sasl_username", .type = VALUE_MAILBOX, .stages = STAGE_ALL },
    { .name = "sender_domain", .type = VALUE_DOMAIN, .stages = STAGE_ALL },
    { .name = "client_address", .type = VALUE_ADDRESS, .stages = STAGE_ALL },
};

static void control_case_limit_error(UNUSED void *arg, const struct limit_error *error)
{
    fail_msg("limit: %s", error->text);
}

/* user-hourly (200 recipients an hour, gold: unlimited), domain-daily, address, everybody, pair. */
static struct limit_set *control_case_limits(void)
{
    static const struct limit_override gold[] = {
        { SLICE_INIT("rate.class.gold"), SLICE_INIT("unlimited") },
        { SLICE_INIT("rate.user.bob@example.com"), SLICE_INIT("10/1h") },
    };
    static const struct limit_text texts[] = {
        { .name = SLICE_INIT("user-hourly"),
          .key = SLICE_INIT("sasl_username"),
          .count = SLICE_INIT("recipients"),
          .rate = SLICE_INIT("200/1h"),
          .overrides = gold,
          .override_count = 2 },
        { .name = SLICE_INIT("domain-daily"),
          .key = SLICE_INIT("sender_domain"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("1000/1d") },
        { .name = SLICE_INIT("address"),
          .key = SLICE_INIT("client_address"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("50/1h") },
        { .name = SLICE_INIT("everybody"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("5000/1h") },
        { .name = SLICE_INIT("pair"),
          .key = SLICE_INIT("sender_domain, client_address"),
          .count = SLICE_INIT("messages"),
          .rate = SLICE_INIT("5/1h") },
    };
    const struct limit_errors errors = { control_case_limit_error, NULL };

    return limit_set_new(control_case_facts, COUNT(control_case_facts), texts, COUNT(texts),
                         &errors);
}

static bool control_case_declared(UNUSED const void *context, const char *kind, struct slice name)
{
    return strcmp(kind, "list") == 0  ? slice_equal(name, SLICE("block"))
           : strcmp(kind, "map") == 0 ? slice_equal(name, SLICE("owners"))
                                      : slice_equal(name, SLICE("user-hourly"));
}

#endif
