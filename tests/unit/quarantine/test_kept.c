/* tests/unit/quarantine/test_kept.c - what is written down about a kept message comes back as it was. */
#include "common/quarantine/kept.h"

#include "common/mime/mime.h"
#include "common/quarantine/kept_message.h"
#include "contentd/quarantine/kept_finding.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/mail_message.h"
#include "tests/unit/unit.h"

static void names_are_in_the_order_of_time(UNUSED void **state)
{
    static const uint64_t times[] = {
        0, 1, 31, 32, FAKE_CLOCK_WALL, FAKE_CLOCK_WALL + 1, (UINT64_C(1) << 50) - 1
    };
    char last[KEPT_ID_LEN + 1] = "", id[KEPT_ID_LEN + 1], other[KEPT_ID_LEN + 1];

    for (size_t i = 0; i < COUNT(times); i++) {
        kept_id_make(times[i], id);
        kept_id_make(times[i], other);
        assert_true(kept_id_is_valid(slice_of(id)));
        assert_int_equal(times[i], kept_id_time_ms(slice_of(id)));
        assert_true(strcmp(last, id) < 0);
        assert_memory_equal(id, other, 10);
        assert_string_not_equal(id, other);
        memcpy(last, id, sizeof last);
    }
}

static void names_are_safe(UNUSED void **state)
{
    static const char *const bad[] = { "",
                                       "0123456789abcdefghj",
                                       "0123456789abcdefghjkm",
                                       "0123456789ABCDEFGHJK",
                                       "../../../../../../..",
                                       "0123456789abcdefghj/",
                                       "0123456789abcdefghj.",
                                       "0123456789abcdefghji",
                                       "0123456789abcdefghjl" };

    for (size_t i = 0; i < COUNT(bad); i++)
        if (kept_id_is_valid(slice_of(bad[i])))
            fail_msg("%s", bad[i]);
    assert_false(kept_id_is_valid(SLICE("0123456789abcdefghj\0")));
    assert_true(kept_id_is_valid(SLICE("0123456789abcdefghjk")));
}

static struct kept_recipient recipients[] = {
    { SLICE_INIT("a@x.example"), SLICE_INIT("NOTIFY=NEVER ORCPT=rfc822;a") },
    { SLICE_INIT("\xff\xfe@x.example"), SLICE_INIT("") },
};
static struct kept_finding findings[] = {
    { SLICE_INIT("clam"), SLICE_INIT("virus"), SLICE_INIT("Eicar-Test") },
};

static struct kept example(void)
{
    struct kept kept = {
        .id = "0123456789abcdefghjk",
        .time_ms = FAKE_CLOCK_WALL,
        .size = 1234567,
        .queue_id = SLICE("4Xk2Lq"),
        .client_address = SLICE("192.0.2.7"),
        .client_name = SLICE("client.example.net"),
        .helo_name = SLICE("helo"),
        .sasl_username = SLICE("login"),
        .sender = SLICE("a\x80\"b\"@x.example"),
        .sender_arguments = SLICE("BODY=8BITMIME RET=HDRS ENVID=\xff"),
        .is_smtputf8 = true,
        .recipients = recipients,
        .recipient_count = COUNT(recipients),
        .reason = SLICE("virus \"Eicar\""),
        .reference = SLICE("7f3k2q"),
        .subject = SLICE("J\xc3\xbcrgen"),
        .from = SLICE("a@x.example"),
        .message_id = SLICE("id@x.example"),
        .findings = findings,
        .finding_count = COUNT(findings),
    };
    return kept;
}

