/* common/policy/kind.h - what a daemon with rules puts in force, the data of its snapshots: made when the file is read, and
 * again, of the same parts and some new ones, when what is live has changed (live.h). A daemon says of what its own are made.
 *
 *     static const struct policy_kind policyd_kind = {
 *         .data_size = sizeof(struct policy), // begins with a struct policy_parts, which begins with a struct policy_core
 *         .parts_size = sizeof(struct policy_parts),
 *         .book_offset = offsetof(struct policy, book),
 *         .load = load_parts, .share = share_parts, .drop = drop_parts, .build = build, .unbuild = unbuild, .watch = watch,
 *     }; */
#ifndef GATEHOUSE_POLICY_KIND_H
#define GATEHOUSE_POLICY_KIND_H

#include "common/policy/rule_book.h"

struct live;

struct policy_kind {
    size_t data_size;
    size_t parts_size;
    size_t book_offset; /* of the struct rule_book in the data */
    /* From the file: policy_core_load(), and the parts of its own; `parts` is zeroed. What is live is taken over from
     * load->previous. Mistakes are reported. False: out of memory. */
    bool (*load)(void *parts, const struct daemon_load *load);
    void (*share)(void *parts); /* takes one reference more of each part of its own */
    void (*drop)(void *parts); /* gives them back; of what is zeroed, too */
    /* The data, zeroed but for its parts: compiles them. Mistakes are reported as `hearers` says. False: out of memory. */
    bool (*build)(void *data, const struct rule_hearers *hearers);
    void (*unbuild)(
        void *data); /* frees what build() has made, perhaps not all of it; not the parts */
    /* Optional: calls live_watch() for each hash beside gh:rule and those of the lists and maps, which are watched
     * anyway. Called again after each reload. False: out of memory. */
    bool (*watch)(struct live *live, const void *data);
};

/* For daemon_spec's load: NULL: out of memory, reported. Main thread; reads files. */
void *policy_kind_load(const struct policy_kind *kind, const struct daemon_load *load);
/* Of these parts, which are moved (also on failure). NULL: out of memory. */
void *policy_kind_make(const struct policy_kind *kind, void *parts,
                       const struct rule_hearers *hearers);
void policy_kind_free(const struct policy_kind *kind, void *data); /* NULL-safe; any thread */

/* The parts of the data once more, to change some and make others of them. False: out of memory, nothing to drop. */
bool policy_kind_copy(const struct policy_kind *kind, const void *data, void *parts);
void policy_kind_drop(const struct policy_kind *kind, void *parts); /* leaves them zeroed */

const struct rule_book *policy_kind_book(const struct policy_kind *kind, const void *data);

#endif
