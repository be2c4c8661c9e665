/* tests/fuzz/fuzz_kept.c - descriptions of kept messages: what can be read is written and read again as it was. */
#include "common/quarantine/kept.h"
#include "common/quarantine/salvage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(16 << 20);
    struct kept kept, again;
    const char *error;

    if (arena != NULL &&
        kept_parse(arena, (struct slice){ (const char *)data, size }, &kept, &error)) {
        json_t *json = kept_to_json(&kept);
        char *text = json == NULL ? NULL : json_dumps(json, JSON_ENSURE_ASCII);
        expect(text != NULL && kept_parse(arena, slice_of(text), &again, &error));
        expect(strcmp(kept.id, again.id) == 0 && slice_equal(kept.sender, again.sender));
        expect(slice_equal(kept.sender_arguments, again.sender_arguments));
        expect(kept.recipient_count == again.recipient_count &&
               kept.finding_count == again.finding_count && kept.time_ms == again.time_ms);
        for (size_t i = 0; i < kept.recipient_count; i++)
            expect(slice_equal(kept.recipients[i].address, again.recipients[i].address));
        free(text);
        json_decref(json);
    }
    if (arena != NULL) { /* what is left of it can be shown */
        salvage_description(arena, (struct slice){ (const char *)data, size }, &kept);
        json_t *json = kept_to_json(&kept);
        expect(json != NULL);
        json_decref(json);
    }
    arena_free(&arena);
    return 0;
}