static void comes_back_as_it_was(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    struct kept kept = example(), back;
    const char *error;
    json_t *json = kept_to_json(&kept);
    char *text = json_dumps(json, JSON_ENSURE_ASCII);

    if (!kept_parse(arena, slice_of(text), &back, &error))
        fail_msg("%s: %s", error, text);
    assert_string_equal(kept.id, back.id);
    assert_int_equal(kept.time_ms, back.time_ms);
    assert_int_equal(kept.size, back.size);
    assert_true(back.is_smtputf8);
    assert_true(slice_equal(kept.sender, back.sender));
    assert_true(slice_equal(kept.sender_arguments, back.sender_arguments));
    assert_true(slice_equal(kept.queue_id, back.queue_id));
    assert_true(slice_equal(kept.client_address, back.client_address));
    assert_true(slice_equal(kept.client_name, back.client_name));
    assert_true(slice_equal(kept.helo_name, back.helo_name));
    assert_true(slice_equal(kept.sasl_username, back.sasl_username));
    assert_true(slice_equal(kept.reference, back.reference));
    assert_true(slice_equal(kept.from, back.from));
    assert_true(slice_equal(kept.reason, back.reason));
    assert_true(slice_equal(kept.subject, back.subject));
    assert_true(slice_equal(kept.message_id, back.message_id));
    assert_int_equal(2, back.recipient_count);
    for (size_t i = 0; i < 2; i++) {
        assert_true(slice_equal(recipients[i].address, back.recipients[i].address));
        assert_true(slice_equal(recipients[i].arguments, back.recipients[i].arguments));
    }
    assert_int_equal(1, back.finding_count);
    assert_slice("Eicar-Test", back.findings[0].text);
    free(text);
    json_decref(json);
    arena_free(&arena);
}

/* For people, not for a server: always a string. */
static void what_describes_a_message_is_text(UNUSED void **state)
{
    static const char *const names[] = { "queue_id",   "client_address", "client_name",
                                         "helo_name",  "sasl_username",  "reason",
                                         "reference",  "subject",        "from",
                                         "message_id", "damaged" };
    struct kept kept = example();
    json_t *json = kept_to_json(&kept);

    assert_null(json_object_get(json, "damaged"));
    json_decref(json);
    kept.queue_id = kept.client_address = kept.client_name = kept.helo_name = SLICE("a\xff");
    kept.sasl_username = kept.reason = kept.reference = kept.subject = SLICE("a\xff");
    kept.from = kept.message_id = kept.damage = SLICE("a\xff");
    json = kept_to_json(&kept);
    for (size_t i = 0; i < COUNT(names); i++)
        if (!json_is_string(json_object_get(json, names[i])) ||
            strcmp(json_string_value(json_object_get(json, names[i])), "a\xef\xbf\xbd") != 0)
            fail_msg("%s", names[i]);
    json_decref(json);
}

static void a_text_for_people_is_bounded(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 20);
    char text[KEPT_TEXT_MAX + 1];
    struct slice out;

    memset(text, 'x', sizeof text);
    assert_true(kept_text(arena, (struct slice){ text, sizeof text }, &out));
    assert_int_equal(KEPT_TEXT_MAX, out.len);
    arena_free(&arena);
}

static void refuses_what_is_no_hexadecimal_text(UNUSED void **state)
{
    static const char *const texts[] = { "0g", "g0", "0G", "000", "zz" };
    struct arena *arena = arena_new(1 << 20);
    struct kept kept = example(), back;
    json_t *json = kept_to_json(&kept);
    const char *error;

    for (size_t i = 0; i < COUNT(texts); i++) {
        json_object_set_new(json, "sender", json_pack("{s:s}", "hex", texts[i]));
        if (kept_from_json(arena, json, &back, &error))
            fail_msg("%s", texts[i]);
    }
    json_object_set_new(json, "sender", json_pack("{s:i}", "hex", 0));
    assert_false(kept_from_json(arena, json, &back, &error));
    json_object_set_new(json, "sender", json_pack("{s:s}", "hex", "00fe"));
    assert_true(kept_from_json(arena, json, &back, &error));
    assert_true(slice_equal(SLICE("\0\xfe"), back.sender));
    json_object_set_new(json, "size", json_integer(-1));
    assert_false(kept_from_json(arena, json, &back, &error));
    json_object_set_new(json, "size", json_integer(0));
    assert_true(kept_from_json(arena, json, &back, &error));
    json_object_set_new(json, "id", json_string("0123456789abcdefghj/"));
    assert_false(kept_from_json(arena, json, &back, &error));
    json_decref(json);
    arena_free(&arena);
}

