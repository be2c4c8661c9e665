/* contentd/recipient_check.c - see recipient_check.h. */
#include "contentd/recipient_check.h"

#include "common/mail/address.h"

static const struct milter_reply replies[] = {
    [RECIPIENT_JOINS] = { .action = MILTER_CONTINUE },
    [RECIPIENT_NOT_PLAIN] = { .action = MILTER_REJECT,
                              .reply = { 553, SLICE_INIT("5.1.3"),
                                         SLICE_INIT(
                                             "Recipient address is not written as SMTP demands") } },
    [RECIPIENT_APART] = { .action = MILTER_TEMPFAIL,
                          .reply = { 452, SLICE_INIT("4.5.3"),
                                     SLICE_INIT(
                                         "Recipient is filtered otherwise, send separately") } },
};

static enum recipient_check check(const struct setup *setup, const struct message *message,
                                  size_t n, uint64_t wall_ms)
{
    struct slice address = message->recipients[n].address;
    struct slice first = message->recipients[0].normal, own = message->recipients[n].normal;

    if (setup->parts.core.is_shadow)
        return RECIPIENT_JOINS;
    if (!address_is_plainly_written(address))
        return RECIPIENT_NOT_PLAIN;
    if (setup->parts.config->mixed != MIXED_SPLIT || n == 0)
        return RECIPIENT_JOINS;
    return mixed_may_join(MIXED_SPLIT, setup_chain(setup, first, wall_ms),
                          setup_chain(setup, own, wall_ms), message->client.has_address)
               ? RECIPIENT_JOINS
               : RECIPIENT_APART;
}

enum recipient_check recipient_check(const struct setup *setup, const struct message *message,
                                     size_t n, uint64_t wall_ms, struct milter_reply *reply)
{
    enum recipient_check result = check(setup, message, n, wall_ms);

    *reply = replies[result];
    return result;
}
