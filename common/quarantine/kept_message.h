/* common/quarantine/kept_message.h - what a message itself says of what is written down about it. */
#ifndef GATEHOUSE_QUARANTINE_KEPT_MESSAGE_H
#define GATEHOUSE_QUARANTINE_KEPT_MESSAGE_H

#include "common/milter/message.h"
#include "common/quarantine/kept.h"

/* Everything; recipients: those for which `is_wanted[n]`, all when that is NULL. False: out of memory. */
bool kept_of_message(struct arena *arena, const struct message *message, const bool *is_wanted,
                     struct kept *out);
/* What a reader wants to see of the header fields, of hostile ones perhaps less: subject, from, message_id. False: out of memory. */
bool kept_take_header(struct arena *arena, const struct message *message, struct kept *out);

#endif
