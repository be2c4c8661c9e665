/* contentd/parties.h - the recipients of one message, those who are dealt with alike together: a party has one chain, and what
 * rules say of one member they say of all. When rules name the recipient, everybody is a party. On a worker's thread. */
#ifndef GATEHOUSE_CONTENTD_PARTIES_H
#define GATEHOUSE_CONTENTD_PARTIES_H

#include "common/run/op.h"
#include "contentd/facts/provider.h"

struct party {
    const struct chain *chain;
    size_t first, count; /* recipients: the first, and how many */
    struct rule_outcome outcome; /* of all stages so far */
    /* What shadow rules would have done, and rules in trouble, at the last stage; copies. */
    struct verdict said;
    /* Of the last stage, with its values, when rules are explained; NULL: none ran. */
    struct trace *trace;
    struct recipient_verdict verdict; /* made by whoever has the parties */
    const struct recipient_verdict *common; /* one object of all parties with the same verdict */
};

struct parties {
    struct party *parties;
    size_t count;
    size_t *party_of; /* by recipient */
};

/* In `arena`. False: out of memory. */
bool parties_make(struct parties *out, const struct setup *setup, const struct message *message,
                  uint64_t wall_ms, struct arena *arena);

/* Rules at one stage, for one party after the other; the loop is given time between many. */
struct party_rules {
    struct op breath; /* first member */
    struct worker *worker;
    struct parties *parties;
    enum stage stage;
    struct arena *arena; /* of the outcomes */
    struct fact_subject subject; /* what is the same for all */
    struct store *store;
    /* The score that a party's scores begin with; NULL: 0. */
    double (*base)(void *owner, const struct party *party);
    /* From the loop; unless party_rules_start() said that it is done already. `ok` false: out of memory. */
    void (*done)(void *owner, bool ok);
    void *owner;
    bool is_explained; /* nothing is counted, and each party gets its trace */
    /* private */
    struct arena *scratch; /* of one party's evaluation */
    struct lookups lookups;
    struct evaluation evaluation;
    size_t next;
    double base_score;
    bool failed, is_late, is_running;
};

/* All members down to `owner` set, the rest zeroed. True: it is done, `failed` says how; false: `done` will be called. */
bool party_rules_start(struct party_rules *rules);
/* The budget is over: what is missing is unknown. */
void party_rules_late(struct party_rules *rules);
void party_rules_end(struct party_rules *rules); /* stops without `done`, and frees; idempotent */

#endif
