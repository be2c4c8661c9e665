/* tests/fuzz/fuzz_contentd_conf.c - any bytes as contentd.conf (any_conf.h): read, and compiled to what would be in force. */
#include <stdint.h>

#include "contentd/setup.h"
#include "tests/fakes/any_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct any_program program = { &contentd_schema, setup_load, setup_free };

    any_conf_try(&program, (struct slice){ (const char *)data, size });
    return 0;
}
