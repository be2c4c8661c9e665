/* signd/letter_impl.h - the inside of a letter, for letter*.c, settlement.c and explain*.c alone. */
#ifndef GATEHOUSE_SIGND_LETTER_IMPL_H
#define GATEHOUSE_SIGND_LETTER_IMPL_H

#include <stdatomic.h>

#include "common/base/hash.h"
#include "common/message/record.h"
#include "common/milter/job.h"
#include "signd/facts/provider.h"
#include "signd/letter.h"
#include "signd/server.h"

enum letter_phase {
    PHASE_RECORD, /* policyd's record, when rules at data may name it */
    PHASE_DATA_RULES,
    PHASE_DATA_RUNNING,
    PHASE_EVIDENCE, /* the record, keys, policies */
    PHASE_EVIDENCE_COMING,
    PHASE_END_RULES,
    PHASE_END_RUNNING,
    PHASE_READY /* for the thread that finishes it */
};

/* Domains whose keys were looked for. */
enum { LOOKED_MAX = 16 };
struct letter_trail {
    struct {
        struct slice domain;
        const char *why; /* key_ring.h */
    } looked[LOOKED_MAX];
    size_t count;
};

/* The milter's side has it, but for the time between the start of a job and its end: then the loop has. */
struct letter {
    _Atomic unsigned references;
    struct worker *worker;
    struct snapshot *snapshot;
    const struct setup *setup;
    struct message *message;
    struct job *job; /* the waiter's */
    struct job *running; /* the same, for the loop */
    struct server *server; /* the worker's; for the loop */
    struct arena *arena;
    enum letter_phase phase;
    uint64_t started_ms, ended_ms, decided_ms; /* headers there, message whole, decided */
    bool is_late; /* the budget was used up */
    bool failed; /* out of memory */
    bool is_explained; /* as `explained` says; then there are: */
    struct letter_explained explained;
    struct trace *data_trace, *end_trace; /* NULL: no rule ran */
    struct letter_trail trail;

    struct mime_facts mime;
    bool has_mime, is_outbound;
    struct message_record record;
    bool record_is_read;
    size_t pending; /* of the record and the evidence: what has not come */
    struct lookups lookups;
    struct evaluation evaluation;
    struct fact_subject subject;
    struct verdict data_said, end_said;
    struct rule_outcome rules;
    enum task task;

    struct results results;
    bool is_verified;
    struct evidence_dns *evidence;

    struct shared *keys, *states; /* struct key_set, struct key_lives */
    struct chosen_keys chosen;
    enum signing signing;
    size_t forged; /* Authentication-Results fields that are removed */

    char reference[REFERENCE_SIZE];
    struct slice reason; /* why it is refused */
    struct letter_answer answer; /* of the decision, whatever the mode */
    struct letter_answer told;
    bool is_decided, is_sent;
};

void letter_unref(struct letter *letter);
uint64_t letter_now(const struct letter *letter); /* ms, monotonic */
uint64_t letter_wall_ms(const struct letter *letter);
struct slice letter_authserv_id(const struct letter *letter);
/* Why it is refused: in a rule's words, or ours. */
struct slice letter_reason(const struct letter *letter);
/* Rules have refused or discarded it: nothing more is done to it. */
bool letter_is_over(const struct letter *letter);

/* letter.c: the loop's side. */
extern const struct job_kind letter_job;
void letter_work_late(void *letter); /* the budget is over: what is missing is not known */

/* letter_end.c; on a thread of the milter's. False: out of memory. */
bool letter_verify(struct letter *letter); /* all evidence is there */
void letter_choose_keys(struct letter *letter);
bool letter_conclude(struct letter *letter); /* all rules have run */

#endif
