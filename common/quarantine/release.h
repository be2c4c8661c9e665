/* common/quarantine/release.h - a kept message goes on its way: over SMTP to the `release` listener, a Postfix smtpd without our
 * milter (README.md has its lines for master.cf).
 *
 * The message arrives byte for byte as it was received (after Postfix's own Received field), with the same envelope: null sender,
 * SMTPUTF8, BODY, RET, ENVID, NOTIFY and ORCPT as far as the listener offers them.
 *
 * It cannot be scanned in a loop: should that listener have our milter by mistake, its connections are known by the address on which
 * Postfix took them (release_is_own()), and accepted unseen. Nothing in a message says so, so nothing can be forged: whoever
 * can connect to that listener could send unscanned mail through it anyway, which is why it listens on loopback. */
#ifndef GATEHOUSE_QUARANTINE_RELEASE_H
#define GATEHOUSE_QUARANTINE_RELEASE_H

#include "common/base/buf.h"
#include "common/milter/source.h"
#include "common/quarantine/kept.h"

#define RELEASE_TIMEOUT_MS (8 * SECOND) /* of a release that somebody waits for */

struct release; /* opaque; immutable: any thread */

/* `place`: inet:ADDRESS:PORT (numeric) or unix:PATH. `myhostname` is said in EHLO; absent: the system's name. NULL with one line
 * in *error. */
struct release *release_new(struct slice place, struct slice myhostname, struct buf *error);
void release_free(struct release **release); /* NULL-safe; clears *release */

enum release_state {
    RELEASE_LATER, /* not now: nobody listens, 4NN, the connection broke: `reply` says what */
    RELEASE_REFUSED, /* 5NN: never */
    RELEASE_TAKEN, /* the listener is responsible now */
};

enum { RELEASE_REPLY_MAX = 300 };

struct release_recipient {
    struct kept_recipient to; /* in */
    enum release_state state;
    char reply[RELEASE_REPLY_MAX]; /* one line: the listener's words, or what happened */
};

/* Sends the message once to all of these, whose state is set. Waits for the network, `timeout_ms` in all at most; ends early, with
 * RELEASE_LATER, when `cancel_fd` (-1: none) becomes readable; once the message is whole its answer is waited for a moment
 * (SMTP_LAST_WORD_MS), so that it is not sent twice. Returns how many took it. */
size_t release_send(const struct release *release, const struct kept *kept,
                    const struct source *source, struct release_recipient *recipients, size_t count,
                    uint64_t timeout_ms, int cancel_fd);

/* Did the MTA take this connection on the release listener? Then the connection is to be accepted unseen. For the hook
 * `connect`. */
bool release_is_own(const struct release *release, const struct message_client *client);

#endif