/* Every member is needed, and of its type. */
static void refuses_what_is_not_ours(UNUSED void **state)
{
    static const char *const texts[] = { "", "x", "[]", "{}", "{\"id\": 1}" };
    struct arena *arena = arena_new(1 << 20);
    struct kept kept = example(), back;
    const char *error, *name;
    json_t *whole = kept_to_json(&kept), *value;

    for (size_t i = 0; i < COUNT(texts); i++)
        if (kept_parse(arena, slice_of(texts[i]), &back, &error))
            fail_msg("%s", texts[i]);
    json_object_foreach (whole, name, value) {
        json_t *json = json_copy(whole);
        if (strcmp(name, "smtputf8") == 0) {
            json_decref(json);
            continue;
        }
        json_object_del(json, name);
        if (kept_from_json(arena, json, &back, &error))
            fail_msg("without %s", name);
        json_object_set_new(json, name, json_pack("{s:s}", "hex", "0"));
        if (kept_from_json(arena, json, &back, &error))
            fail_msg("odd %s", name);
        json_decref(json);
    }
    json_decref(whole);
    arena_free(&arena);
}

static void takes_what_the_message_says(UNUSED void **state)
{
    static const struct slice arguments[] = { SLICE_INIT("SIZE=10"), SLICE_INIT("SMTPUTF8") };
    static const struct slice notify[] = { SLICE_INIT("NOTIFY=NEVER") };
    static const bool wanted[] = { false, true, true };
    struct message *message = mail_message_new(
        SLICE("From: \"Ann\" <a@x.example>\nSubject: =?utf-8?q?=C3=A4?=\nMessage-ID: <1@x>\n\nx\n"),
        "a@x.example b@x.example");
    struct arena *arena = arena_new(1 << 20);
    struct finding virus = { .result = FINDING_VIRUS, .virus = SLICE_INIT("Eicar") };
    struct finding spam = {
        .result = FINDING_SPAM, .has_score = true, .score = 12.5, .required = 6
    };
    struct finding trouble = { .result = FINDING_TROUBLE, .error = SLICE_INIT("down") };
    struct kept kept;

    message_set_sender(message, SLICE("<>"), arguments, 2);
    message_add_recipient(message, SLICE("<c@x.example>"), notify, 1);
    message->client.has_address = ip_address_parse(SLICE("192.0.2.7"), &message->client.address);
    assert_true(kept_of_message(arena, message, wanted, &kept));
    assert_int_equal(2, kept.recipient_count);
    assert_slice("b@x.example", kept.recipients[0].address);
    assert_slice("c@x.example", kept.recipients[1].address);
    assert_slice("", kept.recipients[0].arguments);
    assert_slice("NOTIFY=NEVER", kept.recipients[1].arguments);
    assert_slice("", kept.sender);
    assert_slice("SIZE=10 SMTPUTF8", kept.sender_arguments);
    assert_true(kept.is_smtputf8);
    assert_slice("192.0.2.7", kept.client_address);
    assert_slice("\xc3\xa4", kept.subject);
    assert_slice("a@x.example", kept.from);
    assert_slice("1@x", kept.message_id);
    assert_slice("4Xk2Lq", kept.queue_id);
    assert_true(kept_add_finding(arena, &kept, SLICE("clam"), &virus));
    assert_true(kept_add_finding(arena, &kept, SLICE("spamd"), &spam));
    assert_true(kept_add_finding(arena, &kept, SLICE("icap"), &trouble));
    assert_int_equal(3, kept.finding_count);
    assert_slice("Eicar", kept.findings[0].text);
    assert_slice("spam", kept.findings[1].result);
    assert_slice("12.5/6 ", kept.findings[1].text);
    assert_slice("down", kept.findings[2].text);
    assert_true(kept_of_message(arena, message, NULL, &kept));
    assert_int_equal(3, kept.recipient_count);
    arena_free(&arena);
    message_unref(&message);
}

static int init(UNUSED void **state)
{
    mime_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_in_the_order_of_time),
        cmocka_unit_test(names_are_safe),
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(what_describes_a_message_is_text),
        cmocka_unit_test(a_text_for_people_is_bounded),
        cmocka_unit_test(refuses_what_is_no_hexadecimal_text),
        cmocka_unit_test(refuses_what_is_not_ours),
        cmocka_unit_test(takes_what_the_message_says),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
