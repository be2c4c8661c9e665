/* common/observe/log_text.h - the pure half of the log: escaping and the fields of a decision. Functions return 0, or -1
 * when the buffer is full. */
#ifndef GATEHOUSE_OBSERVE_LOG_TEXT_H
#define GATEHOUSE_OBSERVE_LOG_TEXT_H

#include "common/observe/log.h"

/* A whole line: printable ASCII stays, all else becomes \xNN; what is beyond LOG_LINE_MAX is cut, ending in `...`. */
int log_put_line(struct buf *out, struct slice text);

/* The fields of a decision for the journal: GATEHOUSE_QUEUE_ID=..., each ended by a NUL. */
int decision_fields(struct buf *out, const struct decision *decision, enum log_addresses addresses);

#endif
