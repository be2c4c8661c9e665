/* common/store/transaction.c - see transaction.h. */
#include "common/store/transaction.h"

#include "common/mail/address.h"
#include "common/mail/ipnet.h"

#define SCORE_MOST 999999.0
#define AMOUNT_MOST (UINT64_C(1) << 53) /* Lua counts in doubles */

static const struct slice verdict_prefix = SLICE_INIT("verdict.");

/* ---- keys ---- */

/* Queue ids and instances are letters, digits, and dots between them. */
bool transaction_is_id(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!ascii_is_alnum(id.ptr[i]) && id.ptr[i] != '.' && id.ptr[i] != '-' && id.ptr[i] != '_')
            return false;
    return id.len > 0 && id.len <= TRANSACTION_ID_MAX;
}

/* Empty when it is none. */
static void address_print(struct slice text, char out[IP_ADDRESS_TEXT_MAX])
{
    const struct slice prefix = SLICE("IPv6:");
    struct ip_address address;

    if (slice_equal_nocase(slice_part(text, 0, prefix.len), prefix))
        text = slice_skip(text, prefix.len);
    out[0] = '\0';
    if (ip_address_parse(text, &address))
        ip_address_print(&address, out);
}

bool transaction_key_make(struct transaction_key *out, struct slice queue_id,
                          struct slice client_address, struct slice client_port,
                          struct slice server_address)
{
    char client[IP_ADDRESS_TEXT_MAX], server[IP_ADDRESS_TEXT_MAX];
    uint64_t port = 0;

    out->len = 0;
    address_print(client_address, client);
    address_print(server_address, server);
    if (!transaction_is_id(queue_id) || client[0] == '\0')
        return false;
    if (!slice_to_u64(client_port, &port) || port > UINT16_MAX)
        port = 0;
    out->len = (size_t)snprintf(out->text, sizeof out->text, "tx:{%.*s/%s/%" PRIu64 "/%s}",
                                SLICE_ARG(queue_id), client, port, server);
    return true;
}

bool transaction_early_key_make(struct transaction_key *out, struct slice instance,
                                struct slice server_address)
{
    char server[IP_ADDRESS_TEXT_MAX];

    out->len = 0;
    if (!transaction_is_id(instance))
        return false;
    address_print(server_address, server);
    out->len =
        (size_t)snprintf(out->text, sizeof out->text, "tx:{%.*s/%s}", SLICE_ARG(instance), server);
    return true;
}

struct slice transaction_sender(struct slice sender, struct arena *arena)
{
    struct slice normal = { NULL, 0 };

    if (sender.len >= 2 && sender.ptr[0] == '<' && sender.ptr[sender.len - 1] == '>')
        sender = slice_part(sender, 1, sender.len - 2);
    if (sender.len == 0)
        return SLICE("");
    (void)address_normalise_mailbox(sender, arena, &normal);
    return normal;
}

struct slice transaction_recipient(struct slice recipient, struct arena *arena)
{
    struct slice normal = transaction_sender(recipient, arena);

    return normal.len == 0 ? (struct slice){ NULL, 0 }
                           : limit_subject(LIMIT_MAILBOX, normal, arena);
}

struct slice transaction_verdict_by(const struct transaction *transaction, struct slice by)
{
    for (size_t i = 0; i < transaction->verdict_count; i++)
        if (slice_equal(transaction->verdicts[i].by, by))
            return transaction->verdicts[i].text;
    return (struct slice){ NULL, 0 };
}

/* ---- texts that are one field each ---- */

static const struct text_row {
    const char *name;
    size_t offset;
} text_rows[] = {
    { "sender", offsetof(struct transaction, sender) },
    { "instance", offsetof(struct transaction, instance) },
    { "spf", offsetof(struct transaction, spf.result) },
    { "spf.domain", offsetof(struct transaction, spf.domain) },
    { "spf_helo", offsetof(struct transaction, spf_helo.result) },
    { "spf_helo.domain", offsetof(struct transaction, spf_helo.domain) },
    { "rule", offsetof(struct transaction, rule) },
    { "ref", offsetof(struct transaction, reference) },
};

static struct slice *text_at(struct transaction *transaction, const struct text_row *row)
{
    return (struct slice *)(void *)((char *)transaction + row->offset);
}

/* ---- writing ---- */

/* Three digits after the point at most, no exponent. */
static struct slice score_print(double score, struct arena *arena)
{
    double bounded = score > SCORE_MOST ? SCORE_MOST : score > -SCORE_MOST ? score : -SCORE_MOST;
    struct slice text = arena_printf(arena, "%.3f", bounded);

    while (text.len > 0 && text.ptr[text.len - 1] == '0')
        text.len--;
    if (text.len > 0 && text.ptr[text.len - 1] == '.')
        text.len--;
    return text;
}

struct writer {
    struct arena *arena;
    struct transaction_field *fields;
    size_t count;
    bool failed;
};

static void put(struct writer *writer, struct slice name, struct slice text)
{
    if (name.ptr == NULL || text.ptr == NULL)
        writer->failed = true;
    else if (writer->count < TRANSACTION_FIELDS_MAX)
        writer->fields[writer->count++] =
            (struct transaction_field){ name, slice_part(text, 0, TRANSACTION_TEXT_MAX) };
}

