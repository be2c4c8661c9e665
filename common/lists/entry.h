/* common/lists/entry.h - one entry of a list: what it names, in its one spelling; and the entries that could name a
 * subject. Inside common/lists only; list.h has the words. */
#ifndef GATEHOUSE_LISTS_ENTRY_H
#define GATEHOUSE_LISTS_ENTRY_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/mail/address.h"
#include "common/rules/value.h"

#define ENTRY_MAX ADDRESS_MAX /* bytes, without `!` */
#define ENTRY_ERROR_MAX (IPNET_ERROR_MAX + 16)

/* Bits, so that several fit into a set. */
enum entry_kind {
    ENTRY_NAME = 1 << 0, /* a mailbox, a domain, a word */
    ENTRY_AT = 1 << 1, /* @domain */
    ENTRY_BELOW = 1 << 2, /* .domain */
    ENTRY_NET = 1 << 3,
};

struct entry {
    enum entry_kind kind;
    bool excluded;
    struct slice name; /* normalised, without `!`, `@`, `.`; absent for a network */
    struct ipnet net; /* ENTRY_NET */
};

/* True, or false with what is wrong in `error`. `name` is borrowed from `text` or from `arena`. */
bool entry_parse(struct slice text, struct arena *arena, struct entry *out,
                 char error[ENTRY_ERROR_MAX]);
int entry_print(struct buf *out, const struct entry *entry); /* 0, or -1 when the buffer is full */
char entry_sign(enum entry_kind kind); /* what stands before the name: '@', '.', or 0 */

bool entry_has_control_byte(struct slice text);
bool entry_is_word(struct slice text); /* not spelt like a network, a `!`, `@` or `.` entry */

/* How specific a match is. Comparable for one subject only; between LEVEL_BELOW and LEVEL_DOMAIN: + the name's length. */
enum entry_level {
    LEVEL_BELOW = 1000, /* .domain */
    LEVEL_DOMAIN = 2000, /* domain, @domain */
    LEVEL_USER = 2500, /* user@ (maps) */
    LEVEL_BASE = 3000, /* a mailbox without its extension */
    LEVEL_EXACT = 4000,
};

/* One way in which names can match a subject. Specificities are comparable for one subject. */
struct candidate {
    struct slice name;
    unsigned kinds; /* set of entry_kind */
    unsigned specificity;
};

/* A mailbox: itself, without extension, its domain, then .domain and its parents. Of a domain with more labels than this
 * only the last so many are looked at: what a hostile sender can make us do is bounded. */
#define CANDIDATE_LABELS 32
#define CANDIDATES_MAX (3 + CANDIDATE_LABELS)

/* Most specific first; 0 for an address and an empty subject. They borrow from `subject` and `scratch`. */
size_t candidates_of(const struct value *subject, struct candidate out[CANDIDATES_MAX],
                     char scratch[ENTRY_MAX]);

unsigned net_specificity(const struct ipnet *net);

#endif
