/* common/milter/milter_private.h - what the files of the milter share: milter.c (life, the daemon's side), callbacks.c
 * (libmilter's side), session.c (a connection, without libmilter), negotiation.c (what the MTA is asked for). For them
 * and their tests alone. */
#ifndef GATEHOUSE_MILTER_MILTER_PRIVATE_H
#define GATEHOUSE_MILTER_MILTER_PRIVATE_H

#include <sys/socket.h>

#include "common/milter/admission.h"
#include "common/milter/milter.h"
#include "common/observe/metrics.h"

/* ---- what all sessions share (milter.c) ---- */

struct milter_metrics {
    metric_id sessions, messages, in_flight, edits, edits_failed, spool_errors;
    metric_id refused_sessions, refused_ending, refused_bounds, unscanned;
    metric_id accepted, rejected, tempfailed, discarded, aborted;
};

struct milter_shared {
    const struct milter_hooks *hooks;
    struct milter_metrics metrics;
    struct admission *admission;
    struct worker *(*choose_worker)(void); /* for a new session; counts it in */
    /* A copy; `spool_directory` of it lives in `arena`. -1: out of memory. */
    int (*settings)(struct arena *arena, struct milter_settings *out);
};
void milter_metrics_register(struct milter_metrics *out);

/* ---- negotiation; SMFIF_ and SMFIP_ bits of libmilter/mfapi.h ---- */

struct milter_offer {
    unsigned long actions, steps;
};
/* What of the MTA's offer we take: only bits that are in it. */
struct milter_offer milter_negotiate(const struct milter_hooks *hooks,
                                     const struct milter_offer *offer);
bool milter_waits_for_headers(const struct milter_hooks *hooks); /* they may be replied to */

/* ---- a session ---- */

/* What carries it: libmilter, or a test. */
struct milter_link {
    /* The value of a macro, "{client_addr}"; NULL: the MTA did not give it. Valid until the callback ends. */
    const char *(*macro)(void *carrier, const char *name);
    /* 0; -1: the MTA does not allow it, or is gone. */
    int (*edit)(void *carrier, const struct edit *edit, bool needs_blank);
    /* All are terminated; printable. */
    void (*reply)(void *carrier, const char *code, const char *enhanced, const char *text);
    int (*progress)(void *carrier); /* 0; -1: the MTA is gone */
};

struct milter_session *session_new(const struct milter_shared *shared,
                                   const struct milter_link *link, void *carrier);
/* The connection is over; a message under way too. NULL-safe; clears. */
void session_free(struct milter_session **session);
/* Before it, all messages are deferred. `has_leading_space`: SMFIP_HDR_LEADSPC is in force. */
void session_negotiated(struct milter_session *session, bool has_leading_space);

/* Each is one callback. The result is the reply to the MTA; where it does not wait for one it is MILTER_CONTINUE. In any
 * order, and repeated: what makes no sense is ignored. */
enum milter_action session_connect(struct milter_session *session, struct slice name,
                                   const struct sockaddr *address);
enum milter_action session_helo(struct milter_session *session, struct slice name);
enum milter_action session_sender(struct milter_session *session, struct slice path,
                                  const struct slice *arguments, size_t count);
enum milter_action session_recipient(struct milter_session *session, struct slice path,
                                     const struct slice *arguments, size_t count);
void session_header(struct milter_session *session, struct slice name, struct slice value);
enum milter_action session_headers_end(struct milter_session *session);
void session_body(struct milter_session *session, struct slice bytes);
enum milter_action session_end(struct milter_session *session);
void session_abort(struct milter_session *session); /* the message under way is over */

#endif
