/* signd/body_hashes.h - the hashes of a whole body that signatures may have (bh=, RFC 6376 3.7), in one pass over it. CPU work, and
 * reading of the spool; any thread. */
#ifndef GATEHOUSE_SIGND_BODY_HASHES_H
#define GATEHOUSE_SIGND_BODY_HASHES_H

#include "signd/claims.h"

/* One for each canonicalization. */
struct body_hashes {
    bool is_wanted[2];
    unsigned char digests[2][DKIM_DIGEST_LEN]; /* of those that are wanted */
};

/* Those that these claims need. False: not all of them can be judged by a hash of the whole body (l=, or bh= or c= that cannot be
 * read). */
bool body_hashes_suffice(struct dkim_claim *const *claims, size_t count, struct body_hashes *out);
/* The message is whole. -1: out of memory, or the body cannot be read. */
int body_hashes_make(const struct message *message, struct body_hashes *hashes);
/* Whether the claim's bh= is the hash of that body. */
bool body_hashes_fit(const struct body_hashes *hashes, const struct dkim_claim *claim);

/* The body, piece by piece. -1: `take` has said so, out of memory, or it cannot be read. */
typedef int body_take(void *arg, struct slice piece); /* -1: that is enough */
int body_read(const struct message *message, body_take *take, void *arg);

#endif