static void put_charge(struct writer *writer, const struct transaction_charge *charge)
{
    struct arena *arena = writer->arena;

    put(writer, arena_printf(arena, TRANSACTION_CHARGE_FORMAT, TRANSACTION_CHARGE_ARG(charge)),
        arena_printf(arena, "%" PRIu64, charge->amount));
}

size_t transaction_encode(const struct transaction *transaction, struct arena *arena,
                          struct transaction_field **fields)
{
    struct transaction copy = *transaction;
    struct writer writer = { .arena = arena };

    writer.fields = arena_alloc_array(arena, TRANSACTION_FIELDS_MAX, sizeof *writer.fields);
    if (writer.fields == NULL)
        return 0;
    for (size_t i = 0; i < COUNT(text_rows); i++) {
        struct slice text = *text_at(&copy, &text_rows[i]);
        if (text.ptr != NULL)
            put(&writer, slice_of(text_rows[i].name), text);
    }
    if (copy.has_score)
        put(&writer, SLICE("score"), score_print(copy.score, arena));
    for (size_t i = 0; i < copy.verdict_count && i < TRANSACTION_VERDICTS_MAX; i++)
        put(&writer, arena_printf(arena, "verdict.%.*s", SLICE_ARG(copy.verdicts[i].by)),
            copy.verdicts[i].text);
    if (copy.is_refunded)
        put(&writer, SLICE("refunded"), SLICE("1"));
    if (copy.charges_cut > 0)
        put(&writer, SLICE("cut"), arena_printf(arena, "%" PRIu64, copy.charges_cut));
    for (size_t i = 0; i < copy.charge_count && i < TRANSACTION_CHARGES_MAX; i++)
        put_charge(&writer, &copy.charges[i]);
    *fields = writer.fields;
    return writer.failed ? 0 : writer.count;
}

/* ---- reading ---- */

struct reader {
    struct transaction *out;
    struct transaction_charge *charges;
};

/* Printable ASCII, as all that charges are counted under. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i]))
            return false;
    return true;
}

/* `gh:q:{SUBJECT}:LIMIT.WINDOW.24 BUCKET` -> amount */
static bool read_charge(struct reader *reader, struct slice name, struct slice text)
{
    struct transaction_charge charge;
    size_t blank = slice_rfind(name, ' ');

    if (blank == SIZE_MAX || !is_plain(name) ||
        !usage_key_parse(slice_part(name, 0, blank), &charge.subject, &charge.limit,
                         &charge.window_ms) ||
        !slice_to_u64(slice_skip(name, blank + 1), &charge.bucket) ||
        !slice_to_u64(text, &charge.amount) || charge.amount > AMOUNT_MOST ||
        reader->out->charge_count == TRANSACTION_CHARGES_MAX)
        return false;
    reader->charges[reader->out->charge_count++] = charge;
    return true;
}

static bool read_verdict(struct reader *reader, struct slice name, struct slice text)
{
    struct transaction *out = reader->out;

    name = slice_skip(name, verdict_prefix.len);
    if (out->verdict_count == TRANSACTION_VERDICTS_MAX || !is_plain(name))
        return false;
    out->verdicts[out->verdict_count++] = (struct transaction_verdict){ name, text };
    return true;
}

static void read_text(struct reader *reader, struct slice name, struct slice text)
{
    for (size_t i = 0; i < COUNT(text_rows); i++)
        if (slice_equal(name, slice_of(text_rows[i].name)))
            *text_at(reader->out, &text_rows[i]) = text;
}

/* False: it has a wrong form. */
static bool read_field(struct reader *reader, struct slice name, struct slice text)
{
    struct transaction *out = reader->out;

    if (text.ptr == NULL || text.len > TRANSACTION_TEXT_MAX)
        return false;
    if (slice_starts_with(name, SLICE("gh:q:")))
        return read_charge(reader, name, text);
    if (slice_starts_with(name, verdict_prefix))
        return read_verdict(reader, name, text);
    if (slice_equal(name, SLICE("score"))) {
        out->has_score = slice_to_double(text, &out->score);
        return out->has_score;
    }
    if (slice_equal(name, SLICE("refunded"))) {
        out->is_refunded = true;
        return true;
    }
    if (slice_equal(name, SLICE("cut")))
        return slice_to_u64(text, &out->charges_cut);
    read_text(reader, name, text);
    return true;
}

bool transaction_decode(const struct transaction_field *fields, size_t count, struct arena *arena,
                        struct transaction *out)
{
    struct transaction read = { 0 };
    struct reader reader = { .out = &read };
    size_t room = count < TRANSACTION_CHARGES_MAX ? count : TRANSACTION_CHARGES_MAX;

    reader.charges = arena_alloc_array(arena, room + 1, sizeof *reader.charges);
    if (reader.charges == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_field(&reader, fields[i].name, fields[i].text))
            read.bad++;
    read.charges = reader.charges;
    *out = read;
    return true;
}
