/* contentd/intake.c - see intake.h. On the worker's loop; what waits (rules before the header fields, counting connections, GMime,
 * copies on the disk) is a thread's work. */
#include "contentd/intake.h"

#include "common/message/giveback.h"
#include "common/observe/log.h"
#include "contentd/connections.h"
#include "contentd/early.h"
#include "contentd/recipient_check.h"
#include "contentd/server.h"

/* One connection of the MTA. */
struct intake {
    struct contentd *contentd;
    struct connection_lease *lease; /* NULL: it is not counted */
    struct connection_counts connections;
    struct early *early; /* the last check of rules: its reply may still be borrowed */
    enum stage stage; /* that is being checked */
    /* the message under way: */
    struct inspection *inspection; /* from the end of the header fields on; NULL: out of memory */
    struct effects effects;
    bool is_decided; /* and not settled yet */
    enum inspection_fate fate;
};

static const struct milter_reply go_on = { .action = MILTER_CONTINUE };

static struct intake *intake_of(struct milter_session *session)
{
    return milter_session_state(session);
}

static struct snapshot *snapshot_of(const struct intake *intake)
{
    return snapshot_cell_get(&intake->contentd->service.in_force);
}

/* ---- rules at the stages before the header fields ---- */

/* On a thread: they may have to wait. */
static struct milter_reply run_rules(struct milter_session *session)
{
    struct intake *intake = intake_of(session);
    struct message *message = milter_session_message(session);
    struct snapshot *snapshot = snapshot_of(intake);
    const struct early_request request = {
        .worker = milter_session_worker(session),
        .snapshot = snapshot,
        .stage = intake->stage,
        .message = message,
        .client = milter_session_client(session),
        .recipient = intake->stage == STAGE_RCPT ? message->recipient_count - 1 : 0,
        .connections = intake->connections,
    };
    struct milter_reply reply = early_check(&request, &intake->early);

    snapshot_unref(&snapshot);
    return reply;
}

static struct milter_reply check_rules(struct milter_session *session, const struct setup *setup,
                                       enum stage stage)
{
    struct intake *intake = intake_of(session);

    intake->stage = stage;
    return early_is_needed(setup, stage) ? milter_session_on_thread(session, run_rules) : go_on;
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
                      "contentd", words);
}

/* No memory, or no time, to look at it. */
static struct milter_reply undecided(struct milter_session *session)
{
    struct contentd *contentd = intake_of(session)->contentd;
    struct milter_reply reply = milter_service_undecided(&contentd->service);

    metric_add(contentd->metrics.undecided, 1);
    if (reply.action == MILTER_TEMPFAIL)
        give_back(session, "tempfail undecided");
    return reply;
}

static struct milter_reply check_stage(struct milter_session *session, enum stage stage)
{
    const struct intake *intake = intake_of(session);

    if (intake == NULL) /* out of memory at connect */
        return milter_service_deferred();
    struct snapshot *snapshot = snapshot_of(intake);
    struct milter_reply reply = check_rules(session, snapshot_data(snapshot), stage);

    snapshot_unref(&snapshot);
    return reply;
}

/* ---- the connection ---- */

/* What we send ourselves is not looked at again, or it would never leave. */
static struct milter_reply accept_own(struct contentd *contentd)
{
    static struct log_change told = LOG_CHANGE_INIT(false);

    metric_add(contentd->metrics.own, 1);
    log_once_per_change(&told, true, LOG_LEVEL_WARNING,
                        "the release listener asks this milter: its mail is accepted unseen; "
                        "`-o smtpd_milters=` in master.cf spares the question");
    return (struct milter_reply){ .action = MILTER_ACCEPT };
}

/* On a thread: waits for the store. */
static struct milter_reply count_connection(struct milter_session *session)
{
    struct intake *intake = intake_of(session);
    struct snapshot *snapshot = snapshot_of(intake);

    intake->lease = connection_lease_open(milter_session_worker(session), snapshot_data(snapshot),
                                          milter_session_client(session), &intake->connections);
    snapshot_unref(&snapshot);
    return run_rules(session);
}

