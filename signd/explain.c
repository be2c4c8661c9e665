/* signd/explain.c - see explain.h. */
#include "signd/explain.h"

#include "common/message/described.h"
#include "signd/letter.h"
#include "signd/server.h"

enum { ERROR_MAX = 300 };

static enum message_fill fill(const struct described *described, const struct setup *setup)
{
    const struct spool_bounds bounds = milter_spool_bounds(&setup->parts.config->milter);

    for (size_t i = 0; i < described->recipient_count; i++)
        if (message_add_recipient(described->message, described->recipients[i], NULL, 0) !=
            MESSAGE_OK)
            return MESSAGE_NO_ROOM;
    return described_fill(described, &bounds);
}

static void decide(struct explaining *explaining, const struct described *described,
                   struct snapshot *snapshot)
{
    struct signd *signd = explaining->context;
    const struct letter_explained explained = { .budget_ms = EXPLAIN_BUDGET_MS,
                                                .has_record = described->has_record,
                                                .record = described->record };
    struct letter *letter =
        letter_explain(explaining->worker, snapshot_ref(snapshot), described->message, &explained);
    struct shared *keys, *states;

    if (letter != NULL)
        signd_keys_take(signd, &keys, &states);
    if (letter != NULL && letter_finish(letter, keys, states, NULL, NULL))
        explaining_answer(explaining, explain_letter(letter));
    else
        explaining_error(explaining, 503, "not decided: out of memory, or ending");
    letter_drop(&letter);
}

void signd_explain(struct explaining *explaining)
{
    struct signd *signd = explaining->context;
    struct snapshot *snapshot = snapshot_cell_get(&signd->service.in_force);
    struct described described;
    AUTO_BUF error = BUF_INIT(ERROR_MAX);

    if (!described_read(explaining->body, NULL, &described, &error)) {
        explaining_error(explaining, 400, "%s", buf_text(&error));
    } else {
        switch (fill(&described, snapshot_data(snapshot))) {
        case MESSAGE_OK:
            decide(explaining, &described, snapshot);
            break;
        case MESSAGE_TOO_MUCH:
            explaining_error(explaining, 413, "the message is larger than is handled here");
            break;
        case MESSAGE_NO_ROOM:
            explaining_error(explaining, 503, "no memory or disk for the message");
            break;
        }
    }
    message_unref(&described.message);
    snapshot_unref(&snapshot);
}
