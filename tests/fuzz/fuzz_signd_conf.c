/* tests/fuzz/fuzz_signd_conf.c - any bytes as signd.conf (any_conf.h): read, and compiled to what would be in force. */
#include <stdint.h>

#include "signd/setup.h"
#include "tests/fakes/any_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct any_program program = { &signd_schema, setup_load, setup_free };

    any_conf_try(&program, (struct slice){ (const char *)data, size });
    return 0;
}
