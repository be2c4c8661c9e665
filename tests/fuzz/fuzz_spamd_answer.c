/* tests/fuzz/fuzz_spamd_answer.c - any bytes as an answer of spamd, and as its report. */
#include "contentd/scanners/spamd_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS_MOST = 2000 }; /* of longer answers only the first ones are tried */

static void check(struct slice in)
{
    struct spamd_answer answer, cut;
    enum spamd_result result = spamd_answer_parse(in, &answer);

    if ((result == SPAMD_GARBLED || result == SPAMD_ERROR) && answer.error.ptr == NULL)
        abort();
    if (result != SPAMD_DONE)
        return;
    if (answer.is_spam ? answer.score < answer.required : answer.score > answer.required)
        abort();
    if (answer.body.len > in.len)
        abort();
    /* No proper prefix of an answer is one. */
    for (size_t len = 0; len < in.len && len < CUTS_MOST; len++)
        if (spamd_answer_parse(slice_part(in, 0, len), &cut) == SPAMD_DONE)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice in = { (const char *)data, size };
    struct arena *arena = arena_new(1 << 16);
    struct slice table;

    if (arena == NULL)
        return 0;
    check(in);
    struct slice symbols = spamd_report_symbols(in, arena, &table);
    if (table.len > size || symbols.len > (64 << 10))
        abort();
    arena_free(&arena);
    return 0;
}
