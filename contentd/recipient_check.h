/* contentd/recipient_check.h - may a recipient join the others of a message? Asked at RCPT, before rules. Pure. */
#ifndef GATEHOUSE_CONTENTD_RECIPIENT_CHECK_H
#define GATEHOUSE_CONTENTD_RECIPIENT_CHECK_H

#include "common/milter/milter.h"
#include "contentd/setup.h"

enum recipient_check {
    RECIPIENT_JOINS,
    /* An MTA that reads more into it than is written sends the message to somebody whom nothing that we say of this recipient
     * reaches: it would not even be removed. */
    RECIPIENT_NOT_PLAIN,
    RECIPIENT_APART, /* `mixed = split`: it has another chain than the first one, and comes again */
};

/* Of the n-th recipient. With `mode = shadow` everybody joins. *reply: the refusal, or CONTINUE; its texts are constant. */
enum recipient_check recipient_check(const struct setup *setup, const struct message *message,
                                     size_t n, uint64_t wall_ms, struct milter_reply *reply);

#endif
