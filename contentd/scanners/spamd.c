/* contentd/scanners/spamd.c - SpamAssassin's daemon: SPAMC/1.5, command REPORT, which gives score, threshold and the tests
 * that hit with their points. One connection for each message; the length must be said first, so it begins when the message
 * is whole. The answer ends where it says, whether spamd closes the connection or not; with anything behind it, or when
 * the connection is closed before, it is none. */
#include "common/milter/edits.h"
#include "contentd/scanners/exchange.h"
#include "contentd/scanners/received.h"
#include "contentd/scanners/spamd_answer.h"

enum { HEAD_MAX = 16384, REPORT_MAX = 8000, USER_MAX = 320 };

static uint64_t wall_ms(const struct scan *scan)
{
    const struct clock *clock = worker_clock(scan->request.worker);

    return clock->wall_ms(clock);
}

/* For whom: spamd has settings for each. `{recipient}` is nobody when there are several. */
static struct slice user_of(const struct scan *scan)
{
    const struct message *message = scan->request.message;
    struct slice user = scan->request.scanner->user, none = { NULL, 0 };

    if (slice_equal(user, SLICE("{recipient}")))
        user = message->recipient_count == 1 ? message->recipients[0].normal : none;
    for (size_t i = 0; i < user.len; i++)
        if (!ascii_is_print(user.ptr[i]))
            return none;
    return user.len <= USER_MAX ? user : none;
}

static void begin(void *owner, struct connection *connection)
{
    struct scan *scan = owner;
    struct slice user = user_of(scan);
    uint64_t size = message_size(scan->request.message);
    AUTO_BUF fields = BUF_INIT(HEAD_MAX);
    AUTO_BUF head = BUF_INIT(HEAD_MAX);

    exchange_reset(scan);
    if (received_print(&fields, scan->request.message, wall_ms(scan)))
        buf_clear(&fields); /* an absurd sender: without */
    buf_put(&head, "REPORT SPAMC/1.5\r\n");
    if (user.len > 0)
        buf_printf(&head, "User: %.*s\r\n", SLICE_ARG(user));
    buf_printf(&head, "Content-length: %llu\r\n\r\n",
               (unsigned long long)(size + fields.len)); /* of what follows the empty line */
    connection_put(connection, buf_slice(&head));
    connection_put(connection, buf_slice(&fields));
    connection_put_message(connection, 0, size);
    connection_put_end(connection);
}

static void take(struct scan *scan, const struct spamd_answer *answer)
{
    struct finding *finding = &scan->finding;
    struct slice table;

    finding->result = answer->is_spam ? FINDING_SPAM : FINDING_CLEAN;
    finding->has_score = true;
    finding->score = answer->score;
    finding->required = answer->required;
    finding->symbols = spamd_report_symbols(answer->body, scan->request.arena, &table);
    finding->report = arena_copy(scan->request.arena, slice_part(table, 0, REPORT_MAX));
}

static enum connection_input input(void *owner, struct connection *connection, struct slice in,
                                   UNUSED bool is_end, UNUSED size_t *used)
{
    struct spamd_answer answer;

    switch (spamd_answer_parse(in, &answer)) {
    case SPAMD_MORE:
        return CONNECTION_MORE;
    case SPAMD_DONE:
        if (!connection_is_complete(connection))
            return connection_bad(connection, "it answered before it had the whole message");
        take(owner, &answer);
        return CONNECTION_DONE;
    case SPAMD_ERROR:
        return connection_bad(connection, "spamd says: %.*s", SLICE_ARG(answer.error));
    case SPAMD_GARBLED:
        break;
    }
    return connection_bad(connection, "%.*s", SLICE_ARG(answer.error));
}

static const struct connection_protocol protocol = {
    .input_max = SPAMD_HEAD_MAX + SPAMD_ANSWER_MAX + 1,
    .begin = begin,
    .input = input,
    .done = exchange_done,
};

static struct scan *start(const struct scan_request *request)
{
    return exchange_start(request, sizeof(struct scan), &protocol);
}

const struct scanner_kind spamd_kind = {
    .name = "spamd",
    .doc = "SpamAssassin's daemon (SPAMC/1.5); it gives a score and the tests that hit.",
    .start = start,
    .more = exchange_more,
    .abandon = exchange_abandon,
};
