/* tests/fuzz/fuzz_dkim_texts.c - tag lists, key records, and Authentication-Results of others: any bytes. */
#include "common/dkim/record.h"
#include "common/dkim/tags.h"
#include "signd/auth_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    struct dkim_tags tags;
    struct dkim_record record;
    const char *error = NULL;

    (void)dkim_tags_parse(text, &tags, &error);
    (void)dkim_record_parse(text, &record, &error);
    (void)auth_results_is_ours(text, SLICE("mx.example.com"));
    return 0;
}
