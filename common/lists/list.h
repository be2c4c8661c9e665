/* common/lists/list.h - allow and block lists: built once, then immutable and shared by all threads.
 *
 * An entry is one of
 *     192.0.2.1  192.0.2.0/24  2001:db8::/32    an address, a network
 *     example.com                               that domain; for a mailbox: any in it
 *     .example.com                              that domain and everything below
 *     user@example.com                          that mailbox, with any +extension; user+ext@example.com: only so
 *     @example.com                              every mailbox in that domain
 *     KP  alice                                 a word: a country code, a login, a fingerprint
 * and with a `!` before it excludes what it names. What may follow: `until=UNIX_SECONDS by=WHO note=TEXT` (see
 * common/live/tail.h). Case of ASCII letters never matters; domains are A-labels (common/mail/address.h).
 *
 * The most specific entry decides: longest prefix; mailbox, mailbox without +extension, its domain, then `.domain`, the
 * nearest parent first (of a domain with more than 32 labels the last 32). One that has expired is passed over, so the next
 * less specific one decides. Between two of equal specificity `!` wins. */
#ifndef GATEHOUSE_LISTS_LIST_H
#define GATEHOUSE_LISTS_LIST_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/rules/value.h"

#define LIST_DELIMITERS "+" /* what begins the extension of a local part */

struct list; /* opaque */
struct list_builder; /* opaque */

/* What a lookup found. The slices are borrowed from the list (from the fields, after list_match_fields()). */
struct list_match {
    bool found; /* some entry decides; without one all else is empty */
    bool excluded; /* it is a `!` entry */
    unsigned specificity; /* comparable for one subject only */
    struct slice entry; /* normalised, without `!`; absent when `net` is set */
    struct ipnet net;
    uint64_t until_s; /* 0: no end */
    struct slice by, note;
};

/* ---- building ---- */

/* At most `max_entries` (the number that fits into 31 bits at most) are taken. NULL: out of memory. */
struct list_builder *list_builder_new(size_t max_entries);
void list_builder_free(struct list_builder **builder); /* NULL-safe; clears *builder */

/* Adds an entry as above, with the text that follows it (absent or empty: nothing), as a field of a live list and its
 * value have them. NULL when it was added, or else what is wrong with it (valid until the next call); *in_tail, which may
 * be NULL, then says whether it is in the text that follows. An entry given twice lasts as long as the longer one. */
const char *list_builder_add(struct list_builder *builder, struct slice entry, struct slice tail,
                             bool *in_tail);

/* Adds a line of a file: `entry`, `entry until=... note=...` or `entry # comment` (kept as its note). Empty lines and
 * those that begin with `#` add nothing. *offset is where in the line the mistake is, in bytes. */
const char *list_builder_add_line(struct list_builder *builder, struct slice line, size_t *offset);

/* True when max_entries are in, and no more will be. */
bool list_builder_is_full(const struct list_builder *builder);

/* The list; the builder is gone in any case. NULL: out of memory. */
struct list *list_builder_finish(struct list_builder **builder);

/* The one spelling of an entry, `!` included: as gatectl writes it and list_fields() looks for it. Absent, with what is
 * wrong in *error (constant, or in `arena`), for a bad entry. */
struct slice list_entry_normalise(struct slice entry, struct arena *arena, const char **error);

/* ---- looking up; thread-safe ---- */

struct list *list_share(struct list *list); /* one more owner */
void list_free(struct list **list); /* one owner less, the last frees; NULL-safe; clears *list */

/* Whether and how `subject` (normalised, see value.h; an empty one is in no list) is listed: true when an entry decides,
 * and *out says which and how; else *out says `found` false. NULL is an empty list. A network is listed when an entry
 * contains all of it. Texts and words are compared as a whole. Takes no memory. */
bool list_lookup(const struct list *list, const struct value *subject, uint64_t wall_ms,
                 struct list_match *out);
size_t list_count(const struct list *list); /* entries; 0 for NULL */
size_t list_networks(const struct list *list); /* of these, addresses and networks */
size_t list_memory(const struct list *list); /* bytes */

/* Which of a file's match and a live list's decides: the more specific one; at equal specificity the live one. */
const struct list_match *list_pick(const struct list_match *file, const struct list_match *live);
bool list_match_is_member(const struct list_match *match); /* found and not excluded */
int list_match_print(struct buf *out, const struct list_match *match); /* "!192.0.2.0/24" */

/* ---- lists that are not held here but asked for per request (`list:allow/{recipient}`) ---- */

/* The fields of the live list that could decide about `subject`, most specific first, `!` before plain, in `arena`. For
 * an address: the networks around it, as list_entry_normalise() spells them: of IPv4 the lengths 32 to 8, of IPv6 128,
 * 112, 96, 80, 64, then every fourth and 29 down to 16. 0 when there is nothing to ask for, SIZE_MAX when out of memory. */
size_t list_fields(const struct value *subject, struct arena *arena, const struct slice **fields);

/* Decides from the texts of these fields (same order; absent: not there). A text that does not parse is passed over;
 * *bad (may be NULL) is the index of the first such, or SIZE_MAX. */
bool list_match_fields(const struct value *subject, const struct slice *fields,
                       const struct slice *texts, size_t count, uint64_t wall_ms,
                       struct list_match *out, size_t *bad);

#endif
