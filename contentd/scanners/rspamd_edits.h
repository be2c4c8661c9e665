/* contentd/scanners/rspamd_edits.h - the changes that an answer of rspamd asks for: its `milter` object and its DKIM
 * signatures. Pure; a part of rspamd_answer.c. */
#ifndef GATEHOUSE_CONTENTD_RSPAMD_EDITS_H
#define GATEHOUSE_CONTENTD_RSPAMD_EDITS_H

#include <jansson.h>

#include "common/milter/message.h"
#include "contentd/finding.h"

/* NULL, or what is wrong (constant). */
const char *rspamd_edits(const json_t *answer, const struct message *message, struct arena *arena,
                         struct edits *edits);

struct slice rspamd_text(const json_t *text); /* of a JSON string, borrowed; absent: it is none */

#endif
