/* tests/unit/base/test_base64.c - bytes as text and back. */
#include "common/base/base64.h"

#include "common/base/hash.h"
#include "tests/unit/unit.h"

static void prints_and_reads(UNUSED void **state)
{
    static const struct {
        struct slice bytes;
        const char *text;
    } cases[] = {
        { SLICE_INIT(""), "" },
        { SLICE_INIT("f"), "Zg==" },
        { SLICE_INIT("fo"), "Zm8=" },
        { SLICE_INIT("foo"), "Zm9v" },
        { SLICE_INIT("foob"), "Zm9vYg==" },
        { SLICE_INIT("\0\xff\x80"), "AP+A" },
        { SLICE_INIT("\xff\xff\xff"), "////" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF text = BUF_INIT(100);
        AUTO_BUF bytes = BUF_INIT(100);
        assert_int_equal(0, base64_print(&text, cases[i].bytes.ptr, cases[i].bytes.len));
        assert_string_equal(cases[i].text, buf_text(&text));
        assert_true(base64_parse(&bytes, buf_slice(&text)));
        assert_true(slice_equal(cases[i].bytes, buf_slice(&bytes)));
    }
}

static void refuses_what_is_none(UNUSED void **state)
{
    static const char *const texts[] = { "Z",    "Zg",   "Zg=",    "Zg===", "=",    "====",
                                         "Zh==", "Zm9=", "Zm9v\n", "Zm 9",  "Zm9*", "Zg==Zg==" };

    for (size_t i = 0; i < COUNT(texts); i++) {
        AUTO_BUF bytes = BUF_INIT(100);
        if (base64_parse(&bytes, slice_of(texts[i])))
            fail_msg("%s", texts[i]);
    }
}

static void random_bytes_come_back(UNUSED void **state)
{
    unsigned char bytes[200];

    for (size_t len = 0; len <= sizeof bytes; len++) {
        AUTO_BUF text = BUF_INIT(1000);
        AUTO_BUF back = BUF_INIT(1000);
        random_bytes(bytes, len);
        assert_int_equal(0, base64_print(&text, bytes, len));
        assert_true(base64_parse(&back, buf_slice(&text)));
        assert_int_equal(len, back.len);
        assert_true(len == 0 || memcmp(bytes, back.data, len) == 0);
    }
}

static void says_when_the_buffer_is_full(UNUSED void **state)
{
    AUTO_BUF small = BUF_INIT(7);

    assert_int_equal(-1, base64_print(&small, "foobar", 6));
    assert_int_equal(0, base64_print(&small, "foo", 3));
    buf_clear(&small);
    assert_false(base64_parse(&small, SLICE("Zm9vYmFyMTI=")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_and_reads),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(random_bytes_come_back),
        cmocka_unit_test(says_when_the_buffer_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
