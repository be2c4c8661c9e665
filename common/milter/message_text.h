/* common/milter/message_text.h - a message's header section as text, cut into fields. */
#ifndef GATEHOUSE_MILTER_MESSAGE_TEXT_H
#define GATEHOUSE_MILTER_MESSAGE_TEXT_H

#include "common/milter/message.h"

/* Adds the fields at the beginning of *text, lines ended by LF or CRLF, up to the blank line or the end; *text is what follows. A
 * line that is no field becomes one without a value. For a message whose values begin with what stood after the colon. */
enum message_fill message_add_text(struct message *message, struct slice *text);

#endif
