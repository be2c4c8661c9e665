/* signd/intake.c - see intake.h. On the worker's loop; verifying and signing are a thread's work. A session's state is the letter
 * under way. */
#include "signd/intake.h"

#include "common/message/giveback.h"
#include "signd/letter.h"
#include "signd/server.h"

static struct signd *signd_of(struct milter_session *session)
{
    return daemon_state(worker_daemon(milter_session_worker(session)));
}

static struct milter_reply start_letter(struct milter_session *session)
{
    struct signd *signd = signd_of(session);

    milter_session_set_state(session, letter_start(milter_session_worker(session),
                                                   snapshot_cell_get(&signd->service.in_force),
                                                   milter_session_message(session)));
    return (struct milter_reply){ .action = MILTER_CONTINUE };
}

static struct milter_reply hook_headers(struct milter_session *session)
{
    return letter_starts_slowly(milter_session_message(session))
               ? milter_session_on_thread(session, start_letter)
               : start_letter(session);
}

static bool progress(void *arg)
{
    return milter_session_progress(arg) == 0;
}

static struct milter_reply reply_of(const struct letter_answer *answer)
{
    static const enum milter_action actions[] = {
        [FATE_ACCEPT] = MILTER_CONTINUE,   [FATE_REJECT] = MILTER_REJECT,
        [FATE_TEMPFAIL] = MILTER_TEMPFAIL, [FATE_DISCARD] = MILTER_DISCARD,
        [FATE_HOLD] = MILTER_CONTINUE,
    };

    return (struct milter_reply){ .action = actions[answer->fate], .reply = answer->reply };
}

static struct record_teller *teller_of(struct worker *worker)
{
    struct server *server = worker_state(worker);

    return &server->teller;
}

/* It is not taken, though nothing was decided about it. */
static void give_back(struct milter_session *session, const char *words)
{
    message_give_back(milter_session_worker(session), teller_of, milter_session_message(session),
                      "signd", words);
}

/* Nobody could decide. */
static struct milter_reply undecided(struct milter_session *session)
{
    struct signd *signd = signd_of(session);
    struct milter_reply reply = milter_service_undecided(&signd->service);

    metric_add(signd->metrics.undecided, 1);
    if (reply.action == MILTER_TEMPFAIL)
        give_back(session, "tempfail undecided");
    return reply;
}

static struct milter_reply finish_letter(struct milter_session *session)
{
    struct letter *letter = milter_session_state(session);
    struct shared *keys, *states;

    if (letter == NULL)
        return undecided(session);
    signd_keys_take(signd_of(session), &keys, &states);
    if (!letter_finish(letter, keys, states, progress, session))
        return undecided(session);
    const struct letter_answer *answer = letter_answer(letter);
    struct milter_reply reply = reply_of(answer);
    if (reply.action == MILTER_CONTINUE)
        reply.edits = &answer->edits;
    return reply;
}

static struct milter_reply hook_end(struct milter_session *session)
{
    return milter_session_on_thread(session, finish_letter);
}

static void hook_failed(struct milter_session *session, enum milter_action action)
{
    give_back(session, action == MILTER_REJECT ? "reject too large" : "tempfail no room");
}

static struct milter_reply hook_sent(struct milter_session *session, bool ok)
{
    struct letter *letter = milter_session_state(session);

    if (letter != NULL)
        letter_settle(letter, ok);
    return (struct milter_reply){ .action = MILTER_CONTINUE };
}

static void hook_message_gone(struct milter_session *session)
{
    struct letter *letter = milter_session_state(session);

    milter_session_set_state(session, NULL);
    letter_drop(&letter);
}

const struct milter_hooks intake_hooks = {
    .headers = hook_headers,
    .headers_is_silent = true,
    .end = hook_end,
    .failed = hook_failed,
    .sent = hook_sent,
    .message_gone = hook_message_gone,
};
