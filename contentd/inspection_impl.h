/* contentd/inspection_impl.h - the inside of an inspection, for inspection*.c alone. */
#ifndef GATEHOUSE_CONTENTD_INSPECTION_IMPL_H
#define GATEHOUSE_CONTENTD_INSPECTION_IMPL_H

#include <stdatomic.h>

#include "common/base/hash.h"
#include "common/message/record.h"
#include "common/milter/job.h"
#include "contentd/inspection.h"
#include "contentd/scan.h"
#include "contentd/server.h"

enum inspection_phase {
    PHASE_RECORD,
    PHASE_DATA_RULES,
    PHASE_DATA_RULED,
    PHASE_SCANNING,
    PHASE_END_RULES,
    PHASE_END_RULED,
    PHASE_DECIDED
};

struct inspection {
    struct op budget; /* first member */
    _Atomic unsigned references; /* the job's, settlement.c's */
    struct worker *worker;
    struct snapshot *snapshot;
    struct message *message;
    struct job *job; /* the milter's side of it */
    struct job *running; /* the same, for the loop */

    /* the milter's side writes it, before it says what makes the loop look. */
    struct arena *mime_arena;
    struct mime_facts headers, structure;
    bool has_headers, has_structure;

    /* the loop's until it is decided */
    struct server *server;
    struct arena *arena;
    enum inspection_phase phase;
    const struct inspection_explained *explained; /* NULL: it is decided in earnest */
    struct message_record record; /* policyd's */
    struct connection_counts connections;
    struct parties parties;
    struct party_rules rules;
    struct scan_run *scan;
    bool is_scanned, has_ended, is_late, failed;
    /* set before it is told that the message has ended: */
    void (*done)(void *arg, enum inspection_end end);
    bool (*progress)(void *arg);
    void *arg; /* of both */
    struct event progress_timer; /* unless `progress` is NULL */
    enum inspection_end end; /* when it is done */
    struct decided decided;
    enum inspection_fate fate; /* what became of it, once it is settled */
};

void inspection_unref(struct inspection *inspection);
/* inspection.c: the loop's side. */
extern const struct job_kind inspection_job;
void inspection_work_more(void *inspection);
void inspection_work_ended(void *inspection);
struct verdict_input inspection_input(const struct inspection *inspection);
/* inspection_verdict.c: verdicts, and the plan. False: out of memory. */
bool inspection_judge(struct inspection *inspection);

#endif
