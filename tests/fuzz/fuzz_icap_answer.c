/* tests/fuzz/fuzz_icap_answer.c - any bytes as the answer of an ICAP server: the same at once and in pieces. The first byte
 * says how long the pieces are. */
#include "contentd/scanners/icap_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum wire_state state;
    size_t used;
    struct buf body;
    struct finding finding;
};

static void read_all(struct slice in, size_t step, struct arena *arena, struct outcome *outcome)
{
    struct icap_answer answer = { 0 };
    const char *error = NULL;
    size_t there = 0;

    outcome->state = WIRE_MORE;
    while (outcome->state == WIRE_MORE && there < in.len) {
        size_t used = 1;
        there = step < in.len - there ? there + step : in.len;
        while (outcome->state == WIRE_MORE && used > 0) {
            struct slice part, rest = slice_part(in, outcome->used, there - outcome->used);
            outcome->state = icap_answer_read(&answer, arena, rest, &used, &part, &error);
            if (used > rest.len || part.len > used || buf_add(&outcome->body, part))
                abort();
            outcome->used += used;
        }
    }
    if (outcome->state == WIRE_BAD && error == NULL)
        abort();
    if (outcome->state == WIRE_DONE)
        icap_answer_finding(&answer, true, &outcome->finding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(1 << 20);
    struct outcome whole = { .body = BUF_INIT(size) }, pieces = { .body = BUF_INIT(size) };

    if (arena != NULL && size > 1) {
        struct slice in = { (const char *)data + 1, size - 1 };
        read_all(in, in.len, arena, &whole);
        read_all(in, data[0] + 1u, arena, &pieces);
        if (whole.state == WIRE_DONE && whole.finding.result != FINDING_CLEAN &&
            whole.finding.virus.len == 0)
            abort();
        /* In pieces a bad end may not have been seen yet, but nothing else differs. */
        if (whole.state != pieces.state || whole.finding.result != pieces.finding.result ||
            (whole.state != WIRE_BAD &&
             !slice_equal(buf_slice(&whole.body), buf_slice(&pieces.body))))
            abort();
    }
    buf_free(&whole.body);
    buf_free(&pieces.body);
    arena_free(&arena);
    return 0;
}
