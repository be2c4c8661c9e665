/* common/milter/callbacks.h - libmilter's side of the milter. For milter.c alone. */
#ifndef GATEHOUSE_MILTER_CALLBACKS_H
#define GATEHOUSE_MILTER_CALLBACKS_H

#include "common/milter/milter_private.h"

/* Once in a process. `shared` and `name` stay borrowed. -1: libmilter will not have it. */
int callbacks_register(const struct milter_shared *shared, const char *name,
                       uint64_t idle_timeout_ms);
/* Takes over this listening socket. -1: libmilter cannot use it. */
int callbacks_listen(int listen_fd);
/* Serves until libmilter gives up or takes a signal; 0: it took a signal, -1: it gave up. */
int callbacks_serve(void);
/* No callback touches anything from here on; waits for those that run. */
void callbacks_stop(void);

#endif
