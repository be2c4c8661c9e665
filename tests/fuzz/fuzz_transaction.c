/* tests/fuzz/fuzz_transaction.c - any fields as a transaction record: what is read, written and read again, is the same; and
 * any texts as a message's names: their keys keep their bound. Lines of `name<tab>text`. */
#include "common/store/transaction.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS_MOST = 400, ARENA_MOST = 4 << 20 };

static size_t fields_of(struct slice input, struct transaction_field *fields)
{
    struct slice line, name;
    size_t count = 0;

    while (count < FIELDS_MOST && input.len > 0) {
        if (!slice_cut(&input, '\n', &line)) {
            line = input;
            input.len = 0;
        }
        if (!slice_cut(&line, '\t', &name))
            name = line;
        fields[count++] = (struct transaction_field){ name, line };
    }
    return count;
}

static void check_same(const struct transaction *a, const struct transaction *b)
{
    if (!slice_equal(a->sender, b->sender) || (a->rule.ptr == NULL) != (b->rule.ptr == NULL) ||
        a->charge_count != b->charge_count || a->verdict_count != b->verdict_count ||
        a->is_refunded != b->is_refunded || a->charges_cut != b->charges_cut ||
        a->has_score != b->has_score || b->bad != 0)
        abort();
    for (size_t i = 0; i < a->charge_count; i++)
        if (a->charges[i].bucket != b->charges[i].bucket ||
            a->charges[i].amount != b->charges[i].amount ||
            !slice_equal(a->charges[i].subject, b->charges[i].subject))
            abort();
}

static void check_keys(const struct transaction_field *fields, size_t count)
{
    struct transaction_key key;

    for (size_t i = 0; i + 1 < count; i += 2)
        if ((transaction_key_make(&key, fields[i].name, fields[i].text, fields[i + 1].name,
                                  fields[i + 1].text) ||
             transaction_early_key_make(&key, fields[i].name, fields[i].text)) &&
            (key.len >= TRANSACTION_KEY_MAX || key.len != strlen(key.text)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct transaction_field fields[FIELDS_MOST];
    struct arena *arena = arena_new(ARENA_MOST);
    struct transaction first, again;
    struct transaction_field *written;
    size_t count = fields_of((struct slice){ (const char *)data, size }, fields);

    if (arena != NULL && transaction_decode(fields, count, arena, &first)) {
        size_t out = transaction_encode(&first, arena, &written);
        if (out > TRANSACTION_FIELDS_MAX ||
            (out > 0 && !transaction_decode(written, out, arena, &again)))
            abort();
        if (out > 0)
            check_same(&first, &again);
        check_keys(fields, count);
        (void)transaction_sender(slice_part((struct slice){ (const char *)data, size }, 0, 500),
                                 arena);
    }
    arena_free(&arena);
    return 0;
}
