/* tests/fuzz/fuzz_policyd_conf.c - any bytes as policyd.conf (any_conf.h): read, and compiled to what would be in force. */
#include <stdint.h>

#include "policyd/config.h"
#include "policyd/live.h"
#include "tests/fakes/any_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct any_program program = { &policyd_schema, policy_load, policy_free };

    any_conf_try(&program, (struct slice){ (const char *)data, size });
    return 0;
}
