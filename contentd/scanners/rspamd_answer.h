/* contentd/scanners/rspamd_answer.h - what rspamd (3.x) answers to POST /checkv2: JSON -> finding. Pure. jansson is used
 * here and in rspamd_edits.c alone.
 *
 *     action            the finding            how its own milter acts
 *     no action         CLEAN
 *     greylist          CLEAN                  accepts: the greylist module says `soft reject` when it is time to wait
 *     add header        SPAM                   accepts, adds X-Spam
 *     rewrite subject   SPAM, `subject`        accepts, changes Subject
 *     soft reject       TEMPFAIL 451 4.7.1     with messages.smtp_message, else "Try again later"
 *     reject            REJECT 554 5.7.1       with messages.smtp_message, else "Spam message rejected";
 *                                              milter.reject "discard": DISCARD, "quarantine": SPAM, wants_quarantine
 *     quarantine        SPAM, wants_quarantine
 *     discard           DISCARD
 *     any other         trouble: an action of the site's own means nothing to us
 *
 * `milter.no_action` turns each of them into CLEAN, as in rspamd's milter. Score, required score and symbols are always
 * there. What is missing, of a wrong type or names an error is trouble. */
#ifndef GATEHOUSE_CONTENTD_RSPAMD_ANSWER_H
#define GATEHOUSE_CONTENTD_RSPAMD_ANSWER_H

#include "common/milter/message.h"
#include "contentd/finding.h"

enum { RSPAMD_SYMBOLS_MAX = 8192 }; /* bytes of finding.symbols; what does not fit is left out */

/* NULL: *finding (empty before, edits initialised) is filled in, its texts and edits are in `arena`. Else what is wrong, one line (in `arena` or constant), and
 * *finding is not to be used. `message`: whose fields milter.remove_headers counts. */
const char *rspamd_answer(struct slice json, const struct message *message, struct arena *arena,
                          struct finding *finding);

#endif
