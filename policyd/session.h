/* policyd/session.h - one connection from Postfix: read a request, have it decided, answer, read the next. Half-duplex:
 * while a request is being decided nothing is read. Everything on the worker's thread. */
#ifndef GATEHOUSE_POLICYD_SESSION_H
#define GATEHOUSE_POLICYD_SESSION_H

#include "policyd/server.h"

struct session; /* opaque; ends itself */

bool sessions_open(struct server *server); /* before the first one; false: out of memory */

/* Takes `fd`. Closes it when memory is out. */
void session_start(struct server *server, int fd);

/* Closes all that are idle; the others close when they have answered. */
void sessions_drain(struct server *server);
/* Closes all, at once. */
void sessions_close(struct server *server);

#endif
