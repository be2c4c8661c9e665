#include "tests/unit/unit.h"

#include "common/mail/date.h"

static void is_what_header_fields_have(UNUSED void **state)
{
    static const struct {
        uint64_t wall_ms;
        const char *want;
    } rows[] = {
        { 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
        { UINT64_C(1795339045999), "Sun, 22 Nov 2026 09:17:25 +0000" },
        { UINT64_C(1709164800000), "Thu, 29 Feb 2024 00:00:00 +0000" },
        { UINT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
    };
    char text[MAIL_DATE_SIZE];

    for (size_t i = 0; i < COUNT(rows); i++) {
        mail_date_print(rows[i].wall_ms, text);
        assert_string_equal(rows[i].want, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(is_what_header_fields_have) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
