/* common/rules/value.h - what a fact is worth: a typed value, perhaps empty. Texts are borrowed from the request's
 * arena (or a constant) and already normalised: mailboxes and domains lower case, domains as A-labels. */
#ifndef GATEHOUSE_RULES_VALUE_H
#define GATEHOUSE_RULES_VALUE_H

#include "common/base/slice.h"
#include "common/mail/ipnet.h"

enum value_type {
    /* Both are compared without regard to the case of ASCII letters, as in lists. */
    VALUE_TEXT, /* what somebody wrote: in a regular expression case matters, unless it says /i */
    VALUE_WORD, /* a name; a closed vocabulary when the fact lists one */
    VALUE_NUMBER, /* compared as numbers; literals may carry K M G (1024s); up to 3 decimals mean something */
    VALUE_BOOLEAN, /* a condition by itself */
    VALUE_ADDRESS, /* IPv4 or IPv6 address or network; `= 192.0.2.0/24` means lies in */
    VALUE_DOMAIN,
    VALUE_MAILBOX,
};

struct value {
    enum value_type type;
    bool is_empty; /* no text, no address; a NUMBER that Postfix did not send */
    /* TEXT WORD DOMAIN MAILBOX; for NUMBER and ADDRESS the spelling to interpolate, or absent. */
    struct slice text;
    double number;
    bool boolean;
    struct ipnet net;
    /* The next value of a fact that has several (the names of a message's attachments), all of the same type, none of them
     * empty; NULL: there is none. A test holds when it holds for any of them, its negation (`!=`, `not in`) when it holds
     * for none. */
    const struct value *next;
};

#endif
