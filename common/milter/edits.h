/* common/milter/edits.h - what is to be changed in a message: a list of edits, made by scanners, rules and verdicts, and
 * carried out at the end of the message by milter.c, or on a copy by whoever writes one. Pure. */
#ifndef GATEHOUSE_MILTER_EDITS_H
#define GATEHOUSE_MILTER_EDITS_H

#include "common/base/arena.h"

enum edit_kind {
    EDIT_ADD_HEADER, /* at the end of the header section */
    EDIT_INSERT_HEADER, /* `index`: how many fields stand before it; 0: first */
    EDIT_CHANGE_HEADER, /* the `index`-th (from 1) field of this name; an absent value removes it */
    EDIT_ADD_RECIPIENT, /* text: the address */
    EDIT_REMOVE_RECIPIENT,
    EDIT_CHANGE_SENDER,
    EDIT_REPLACE_BODY, /* text */
    EDIT_HOLD, /* text: reason; the MTA keeps the message in its hold queue */
};
enum { EDIT_KINDS = EDIT_HOLD + 1 };
extern const char *const edit_kind_words[EDIT_KINDS]; /* what is done: "remove a recipient" */

struct edit {
    enum edit_kind kind;
    struct slice name; /* header fields */
    struct slice text; /* value (folds as "\n" and a blank), address, body, reason */
    size_t index;
    struct edit *next;
};

struct edits {
    struct edit *first, **last; /* in the order to carry out */
    size_t count;
};

void edits_init(struct edits *edits);
/* Appends a copy whose texts are copied into `arena`. False: out of memory, or over EDITS_MAX: all recipients of a message may be
 * removed, others come for each of them, and all its header fields go. */
enum { EDITS_MAX = 160000 };
bool edits_add(struct edits *edits, struct arena *arena, const struct edit *edit);

bool edit_equal(const struct edit *a, const struct edit *b); /* the same change */

/* A header field that we make: NUL and CR dropped, line ends only before a blank, printable or UTF-8; longer lines
 * folded at blanks near 78 columns (RFC 5322 2.1.1). In `arena`; absent: out of memory. */
struct slice header_value_make(struct arena *arena, struct slice text);

#endif
