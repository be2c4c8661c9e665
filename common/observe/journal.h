/* common/observe/journal.h - systemd's journal; journal.c alone includes its header. */
#ifndef GATEHOUSE_OBSERVE_JOURNAL_H
#define GATEHOUSE_OBSERVE_JOURNAL_H

#include "common/base/slice.h"

/* One entry. `priority` as syslog's (3 error to 7 debug); `fields` are more fields, `NAME=value` one after the other, each
 * ended by a NUL. May block as long as journald does. 0, or -1. */
int journal_write(const char *identity, int priority, struct slice message, struct slice fields);

#endif
