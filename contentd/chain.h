/* contentd/chain.h - chains: which scanners a recipient's mail goes to, and what becomes of it for what they find; and
 * which recipient has which chain, by [apply] of the configuration and by the live gh:apply. Immutable, shared by all
 * workers. Pure. */
#ifndef GATEHOUSE_CONTENTD_CHAIN_H
#define GATEHOUSE_CONTENTD_CHAIN_H

#include "common/lists/map.h"
#include "common/mail/reply.h"

/* A set of scanners: bit n is the n-th [scanner] of the configuration. */
typedef uint64_t scanner_set;
enum { SCANNERS_MAX = 64, CHAINS_MAX = 10000 };
#define SCANNER_BIT(n) (UINT64_C(1) << (n))

/* What becomes of a message for one recipient, from the mildest to the severest. */
enum verdict_kind {
    VERDICT_DELIVER,
    VERDICT_QUARANTINE,
    VERDICT_DISCARD,
    VERDICT_TEMPFAIL,
    VERDICT_REJECT,
    VERDICT_KINDS
};
extern const char *const verdict_words[VERDICT_KINDS + 1]; /* deliver quarantine discard ... */

enum {
    CHAIN_VIRUS_HEADERS = 1 << 0, /* X-Virus-Scanned, X-Virus-Status */
    CHAIN_SPAM_HEADERS = 1 << 1, /* X-Spam-Flag, X-Spam-Score, X-Spam-Level, X-Spam-Status */
    CHAIN_REPORT_HEADER = 1 << 2, /* X-Spam-Report */
};

struct chain {
    struct slice name;
    const unsigned char *order; /* scanners by priority: the first names reply and headers */
    size_t count;
    scanner_set set; /* the same */
    enum verdict_kind virus; /* what becomes of malware; never VERDICT_DELIVER */
    struct reply virus_reply; /* as configured; code 0, no text: the default */
    double tag, quarantine, reject; /* scores from which on; HUGE_VAL: never */
    struct reply reject_reply; /* over `reject` */
    struct slice subject_prefix; /* of tagged mail; empty: the subject stays */
    /* What a scanner that gives a score says itself counts too: spam is tagged, what it refuses is refused. Without, only its
     * score counts. */
    bool obeys_scanners;
    unsigned headers; /* CHAIN_..._HEADERS */
};

/* The scanners of a chain in order:  for (size_t i = 0; i < chain->count; i++) ... chain->order[i] */

struct chain_set {
    const struct chain *chains;
    size_t count;
};
const struct chain *chain_find(const struct chain_set *set, struct slice name); /* NULL: none */

/* Who has which chain. Keys as in a map (common/lists/map.h), and `*`: the person, the person without +extension, `user@`,
 * `@domain`, `@.domain` and its parents, `*`; the value is the name of a chain. */
struct chain_apply {
    struct chain_set set;
    const struct map *file, *live; /* NULL: empty */
};

/* Why a recipient has a chain. */
struct chain_reason {
    bool is_live; /* gh:apply says so */
    struct slice
        key; /* the entry, as in a map: `gm@example.com`, `@example.com`, `*`; absent: none */
    uint64_t until_s; /* when it ends; 0: never */
};

/* `recipient` in normal form. The more specific entry counts; at equal specificity the live one. A live entry whose
 * chain does not exist, or that has expired, counts as not there. NULL: nobody has said. *why borrows from `apply`. */
const struct chain *chain_of(const struct chain_apply *apply, struct slice recipient,
                             uint64_t wall_ms, struct chain_reason *why);

/* NULL, or what is wrong with the value of a live entry (a constant text): it must be one chain that exists. */
const char *chain_check_name(const struct chain_set *set, struct slice name);

#endif
