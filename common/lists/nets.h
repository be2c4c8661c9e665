/* common/lists/nets.h - many networks, and which of them contain an address, the longest prefix first. Filled, then
 * finished, then immutable and thread-safe. */
#ifndef GATEHOUSE_LISTS_NETS_H
#define GATEHOUSE_LISTS_NETS_H

#include "common/lists/tails.h"
#include "common/mail/ipnet.h"

struct net_item {
    uint64_t high, low; /* the address as two numbers, so that comparing is cheap */
    uint32_t parent; /* index of the next larger network around this one; NET_NONE */
    uint32_t tail; /* number in the list's `tails` */
    unsigned char bits;
    bool excluded;
};
#define NET_NONE UINT32_MAX

struct net_sample {
    uint64_t high, low;
};

struct nets { /* zeroed: empty */
    struct net_item *items; /* owned; sorted once finished */
    size_t count, cap;
    struct net_sample *samples; /* owned; every NETS_STRIDE-th address */
};

void nets_free(struct nets *nets);

/* `net` is set. -1: out of memory. */
int nets_add(struct nets *nets, const struct ipnet *net, bool excluded, uint32_t tail);
/* Sorts and links. A network given twice is kept once, with the tail that lasts longer; with and without `excluded` are
 * two. -1: out of memory. */
int nets_finish(struct nets *nets, const struct tails *tails);

/* The item with the longest prefix that contains all of `net`, or after `previous` the next one; where two are equal the
 * excluded one comes first. NULL: no more. */
const struct net_item *nets_next(const struct nets *nets, const struct ipnet *net,
                                 const struct net_item *previous);
struct ipnet nets_get(const struct net_item *item);
size_t nets_memory(const struct nets *nets); /* bytes */

#endif
