/* contentd/mixed_envelope.h - who is taken out of the envelope of a message and who is put in. The two are brought into line at the
 * end, so that the MTA comes to the same result in whatever order it carries the changes out: a mailbox is removed or added, never
 * both, and one that stays is neither. Mailboxes are compared in their normal form. */
#ifndef GATEHOUSE_CONTENTD_MIXED_ENVELOPE_H
#define GATEHOUSE_CONTENTD_MIXED_ENVELOPE_H

#include "common/base/slice_set.h"
#include "contentd/verdict.h"

struct envelope {
    const struct message *message;
    struct arena *arena;
    bool *is_removed; /* by recipient */
    size_t removed; /* how many */
    struct slice_set added; /* normal forms */
    struct edits additions;
};

bool envelope_init(struct envelope *envelope, const struct message *message, struct arena *arena);
void envelope_remove(struct envelope *envelope, size_t recipient);
bool envelope_add(struct envelope *envelope, struct slice address); /* the same twice is once */
bool envelope_adds(const struct envelope *envelope, struct slice address);

/* Appends the edits. A recipient that should be removed, yet is added for another or stays under another number, stays. */
bool envelope_print(const struct envelope *envelope, struct edits *edits);

/* For each recipient: whether one of its own verdict's edits removes it. O(n log n) in recipients and edits together. */
bool envelope_find_unwanted(const struct message *message,
                            const struct recipient_verdict *const *verdicts, struct arena *arena,
                            bool **is_unwanted);

#endif
