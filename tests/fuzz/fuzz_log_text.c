/* tests/fuzz/fuzz_log_text.c - whatever a client sends, a decision stays one line of printable ASCII with its fields, each
 * once and in order. */
#include "common/observe/log_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "decision queue_id=", " client_address=", " sasl_username=", " sender=<",
    "> recipient=<",      "> rule=",          " verdict=reject", " ref=",
    " reason=\"",         "\" ms=7"
};

/* The n-th of four parts of the input. */
static struct slice part(struct slice all, size_t n)
{
    return slice_part(all, n * (all.len / 4), all.len / 4);
}

static void check(struct slice line)
{
    struct slice rest = line;

    for (size_t i = 0; i < line.len; i++)
        if (!ascii_is_print(line.ptr[i]))
            abort();
    for (size_t i = 0; i < COUNT(names); i++) {
        struct slice name = slice_of(names[i]);
        const char *at = memmem(rest.ptr, rest.len, name.ptr, name.len);
        if (at == NULL)
            abort();
        rest = slice_skip(rest, (size_t)(at - rest.ptr) + name.len);
    }
    if (slice_find(rest, '"') != SIZE_MAX) /* nothing opens a quoted text after the last field */
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = { (const char *)data, size };
    struct decision decision = { .client_address = SLICE("192.0.2.1"),
                                 .sasl_username = part(all, 0),
                                 .sender = part(all, 1),
                                 .recipient = part(all, 2),
                                 .verdict = SLICE("reject"),
                                 .reason = part(all, 3),
                                 .ms = 7 };

    for (int addresses = LOG_ADDRESSES_FULL; addresses <= LOG_ADDRESSES_HASH; addresses++) {
        AUTO_BUF line = BUF_INIT(2 * LOG_LINE_MAX);
        AUTO_BUF fields = BUF_INIT(2 * LOG_LINE_MAX);
        if (decision_print(&line, &decision, (enum log_addresses)addresses) ||
            decision_fields(&fields, &decision, (enum log_addresses)addresses))
            abort();
        check(buf_slice(&line));
    }
    return 0;
}
