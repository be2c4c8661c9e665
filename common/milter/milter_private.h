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
    bool is_draining;
};

/* ---- a session; one thread at a time ---- */

/* What carries it: the packets of a connection, or a test. */
struct session_link {
    struct slice (*macro)(void *carrier, const char *name); /* absent: not told */
    /* Prepares them for sending before the answer. False: they cannot be carried out; nothing is sent. */
    bool (*edits)(void *carrier, const struct edits *edits);
    void (*reply)(void *carrier, const struct buf *text); /* of a refusal: "554 5.7.1 text" */
    /* 0; -1: the MTA is gone. It is only told so when it `may_say`. */
    int (*progress)(void *carrier, bool may_say);
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
 * MILTER_CONTINUE. */
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
/* The answer to the end of a message is out, or cannot be: then the message is over. Nothing happens without one. */
void session_sent(struct milter_session *session, bool ok);
void session_abort(struct milter_session *session); /* the message under way is over */
bool session_has_message(const struct milter_session *session);

/* ---- packets (commands.c); one thread at a time ---- */

struct commands; /* opaque; the protocol's side of a connection */

/* `progress` as in session_link. NULL: out of memory. */
struct commands *commands_new(const struct milter_shared *shared, struct worker *worker,
                              int (*progress)(void *carrier, bool may_say), void *carrier);
void commands_free(struct commands **commands); /* the session too; NULL-safe; clears */

enum commands_state {
    COMMANDS_GO_ON,
    COMMANDS_SENT, /* the end of a message is answered: commands_sent() when that is out */
    COMMANDS_CLOSE, /* QUIT, or what is not the protocol: answers so far may still be sent */
};
/* Does what it says; answers are added to commands_output(). */
enum commands_state commands_run(struct commands *commands, const struct milter_packet *packet);
void commands_sent(struct commands *commands, bool ok);
struct buf *commands_output(struct commands *commands); /* to send, and to clear then */
bool commands_are_idle(const struct commands *commands); /* no message is under way */

/* ---- a connection (connection.c); the worker's thread ---- */

void connection_open(struct connections *connections, int fd); /* takes fd */
void connection_drain(struct connection *connection);
struct connection *connection_next(const struct connection *connection);

#endif
