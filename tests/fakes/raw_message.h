/* tests/fakes/raw_message.h - a message made of its text, as an MTA would hand it over. */
#ifndef GATEHOUSE_FAKE_RAW_MESSAGE_H
#define GATEHOUSE_FAKE_RAW_MESSAGE_H

#include "common/milter/message.h"

/* Header fields (any line ends, folds kept), a blank line, the body as it is; values keep the blank after the colon. The
 * message is whole. NULL: out of memory. */
struct message *raw_message(struct slice text);

#endif
