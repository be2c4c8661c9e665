/* signd/verify.h - verifies DKIM signatures with libopendkim, whose only user this is. The keys have been looked up before
 * (claims.h): the library sees them through its key lookup and never asks the DNS itself. CPU work alone, for the milter's
 * threads. */
#ifndef GATEHOUSE_SIGND_VERIFY_H
#define GATEHOUSE_SIGND_VERIFY_H

#include "signd/claims.h"

struct verifier; /* opaque: the library; shared by all threads */
struct verifier *verifier_new(void); /* NULL: out of memory */
void verifier_free(struct verifier **verifier); /* NULL-safe; clears *verifier */

/* Sets the result of each claim that is ready and whose key has been looked up (UNASKED counts as TEMPERROR). The message is
 * whole. A signature that the library cannot judge is TEMPERROR or NEUTRAL, never PASS; one of a message without a From field that has a
 * mailbox is PERMERROR. Any thread. -1: out of memory or the
 * body cannot be read; all that were ready are TEMPERROR then. */
int verify_claims(const struct verifier *verifier, const struct message *message,
                  struct dkim_claim *claims, size_t count);

#endif
