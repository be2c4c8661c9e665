/* tests/unit/milter/test_wire.c - packets of the milter protocol: whole, cut, with a length that is none; numbers and texts in
 * them. */
#include "common/milter/wire.h"

#include "tests/unit/unit.h"

static const struct {
    const char *what;
    struct slice in;
    enum wire_state want;
    char command;
    const char *data;
    size_t used;
} packets[] = {
    { "nothing", SLICE_INIT(""), WIRE_MORE, 0, NULL, 0 },
    { "no whole length", SLICE_INIT("\0\0\0"), WIRE_MORE, 0, NULL, 0 },
    { "a length alone", SLICE_INIT("\0\0\0\1"), WIRE_MORE, 0, NULL, 0 },
    { "a command alone", SLICE_INIT("\0\0\0\1N"), WIRE_DONE, 'N', "", 5 },
    { "with data", SLICE_INIT("\0\0\0\4Habc"), WIRE_DONE, 'H', "abc", 8 },
    { "the last byte is missing", SLICE_INIT("\0\0\0\4Hab"), WIRE_MORE, 0, NULL, 0 },
    { "and another one", SLICE_INIT("\0\0\0\2Ha\0\0\0\1N"), WIRE_DONE, 'H', "a", 6 },
    { "no command", SLICE_INIT("\0\0\0\0N"), WIRE_BAD, 0, NULL, 0 },
    { "longer than 64 KiB", SLICE_INIT("\0\1\0\2Hab"), WIRE_MORE, 0, NULL, 0 },
    { "much too long", SLICE_INIT("\1\0\0\1Hab"), WIRE_BAD, 0, NULL, 0 },
    { "as long as can be", SLICE_INIT("\xff\xff\xff\xffHab"), WIRE_BAD, 0, NULL, 0 },
};

static void tells_whole_cut_and_bad_packets_apart(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(packets); i++) {
        struct milter_packet packet = { .command = 0 };
        size_t used = 0;
        if (milter_packet_read(packets[i].in, &packet, &used) != packets[i].want ||
            used != packets[i].used || packet.command != packets[i].command ||
            (packets[i].data != NULL && !slice_equal(packet.data, slice_of(packets[i].data))))
            fail_msg("%s", packets[i].what);
    }
}

static void the_longest_packet_is_read_and_no_longer_one(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(MILTER_PACKET_MAX + 100);
    AUTO_BUF data = BUF_INIT(MILTER_PACKET_MAX + 100);
    struct milter_packet packet;
    size_t used;

    for (size_t i = 0; i < MILTER_DATA_MAX; i++)
        assert_int_equal(0, buf_put_char(&data, 'x'));
    assert_int_equal(0, milter_put_packet(&out, 'B', buf_slice(&data)));
    assert_int_equal(MILTER_PACKET_HEAD + MILTER_DATA_MAX, out.len);
    assert_int_equal(WIRE_DONE, milter_packet_read(buf_slice(&out), &packet, &used));
    assert_int_equal(out.len, used);
    assert_int_equal(MILTER_DATA_MAX, packet.data.len);
    assert_int_equal(0, buf_put_char(&data, 'x'));
    buf_clear(&out);
    assert_int_equal(-1, milter_put_packet(&out, 'B', buf_slice(&data)));
    assert_int_equal(0, out.len);

    static const uint32_t lengths[] = { MILTER_PACKET_MAX, MILTER_PACKET_MAX + 1 };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        buf_clear(&out);
        assert_int_equal(0, milter_put_number(&out, lengths[i]));
        assert_int_equal(i == 0 ? WIRE_MORE : WIRE_BAD,
                         milter_packet_read(buf_slice(&out), &packet, &used));
    }
}

static void what_does_not_fit_leaves_nothing(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(8);

    assert_int_equal(0, buf_put(&out, "ab"));
    assert_int_equal(-1, milter_put_packet(&out, 'B', SLICE("12")));
    assert_int_equal(2, out.len);
    assert_int_equal(0, milter_put_packet(&out, 'B', SLICE("1")));
    assert_slice("1", slice_skip(buf_slice(&out), 7));
}

static void numbers_are_in_network_order(UNUSED void **state)
{
    static const uint32_t numbers[] = { 0, 1, 0x80, 0x1234, 0x563412, 0x12345678, 0xfffffffe };

    for (size_t i = 0; i < COUNT(numbers); i++) {
        AUTO_BUF out = BUF_INIT(10);
        uint32_t got = 7;
        assert_int_equal(0, milter_put_number(&out, numbers[i]));
        assert_int_equal(4, out.len);
        struct slice rest = buf_slice(&out);
        assert_true(milter_take_number(&rest, &got));
        assert_true(got == numbers[i]);
        assert_int_equal(0, rest.len);
        assert_false(milter_take_number(&rest, &got));
    }
    struct slice bytes = SLICE("\x12\x34\x56\x78"
                               "9"),
                 cut = SLICE("\x12\x34\x56");
    uint32_t got = 0;
    assert_true(milter_take_number(&bytes, &got));
    assert_true(got == 0x12345678);
    assert_slice("9", bytes);
    assert_false(milter_take_number(&cut, &got));
    assert_int_equal(3, cut.len);
}

static void texts_end_with_nul(UNUSED void **state)
{
    AUTO_BUF out = BUF_INIT(10);
    struct slice rest = SLICE("ab\0\0c"), text;

    assert_true(milter_take_text(&rest, &text));
    assert_slice("ab", text);
    assert_true(milter_take_text(&rest, &text));
    assert_slice("", text);
    assert_false(milter_take_text(&rest, &text)); /* its NUL is missing */
    assert_int_equal(0, milter_put_text(&out, SLICE("ab")));
    assert_int_equal(3, out.len);
    assert_int_equal(-1, milter_put_text(&out, SLICE("a\0b"))); /* it would be two */
    assert_int_equal(-1, milter_put_text(&out, SLICE("1234567")));
    assert_int_equal(3, out.len);
    assert_int_equal(0, milter_put_text(&out, SLICE("123456")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_whole_cut_and_bad_packets_apart),
        cmocka_unit_test(the_longest_packet_is_read_and_no_longer_one),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(numbers_are_in_network_order),
        cmocka_unit_test(texts_end_with_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
