/* common/message/decision.h - what the line of a decision says of a message, whoever decides. */
#ifndef GATEHOUSE_MESSAGE_DECISION_H
#define GATEHOUSE_MESSAGE_DECISION_H

#include "common/milter/message.h"
#include "common/policy/decision.h"

/* Queue id, client, login, sender and recipient number `recipient` (empty when there is none); the rest is the caller's. Borrows
 * from both. */
struct decision message_decision(const struct message *message, size_t recipient,
                                 char address[IP_ADDRESS_TEXT_MAX]);

#endif
