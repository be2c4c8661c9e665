/* tests/fakes/sample_message.c - see sample_message.h. */
#include "tests/fakes/sample_message.h"

static void check(enum message_fill fill)
{
    if (fill != MESSAGE_OK)
        abort();
}

static void set_client(struct message *message, const struct sample_message *sample)
{
    struct message_client client = {
        .name = slice_of(sample->name),
        .helo = slice_of(sample->helo),
        .port = 40025,
        .daemon_name = SLICE_INIT("smtpd"),
        .daemon_address = SLICE_INIT("192.0.2.25"),
        .daemon_port = SLICE_INIT("25"),
        .myhostname = SLICE_INIT("mx.example.org"),
        .tls_version = SLICE_INIT("TLSv1.3"),
        .tls_cipher = SLICE_INIT("TLS_AES_256_GCM_SHA384"),
    };

    client.has_address = sample->address != NULL;
    if (client.has_address && !ip_address_parse(slice_of(sample->address), &client.address))
        abort();
    check(message_set_client(message, &client));
}

/* A line, and those after it that begin with a blank. */
static struct slice next_field(struct slice *rest)
{
    size_t end = 0;

    while (end < rest->len &&
           (rest->ptr[end] != '\n' || (end + 1 < rest->len && ascii_is_space(rest->ptr[end + 1]))))
        end++;
    struct slice field = slice_part(*rest, 0, end);
    *rest = slice_skip(*rest, end + 1);
    return field;
}

struct message *sample_message(const struct sample_message *sample)
{
    const struct spool_bounds bounds = { "/tmp", 1 << 20, UINT64_C(1) << 30 };
    struct message *message = message_new();
    struct slice rest, item;

    if (message == NULL)
        abort();
    set_client(message, sample);
    message->queue_id = slice_of(sample->queue_id);
    message->sasl_username = slice_of(sample->sasl_username);
    message->has_leading_space = sample->has_leading_space;
    check(message_set_sender(message, slice_of(sample->sender), NULL, 0));
    rest = slice_of(sample->recipients);
    while (slice_next(&rest, ',', &item))
        check(message_add_recipient(message, item, NULL, 0));
    rest = slice_of(sample->headers);
    while (rest.len > 0) {
        struct slice value = next_field(&rest), name;
        if (!slice_cut(&value, ':', &name))
            abort();
        check(message_add_header(message, name, value));
    }
    check(message_end_headers(message, &bounds));
    if (sample->body != NULL)
        check(message_add_body(message, slice_of(sample->body)));
    if (!sample->is_partial)
        message_end(message);
    return message;
}
