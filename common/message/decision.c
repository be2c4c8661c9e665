/* common/message/decision.c - see decision.h. */
#include "common/message/decision.h"

struct decision message_decision(const struct message *message, size_t recipient,
                                 char address[IP_ADDRESS_TEXT_MAX])
{
    address[0] = '\0';
    if (message->client.has_address)
        ip_address_print(&message->client.address, address);
    return (struct decision){ .queue_id = message->queue_id,
                              .client_address = slice_of(address),
                              .sasl_username = message->sasl_username,
                              .sender = message->sender,
                              .recipient = recipient < message->recipient_count
                                               ? message->recipients[recipient].address
                                               : SLICE("") };
}
