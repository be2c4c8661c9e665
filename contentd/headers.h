/* contentd/headers.h - the header fields that contentd makes, in the forms other software looks for:
 *
 *     X-Virus-Scanned: gatehouse-contentd at mx.example.com
 *     X-Virus-Status: Clean | Infected (NAME) | Unknown
 *     X-Spam-Flag: YES                                    (tagged mail only)
 *     X-Spam-Score: 6.1
 *     X-Spam-Level: ******                                (one for each whole point, 50 at most)
 *     X-Spam-Status: Yes, score=6.1 required=6.0 tests=A(1.5), B
 *     X-Spam-Report: ...
 *     X-Gatehouse-Unscanned: clam (trouble), icap1 (oversize)
 *
 * Pure; all texts in the arena. Functions that add are false when memory is out, or there are more than EDITS_MAX edits. */
#ifndef GATEHOUSE_CONTENTD_HEADERS_H
#define GATEHOUSE_CONTENTD_HEADERS_H

#include "contentd/verdict.h"

/* One of the names above (any case): a message from outside that has them is forged, and a scanner's own are replaced. */
bool header_is_ours(struct slice name);

/* How many fields of a message have each of these names. */
void headers_count_ours(const struct message *message, size_t counts[HEADERS_OURS]);
/* How many headers_remove_forged() removes. */
size_t headers_count_forged(const struct verdict_input *input, const struct chain *chain);

/* Removes the fields with a name of ours: with input->removes_forged all, otherwise those that this chain makes itself. */
bool headers_remove_forged(const struct verdict_input *input, const struct chain *chain,
                           struct edits *edits);

/* Removes all fields of this name, the last one first (their numbers then stay true). */
bool headers_remove(const struct message *message, struct slice name, struct arena *arena,
                    struct edits *edits);

/* The fields that say what the scanners of the chain found. `skipped`: those that count for nothing. */
bool headers_add(const struct verdict_input *input, const struct chain *chain, scanner_set skipped,
                 const struct recipient_verdict *verdict, struct edits *edits);

/* Puts another subject in place of the one there, or adds one. */
bool headers_set_subject(const struct message *message, struct slice subject, struct arena *arena,
                         struct edits *edits);

/* Puts `prefix` before the subject (RFC 5322 3.6.5), as an encoded word when it is not ASCII (RFC 2047); a subject that begins
 * with it stays. Without a Subject field one is made. The subject is that which `edits` so far leave. */
bool headers_tag_subject(const struct message *message, struct slice prefix, struct arena *arena,
                         struct edits *edits);

#endif
