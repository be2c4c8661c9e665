/* tests/fuzz/fuzz_live.c - live values as anybody may write them into the store: rates, overrides, tails, classes, and
 * the subjects made of what the network sends. What parses must print and parse back to the same. */
#include "common/limits/classes.h"
#include "common/limits/limit_config.h"
#include "common/live/tail.h"
#include "tests/fakes/fake_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

static void try_rate(struct slice text, struct arena *arena)
{
    struct rate rate, again;
    const char *error;

    if (!rate_parse(text, &rate, &error))
        return;
    must(rate.most == RATE_UNLIMITED
             ? rate.window_ms == 0
             : rate.window_ms >= RATE_WINDOW_MIN && rate.window_ms <= RATE_WINDOW_MAX);
    must(rate_parse(rate_print(arena, rate), &again, &error));
    must(again.most == rate.most && again.window_ms == rate.window_ms);
}

static void try_tail(struct slice text)
{
    AUTO_BUF out = BUF_INIT(1 << 20);
    struct live_tail tail, again;
    struct override override;
    const char *error;

    if (override_parse(text, &override, &error))
        (void)override_is_expired(&override, UINT64_MAX);
    if (!live_tail_parse(text, &tail, &error))
        return;
    must(live_tail_print(&out, &tail) == 0);
    must(live_tail_parse(buf_slice(&out), &again, &error));
    must(slice_equal(tail.head, again.head) && tail.until_s == again.until_s);
}

static void try_key(const struct limit *limit, struct slice text, struct arena *arena)
{
    const struct slice *fields;
    struct rate_source source;
    struct slice live[16], value = limit_key_typed(limit, text, arena);
    size_t bad, count;

    if (value.ptr == NULL)
        return;
    struct slice subject = limit_key_subject(limit, value, arena);
    must(subject.ptr == NULL || subject.len <= LIMIT_SUBJECT_MAX + 2);
    for (size_t i = 0; i < subject.len; i++)
        must(ascii_is_print(subject.ptr[i]) && subject.ptr[i] != ' ');
    count = limit_candidates(limit, value, slice_part(text, 0, 8), arena, &fields);
    must(count <= COUNT(live));
    for (size_t i = 0; i < count; i++)
        live[i] = text;
    limit_resolve(limit, fields, live, count, 1, &source, &bad);
}

static void try_limits(struct slice text, struct slice rest, struct arena *arena)
{
    static const char *const keys[] = { NULL, "sender", "sender_domain", "client_address",
                                        "client_address, sender" };
    const struct limit_override override = { text, rest };

    for (size_t i = 0; i < COUNT(keys); i++) {
        struct limit_text source = { .name = SLICE("fuzz"),
                                     .key = slice_of(keys[i]),
                                     .count = SLICE("messages"),
                                     .rate = SLICE("5/1h"),
                                     .overrides = &override };
        struct limit_set *set =
            limit_set_new(fake_limit_facts, fake_limit_fact_count, &source, 1, NULL);
        must(limit_set_count(set) == 1);
        try_key(limit_set_at(set, 0), text, arena);
        limit_set_free(&set);
        source.override_count = 1;
        set = limit_set_new(fake_limit_facts, fake_limit_fact_count, &source, 1, NULL);
        limit_set_free(&set);
    }
    const struct limit_text whole = { text, rest, rest, text, text, rest, &override, 1 };
    struct limit_set *set = limit_set_new(fake_limit_facts, fake_limit_fact_count, &whole, 1, NULL);
    limit_set_free(&set);
}

static void try_classes(struct slice member, struct slice text)
{
    const struct class_source sources[] = { { member, text }, { text, member } };
    struct classes *classes = classes_new(sources, 2, NULL, NULL);

    (void)classes_find(classes, classes, member, 0);
    (void)classes_find(NULL, classes, text, 0);
    classes_free(&classes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = { (const char *)data, size }, text = rest;
    struct arena *arena = arena_new(4 << 20);

    if (!slice_cut(&rest, '\0', &text))
        rest = text;
    try_rate(text, arena);
    try_tail(text);
    try_limits(text, rest, arena);
    try_classes(text, rest);
    arena_free(&arena);
    return 0;
}
