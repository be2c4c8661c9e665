/* contentd/verdict.h - what becomes of a message for one recipient: what the rules said of it and what the scanners of
 * its chain found, made into one verdict. Pure: no I/O, no clock; all texts in the arena given.
 *
 * In this order, the first that applies:
 *   0. more than FORGED_MAX header fields that only we may make: the message is refused, for taking them out one by one would
 *      keep the MTA busy for minutes;
 *   1. a rule's reject, tempfail, discard or quarantine;
 *   2. in the chain's order: malware (the chain's `virus`), a scanner's own reject or discard;
 *   3. the score reaches `reject`;
 *   4. in the chain's order: a scanner's own tempfail, or one that could not scan and whose `trouble` or `oversize` says
 *      tempfail;
 *   5. in the chain's order: a scanner that wants the message in quarantine, or could not scan and says quarantine; then the
 *      score reaches `quarantine`;
 *   6. it is delivered: with the edits of the scanners, ours and the rules', and tagged if the score reaches `tag`, or a rule
 *      says so.
 * The score is the sum of what the scanners of the chain gave, times their weights, and of the rules' `score`. After a rule's
 * accept or redirect no score counts; malware and trouble do. A scanner of the chain that has no finding (and that no rule has
 * skipped) counts as one in trouble: a missing answer is never "clean". */
#ifndef GATEHOUSE_CONTENTD_VERDICT_H
#define GATEHOUSE_CONTENTD_VERDICT_H

#include "contentd/chain.h"
#include "contentd/scanners/scanner.h"

/* What the rules said about one recipient, at all stages so far; see actions.h. Zeroed: nothing, once edits_init() has
 * been called. */
struct rule_outcome {
    enum rule_final {
        RULES_SILENT,
        RULES_ACCEPT, /* with or without `redirect` */
        RULES_QUARANTINE,
        RULES_DISCARD,
        RULES_TEMPFAIL,
        RULES_REJECT
    } final;
    struct slice rule; /* that was final; absent: none was */
    struct slice reason; /* its text: for the log and the quarantine */
    struct reply reply; /* of a refusal */
    struct slice redirect; /* goes there instead; absent: no */
    bool is_tagged;
    struct slice subject_prefix; /* of a rule's tag; absent: the chain's */
    double score;
    scanner_set skipped; /* what these find counts for nothing */
    struct slice warning; /* for the decision line; absent: none */
    struct edits edits;
};

/* What decided; in the order of the words. */
enum verdict_source {
    BY_NOTHING, /* delivered, nothing said otherwise */
    BY_RULE,
    BY_VIRUS,
    BY_SCANNER, /* said so itself */
    BY_SCORE,
    BY_TROUBLE,
    BY_OVERSIZE,
    BY_FORGED, /* too many header fields that only we may make */
    VERDICT_SOURCES
};
extern const char *const verdict_source_words[VERDICT_SOURCES + 1];

struct recipient_verdict {
    enum verdict_kind kind;
    enum verdict_source source;
    struct slice by; /* the scanner or rule that decided; empty: nothing did, or the score */
    /* One line for log and quarantine: "Eicar-Test-Signature", "score 12.5"; may be empty. */
    struct slice reason;
    struct reply reply; /* TEMPFAIL and REJECT: with a code and text, not yet escaped */
    bool is_tagged;
    double score;
    struct slice redirect; /* DELIVER: goes there instead; absent: no */
    /* What is to be changed in a message that is delivered now, or later from the quarantine. Recipients: as the scanners
     * of the chain want them. */
    struct edits edits;
};

enum { HEADERS_OURS = 8, FORGED_MAX = 1000 };

struct verdict_input {
    const struct scanner *scanners; /* all of the configuration */
    size_t scanner_count; /* at most SCANNERS_MAX */
    const struct finding *findings; /* one for each scanner */
    const struct message *message;
    /* It is from outside: fields that only we may make are removed, see headers.h. */
    bool removes_forged;
    /* Of the names that only we may use, headers.h, how many fields the message has of each; NULL: to be counted. */
    const size_t *ours;
    struct slice hostname; /* in the header fields */
    struct arena *arena;
};

/* False: out of memory, or more edits than EDITS_MAX. `rules` may be NULL: none. */
bool verdict_make(const struct verdict_input *input, const struct chain *chain,
                  const struct rule_outcome *rules, struct recipient_verdict *out);

/* The verdict for the n-th recipient of the message, when a scanner of the chain refuses that one alone: *out is then another
 * than `common`, that of the chain, and the result true. A rule's decision stays, and so does a refusal. */
bool verdict_make_own(const struct verdict_input *input, const struct chain *chain,
                      const struct rule_outcome *rules, const struct recipient_verdict *common,
                      size_t n, struct recipient_verdict *out);

/* What the scanners of the chain gave, times their weights; without those skipped. */
double verdict_scanner_score(const struct verdict_input *input, const struct chain *chain,
                             scanner_set skipped);

/* Which scanners this chain still waits for, given what has been found so far (FINDING_NONE: not yet): all of the chain that
 * have no finding, but none of lower priority than one that is decisive, and none at all after a rule's decision. Those in
 * `wanted` (rules ask for what they find) are waited for whatever the others say. `rules` may be NULL. */
scanner_set verdict_awaits(const struct verdict_input *input, const struct chain *chain,
                           const struct rule_outcome *rules, scanner_set wanted);

#endif
