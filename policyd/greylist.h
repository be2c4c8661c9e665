/* policyd/greylist.h - the action `greylist DELAY` (RFC 6647): what the store is asked, and what the client is told. The
 * phases that ask are in inquiry.c. */
#ifndef GATEHOUSE_POLICYD_GREYLIST_H
#define GATEHOUSE_POLICYD_GREYLIST_H

#include "policyd/facts/provider.h"

/* Of several that the rules have reached the one with the longest delay, the first of these. NULL: none. */
const struct action *greylist_action(const struct verdict *verdict);

/* Fills in all but `call` and `peek`: the domain that SPF says the client may send for (absent: none) or the client's
 * network, sender (empty for bounces) and recipient (empty where there is
 * none or more than one), and what the configuration says. */
enum greylist_asks {
    GREYLIST_ASKS,
    GREYLIST_NO_ORIGIN, /* a client without an address: not greylisted */
    GREYLIST_NO_MEMORY,
};
enum greylist_asks greylist_ask(const struct fact_request *request, const struct action *action,
                                struct slice spf_domain, struct store_greylist *out);

/* Is this to wait? */
bool greylist_defers(const struct store_greylist *greylist);

/* The answer to one that is to wait: `DEFER_IF_PERMIT 4.7.1 Greylisted, try again in 300 s`, in the name of the rule. */
struct action greylist_refusal(const struct store_greylist *greylist, const struct action *action,
                               struct arena *arena);
/* The decision line's reason for it: "new triplet, 5m left". */
struct slice greylist_reason(const struct store_greylist *greylist, struct arena *arena);
/* new, early, passed, known. */
const char *greylist_word(enum greylist_state state);

#endif
