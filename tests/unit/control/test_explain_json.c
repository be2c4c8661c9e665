/* tests/unit/control/test_explain_json.c - the parts of an explanation, as JSON. */
#include "common/control/explainer.h"
#include "common/control/service.h"

#include "tests/unit/unit.h"

static void expect(json_t *json, const char *want)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(json);
    if (strcmp(text, want) != 0)
        fail_msg("want %s\ngot  %s", want, text);
    free(text);
    json_decref(json);
}

static void says_who_answers_and_which_way_the_message_goes(UNUSED void **state)
{
    AUTO_BUF want = BUF_INIT(500);

    buf_printf(&want,
               "{\"daemon\":\"d\",\"mode\":\"enforce\",\"direction\":\"inbound\","
               "\"direction_reason\":\"%s\"}",
               direction_reasons[DIRECTION_INBOUND]);
    expect(explain_begin("d", false, DIRECTION_INBOUND), buf_text(&want));
    buf_clear(&want);
    buf_printf(&want,
               "{\"daemon\":\"d\",\"mode\":\"shadow\",\"direction\":\"outbound\","
               "\"direction_reason\":\"%s\"}",
               direction_reasons[DIRECTION_PORT]);
    expect(explain_begin("d", true, DIRECTION_PORT), buf_text(&want));
}

static const struct {
    struct edit edit;
    const char *want; /* behind the kind */
} edits[] = {
    { { .kind = EDIT_ADD_HEADER, .name = SLICE_INIT("X"), .text = SLICE_INIT("1"), .index = 7 },
      "\"name\":\"X\",\"text\":\"1\"" },
    { { .kind = EDIT_INSERT_HEADER, .name = SLICE_INIT("X"), .text = SLICE_INIT("1") },
      "\"name\":\"X\",\"index\":0,\"text\":\"1\"" },
    { { .kind = EDIT_CHANGE_HEADER, .name = SLICE_INIT("X"), .index = 2 },
      "\"name\":\"X\",\"index\":2" },
    { { .kind = EDIT_REMOVE_RECIPIENT, .text = SLICE_INIT("a@b\xff"), .index = 7 },
      "\"text\":\"a@b\xef\xbf\xbd\"" },
    { { .kind = EDIT_REPLACE_BODY, .text = SLICE_INIT("12345") }, "\"bytes\":5" },
    { { .kind = EDIT_HOLD, .text = SLICE_INIT("why") }, "\"text\":\"why\"" },
};

static void lists_what_would_be_changed(UNUSED void **state)
{
    struct arena *arena = arena_new(1 << 16);
    struct edits all;
    char big[1001];

    edits_init(&all);
    expect(explain_edits(&all), "[]");
    for (size_t i = 0; i < COUNT(edits); i++) {
        AUTO_BUF want = BUF_INIT(500);
        edits_init(&all);
        assert_true(edits_add(&all, arena, &edits[i].edit));
        buf_printf(&want, "[{\"edit\":\"%s\",%s}]", edit_kind_words[edits[i].edit.kind],
                   edits[i].want);
        expect(explain_edits(&all), buf_text(&want));
    }
    assert_true(edits_add(&all, arena, &edits[0].edit));
    json_t *two = explain_edits(&all);
    assert_int_equal(2, json_array_size(two));
    json_decref(two);
    /* a long text is cut */
    memset(big, 'x', sizeof big);
    edits_init(&all);
    assert_true(
        edits_add(&all, arena, &(struct edit){ .kind = EDIT_HOLD, .text = { big, sizeof big } }));
    json_t *cut = explain_edits(&all);
    assert_int_equal(1000, json_string_length(json_object_get(json_array_get(cut, 0), "text")));
    json_decref(cut);
    arena_free(&arena);
}

static void repeats_a_refusal_alone(UNUSED void **state)
{
    struct milter_reply reply = {
        .action = MILTER_REJECT,
        .reply = { .code = 550, .enhanced = SLICE("5.7.2"), .text = SLICE("No") }
    };

    expect(explain_reply(&reply), "\"550 5.7.2 No\"");
    reply.action = MILTER_TEMPFAIL;
    expect(explain_reply(&reply), "\"451 4.7.1 No\"");
    reply.action = MILTER_CONTINUE;
    expect(explain_reply(&reply), "null");
    reply.action = MILTER_DISCARD;
    expect(explain_reply(&reply), "null");
}

static void names_the_stage(UNUSED void **state)
{
    expect(explain_stage(STAGE_RCPT, NULL), "{\"stage\":\"rcpt\",\"trace\":[]}");
    expect(explain_stage(STAGE_DATA, NULL), "{\"stage\":\"data\",\"trace\":[]}");
    expect(explain_stage(STAGE_END, NULL), "{\"stage\":\"end-of-message\",\"trace\":[]}");
}

static void lists_texts(UNUSED void **state)
{
    static const struct slice texts[] = { SLICE_INIT("a"), SLICE_INIT("\xff") };

    expect(explain_texts(texts, 0), "[]");
    expect(explain_texts(texts, 2), "[\"a\",\"\xef\xbf\xbd\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_answers_and_which_way_the_message_goes),
        cmocka_unit_test(lists_what_would_be_changed),
        cmocka_unit_test(repeats_a_refusal_alone),
        cmocka_unit_test(names_the_stage),
        cmocka_unit_test(lists_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
