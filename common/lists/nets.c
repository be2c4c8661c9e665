/* common/lists/nets.c - see nets.h. Networks are sorted by address, then by prefix length, so that a network follows
 * those around it, and each is linked to the next larger one around it (its parent). The networks that contain an address
 * are then the last one that begins at or before it, or ancestors of that one: any that contains the address and begins
 * earlier also contains the beginning of the last one. Found by bisecting every 32nd address, which stay in the cache,
 * then one stride. */
#include "common/lists/nets.h"

#include <endian.h>

enum { NETS_STRIDE = 32 };

struct number128 {
    uint64_t high, low;
};

static struct number128 number_of(const struct ip_address *address)
{
    struct number128 out;

    memcpy(&out.high, address->bytes, 8);
    memcpy(&out.low, address->bytes + 8, 8);
    return (struct number128){ be64toh(out.high), be64toh(out.low) };
}

struct ipnet nets_get(const struct net_item *item)
{
    struct ipnet net = { .bits = item->bits, .is_set = true };
    uint64_t high = htobe64(item->high), low = htobe64(item->low);

    memcpy(net.address.bytes, &high, 8);
    memcpy(net.address.bytes + 8, &low, 8);
    return net;
}

void nets_free(struct nets *nets)
{
    free(nets->items);
    free(nets->samples);
    *nets = (struct nets){ .count = 0 };
}

int nets_add(struct nets *nets, const struct ipnet *net, bool excluded, uint32_t tail)
{
    struct number128 address = number_of(&net->address);

    if (nets->count == nets->cap) {
        size_t cap = nets->cap == 0 ? 16 : nets->cap * 2;
        struct net_item *items =
            cap >= NET_NONE ? NULL : reallocarray(nets->items, cap, sizeof *items);
        if (items == NULL)
            return -1;
        nets->items = items;
        nets->cap = cap;
    }
    nets->items[nets->count++] = (struct net_item){ .high = address.high,
                                                    .low = address.low,
                                                    .parent = NET_NONE,
                                                    .tail = tail,
                                                    .bits = (unsigned char)net->bits,
                                                    .excluded = excluded };
    return 0;
}

/* By address, prefix length, plain before excluded. */
static int item_compare(const void *left, const void *right)
{
    const struct net_item *a = left, *b = right;

    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    if (a->bits != b->bits)
        return a->bits < b->bits ? -1 : 1;
    return (int)a->excluded - (int)b->excluded;
}

static uint64_t ones(unsigned bits) /* the first `bits` of 64 */
{
    return bits == 0 ? 0 : UINT64_MAX << (64 - bits);
}

static bool item_contains(const struct net_item *item, struct number128 address, unsigned bits)
{
    uint64_t high = ones(item->bits < 64 ? item->bits : 64);
    uint64_t low = ones(item->bits > 64 ? item->bits - 64u : 0);

    return item->bits <= bits && (address.high & high) == item->high &&
           (address.low & low) == item->low;
}

static void items_merge_equal(struct nets *nets, const struct tails *tails)
{
    size_t kept = 0;

    for (size_t i = 0; i < nets->count; i++) {
        struct net_item *last = kept == 0 ? NULL : &nets->items[kept - 1];
        if (last != NULL && item_compare(last, &nets->items[i]) == 0)
            last->tail = tails_longer(tails, last->tail, nets->items[i].tail);
        else
            nets->items[kept++] = nets->items[i];
    }
    nets->count = kept;
}

/* The innermost network that is still open is the parent of the next one in order, once those that ended are closed. */
static void items_link(struct nets *nets)
{
    uint32_t open = NET_NONE;

    for (size_t i = 0; i < nets->count; i++) {
        struct net_item *item = &nets->items[i];
        struct number128 address = { item->high, item->low };
        while (open != NET_NONE && !item_contains(&nets->items[open], address, item->bits))
            open = nets->items[open].parent;
        item->parent = open;
        open = (uint32_t)i;
    }
}

int nets_finish(struct nets *nets, const struct tails *tails)
{
    if (nets->count == 0)
        return 0;
    qsort(nets->items, nets->count, sizeof *nets->items, item_compare);
    items_merge_equal(nets, tails);
    items_link(nets);
    struct net_item *items = reallocarray(nets->items, nets->count, sizeof *items);
    if (items != NULL) {
        nets->items = items;
        nets->cap = nets->count;
    }
    size_t samples = (nets->count + NETS_STRIDE - 1) / NETS_STRIDE;
    nets->samples = calloc(samples, sizeof *nets->samples);
    if (nets->samples == NULL)
        return -1;
    for (size_t i = 0; i < samples; i++)
        nets->samples[i] = (struct net_sample){ nets->items[i * NETS_STRIDE].high,
                                                nets->items[i * NETS_STRIDE].low };
    return 0;
}

static bool is_after(uint64_t high, uint64_t low, struct number128 address)
{
    return high != address.high ? high > address.high : low > address.low;
}

/* The last item that begins at or before `address`; NET_NONE when all begin later. */
static uint32_t item_before(const struct nets *nets, struct number128 address)
{
    size_t from = 0, to = (nets->count + NETS_STRIDE - 1) / NETS_STRIDE;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (is_after(nets->samples[middle].high, nets->samples[middle].low, address))
            to = middle;
        else
            from = middle + 1;
    }
    if (from == 0)
        return NET_NONE;
    to = nets->count - (from - 1) * NETS_STRIDE < NETS_STRIDE ? nets->count : from * NETS_STRIDE;
    from = (from - 1) * NETS_STRIDE;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (is_after(nets->items[middle].high, nets->items[middle].low, address))
            to = middle;
        else
            from = middle + 1;
    }
    return (uint32_t)(from - 1);
}

static bool item_is_ipv4(const struct net_item *item)
{
    return item->bits >= IPV4_PREFIX_BITS && item->high == 0 && item->low >> 32 == 0xffff;
}

const struct net_item *nets_next(const struct nets *nets, const struct ipnet *net,
                                 const struct net_item *previous)
{
    struct number128 address = number_of(&net->address);
    bool is_ipv4 = ipnet_is_ipv4(net);
    uint32_t at = NET_NONE;

    if (previous != NULL)
        at = previous->parent;
    else if (net->is_set && nets->count > 0)
        at = item_before(nets, address);
    for (; at != NET_NONE; at = nets->items[at].parent) {
        const struct net_item *item = &nets->items[at];
        if (item_contains(item, address, net->bits) && item_is_ipv4(item) == is_ipv4)
            return item;
    }
    return NULL;
}

size_t nets_memory(const struct nets *nets)
{
    return nets->cap * sizeof *nets->items +
           (nets->count + NETS_STRIDE - 1) / NETS_STRIDE * sizeof *nets->samples;
}
