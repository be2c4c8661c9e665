/* contentd/scanners/milter_answers.h - what a milter answers, as a finding. Pure; a part of milter_replay.c, which knows when
 * an answer may come. Each function gives NULL, or a constant text why the answer is none. */
#ifndef GATEHOUSE_CONTENTD_MILTER_ANSWERS_H
#define GATEHOUSE_CONTENTD_MILTER_ANSWERS_H

#include "common/milter/wire.h"
#include "contentd/finding.h"

/* What both sides have agreed on. Zeroed: nothing yet. */
struct milter_terms {
    uint32_t version, may, protocol;
    /* Names that it wants to be told, in the arena; absent: it did not say. */
    struct slice macros[MILTER_PLACES];
};

int milter_put_offer(struct buf *out); /* the packet that begins: all that we can carry out */

/* The answer to it. It may want less than we offer and speak an older version; actions that we do not offer are an error,
 * other flags without meaning. */
const char *milter_read_terms(struct slice data, struct arena *arena, struct milter_terms *terms);

/* A refusal (REJECT, TEMPFAIL, REPLY, SHUTDOWN): result and reply (code 0: it names none). REPLY: "550 5.7.1 text", perhaps in
 * several lines, which become one, with `%%` for each `%`. */
const char *milter_read_refusal(const struct milter_packet *packet, struct arena *arena,
                                enum finding_result *result, struct reply *reply);

/* A change of the message, allowed by `terms`: goes into the edits of `finding`, or sets wants_quarantine. Parts of a new body
 * are collected in `body`, whose ceiling bounds them. ESMTP arguments of addresses are not carried out. */
const char *milter_read_change(const struct milter_packet *packet, const struct milter_terms *terms,
                               struct arena *arena, struct buf *body, struct finding *finding);
bool milter_is_change(char command);

#endif
