/* contentd/scanners/milter_replay.h - a message told to a milter once more, as the MTA told it to us: what to send next, what
 * the answers mean. A state machine without I/O; the caller sends what it gives and hands over the packets that come.
 *
 * The session is half-duplex, as MTAs do it: each command waits for its answer, unless the milter said that it gives none. */
#ifndef GATEHOUSE_CONTENTD_MILTER_REPLAY_H
#define GATEHOUSE_CONTENTD_MILTER_REPLAY_H

#include "common/milter/message.h"
#include "contentd/scanners/milter_answers.h"

enum {
    MILTER_BODY_MAX = 64 << 20, /* bytes of a body that replaces the message's */
    MILTER_OUT_MAX = 256 << 10, /* of what milter_replay_next() adds at once */
};

enum replay_step {
    REPLAY_NEGOTIATE,
    REPLAY_CONNECT,
    REPLAY_HELO,
    REPLAY_MAIL,
    REPLAY_RCPT,
    REPLAY_DATA,
    REPLAY_HEADER,
    REPLAY_END_HEADERS,
    REPLAY_BODY,
    REPLAY_END,
    REPLAY_OVER /* it has decided */
};

struct milter_replay {
    const struct message *message; /* borrowed, as the next two */
    struct arena *arena;
    struct finding *finding;
    struct milter_terms terms;
    enum replay_step step;
    bool is_waiting; /* for the answer to what was sent last */
    bool is_early; /* it accepted before it was told everything that it wanted to be told */
    size_t item; /* of the recipients or header fields: the next one */
    uint64_t body; /* bytes of it that were sent */
    struct buf new_body;
    bool has_new_body;
    const char *error; /* why nothing can be sent; constant */
};

/* To be sent after `out`: `length` bytes of the message from `offset` on. */
struct replay_range {
    uint64_t offset, length;
};

/* `finding` is empty (edits initialised) and filled in as answers come. `replay` was zeroed or cleared. */
void milter_replay_begin(struct milter_replay *replay, const struct message *message,
                         struct arena *arena, struct finding *finding);
void milter_replay_clear(struct milter_replay *replay); /* frees what it holds; may begin again */

/* What may be sent now is added to `out` (empty, ceiling MILTER_OUT_MAX), with a part of the body in *range (length 0:
 * none). False: nothing now, an answer or more of the body has to come first; or replay->error is set. */
bool milter_replay_next(struct milter_replay *replay, struct buf *out, struct replay_range *range);

/* A packet that came. DONE: the finding is complete. BAD: *error says why (constant). */
enum wire_state milter_replay_take(struct milter_replay *replay, const struct milter_packet *packet,
                                   const char **error);

#endif
