/* tests/unit/unit.h - what every unit test includes: cmocka with the headers it needs. */
#ifndef GATEHOUSE_TESTS_UNIT_H
#define GATEHOUSE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/slice.h"

/* Fails naming both when the slice is not the expected text. */
#define assert_slice(want, got)                                                                    \
    do {                                                                                           \
        struct slice unit_got = (got);                                                             \
        if (!slice_equal(unit_got, slice_of(want)))                                                \
            fail_msg("want \"%s\", got \"%.*s\"", (want), SLICE_ARG(unit_got));                    \
    } while (0)

#endif
