/* policyd/decision_log.h - a decision as a log line and as an entry of the store's stream gh:log. */
#ifndef GATEHOUSE_POLICYD_DECISION_LOG_H
#define GATEHOUSE_POLICYD_DECISION_LOG_H

#include "policyd/inquiry.h"

/* Writes the line and hands it to the store; waits for neither. */
void decision_record(const struct decided *decided, struct store *store);

#endif
