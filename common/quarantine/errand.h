/* common/quarantine/errand.h - one request about the quarantine, carried out by a thread that may wait for the disk and the release
 * listener: contentd's keeper, or gatectl when the daemon is down. */
#ifndef GATEHOUSE_QUARANTINE_ERRAND_H
#define GATEHOUSE_QUARANTINE_ERRAND_H

#include "common/control/control.h"
#include "common/quarantine/quarantine.h"
#include "common/quarantine/release.h"

struct errand_place {
    struct quarantine *quarantine;
    struct release *release; /* NULL: there is no listener */
    const struct clock *clock;
    int stop_fd; /* readable when a release is to be broken off */
};

struct errand {
    struct control_request *request;
    void (*run)(struct errand *errand, const struct errand_place *place);
    struct slice id; /* absent: the list */
    uint64_t older_ms, offset;
    size_t count;
    unsigned status; /* of the answer, set by run() as `answer` */
    json_t *answer;
    struct errand *next;
};

void errand_metrics_register(void);
/* What is asked for, on the loop. NULL after it has been replied to (malformed, no such resource, out of memory). free() it. */
struct errand *errand_new(struct control_request *request);
/* Sets status and answer, on the thread that may wait. */
void errand_run(struct errand *errand, const struct errand_place *place);

/* ---- for what carries it out ---- */
void errand_answer(struct errand *errand, unsigned status, json_t *json); /* takes `json` */
void errand_error(struct errand *errand, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4);
void errand_not_there(struct errand *errand);
/* Its message cannot be opened: there is no such entry, or nothing but a description. */
void errand_no_message(struct errand *errand, const struct errand_place *place);
/* What is known of the entry, perhaps a damaged one, in `arena` (NULL: memory is out). False after the answer has been set. */
bool errand_read(struct errand *errand, const struct errand_place *place, struct arena *arena,
                 struct kept *out);

/* errand_release.c */
void errand_release(struct errand *errand, const struct errand_place *place);
void errand_release_register(void);

#endif
