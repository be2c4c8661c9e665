/* common/milter/milter.h - a milter: the MTA's connections turned into a few calls with a whole `struct message`. One set of
 * hooks in a process.
 *
 * A connection lives on its worker's loop: there it is read and written, and there its hooks are called, so that a message
 * that needs nothing but the network never changes threads. A hook must not wait. One that has no answer yet says so
 * (MILTER_LATER); the answer is given on the loop when it is known, or made on a thread of the milter's own
 * (milter_session_on_thread()), which may wait: for the disk, for work on a loop (job.h), or because it computes for
 * long. Until then nothing else of that connection happens. What a hook may see is what the MTA has told so far.
 * While a body goes to the disk the milter's own threads write it, and call `body` and `end` themselves.
 *
 * The protocol (versions 2 to 6) is spoken here and not by libmilter, which cannot keep what a daemon beside Postfix
 * promises. Found with Debian 12's 8.17.1, built with its pool of workers:
 * - A macro packet with an odd number of texts makes smfi_getsymval() read beyond its array, and the process dies.
 * - When several connections have something to say at once and fewer threads are idle, nobody is told of the others: four
 *   messages that waited 8 s for a scanner kept the MAIL of four other connections waiting for 16 s.
 * - smfi_stop(), and SIGHUP, SIGTERM and SIGINT, which it waits for itself, let go of messages between two commands: there
 *   is no draining.
 * - A thread that cannot be made leaves its connection without an answer for ever; one that has sent half a packet keeps
 *   its thread until a time-out.
 * - Packets above 64 KiB end the connection, while Postfix sends a header field of up to header_size_limit (100 KiB) in
 *   one. */
#ifndef GATEHOUSE_MILTER_MILTER_H
#define GATEHOUSE_MILTER_MILTER_H

#include "common/mail/reply.h"
#include "common/milter/edits.h"
#include "common/milter/message.h"
#include "common/run/daemon.h"

struct milter_session; /* opaque; one connection of the MTA */

enum milter_action {
    MILTER_CONTINUE,
    MILTER_ACCEPT, /* this message (at connect: the connection) needs no more looking at */
    MILTER_REJECT, /* 5NN; at recipient: this one only */
    MILTER_TEMPFAIL, /* 4NN; at recipient: this one only */
    MILTER_DISCARD, /* the message is taken and thrown away */
    MILTER_LATER, /* no answer yet: milter_session_answer() or milter_session_on_thread() */
};

struct milter_reply {
    enum milter_action action;
    /* Of a refusal; code 0: 554 5.7.1 or 451 4.7.1. The text is escaped and bounded by us. Borrowed until the next call
     * of a hook of this session. */
    struct reply reply;
    /* Of `end`, unless it refuses or discards: all of them are carried out, or the message is tempfailed. NULL: none.
     * Borrowed likewise. */
    const struct edits *edits;
};

/* Of a refusal, as the client is told: "554 5.7.1 text", what is missing or does not fit filled in. What passes the buffer's
 * ceiling (REPLY_MAX) is dropped. */
void milter_reply_print(struct buf *text, const struct milter_reply *reply);

struct milter_hooks {
    /* Each may be NULL: the MTA is not asked for more than is needed, and sends on without waiting for a reply where
     * there is no hook. `state` as set by milter_session_set_state(). */
    struct milter_reply (*connect)(struct milter_session *session);
    struct milter_reply (*helo)(struct milter_session *session);
    struct milter_reply (*sender)(struct milter_session *session); /* MAIL: the message begins */
    struct milter_reply (*recipient)(struct milter_session *session, size_t n);
    struct milter_reply (*headers)(struct milter_session *session); /* they have ended */
    bool headers_is_silent; /* `headers` always continues: the MTA need not wait for it */
    void (*body)(struct milter_session *session); /* more of the body is in the message's spool */
    struct milter_reply (*end)(struct milter_session *session); /* the message is whole */
    /* Instead of `end`: the message is refused (MILTER_REJECT: it is larger than may be) or deferred (MILTER_TEMPFAIL: no memory,
     * no disk) by the milter itself. */
    void (*failed)(struct milter_session *session, enum milter_action action);
    /* The MTA has been sent what `end` decided (ok: it had not hung up, and the kernel took all of it), or could not be, or
     * an edit was not possible: then it does not take the message. Continues, or has more to do (MILTER_LATER). */
    struct milter_reply (*sent)(struct milter_session *session, bool ok);
    /* The message is over, however it ended: the last call with it. After `sender` it is always called. */
    void (*message_gone)(struct milter_session *session);
    void (*disconnect)(
        struct milter_session *session); /* not without `connect`'s time having come */
};

/* ---- the connection; in hooks ---- */
struct worker *milter_session_worker(const struct milter_session *session); /* its jobs run there */
const struct message_client *milter_session_client(const struct milter_session *session);
void *milter_session_state(const struct milter_session *session); /* the daemon's own */
void milter_session_set_state(struct milter_session *session, void *state);
/* The message under way; NULL between messages. */
struct message *milter_session_message(const struct milter_session *session);
/* While an answer is awaited, on the loop or the thread that makes it. 0; -1: the MTA has hung up, and nobody waits for it
 * any more. In `end` it also tells the MTA that we are still working, so that its time-out begins anew. */
int milter_session_progress(struct milter_session *session);

/* ---- an answer that comes later ---- */

/* On the loop, once after a hook said MILTER_LATER, perhaps before it has returned: this is what it says. */
void milter_session_answer(struct milter_session *session, const struct milter_reply *reply);
/* In a hook, or on the loop while its answer is awaited: `work` makes the answer on a thread, where it may wait. It may
 * say MILTER_LATER again. Returns MILTER_LATER, for the hook to do so. */
typedef struct milter_reply milter_work(struct milter_session *session);
struct milter_reply milter_session_on_thread(struct milter_session *session, milter_work *work);

/* ---- the daemon's side; main thread ---- */

enum milter_overload { MILTER_OVERLOAD_TEMPFAIL, MILTER_OVERLOAD_ACCEPT };

struct milter_settings { /* for messages that begin from now on */
    struct slice spool_directory;
    size_t message_memory; /* bytes of a body that are kept in memory */
    uint64_t message_size_max; /* bytes of a body; beyond: 552 */
    size_t max_sessions; /* messages at the same time */
    uint64_t session_wait_ms; /* how long one beyond them waits */
    enum milter_overload overload; /* what becomes of it then */
    /* File descriptors that one message may need (scanners, files): fewer messages than max_sessions are dealt with at the
     * same time when there are not enough of them. 0: that is no matter. */
    size_t descriptors_each;
};

/* In the daemon's `start`. `hooks` stays borrowed. -1, logged. */
int milter_setup(struct daemon *daemon, const struct milter_hooks *hooks, uint64_t idle_timeout_ms);
void milter_configure(
    const struct milter_settings *settings); /* after milter_setup(), at any time */
void milter_end(void); /* in the daemon's `stop`, also when it has not been set up */

/* Of every milter's daemon_spec: accept, drain (of workers, as there) and drain_ms. */
void milter_accept(struct worker *worker, int fd, unsigned listener);
void milter_drain(struct worker *worker);
#define MILTER_DRAIN_MS (25 * SECOND) /* below the 30 s that Postfix waits for most answers */

#endif
