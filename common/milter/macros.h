/* common/milter/macros.h - the macros that the MTA tells before a command: they hold until that command, or an earlier one,
 * comes again. */
#ifndef GATEHOUSE_MILTER_MACROS_H
#define GATEHOUSE_MILTER_MACROS_H

#include "common/base/buf.h"
#include "common/milter/wire.h"

enum { MACROS_MAX = 64 << 10 }; /* bytes of one command's */

struct macros {
    struct buf texts[MILTER_PLACES]; /* name NUL value NUL ..., of the commands in their order */
    bool is_new[MILTER_PLACES]; /* their command is still to come */
};

void macros_init(struct macros *macros);
void macros_free(struct macros *macros); /* empty, usable again */

/* Data of a macro packet: the command it belongs to, then names and values; those of the same command before are gone. A
 * last name without a value is left out, those of a command without a place are all ignored. -1: too many, or out of
 * memory. */
int macros_take(struct macros *macros, struct slice data);
/* A command has come: what was told for one before it, or for later ones, is from an earlier message. */
void macros_begin(struct macros *macros, char command);

/* "j", "auth_type": with or without {}, in the latest stage that has it. Absent: nowhere. Valid until one of the above. */
struct slice macros_find(const struct macros *macros, struct slice name);

#endif
