/* common/milter/milter_private.h - what the files of the milter share: milter.c (the process's one milter), connection.c (a
 * connection: bytes, loop and threads), commands.c (packets), session.c and session_message.c (what they mean: clients,
 * messages, hooks). For them and their tests alone. */
#ifndef GATEHOUSE_MILTER_MILTER_PRIVATE_H
#define GATEHOUSE_MILTER_MILTER_PRIVATE_H

#include "common/milter/admission.h"
#include "common/milter/milter.h"
#include "common/milter/negotiation.h"
#include "common/observe/metrics.h"
#include "common/run/pool.h"

/* ---- what all connections share (milter.c) ---- */

struct milter_metrics {
    metric_id sessions, messages, in_flight, edits, edits_failed, spool_errors, bad_packets;
    metric_id refused_sessions, refused_descriptors, refused_ending, refused_bounds, unscanned;
    metric_id accepted, rejected, tempfailed, discarded, aborted;
};
void milter_metrics_register(struct milter_metrics *out);

struct milter_shared {
    const struct milter_hooks *hooks;
    struct milter_metrics metrics;
    struct admission *admission;
    struct pool *pool;
    uint64_t idle_timeout_ms;
    size_t max_connections;
    /* A copy; `spool_directory` of it lives in `arena`. -1: out of memory. Any thread. */
    int (*settings)(struct arena *arena, struct milter_settings *out);
};

/* The connections of one worker; its thread. */
struct connections {
    const struct milter_shared *shared;
    struct worker *worker;
    struct connection *first;
    char *space; /* into which they all read; CONNECTION_READ bytes */
    bool is_draining;
};
enum { CONNECTION_READ = 256 << 10 };

/* ---- a session; one thread at a time ---- */

/* What carries it: the packets of a connection, or a test. */
struct session_link {
    struct slice (*macro)(void *carrier, const char *name); /* absent: not told */
    /* Prepares them for sending before the answer. False: they cannot be carried out; nothing is sent. */
    bool (*edits)(void *carrier, const struct edits *edits);
    void (*reply)(void *carrier, const struct buf *text); /* of a refusal: "554 5.7.1 text" */
    /* 0; -1: the MTA is gone. It is only told so when it `may_say`. Any thread. */
    int (*progress)(void *carrier, bool may_say);
    /* On the loop: there is an answer, or work for a thread. Nothing of the session is called from inside it. */
    void (*wake)(void *carrier);
};

struct milter_session *session_new(const struct milter_shared *shared, struct worker *worker,
                                   const struct session_link *link,
                                   void *carrier); /* NULL: out of memory */
void session_free(struct milter_session **session); /* NULL-safe; clears */
void session_reset(struct milter_session *session); /* another client follows */
void session_set_leading_space(struct milter_session *session, bool has_leading_space);

struct session_client { /* SMFIC_CONNECT */
    struct slice name;
    struct slice address; /* absent: none */
    unsigned port;
};
/* Each is one command, the result its answer; in any order, and repeated: what makes no sense is answered with
 * MILTER_CONTINUE. After MILTER_LATER session_go_on() has the answer, and nothing else is called before. */
enum milter_action session_connect(struct milter_session *session,
                                   const struct session_client *client);
enum milter_action session_helo(struct milter_session *session, struct slice name);
enum milter_action session_sender(struct milter_session *session, struct slice path,
                                  const struct slice *arguments, size_t count);
enum milter_action session_recipient(struct milter_session *session, struct slice path,
                                     const struct slice *arguments, size_t count);
void session_header(struct milter_session *session, struct slice name, struct slice value);
enum milter_action session_headers_end(struct milter_session *session);
void session_body(struct milter_session *session, struct slice bytes);
enum milter_action session_end(struct milter_session *session);
/* The answer to the end of a message is out, or cannot be: then the message is over (or MILTER_LATER). Nothing happens
 * without one; with one it comes before anything else. */
enum milter_action session_sent(struct milter_session *session, bool ok);
void session_abort(struct milter_session *session); /* the message under way is over */
bool session_has_message(const struct milter_session *session);
/* So many bytes more of the body go to the disk: session_body() is to be called on a thread. */
bool session_body_waits(const struct milter_session *session, size_t bytes);

/* ---- after MILTER_LATER ---- */
bool session_has_work(const struct milter_session *session); /* on the loop */
void session_work(struct milter_session *session); /* does it; on a thread */
bool session_is_answered(const struct milter_session *session); /* on the loop */
enum milter_action
session_go_on(struct milter_session *session); /* it is answered; perhaps LATER again */

/* ---- packets (commands.c); one thread at a time ---- */

struct commands; /* opaque; the protocol's side of a connection */

struct commands_link { /* as in session_link */
    int (*progress)(void *carrier, bool may_say);
    void (*wake)(void *carrier);
};
/* NULL: out of memory. */
struct commands *commands_new(const struct milter_shared *shared, struct worker *worker,
                              const struct commands_link *link, void *carrier);
void commands_free(struct commands **commands); /* the session too; NULL-safe; clears */

enum commands_state {
    COMMANDS_GO_ON,
    COMMANDS_LATER, /* the answer is not known yet: commands_go_on() when it is */
    COMMANDS_SENT, /* the end of a message is answered: commands_sent() when that is out */
    COMMANDS_CLOSE, /* QUIT, or what is not the protocol: answers so far may still be sent */
};
/* Does what it says; answers are added to commands_output(). */
enum commands_state commands_run(struct commands *commands, const struct milter_packet *packet);
/* It has to wait for the disk: commands_run() is to be called on a thread. */
bool commands_waits(const struct commands *commands, const struct milter_packet *packet);
enum commands_state commands_sent(struct commands *commands, bool ok); /* GO_ON or LATER */
/* After COMMANDS_LATER: as session_has_work() and so on. */
bool commands_has_work(const struct commands *commands);
void commands_work(struct commands *commands);
bool commands_is_answered(const struct commands *commands);
enum commands_state commands_go_on(struct commands *commands);
struct buf *commands_output(struct commands *commands); /* to send, and to clear then */
bool commands_are_idle(const struct commands *commands); /* no message is under way */

/* ---- a connection (connection.c); the worker's thread ---- */

void connection_open(struct connections *connections, int fd); /* takes fd */
void connection_drain(struct connection *connection);
struct connection *connection_next(const struct connection *connection);

#endif
