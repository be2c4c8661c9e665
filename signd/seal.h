/* signd/seal.h - signs one message with every key of its domain: the body is hashed once, and each key makes a
 * DKIM-Signature field. CPU work and reading the spool, for the milter's threads. */
#ifndef GATEHOUSE_SIGND_SEAL_H
#define GATEHOUSE_SIGND_SEAL_H

#include "common/milter/edits.h"
#include "signd/key_ring.h"
#include "signd/sign.h"

enum seal_result {
    SEAL_DONE,
    SEAL_REFUSED, /* no signature of this message would be good, now or later */
    SEAL_FAILED, /* memory or the disk: it may work later */
};

/* The message is whole. The fields come first in the message, in the order of the keys. With a bare CR in the body, about
 * which verifiers disagree under `relaxed`, the body is canonicalized as `simple`, and so are the header fields (sign_needs_simple()). Else than DONE: *error says why (a
 * constant text); the edits are then of no use. */
enum seal_result seal(const struct message *message, const struct chosen_keys *keys,
                      const struct sign_settings *settings, uint64_t now_s, struct arena *arena,
                      struct edits *edits, const char **error);

#endif
