/* tests/fuzz/fuzz_change.c - live changes as anybody may send them to the control API, and texts on their way to a
 * terminal. What is stored must be stored in the same spelling the second time; a rule must print and parse back; nothing
 * that a terminal obeys may be left after escaping. */
#include "common/live/check.h"
#include "common/live/rule_text.h"
#include "gatectl/decisions.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static void try_change(struct slice key, struct slice field, struct slice text)
{
    const struct live_names names = { .context = NULL };
    struct arena *arena = arena_new(4 << 20);
    struct live_place place, again;
    struct live_error error = { NULL, 0, "" };
    enum live_result result = live_check(key, field, text, &names, arena, &place, &error);

    if (result == LIVE_OK) {
        must(live_check(place.key, place.field, text, &names, arena, &again, &error) == LIVE_OK);
        must(slice_equal(place.key, again.key) && slice_equal(place.field, again.field));
    } else {
        must(error.where != NULL && error.text[0] != '\0');
        must(result == LIVE_NO_SUCH_KEY || error.offset <= key.len + field.len + text.len);
    }
    arena_free(&arena);
}

static void try_rule(struct slice text)
{
    AUTO_BUF out = BUF_INIT(2 * LIVE_RULE_TEXT_MAX + 200);
    struct arena *arena = arena_new(1 << 20);
    struct live_rule rule, again;
    struct live_rule_error error = { 0, NULL };

    if (live_rule_parse(SLICE("r"), text, arena, &rule, &error)) {
        must(live_rule_print(&out, &rule) == 0);
        if (out.len <= LIVE_RULE_TEXT_MAX) {
            must(live_rule_parse(SLICE("r"), buf_slice(&out), arena, &again, &error));
            must(slice_equal(rule.source.when, again.source.when) &&
                 slice_equal(rule.source.then, again.source.then) && rule.until_s == again.until_s);
        }
    } else {
        must(error.text != NULL && error.offset <= text.len);
    }
    arena_free(&arena);
}

static void try_terminal(struct slice text)
{
    AUTO_BUF out = BUF_INIT(4 * text.len);
    struct slice name, value;

    must(output_escape(&out, text) == 0);
    for (size_t i = 0; i < out.len; i++)
        must((unsigned char)out.data[i] >= 0x20 && out.data[i] != 0x7f);
    while (decision_next_field(&text, &name, &value))
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = { "limit:a", "class", "list:a", "map:a", "rule" };
    struct slice all = { (const char *)data, size }, text = all, field;
    uint64_t until_s;
    const char *error;

    if (!slice_cut(&text, '\0', &field))
        field = all;
    for (size_t i = 0; i < COUNT(keys); i++)
        try_change(slice_of(keys[i]), field, text);
    try_change(field, text, text);
    try_rule(text);
    try_terminal(all);
    if (when_parse(text, 1795000000, &until_s, &error))
        must(until_s > 1795000000);
    return 0;
}
