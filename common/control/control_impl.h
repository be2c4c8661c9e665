/* common/control/control_impl.h - what the files of common/control/ share: one request that waits for the store. */
#ifndef GATEHOUSE_CONTROL_CONTROL_IMPL_H
#define GATEHOUSE_CONTROL_CONTROL_IMPL_H

#include "common/control/control.h"

struct control {
    struct store *store;
    const struct clock *clock;
    struct control_daemon daemon;
    struct control_job *jobs; /* under way */
};

/* Steps of the store for one request, one at a time. */
struct control_job {
    union { /* first member: a store_call begins each */
        struct store_call call;
        struct store_read read;
        struct store_write write;
        struct store_charge charge;
        struct store_reset reset;
        struct store_top top;
        struct store_log_read log;
        struct store_tx_find find;
    } store;
    struct control *control;
    struct control_request *request;
    struct arena *arena; /* of everything the request needs */
    struct control_view view;
    void (*next)(struct control_job *job); /* when the store's step has succeeded */
    void *own; /* of the handler, in `arena` */
    void (*cleanup)(struct control_job *job); /* optional: of what `own` holds outside the arena */
    struct control_job *previous_job, *next_job;
};

/* NULL after 503 has been replied. The view is held until the job ends. */
struct control_job *control_job_new(struct control *control, struct control_request *request);
void control_job_reply(struct control_job *job, unsigned status, json_t *answer); /* ends the job */
void control_job_error(struct control_job *job, unsigned status, const char *format, ...)
    PRINTF_LIKE(3, 4); /* ends the job */
/* What a store function returned, after job->store was started with job->next set: goes on at once or later, or ends the
 * job with 503:
 *     control_job_wait(job, next);
 *     control_job_started(job, store_read(job->control->store, &job->store.read)); */
void control_job_wait(struct control_job *job, void (*next)(struct control_job *job));
void control_job_started(struct control_job *job, bool is_done);

/* Parameter `count`: 1 to CONTROL_COUNT_MAX. False after 400 has been replied. */
bool control_job_count(struct control_job *job, size_t *count);

/* transactions.c */
void control_transactions(struct control_job *job); /* GET transactions/QUEUE_ID */

/* limits.c */
void control_limits(struct control_job *job); /* GET limits */
void control_usage(struct control_job *job); /* GET usage */
void control_limit_reset(struct control_job *job); /* POST limits/NAME/reset */

#endif
