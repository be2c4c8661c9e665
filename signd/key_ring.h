/* signd/key_ring.h - which keys sign mail of a From domain: the files (key_set.h), what state each key is in (key_states.h), and
 * which domain's keys are used for which From domain. Immutable. Pure. */
#ifndef GATEHOUSE_SIGND_KEY_RING_H
#define GATEHOUSE_SIGND_KEY_RING_H

#include "common/dkim/key_set.h"
#include "common/dkim/rotation.h"
#include "common/policy/sets.h"

/* States of keys, as the hash gh:dkim has them, or as they are known here. */
struct key_lives; /* opaque */
struct key_lives_builder; /* opaque */
struct key_lives_builder *key_lives_builder_new(size_t fields); /* NULL: out of memory */
/* NULL, or a constant text: what is wrong with the field, which is left out. Texts are copied. */
const char *key_lives_add(struct key_lives_builder *builder, struct slice field, struct slice text);
/* The same, of a key whose name is good; `by` and `note` are not kept. */
const char *key_lives_put(struct key_lives_builder *builder, struct slice domain,
                          struct slice selector, const struct dkim_life *life);
/* Takes the builder. */
struct key_lives *key_lives_finish(struct key_lives_builder **builder);
void key_lives_free(void *lives); /* NULL-safe; for shared_new() */

/* What is said of one key; NULL: nothing (of none, when `lives` is NULL). */
const struct dkim_life *key_lives_find(const struct key_lives *lives, struct slice domain,
                                       struct slice selector);
/* All of them, by domain and selector. */
size_t key_lives_count(const struct key_lives *lives); /* 0 for NULL */
const struct dkim_life *key_lives_at(const struct key_lives *lives, size_t n, struct slice *domain,
                                     struct slice *selector);

struct key_ring {
    const struct key_set *files;
    const struct key_lives *lives; /* a key of which it says nothing is not used yet */
    /* From mailbox or domain -> the domain whose keys are used, or "none": it is not signed. NULL: nobody is assigned. */
    const struct named_map *assigned;
    /* Whose keys are used for mail of domains without; empty: it is not signed. */
    struct slice default_domain;
    bool use_parents; /* mail of a subdomain is signed with the keys of the domain above it */
    /* Optional: told of each domain whose keys are looked for, in this order, and why (a word: from, parent, assigned, default). */
    void (*looked)(void *arg, struct slice domain, const char *why);
    void *arg;
};

enum key_choice {
    KEYS_NONE, /* nobody has keys for it: it goes out as it is */
    KEYS_FOUND,
    KEYS_UNUSABLE, /* a key that is to sign cannot: mail must wait */
};

enum { KEYS_OF_A_MESSAGE_MAX = 8 };

struct chosen_keys {
    struct slice domain; /* d= */
    const struct key_file *keys[KEYS_OF_A_MESSAGE_MAX]; /* FOUND: each signs */
    size_t count;
    char reason[KEY_REASON_MAX + 96]; /* UNUSABLE: which key, and why, in one line */
};

/* `from`: the mailbox of the From field, in normal form. FOUND has at least one key. */
enum key_choice key_ring_choose(const struct key_ring *ring, struct slice from, uint64_t wall_ms,
                                struct chosen_keys *out);

#endif
