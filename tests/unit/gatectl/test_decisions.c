/* tests/unit/gatectl/test_decisions.c - fields of a decision line. */
#include "tests/unit/unit.h"

#include "gatectl/decisions.h"

static const struct {
    const char *line, *want; /* fields as [name|value] */
} cases[] = {
    { "decision queue_id=4Xk2Lq rule=greylist", "[decision|-][queue_id|4Xk2Lq][rule|greylist]" },
    { "sasl_username= sender=<a@example.net> recipient=<>",
      "[sasl_username|][sender|<a@example.net>][recipient|<>]" },
    { "reason=\"new triplet, 5m left\" ms=3", "[reason|\"new triplet, 5m left\"][ms|3]" },
    { "reason=\"a \\\" b\" ms=3", "[reason|\"a \\\" b\"][ms|3]" },
    { "reason=\"open", "[reason|\"open]" },
    { "reason=\"end\\", "[reason|\"end\\]" },
    { "sender=<open", "[sender|<open]" },
    { "   ", "" },
    { "=x a", "[|x][a|-]" },
};

static void takes_a_line_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice rest = slice_of(cases[i].line), name, value;
        AUTO_BUF out = BUF_INIT(400);
        while (decision_next_field(&rest, &name, &value))
            buf_printf(&out, "[%.*s|%.*s]", SLICE_ARG(name),
                       SLICE_ARG(value.ptr == NULL ? SLICE("-") : value));
        if (strcmp(buf_text(&out), cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].line, buf_text(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_line_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
