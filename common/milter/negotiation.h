/* common/milter/negotiation.h - what the MTA offers and what we take of it. Pure. */
#ifndef GATEHOUSE_MILTER_NEGOTIATION_H
#define GATEHOUSE_MILTER_NEGOTIATION_H

#include "common/milter/milter.h"
#include "common/milter/wire.h"

struct negotiation {
    uint32_t version; /* MILTER_VERSION_LEAST to MILTER_VERSION_MOST */
    uint32_t actions; /* enum milter_may */
    uint32_t steps; /* enum milter_protocol */
};

/* Data of the MTA's packet. False: too short, or too old a version. */
bool negotiation_read(struct slice data, struct negotiation *offer);
/* Only what is offered. */
struct negotiation negotiation_choose(const struct milter_hooks *hooks,
                                      const struct negotiation *offer);
/* Data of our packet, with the macros that we want if they may be listed. -1: the buffer is full. */
int negotiation_print(const struct negotiation *chosen, struct buf *out);

/* Whether an answer to this command is waited for. */
bool negotiation_has_reply(const struct negotiation *chosen, char command);

#endif
