/* tests/unit/live/test_tail.c - live values with until=, by= and note=. */
#include "tests/unit/unit.h"

#include "common/live/tail.h"

static const struct {
    const char *text;
    bool ok;
    const char *head, *by, *note;
    uint64_t until_s;
} cases[] = {
    { "500/1h", true, "500/1h", "", "", 0 },
    { "500/1h until=1795314861 by=root note=the rest by=x", true, "500/1h", "root", "the rest by=x",
      1795314861 },
    { "", true, "", "", "", 0 },
    { "note=standby=x", true, "", "", "standby=x", 0 },
    { "by=panel until=5", true, "", "panel", "", 5 },
    { "a, b by=root", true, "a, b", "root", "", 0 },
    { "x until=soon", false, "", "", "", 0 },
    { "x until=0", false, "", "", "", 0 },
    { "x by=a by=b", false, "", "", "", 0 },
    { "x by=a stray", false, "", "", "", 0 },
    { "x\ny", false, "", "", "", 0 },
    { "\tx", false, "", "", "", 0 },
    { "x\x7f", false, "", "", "", 0 },
    { "x note=a\nb", false, "", "", "", 0 },
    { "x until=1", true, "x", "", "", 1 },
    { "x until=1 until=2", false, "", "", "", 0 },
    { "x until=18446744073709551616", false, "", "", "", 0 },
    { "1by=a", true, "1by=a", "", "", 0 },
    { "note=", true, "", "", "", 0 },
};

static void reads_the_value_and_what_follows(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_tail tail = { .until_s = 0 };
        const char *error = NULL;
        if (live_tail_parse(slice_of(cases[i].text), &tail, &error) != cases[i].ok ||
            cases[i].ok != (error == NULL))
            fail_msg("\"%s\": %s", cases[i].text, error == NULL ? "accepted" : error);
        if (!cases[i].ok)
            continue;
        assert_slice(cases[i].head, tail.head);
        assert_slice(cases[i].by, tail.by);
        assert_slice(cases[i].note, tail.note);
        assert_true(cases[i].until_s == tail.until_s);
    }
}

static void expires_at_its_second(UNUSED void **state)
{
    struct live_tail tail = { .until_s = 100 };

    assert_false(live_tail_is_expired(&tail, 99999));
    assert_true(live_tail_is_expired(&tail, 100000));
    tail.until_s = 0;
    assert_false(live_tail_is_expired(&tail, UINT64_MAX));
}

static void prints_what_it_reads(UNUSED void **state)
{
    static const char *const texts[] = {
        "500/1h until=5 by=root note=why not",
        "x by=r",
        "x note=n",
        "x until=5 note=n",
        "until=5 by=r",
        "by=r note=n",
        "note=n",
        "x",
        "",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUF out = BUF_INIT(200);
        struct live_tail tail;
        const char *error;
        assert_true(live_tail_parse(slice_of(texts[i]), &tail, &error));
        assert_int_equal(0, live_tail_print(&out, &tail));
        assert_string_equal(texts[i], buf_text(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_value_and_what_follows),
        cmocka_unit_test(expires_at_its_second),
        cmocka_unit_test(prints_what_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
