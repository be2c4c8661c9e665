/* tests/fuzz/fuzz_clamd_answer.c - any bytes as an answer of clamd. */
#include "contentd/scanners/clamd_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice in = { (const char *)data, size };
    struct slice text = { NULL, 0 };
    enum clamd_answer answer = clamd_answer_parse(in, &text);

    if (text.len > size ||
        (text.len > 0 && (text.ptr < in.ptr || text.ptr + text.len > in.ptr + size)))
        abort();
    /* Only one text says clean. */
    if ((answer == CLAMD_CLEAN) != slice_equal(in, (struct slice){ "stream: OK", 11 }))
        abort();
    if (answer == CLAMD_VIRUS && text.len == 0)
        abort();
    /* No proper prefix of an answer is one. */
    if (answer != CLAMD_MORE && answer != CLAMD_GARBLED)
        for (size_t cut = 0; cut < size; cut++)
            if (clamd_answer_parse(slice_part(in, 0, cut), &text) != CLAMD_MORE)
                abort();
    return 0;
}
