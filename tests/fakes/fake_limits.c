/* tests/fakes/fake_limits.c - see fake_limits.h. */
#include "tests/fakes/fake_limits.h"

#define FROM_RCPT ((unsigned)STAGE_RCPT | STAGES_DATA | STAGES_END)
#define FROM_MAIL (FROM_RCPT | STAGE_MAIL)

const struct fact_type fake_limit_facts[] = {
    { .name = "client_address", .type = VALUE_ADDRESS, .stages = STAGE_ALL },
    { .name = "client_net", .type = VALUE_ADDRESS, .stages = STAGE_ALL },
    { .name = "sender", .type = VALUE_MAILBOX, .stages = FROM_MAIL },
    { .name = "sender_domain", .type = VALUE_DOMAIN, .stages = FROM_MAIL },
    { .name = "recipient", .type = VALUE_MAILBOX, .stages = STAGE_RCPT | STAGE_DATA | STAGE_END },
    { .name = "sasl_username", .type = VALUE_TEXT, .stages = FROM_MAIL },
    { .name = "country", .type = VALUE_WORD, .stages = STAGE_ALL },
    { .name = "encryption_keysize", .type = VALUE_NUMBER, .stages = FROM_MAIL },
    { .name = "authenticated", .type = VALUE_BOOLEAN, .stages = FROM_MAIL },
    { .name = "limit.*.used", .type = VALUE_NUMBER, .stages = STAGE_ALL },
};
const size_t fake_limit_fact_count = COUNT(fake_limit_facts);

static void fail(UNUSED void *arg, const struct limit_error *error)
{
    fprintf(stderr, "fake_limit: %s\n", error->text);
    abort();
}

struct limit_set *fake_limit(const char *name, const char *rate)
{
    const struct limit_text text = { .name = slice_of(name),
                                     .key = SLICE_INIT("sasl_username"),
                                     .count = SLICE_INIT("messages"),
                                     .rate = slice_of(rate) };
    const struct limit_errors errors = { .add = fail };

    return limit_set_new(fake_limit_facts, fake_limit_fact_count, &text, 1, &errors);
}
