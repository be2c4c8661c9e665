/* contentd/explain.c - see explain.h: the way of one message, stage by stage, as intake.c goes it. */
#include "contentd/explain_impl.h"

#include <stdlib.h>

#include "contentd/early.h"
#include "contentd/recipient_check.h"

enum { ERROR_MAX = 300 };

/* ---- before the header fields ---- */

/* Rules at one stage. *early holds the texts of the reply. */
static struct milter_reply ask_rules(struct explanation *explanation, enum stage stage,
                                     size_t recipient, struct early **early)
{
    struct message *message = explanation->described.message;
    const struct early_request request = {
        .worker = explanation->explaining->worker,
        .snapshot = explanation->snapshot,
        .stage = stage,
        .message = stage == STAGE_CONNECT || stage == STAGE_HELO ? NULL : message,
        .client = &message->client,
        .recipient = recipient,
        .connections = explanation->connections,
        .is_explained = true,
    };
    struct milter_reply reply = early_check(&request, early);

    if (early_trace(*early) != NULL) {
        json_t *json = explain_stage(stage, early_trace(*early));
        if (stage == STAGE_RCPT)
            json_object_set_new(json, "recipients",
                                explain_texts(&message->recipients[recipient].address, 1));
        json_array_append_new(explanation->stages, json);
    }
    return reply;
}

/* The recipient is the message's last one. True: it stays. */
static bool ask_recipient(struct explanation *explanation, struct milter_reply *reply)
{
    struct message *message = explanation->described.message;
    size_t n = message->recipient_count - 1;
    struct early *early = NULL;

    if (recipient_check(explanation->setup, message, n, explanation->wall_ms, reply) ==
        RECIPIENT_JOINS)
        *reply = ask_rules(explanation, STAGE_RCPT, n, &early);
    bool joins = reply->action == MILTER_CONTINUE;
    if (!joins) {
        json_t *json = explain_recipient(explanation, &message->recipients[n]);
        const char *verdict = reply->action == MILTER_REJECT ? "reject" : "tempfail";
        json_object_set_new(json, "verdict", json_string(verdict));
        json_object_set_new(json, "stage", json_string("rcpt"));
        json_object_set_new(json, "reply", explain_reply(reply));
        json_array_append_new(explanation->recipients, json);
        message_drop_recipient(message);
    }
    early_drop(&early);
    return joins;
}

/* ---- the message ---- */

static void inspect(struct explanation *explanation)
{
    const struct described *described = &explanation->described;
    const struct inspection_explained explained = {
        .asks_scanners = explanation->explaining->scans,
        .found = explanation->found,
        .budget_ms = EXPLAIN_BUDGET_MS,
        .has_record = described->has_record,
        .record = described->record,
    };
    struct inspection *inspection =
        inspection_explain(explanation->explaining->worker, snapshot_ref(explanation->snapshot),
                           described->message, &explanation->connections, &explained);

    if (inspection != NULL && inspection_await(inspection) == INSPECTION_DECIDED)
        explaining_answer(explanation->explaining,
                          explain_answer(explanation, inspection_decided(inspection), NULL));
    else
        explaining_error(explanation->explaining, 503, "not decided: out of memory, or ending");
    inspection_drop(&inspection);
}

static void look_at_content(struct explanation *explanation)
{
    const struct spool_bounds bounds =
        milter_spool_bounds(&explanation->setup->parts.config->milter);

    switch (described_fill(&explanation->described, &bounds)) {
    case MESSAGE_OK:
        inspect(explanation);
        break;
    case MESSAGE_TOO_MUCH:
        explaining_error(explanation->explaining, 413,
                         "the message is larger than is handled here");
        break;
    case MESSAGE_NO_ROOM:
        explaining_error(explanation->explaining, 503, "no memory or disk for the message");
        break;
    }
}

static void refuse(struct explanation *explanation, const struct milter_reply *reply)
{
    explaining_answer(explanation->explaining, explain_answer(explanation, NULL, reply));
}

static void go(struct explanation *explanation)
{
    static const enum stage stages[] = { STAGE_CONNECT, STAGE_HELO, STAGE_MAIL };
    const struct described *described = &explanation->described;
    struct message *message = described->message;
    struct milter_reply reply = { .action = MILTER_CONTINUE };

    for (size_t i = 0; i < COUNT(stages); i++) {
        struct early *early = NULL;
        reply = ask_rules(explanation, stages[i], 0, &early);
        if (reply.action != MILTER_CONTINUE)
            refuse(explanation, &reply);
        early_drop(&early);
        if (reply.action != MILTER_CONTINUE)
            return;
    }
    for (size_t i = 0; i < described->recipient_count; i++) {
        if (message_add_recipient(message, described->recipients[i], NULL, 0) != MESSAGE_OK) {
            explaining_error(explanation->explaining, 503, "out of memory");
            return;
        }
        ask_recipient(explanation, &reply);
    }
    if (message->recipient_count > 0)
        look_at_content(explanation);
    else
        refuse(explanation, &(struct milter_reply){ .action = reply.action });
}

/* ---- one request ---- */

static bool read_request(struct explanation *explanation)
{
    const struct described_own own = { explain_take_own, explanation };
    AUTO_BUF error = BUF_INIT(ERROR_MAX);

    if (!described_read(explanation->explaining->body, &own, &explanation->described, &error)) {
        explaining_error(explanation->explaining, 400, "%s", buf_text(&error));
        return false;
    }
    if (explanation->described.recipient_count > 0)
        return true;
    explaining_error(explanation->explaining, 400,
                     "a recipient is needed, for chains are of recipients: recipient=ADDRESS");
    return false;
}

void contentd_explain(struct explaining *explaining)
{
    const struct clock *clock = worker_clock(explaining->worker);
    struct explanation *explanation = calloc(1, sizeof *explanation);

    if (explanation == NULL) {
        explaining_error(explaining, 503, "out of memory");
        return;
    }
    explanation->explaining = explaining;
    explanation->contentd = explaining->context;
    explanation->snapshot = snapshot_cell_get(&explanation->contentd->service.in_force);
    explanation->setup = snapshot_data(explanation->snapshot);
    explanation->wall_ms = clock->wall_ms(clock);
    explanation->stages = json_array();
    explanation->recipients = json_array();
    if (read_request(explanation))
        go(explanation);
    json_decref(explanation->stages);
    json_decref(explanation->recipients);
    message_unref(&explanation->described.message);
    snapshot_unref(&explanation->snapshot);
    free(explanation);
}
