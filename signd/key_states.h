/* signd/key_states.h - in what state each key is, as far as this host knows; what signing goes by. It is what the store said last
 * (gh:dkim), and it is kept in a file, so that neither a start nor a store that has lost everything makes a key sign that nobody can
 * look up yet, or any more:
 *
 *   - What the store says of a key counts. What it said before counts on when it says nothing of that key any more (it has been
 *     emptied; the memory store begins empty): it is said to the store again, see key_cycle.h.
 *   - A key of which nothing was ever said is active, but only once the store has been asked after its file was seen: who makes a
 *     key says first that it is to wait.
 *   - What is known of a key whose file is gone, and of which the store says nothing, is forgotten.
 *
 * The main thread changes it, any thread takes it. */
#ifndef GATEHOUSE_SIGND_KEY_STATES_H
#define GATEHOUSE_SIGND_KEY_STATES_H

#include "common/base/shared.h"
#include "signd/key_ring.h"

struct key_states; /* opaque */

/* `path`: the file, copied; it need not be there. NULL: out of memory, or a file that cannot be read to its end or understood, which
 * is logged: nobody could say then which keys may sign. */
struct key_states *key_states_new(const char *path);
void key_states_free(struct key_states **states); /* NULL-safe; clears *states */

/* A struct key_lives; any thread. The caller has a reference. */
struct shared *key_states_take(struct key_states *states);

/* ---- the main thread ---- */

struct key_states_input {
    struct shared *files; /* struct key_set; NULL: not read yet */
    struct shared *said; /* struct key_lives: all that the store said; NULL: nothing yet */
    uint64_t said_number; /* live_reads() of that; 0: nothing yet */
    uint64_t reads; /* live_reads() now */
};
/* Looks at what may have changed; writes the file when something has. True: the store has to be
 * asked (live_again()): it has said nothing yet, or not since a key appeared. */
bool key_states_look(struct key_states *states, const struct key_states_input *input);
/* The store has been asked and does not know a state that is not `active`: it is to be told. */
bool key_states_are_lost(const struct key_states *states);
/* NULL; or why the file could not be written, in one line. */
const char *key_states_error(const struct key_states *states);

#endif