static struct milter_reply hook_connect(struct milter_session *session)
{
    struct contentd *contentd = daemon_state(worker_daemon(milter_session_worker(session)));
    struct intake *intake = calloc(1, sizeof *intake);

    if (release_is_own(contentd->release, milter_session_client(session))) {
        free(intake);
        return accept_own(contentd);
    }
    if (intake == NULL) {
        log_error("out of memory: a connection is deferred");
        return milter_service_deferred();
    }
    intake->contentd = contentd;
    milter_session_set_state(session, intake);
    struct snapshot *snapshot = snapshot_of(intake);
    const struct setup *setup = snapshot_data(snapshot);
    struct milter_reply reply = check_rules(session, setup, STAGE_CONNECT);
    if (setup->names_connections)
        reply = milter_session_on_thread(session, count_connection);
    snapshot_unref(&snapshot);
    return reply;
}

static struct milter_reply hook_helo(struct milter_session *session)
{
    return check_stage(session, STAGE_HELO);
}

static void hook_disconnect(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    milter_session_set_state(session, NULL);
    if (intake == NULL)
        return;
    early_drop(&intake->early);
    connection_lease_close(&intake->lease);
    free(intake);
}

/* ---- the message ---- */

static struct milter_reply hook_sender(struct milter_session *session)
{
    return check_stage(session, STAGE_MAIL);
}

static struct milter_reply hook_recipient(struct milter_session *session, size_t n)
{
    struct contentd *contentd = intake_of(session)->contentd;
    const struct message *message = milter_session_message(session);
    const struct clock *clock = worker_clock(milter_session_worker(session));
    struct snapshot *snapshot = snapshot_of(intake_of(session));
    struct milter_reply reply;

    switch (recipient_check(snapshot_data(snapshot), message, n, clock->wall_ms(clock), &reply)) {
    case RECIPIENT_NOT_PLAIN:
        log_info("a recipient is refused: <%.*s> is no address of SMTP",
                 SLICE_ARG(message->recipients[n].address));
        break;
    case RECIPIENT_APART:
        metric_add(contentd->metrics.split, 1);
        break;
    case RECIPIENT_JOINS:
        reply = check_rules(session, snapshot_data(snapshot), STAGE_RCPT);
        break;
    }
    snapshot_unref(&snapshot);
    return reply;
}

static struct milter_reply start_inspection(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    intake->inspection = inspection_start(milter_session_worker(session), snapshot_of(intake),
                                          milter_session_message(session), &intake->connections);
    return go_on;
}

static struct milter_reply hook_headers(struct milter_session *session)
{
    struct snapshot *snapshot = snapshot_of(intake_of(session));
    bool is_slow = inspection_starts_slowly(snapshot, milter_session_message(session));

    snapshot_unref(&snapshot);
    return is_slow ? milter_session_on_thread(session, start_inspection)
                   : start_inspection(session);
}

static void hook_body(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    if (intake->inspection != NULL)
        inspection_more(intake->inspection);
}

/* ---- its end ---- */

static struct milter_reply reply_of(const struct plan *plan)
{
    static const enum milter_action actions[] = {
        [PLAN_ACCEPT] = MILTER_CONTINUE,
        [PLAN_REJECT] = MILTER_REJECT,
        [PLAN_TEMPFAIL] = MILTER_TEMPFAIL,
        [PLAN_DISCARD] = MILTER_DISCARD,
    };
    struct milter_reply reply = { .action = actions[plan->action] };

    if (plan->action == PLAN_REJECT || plan->action == PLAN_TEMPFAIL)
        reply.reply = plan->spoken->reply;
    return reply;
}

/* Nobody waits for an answer; what is under way ends with the message. The MTA has not been told that it is taken. */
static struct milter_reply unwanted(struct milter_session *session)
{
    metric_add(intake_of(session)->contentd->metrics.unwanted, 1);
    give_back(session, "tempfail nobody waits");
    return milter_service_deferred();
}

