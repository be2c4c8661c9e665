/* tests/fuzz/fuzz_dkim_texts.c - tag lists, key records, Authentication-Results and Received-SPF of others: any bytes. */
#include "common/dkim/record.h"
#include "common/dkim/tags.h"
#include "signd/results.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct dkim_tags tags;
    struct dkim_record record;
    const char *error = NULL;
    struct spf_finding spf;
    struct arena *arena = arena_new(1 << 16);

    (void)dkim_tags_parse(text, &tags, &error);
    (void)dkim_record_parse(text, &record, &error);
    (void)auth_results_is_ours(text, SLICE("mx.example.com"));
    if (results_spf_of_field(text, SLICE("mx.example.com"), arena, &spf) && spf.result.len == 0)
        abort();
    arena_free(&arena);
    return 0;
}
