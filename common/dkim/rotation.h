/* common/dkim/rotation.h - the life of a key: pending -> seen in the DNS -> active -> retiring -> retired. Its state is
 * shared by all hosts, in the hash `gh:dkim`: DOMAIN/SELECTOR -> "STATE since=UNIX_SECONDS by=WHO note=...". A key that is not
 * named there is active: whoever puts a file into the directory wants it used. Pure.
 *
 *   pending    made, not used; its record is being waited for
 *   seen       its record is visible on all resolvers; not used yet, for caches elsewhere may still say that there is none
 *   active     signs
 *   retiring   does not sign any more; its record must stay, for mail under way
 *   retired    its record and its file may be removed */
#ifndef GATEHOUSE_DKIM_ROTATION_H
#define GATEHOUSE_DKIM_ROTATION_H

#include "common/base/buf.h"
#include "common/dkim/key.h"

/* In the order of the words. */
enum dkim_state { DKIM_PENDING, DKIM_SEEN, DKIM_ACTIVE, DKIM_RETIRING, DKIM_RETIRED };
extern const char *const dkim_state_words[];

struct dkim_life {
    enum dkim_state state;
    uint64_t since_s; /* Unix time; 0: not known */
    struct slice by, note; /* absent: not given */
};

/* A field of the hash. False, with a constant text in *error. Borrows from `text`. */
bool dkim_life_parse(struct slice text, struct dkim_life *out, const char **error);
int dkim_life_print(struct buf *out, const struct dkim_life *life); /* -1: the buffer is full */

/* "example.com/sel", the name of a field: false when it is none. Borrows. */
bool dkim_life_name(struct slice field, struct slice *domain, struct slice *selector);

/* What is known of a key's record when its life is looked at; in the order of the words. */
enum dkim_visibility {
    DKIM_VISIBILITY_UNKNOWN, /* a resolver gave no answer, or nobody has asked */
    DKIM_VISIBLE, /* all resolvers give a record that fits the key */
    DKIM_NOT_VISIBLE, /* a resolver says that there is none */
    DKIM_OTHER_VISIBLE, /* a resolver gives something that does not fit the key */
    DKIM_VISIBILITIES
};
extern const char *const dkim_visibility_words[]; /* unknown, good, missing, differs */

struct dkim_rotating {
    struct slice domain, selector;
    enum dkim_key_type type;
    enum dkim_state state;
    uint64_t since_s;
    enum dkim_visibility visibility;
    /* out */
    bool changes;
    enum dkim_state next;
};

struct dkim_rotation {
    uint64_t activate_after_s; /* seen so long */
    uint64_t retire_after_s; /* retiring so long */
};

/* Sets `changes` and `next` of each key whose time has come. When a key becomes active, the active ones of the same domain and
 * type retire. Any host may do it: all come to the same. */
void dkim_rotate(struct dkim_rotating *keys, size_t count, const struct dkim_rotation *rotation,
                 uint64_t now_s);

#endif
