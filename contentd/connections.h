/* contentd/connections.h - connections at the same time: each is counted for its address, its network, the lists of clients that
 * rules name, and for all, over all hosts with the same store, from connect to disconnect (store.h: leases).
 * connection_lease_open() is for a thread of the milter's; the store is asked on the worker. */
#ifndef GATEHOUSE_CONTENTD_CONNECTIONS_H
#define GATEHOUSE_CONTENTD_CONNECTIONS_H

#include "contentd/facts/provider.h"

struct connection_lease; /* opaque: one connection that counts */

/* Counts the connection and waits, for as long as the store may take (100 ms), for how many there are. The lists of `setup` whose
 * clients are counted are asked now whether this is one. NULL, with *counts not known: it is no SMTP client, or memory is out.
 * Without an answer *counts is not known, yet the connection counts. *counts borrows from the lease. */
struct connection_lease *connection_lease_open(struct worker *worker, const struct setup *setup,
                                               const struct message_client *client,
                                               struct connection_counts *counts);
void connection_lease_close(struct connection_lease **lease); /* NULL-safe; clears *lease */

#endif
