/* common/quarantine/salvage.h - what can still be told of a kept message whose description is lost. */
#ifndef GATEHOUSE_QUARANTINE_SALVAGE_H
#define GATEHOUSE_QUARANTINE_SALVAGE_H

#include "common/quarantine/kept.h"

/* What is left of a description, if it is JSON at all; *out is emptied first. */
void salvage_description(struct arena *arena, struct slice text, struct kept *out);
/* Subject, From and Message-ID from the message itself, the file `name`, where the description does not have them. */
void salvage_message(struct arena *arena, int directory, const char *name, struct kept *kept);

#endif
