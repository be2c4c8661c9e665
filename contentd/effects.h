/* contentd/effects.h - what a plan leaves on the disk: copies in the quarantine and in the outbox, there before the MTA has its
 * answer. Waits for the disk: on a thread of the milter's only. */
#ifndef GATEHOUSE_CONTENTD_EFFECTS_H
#define GATEHOUSE_CONTENTD_EFFECTS_H

#include "contentd/inspection.h"
#include "contentd/release/outbox.h"

/* Where copies go; NULL: it has not been opened yet, and what needs it is deferred. Open, they stay. */
struct effects_places {
    struct quarantine *_Atomic quarantine;
    struct outbox *_Atomic outbox;
};

struct effect {
    char id[KEPT_ID_LEN + 1];
};

/* What has been done for one message; zeroed: nothing. In the decision's arena. */
struct effects {
    struct effect *kept, *put;
    size_t kept_count, put_count;
};

bool effects_has_copies(const struct plan *plan);
bool effects_are_there(const struct effects *effects); /* effects_sent() has something to do */
/* All copies of the plan, or none. False, logged: the message must be deferred. */
bool effects_carry_out(struct effects *effects, const struct decided *decided,
                       const struct effects_places *places);
/* The MTA has taken what was decided (copies go on their way), or has not (it sends the message again: they are dropped). */
void effects_sent(struct effects *effects, const struct effects_places *places, bool ok);

#endif
