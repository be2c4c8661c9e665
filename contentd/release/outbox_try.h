/* contentd/release/outbox_try.h - one try to send one copy of the outbox. Private to outbox.c; on its thread. */
#ifndef GATEHOUSE_CONTENTD_RELEASE_OUTBOX_TRY_H
#define GATEHOUSE_CONTENTD_RELEASE_OUTBOX_TRY_H

#include "common/observe/log.h"
#include "common/quarantine/quarantine.h"
#include "common/quarantine/release.h"

/* From where to where. */
struct outbox_way {
    struct folder *folder;
    const struct release *release;
    struct quarantine *quarantine;
    const struct clock *clock;
    uint64_t age_max_ms;
    int stop_fd; /* readable: break off */
    struct log_change listener; /* begins as LOG_CHANGE_INIT(true): it takes copies */
};

/* What the files do not say yet, since it could not be written: who of the recipients in them has the copy. Zeroed: nobody. */
struct outbox_done {
    bool *is_done; /* owned; NULL: nobody */
    size_t count;
};
void outbox_done_free(struct outbox_done *done);

enum attempt {
    ATTEMPT_DONE, /* the copy is gone */
    ATTEMPT_GOES_ON, /* some took it, which is written down: the rest at once */
    ATTEMPT_LATER,
};

/* Sends the copy to those who have not got it. What is refused for ever, or too old, goes to the quarantine. `done` is the copy's own,
 * from try to try. */
enum attempt outbox_try(struct outbox_way *way, const char *id, struct outbox_done *done);

void outbox_try_register(void);

#endif
