/* common/live/entry.h - subjects of limits and classes as a person types them, in the spelling in which they are looked
 * up: mailboxes and domains in lower case with A-labels, addresses and networks in their shortest form. Pure. (Entries of
 * lists and keys of maps: list_entry_normalise(), map_key_normalise().) */
#ifndef GATEHOUSE_LIVE_ENTRY_H
#define GATEHOUSE_LIVE_ENTRY_H

#include "common/base/arena.h"

struct live_entry_error {
    size_t offset;
    char text[160];
};

/* All: false, with *error, when it is none; *stored lies in `arena` or borrows from `typed`. */

/* example.com */
bool live_domain(struct slice typed, struct arena *arena, struct slice *stored,
                 struct live_entry_error *error);
/* The value of a limit's key, its parts separated by commas: mailboxes, logins, domains, addresses (an IPv6 address
 * stands for its /64, as a key does), networks. */
bool live_key_value(struct slice typed, struct arena *arena, struct slice *stored,
                    struct live_entry_error *error);
/* user@example.com, a login, @example.com, an address or network */
bool live_class_member(struct slice typed, struct arena *arena, struct slice *stored,
                       struct live_entry_error *error);

#endif
