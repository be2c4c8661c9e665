#include "common/rules/fact.h"

#include "tests/unit/unit.h"

static void reads_words(UNUSED void **state)
{
    static const struct {
        const char *text;
        unsigned want; /* 0: a mistake */
        size_t offset;
    } cases[] = {
        { "any", STAGE_ALL, 0 },
        { "rcpt", STAGE_RCPT, 0 },
        { "data", STAGE_DATA | STAGE_DATA_MANY, 0 },
        { " rcpt,data ", STAGE_RCPT | STAGES_DATA, 0 },
        { "connect helo mail", STAGE_CONNECT | STAGE_HELO | STAGE_MAIL, 0 },
        { "end-of-message\tother", STAGES_END | STAGE_OTHER, 0 },
        { "rcpt any", STAGE_ALL, 0 },
        { "", 0, 0 },
        { " , ", 0, 3 },
        { "RCPT", 0, 0 },
        { "rcpt, end", 0, 6 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned stages = 0;
        size_t offset = 0;
        bool ok = stages_parse(slice_of(cases[i].text), &stages, &offset);
        if (ok != (cases[i].want != 0) || stages != cases[i].want ||
            (!ok && offset != cases[i].offset))
            fail_msg("\"%s\": %x at %zu", cases[i].text, stages, offset);
    }
}

static void prints_words(UNUSED void **state)
{
    static const struct {
        unsigned stages;
        const char *want;
    } cases[] = {
        { STAGE_ALL, "any" },
        { 0, "" },
        { STAGE_RCPT | STAGES_DATA, "rcpt, data" },
        { STAGES_END | STAGE_OTHER, "end-of-message, other" },
        { STAGE_DATA, "data with one recipient" },
        { STAGE_DATA | STAGE_END_MANY,
          "data with one recipient, end-of-message with several recipients" },
    };
    char out[STAGES_TEXT_MAX + 1];

    for (size_t i = 0; i < COUNT(cases); i++)
        assert_slice(cases[i].want, stages_print(cases[i].stages, out));
}

/* The longest text of all sets fits. */
static void fits_every_set(UNUSED void **state)
{
    char out[STAGES_TEXT_MAX + 1];

    for (unsigned stages = 0; stages <= STAGE_ALL; stages++)
        assert_true(stages_print(stages, out).len < STAGES_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_words),
        cmocka_unit_test(prints_words),
        cmocka_unit_test(fits_every_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
