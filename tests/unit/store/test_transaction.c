/* tests/unit/store/test_transaction.c - keys and fields of transaction records. */
#include "tests/unit/unit.h"

#include "common/store/transaction.h"

static struct arena *arena;

static int start(UNUSED void **state)
{
    arena = arena_new(1 << 20);
    return arena == NULL ? -1 : 0;
}

static int stop(UNUSED void **state)
{
    arena_free(&arena);
    return 0;
}

/* ---- keys ---- */

static void both_sides_make_the_same_key(UNUSED void **state)
{
    static const struct {
        const char *id, *client, *port, *server;
        const char *want; /* NULL: none */
    } rows[] = {
        { "4Xk2Lq", "192.0.2.7", "40001", "192.0.2.1", "tx:{4Xk2Lq/192.0.2.7/40001/192.0.2.1}" },
        { "4Xk2Lq", "::ffff:192.0.2.7", "40001", "::FFFF:192.0.2.1",
          "tx:{4Xk2Lq/192.0.2.7/40001/192.0.2.1}" },
        { "4Xk2Lq", "2001:DB8:0::7", "25", "2001:db8::1",
          "tx:{4Xk2Lq/2001:db8::7/25/2001:db8::1}" },
        { "4Xk2Lq", "IPv6:2001:db8::7", "25", "", "tx:{4Xk2Lq/2001:db8::7/25/}" },
        { "4Xk2Lq", "192.0.2.7", "unknown", NULL, "tx:{4Xk2Lq/192.0.2.7/0/}" },
        { "4Xk2Lq", "192.0.2.7", NULL, NULL, "tx:{4Xk2Lq/192.0.2.7/0/}" },
        { "4Xk2Lq", "192.0.2.7", "65536", "unix", "tx:{4Xk2Lq/192.0.2.7/0/}" },
        { "4Xk2Lq", "192.0.2.7", "007", "x", "tx:{4Xk2Lq/192.0.2.7/7/}" },
        { "", "192.0.2.7", "1", "192.0.2.1", NULL },
        { NULL, "192.0.2.7", "1", "192.0.2.1", NULL },
        { "4Xk2Lq", "unknown", "1", "192.0.2.1", NULL },
        { "4Xk2Lq", "", "1", "192.0.2.1", NULL },
        { "4Xk2Lq", NULL, "1", "192.0.2.1", NULL },
        { "a}b", "192.0.2.7", "1", "192.0.2.1", NULL },
        { "a/b", "192.0.2.7", "1", "192.0.2.1", NULL },
        { "a b", "192.0.2.7", "1", "192.0.2.1", NULL },
        { "a*", "192.0.2.7", "1", "192.0.2.1", NULL },
        { "1234567890123456789012345678901234567890123456789012345678901234", "192.0.2.7", "1", "",
          "tx:{1234567890123456789012345678901234567890123456789012345678901234/192.0.2.7/1/}" },
        { "12345678901234567890123456789012345678901234567890123456789012345", "192.0.2.7", "1", "",
          NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct transaction_key key;
        bool made = transaction_key_make(&key, slice_of(rows[i].id), slice_of(rows[i].client),
                                         slice_of(rows[i].port), slice_of(rows[i].server));
        if (made != (rows[i].want != NULL) || made != (key.len > 0) ||
            (made && (strcmp(key.text, rows[i].want) != 0 || key.len != strlen(rows[i].want))))
            fail_msg("row %zu: %s", i, made ? key.text : "no key");
    }
}

static void the_longest_key_fits(UNUSED void **state)
{
    const struct slice address = SLICE("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
    struct transaction_key key;
    char id[TRANSACTION_ID_MAX + 1];

    memset(id, 'x', TRANSACTION_ID_MAX);
    id[TRANSACTION_ID_MAX] = '\0';
    assert_true(transaction_key_make(&key, slice_of(id), address, SLICE("65535"), address));
    assert_true(key.len < TRANSACTION_KEY_MAX);
    assert_int_equal(key.len, strlen(key.text));
}

static void a_record_without_queue_id_has_the_name_of_the_instance(UNUSED void **state)
{
    struct transaction_key key;

    assert_true(
        transaction_early_key_make(&key, SLICE("1a2b.65f0c.9.0"), SLICE("::ffff:192.0.2.1")));
    assert_string_equal("tx:{1a2b.65f0c.9.0/192.0.2.1}", key.text);
    assert_false(transaction_early_key_make(&key, SLICE(""), SLICE("192.0.2.1")));
    assert_false(transaction_early_key_make(&key, SLICE("a{b"), SLICE("192.0.2.1")));
    assert_int_equal(0, key.len);
}

static void both_sides_know_a_sender_by_the_same_name(UNUSED void **state)
{
    static const char *const rows[][2] = {
        { "Alice+News@Example.COM", "alice+news@example.com" },
        { "<Alice@Example.COM>", "alice@example.com" },
        { "<>", "" },
        { "", "" },
        { "<", "<" },
        { "<\"A b\"@Example.com>", "a b@example.com" },
        { "a b@example.com", "a b@example.com" },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_slice(rows[i][1], transaction_sender(slice_of(rows[i][0]), arena));
    assert_non_null(transaction_sender((struct slice){ NULL, 0 }, arena).ptr);
}

static void recipients_are_named_alike(UNUSED void **state)
{
    static const char *const rows[][2] = {
        { "bob@example.org", "m:bob@example.org" },
        { "<Bob@Example.ORG>", "m:bob@example.org" },
        { "bob+more@example.org", "m:bob+more@example.org" },
        { "bob", "m:bob" },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_slice(rows[i][1], transaction_recipient(slice_of(rows[i][0]), arena));
    assert_null(transaction_recipient(SLICE(""), arena).ptr);
    assert_null(transaction_recipient(SLICE("<>"), arena).ptr);
    assert_null(transaction_recipient((struct slice){ NULL, 0 }, arena).ptr);
    /* What is not plain, or long, has a name all the same: one without blanks, of bounded length. */
    struct slice odd = transaction_recipient(SLICE("a b@example.org"), arena);
    assert_true(odd.len > 0 && odd.len <= LIMIT_SUBJECT_MAX && slice_find(odd, ' ') == SIZE_MAX);
}

/* ---- fields ---- */

static const struct transaction_charge charges[] = {
    { SLICE_INIT("user-hourly"), SLICE_INIT("m:alice@example.com"), 3600000, 11968764, 3 },
    { SLICE_INIT("all"), SLICE_INIT("*"), 86400000, 498698, UINT64_C(1) << 53 },
};
static const struct transaction full = {
    .sender = SLICE_INIT("alice@example.com"),
    .instance = SLICE_INIT("1a2b.65f0c.9.0"),
    .spf = { SLICE_INIT("pass"), SLICE_INIT("example.com") },
    .spf_helo = { SLICE_INIT("none"), SLICE_INIT("mx.example.com") },
    .has_score = true,
    .score = -2.5,
    .rule = SLICE_INIT("allowed"),
    .reference = SLICE_INIT("7f3k2q"),
    .charges = charges,
    .charge_count = COUNT(charges),
    .verdicts = { { SLICE_INIT("contentd"), SLICE_INIT("reject virus=Eicar") },
                  { SLICE_INIT("signd"), SLICE_INIT("signed example.com") } },
    .verdict_count = 2,
    .is_refunded = true,
    .charges_cut = 7,
};

/* "name=text" of all fields, in the order of encoding. */
static struct slice text_of(const struct transaction *transaction)
{
    struct transaction_field *fields;
    size_t count = transaction_encode(transaction, arena, &fields);
    struct slice text = SLICE("");

    assert_true(count > 0 && count <= TRANSACTION_FIELDS_MAX);
    for (size_t i = 0; i < count; i++)
        text = arena_printf(arena, "%.*s%.*s=%.*s\n", SLICE_ARG(text), SLICE_ARG(fields[i].name),
                            SLICE_ARG(fields[i].text));
    return text;
}

static void has_one_field_for_each_thing_known(UNUSED void **state)
{
    assert_slice("sender=alice@example.com\n"
                 "instance=1a2b.65f0c.9.0\n"
                 "spf=pass\n"
                 "spf.domain=example.com\n"
                 "spf_helo=none\n"
                 "spf_helo.domain=mx.example.com\n"
                 "rule=allowed\n"
                 "ref=7f3k2q\n"
                 "score=-2.5\n"
                 "verdict.contentd=reject virus=Eicar\n"
                 "verdict.signd=signed example.com\n"
                 "refunded=1\n"
                 "cut=7\n"
                 "gh:q:{m:alice@example.com}:user-hourly.3600000.24 11968764=3\n"
                 "gh:q:{*}:all.86400000.24 498698=9007199254740992\n",
                 text_of(&full));
    assert_slice("sender=\n", text_of(&(struct transaction){ .sender = SLICE("") }));
}

static void reads_what_it_has_written(UNUSED void **state)
{
    struct transaction_field *fields;
    size_t count = transaction_encode(&full, arena, &fields);
    struct transaction read;

    assert_true(transaction_decode(fields, count, arena, &read));
    assert_int_equal(0, read.bad);
    assert_int_equal(2, read.charge_count);
    assert_int_equal(11968764, read.charges[0].bucket);
    assert_slice("user-hourly", read.charges[0].limit);
    assert_slice("m:alice@example.com", read.charges[0].subject);
    assert_true(read.is_refunded);
    assert_slice("reject virus=Eicar", transaction_verdict_by(&read, SLICE("contentd")));
    assert_null(transaction_verdict_by(&read, SLICE("content")).ptr);
    struct slice text = text_of(&full);
    assert_slice(text.ptr, text_of(&read));
}

static void what_is_not_there_is_not_known(UNUSED void **state)
{
    static const struct transaction_field fields[] = { { SLICE_INIT("sender"), SLICE_INIT("") } };
    struct transaction read;

    assert_true(transaction_decode(fields, 1, arena, &read));
    assert_non_null(read.sender.ptr);
    assert_null(read.instance.ptr);
    assert_null(read.spf.result.ptr);
    assert_null(read.rule.ptr);
    assert_false(read.has_score);
    assert_false(read.is_refunded);
    assert_int_equal(0, read.charge_count);
}

static void ignores_what_it_cannot_read(UNUSED void **state)
{
    static const struct {
        const char *name, *text;
        size_t bad;
    } rows[] = {
        { "something", "else", 0 },
        { "", "", 0 },
        { "score", "high", 1 },
        { "score", "1e9", 1 },
        { "score", "", 1 },
        { "cut", "-1", 1 },
        { "gh:q:{a}:b.24.24 7", "1", 0 },
        { "gh:q:{a}:b.24.24 7", "-1", 1 },
        { "gh:q:{a}:b.24.24 7", "9007199254740993", 1 },
        { "gh:q:{a}:b.24.24 ", "1", 1 },
        { "gh:q:{a}:b.24.24 x", "1", 1 },
        { "gh:q:{a}:b.24.24", "1", 1 },
        { "gh:q:{a\x01}:b.24.24 7", "1", 1 },
        { "verdict.\n", "1", 1 },
        { "gh:q:{a}:b.0.24 7", "1", 1 },
        { "gh:q:{a b.24.24 7", "1", 1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct transaction_field field = { slice_of(rows[i].name), slice_of(rows[i].text) };
        struct transaction read;
        assert_true(transaction_decode(&field, 1, arena, &read));
        if (read.bad != rows[i].bad || read.has_score || read.charges_cut != 0)
            fail_msg("%s = %s", rows[i].name, rows[i].text);
    }
}

static void texts_are_bounded(UNUSED void **state)
{
    char text[TRANSACTION_TEXT_MAX + 2];
    const struct transaction_field field = { SLICE("rule"), { text, sizeof text - 1 } };
    struct transaction_field *fields;
    struct transaction read;

    memset(text, 'x', sizeof text);
    assert_true(transaction_decode(&field, 1, arena, &read));
    assert_int_equal(1, read.bad);
    assert_null(read.rule.ptr);
    read.rule = field.text;
    assert_int_equal(1, transaction_encode(&read, arena, &fields));
    assert_int_equal(TRANSACTION_TEXT_MAX, fields[0].text.len);
}

static void charges_are_bounded(UNUSED void **state)
{
    enum { MANY = TRANSACTION_CHARGES_MAX + 3 };
    struct transaction_charge many[MANY];
    struct transaction_field *fields, more[MANY];
    struct transaction transaction = { .charges = many, .charge_count = MANY }, read;

    for (size_t i = 0; i < MANY; i++) {
        many[i] = charges[0];
        many[i].bucket = i;
        more[i].name =
            arena_printf(arena, TRANSACTION_CHARGE_FORMAT, TRANSACTION_CHARGE_ARG(&many[i]));
        more[i].text = SLICE("1");
    }
    assert_int_equal(TRANSACTION_CHARGES_MAX, transaction_encode(&transaction, arena, &fields));
    assert_true(transaction_decode(more, MANY, arena, &read));
    assert_int_equal(TRANSACTION_CHARGES_MAX, read.charge_count);
    assert_int_equal(3, read.bad);
}

static void scores_have_no_exponent(UNUSED void **state)
{
    static const struct {
        double score;
        const char *want;
    } rows[] = {
        { 0, "score=0\n" },           { 3, "score=3\n" },         { -1.25, "score=-1.25\n" },
        { 0.0001, "score=0\n" },      { 1e30, "score=999999\n" }, { -1e30, "score=-999999\n" },
        { 2.0 / 3, "score=0.667\n" }, { 100, "score=100\n" },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_slice(rows[i].want,
                     text_of(&(struct transaction){ .has_score = true, .score = rows[i].score }));
}

static void fails_without_memory(UNUSED void **state)
{
    struct arena *none = arena_new(64);
    struct transaction_field *fields;
    struct transaction read;

    assert_int_equal(0, transaction_encode(&full, none, &fields));
    fields = NULL;
    struct transaction_field many[64] = { { SLICE("a"), SLICE("b") } };
    assert_false(transaction_decode(many, COUNT(many), none, &read));
    arena_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_make_the_same_key),
        cmocka_unit_test(the_longest_key_fits),
        cmocka_unit_test(a_record_without_queue_id_has_the_name_of_the_instance),
        cmocka_unit_test(both_sides_know_a_sender_by_the_same_name),
        cmocka_unit_test(recipients_are_named_alike),
        cmocka_unit_test(has_one_field_for_each_thing_known),
        cmocka_unit_test(reads_what_it_has_written),
        cmocka_unit_test(what_is_not_there_is_not_known),
        cmocka_unit_test(ignores_what_it_cannot_read),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(charges_are_bounded),
        cmocka_unit_test(scores_have_no_exponent),
        cmocka_unit_test(fails_without_memory),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
