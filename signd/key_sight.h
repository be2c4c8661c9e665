/* signd/key_sight.h - whether the records of keys can be seen: each configured resolver is asked, past any cache. On the main
 * worker's thread.
 *
 *     key_sight_begin() -> key_sight_add(), each key -> key_sight_ask() -> key_sight_of(), each key -> key_sight_end() */
#ifndef GATEHOUSE_SIGND_KEY_SIGHT_H
#define GATEHOUSE_SIGND_KEY_SIGHT_H

#include "common/config/param.h"
#include "common/dkim/published.h"

struct key_sight; /* opaque */
struct worker;

enum {
    KEY_SIGHT_MAX = 1000, /* keys of one look */
    KEY_SIGHTING_TEXT_MAX = 200, /* bytes that key_sighting_print() may need */
};

/* `resolvers`: none of them: those of `resolv_conf` (NULL: /etc/resolv.conf); borrowed for the call. NULL: out of memory. */
struct key_sight *key_sight_new(struct worker *worker, const struct conf_list *resolvers,
                                const char *resolv_conf);
void key_sight_free(struct key_sight **sight); /* ends what is under way; NULL-safe; clears */

/* A look begins; what it needs is in `arena`, which must live until key_sight_end(). False: out of memory. */
bool key_sight_begin(struct key_sight *sight, struct arena *arena);
/* Texts and key are borrowed until the end. Beyond KEY_SIGHT_MAX a key is left out. False: out of memory. */
bool key_sight_add(struct key_sight *sight, struct slice domain, struct slice selector,
                   const struct dkim_key *key);

enum key_sight_start {
    KEY_SIGHT_FAILED, /* no resolver can be asked */
    KEY_SIGHT_ASKED, /* `done` will run, once, when all have answered */
    KEY_SIGHT_DONE, /* nothing had to be waited for; `done` does not run */
};
enum key_sight_start key_sight_ask(struct key_sight *sight, uint64_t timeout_ms,
                                   void (*done)(void *arg), void *arg);

/* What all resolvers together say of a key's record. */
struct key_sighting {
    struct dkim_published published;
    /* Whose word that is, when there is a problem ("127.0.0.1@53"); empty: nobody's. Lives as long as the key_sight. */
    struct slice resolver;
};
/* After the answers. One resolver that does not show the record, or another one, is enough to say that it cannot be seen. Unknown:
 * it was not among those asked for. */
struct key_sighting key_sight_of(const struct key_sight *sight, struct slice domain,
                                 struct slice selector);
/* "127.0.0.1@53: there is no such name in the DNS"; nothing where there is no problem. */
void key_sighting_print(const struct key_sighting *sighting, struct buf *out);
void key_sight_end(struct key_sight *sight); /* stops what is under way */

#endif
