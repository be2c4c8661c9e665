/* tests/fuzz/fuzz_conf.c - any bytes as a configuration file with parameters of every type (any_conf.h). */
#include <stdint.h>

#include "tests/fakes/any_conf.h"
#include "tests/unit/config/example.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct any_program program = { .schema = &example_schema };

    any_conf_try(&program, (struct slice){ (const char *)data, size });
    return 0;
}
