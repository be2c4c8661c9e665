/* policyd/inquiry_impl.h - an inquiry as its parts see it: inquiry.c (its life and its phases in order),
 * inquiry_greylist.c, inquiry_limits.c, inquiry_record.c (phases of their own) and inquiry_end.c (reply, log, counts). For them alone. */
#ifndef GATEHOUSE_POLICYD_INQUIRY_IMPL_H
#define GATEHOUSE_POLICYD_INQUIRY_IMPL_H

#include "common/base/hash.h"
#include "common/run/op.h"
#include "policyd/facts/provider.h"
#include "policyd/greylist.h"
#include "policyd/inquiry.h"

enum phase {
    PHASE_RULES,
    PHASE_GREYLIST,
    PHASE_GREYLISTED,
    PHASE_CHARGE,
    PHASE_CHARGED,
    PHASE_OVER,
    PHASE_RECORD,
    PHASE_RECORDED,
    PHASE_REFUSED,
    PHASE_COUNTED,
    PHASE_DONE
};

struct inquiry {
    struct op budget; /* first member; started when something has to be waited for */
    struct server *server;
    struct inquiry *next, *previous; /* of the active, or (next) of the spare ones */
    struct arena *arena;
    struct snapshot *snapshot; /* a reference: the policy below is its data */
    const struct policy *policy;
    struct policy_request req; /* in the arena */
    struct fact_request facts;
    struct evaluation evaluation; /* of the rules */
    struct evaluation over; /* of the action of the limit exceeded */
    enum phase phase;
    struct verdict verdict;
    struct store_greylist greylist;
    const struct action *greylist_action; /* the rules'; NULL: none */
    bool is_greylisted; /* `greylist` has its result */
    struct action greylist_refusal; /* the final action of one that is to wait */
    struct slice reason;
    struct store_charge charge;
    const struct policy_limit **charge_limits; /* by use */
    size_t *charge_rules; /* by use: the rule that named the limit */
    const struct policy_limit *exceeded;
    size_t exceeded_rule;
    struct action trouble; /* the final action when limits cannot be decided: `trouble = defer` */
    char once[HASH_HEX_LEN + 1];
    uint64_t started_ms;
    struct answer_key key;
    bool is_remembered; /* `key` is to be answered */
    bool is_degraded;
    struct store_tx_write record;
    struct transaction_key record_key, record_early;
    struct transaction transaction;
    struct buf reply;
    char reference[REFERENCE_LEN + 1]; /* empty until inquiry_reference() */
    inquiry_done *done; /* NULL: nobody wants to know, or not yet */
    void *owner;
    bool is_explained; /* without effects; then: */
    void (*explained)(void *arg, const struct decided *decided);
};

/* ---- inquiry.c ---- */

/* Adds to a metric, unless the inquiry is without effects. */
void inquiry_count(const struct inquiry *inquiry, metric_id series, uint64_t n);
/* From the loop: something that was waited for has come. True: it is decided, and gone. */
bool inquiry_step(struct inquiry *inquiry);
/* The `ready` of its evaluations. */
void inquiry_facts_ready(struct evaluation *evaluation);
/* What `trouble = defer` of this rule asks for. True: it went on to another phase. */
bool inquiry_refuse_for_trouble(struct inquiry *inquiry, size_t rule);

/* ---- phases: true, it went on to another phase; false, it waits for inquiry_step() ---- */

bool inquiry_greylist_phase(struct inquiry *inquiry);
bool inquiry_greylisted_phase(struct inquiry *inquiry);
bool inquiry_charge_phase(struct inquiry *inquiry);
bool inquiry_charged_phase(struct inquiry *inquiry);
bool inquiry_over_phase(struct inquiry *inquiry);
bool inquiry_record_phase(struct inquiry *inquiry);
bool inquiry_recorded_phase(struct inquiry *inquiry);
bool inquiry_refused_phase(struct inquiry *inquiry);
bool inquiry_counted_phase(struct inquiry *inquiry);

/* ---- inquiry_record.c ---- */

/* What is to be recorded now that the mail is not refused, but for charges; NULL: nothing. */
const struct store_record *inquiry_record(struct inquiry *inquiry);

/* ---- inquiry_end.c ---- */

/* Empty: none. `spoken`: verdict_spoken(). */
struct slice inquiry_rule_that_spoke(const struct inquiry *inquiry, const struct action *spoken);
/* The reference of this decision, made when it is first asked for. */
struct slice inquiry_reference(struct inquiry *inquiry);

/* Makes the reply and tells everybody but the owner. */
void inquiry_finish(struct inquiry *inquiry);

#endif
