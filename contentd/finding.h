/* contentd/finding.h - what one scanner said about one message. Pure data; texts live in the scan's arena. When every
 * recipient was refused by itself, the finding is REJECT (or TEMPFAIL, if one of them was only deferred). */
#ifndef GATEHOUSE_CONTENTD_FINDING_H
#define GATEHOUSE_CONTENTD_FINDING_H

#include "common/mail/reply.h"
#include "common/milter/edits.h"

/* In the order of the words of the fact NAME.result. */
enum finding_result {
    FINDING_NONE, /* not asked: not in the chain, or skipped by a rule: the fact is `none` */
    FINDING_CLEAN, /* a whole answer, and nothing was found */
    FINDING_VIRUS, /* malware; `virus` is its name */
    FINDING_SPAM, /* the scanner itself calls it spam */
    FINDING_REJECT, /* a milter or rspamd wants it refused: `reply` */
    FINDING_TEMPFAIL, /* ... deferred */
    FINDING_DISCARD, /* ... thrown away */
    FINDING_OVERSIZE, /* larger than the scanner takes: its `oversize` setting decides */
    FINDING_TROUBLE, /* no answer to rely on: down, late, cut, garbled; `error` says why: its `trouble` setting decides */
    FINDING_CANCELLED, /* no longer needed: another finding decided */
    FINDING_RESULTS
};
extern const char *const finding_words[FINDING_RESULTS + 1];

/* What a scanner said about one recipient alone (a milter's answer to RCPT): that one is refused or deferred, whatever the
 * finding says of the message. */
struct finding_recipient {
    size_t index; /* in message->recipients */
    enum finding_result result; /* FINDING_REJECT or FINDING_TEMPFAIL */
    struct reply reply; /* code 0: nothing was said */
};

struct finding {
    enum finding_result result;
    struct slice virus; /* name of the malware; absent: none */
    bool has_score;
    double score, required; /* as the scanner counts; not yet multiplied with its weight */
    struct slice symbols; /* rspamd, spamd: tests that hit, "A(1.5), B" ; absent: none */
    struct slice report; /* spamd's text, bounded */
    struct slice subject; /* wants the subject changed to this; absent: no */
    struct reply reply; /* REJECT, TEMPFAIL: what the scanner said; code 0: nothing */
    struct edits edits; /* header fields and recipients it wants changed (rspamd, milter, ICAP) */
    /* A milter's SMFIR_QUARANTINE, rspamd's quarantine action; `reply.text`: reason. */
    bool wants_quarantine;
    struct finding_recipient *recipients; /* in the arena, by rising index; NULL: none */
    size_t recipient_count;
    struct slice error; /* TROUBLE: one line: which address, what happened */
    uint64_t ms; /* how long it took */
};

#endif