static struct milter_reply conclude(struct intake *intake, enum inspection_fate fate)
{
    const struct decided *decided = inspection_decided(intake->inspection);
    struct milter_reply reply = reply_of(&decided->plan);

    if (decided->setup->parts.core.is_shadow)
        reply = go_on;
    else if (fate == INSPECTION_NOT_KEPT)
        reply = milter_service_deferred();
    else if (reply.action == MILTER_CONTINUE)
        reply.edits = &decided->plan.edits;
    intake->is_decided = true;
    intake->fate = fate;
    return reply;
}

/* On a thread: waits for the disk. */
static struct milter_reply keep_copies(struct milter_session *session)
{
    struct intake *intake = intake_of(session);
    bool is_kept = effects_carry_out(&intake->effects, inspection_decided(intake->inspection),
                                     &intake->contentd->places);

    return conclude(intake, is_kept ? INSPECTION_AS_PLANNED : INSPECTION_NOT_KEPT);
}

static struct milter_reply reply_to_end(struct milter_session *session, enum inspection_end end)
{
    switch (end) {
    case INSPECTION_DECIDED:
        return conclude(intake_of(session), INSPECTION_AS_PLANNED);
    case INSPECTION_UNWANTED:
        return unwanted(session);
    case INSPECTION_UNDECIDED:
        break;
    }
    return undecided(session);
}

static void on_end(void *arg, enum inspection_end end)
{
    struct milter_session *session = arg;
    const struct decided *decided = inspection_decided(intake_of(session)->inspection);

    if (end == INSPECTION_DECIDED && !decided->setup->parts.core.is_shadow &&
        effects_has_copies(&decided->plan)) {
        milter_session_on_thread(session, keep_copies);
        return;
    }
    struct milter_reply reply = reply_to_end(session, end);
    milter_session_answer(session, &reply);
}

static bool on_progress(void *arg)
{
    return milter_session_progress(arg) == 0;
}

static struct milter_reply finish_inspection(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    if (!inspection_finish(intake->inspection, on_end, on_progress, session))
        return undecided(session);
    return (struct milter_reply){ .action = MILTER_LATER };
}

static struct milter_reply hook_end(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    if (intake->inspection == NULL)
        return undecided(session);
    return inspection_finishes_slowly(intake->inspection)
               ? milter_session_on_thread(session, finish_inspection)
               : finish_inspection(session);
}

static void settle(struct intake *intake, bool is_sent)
{
    if (!intake->is_decided)
        return;
    intake->is_decided = false;
    inspection_settle(intake->inspection, is_sent || intake->fate == INSPECTION_NOT_KEPT
                                              ? intake->fate
                                              : INSPECTION_NOT_SENT);
}

/* On a thread: waits for the disk. */
static struct milter_reply send_copies(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    effects_sent(&intake->effects, &intake->contentd->places, true);
    settle(intake, true);
    return go_on;
}

static struct milter_reply drop_copies(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    effects_sent(&intake->effects, &intake->contentd->places, false);
    settle(intake, false);
    return go_on;
}

static void hook_failed(struct milter_session *session, enum milter_action action)
{
    give_back(session, action == MILTER_REJECT ? "reject too large" : "tempfail no room");
}

static struct milter_reply hook_sent(struct milter_session *session, bool ok)
{
    struct intake *intake = intake_of(session);

    if (effects_are_there(&intake->effects))
        return milter_session_on_thread(session, ok ? send_copies : drop_copies);
    settle(intake, ok);
    return go_on;
}

static void hook_message_gone(struct milter_session *session)
{
    struct intake *intake = intake_of(session);

    if (intake != NULL)
        inspection_drop(&intake->inspection);
}

const struct milter_hooks intake_hooks = {
    .connect = hook_connect,
    .helo = hook_helo,
    .sender = hook_sender,
    .recipient = hook_recipient,
    .headers = hook_headers,
    .headers_is_silent = true,
    .body = hook_body,
    .end = hook_end,
    .failed = hook_failed,
    .sent = hook_sent,
    .message_gone = hook_message_gone,
    .disconnect = hook_disconnect,
};
