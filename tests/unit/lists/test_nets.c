/* tests/unit/lists/test_nets.c - property: looking up networks gives what a scan of all of them gives, in that order. */
#include "tests/unit/unit.h"

#include "common/lists/nets.h"

enum { ROUNDS = 100, NETS_MOST = 300, LOOKUPS = 100 };

static uint64_t seed = 20251122;

static uint64_t random_number(void) /* xorshift64: the same run every time */
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Few different bytes, so that networks nest and touch each other. */
static struct ipnet random_net(bool is_whole)
{
    static const unsigned char bytes[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
    struct ipnet net = { .is_set = true, .bits = 128 };
    bool is_ipv4 = random_number() % 2 == 0;

    if (is_ipv4)
        net.address.bytes[10] = net.address.bytes[11] = 0xff;
    for (size_t i = is_ipv4 ? 12 : random_number() % 16; i < 16; i++)
        net.address.bytes[i] = bytes[random_number() % COUNT(bytes)];
    unsigned bits = (unsigned)(random_number() % 129);
    return is_whole && random_number() % 4 != 0 ? net : ipnet_mask(&net, bits % 33, bits);
}

struct scanned {
    struct ipnet net;
    bool excluded;
};

/* The most specific of `nets` that contains `net` and comes after `previous` in the order that nets_next() promises. */
static const struct scanned *scan(const struct scanned *nets, size_t count, const struct ipnet *net,
                                  const struct scanned *previous)
{
    const struct scanned *best = NULL;

    for (size_t i = 0; i < count; i++) {
        int rank = (int)nets[i].net.bits * 2 + nets[i].excluded;
        if (!ipnet_contains(&nets[i].net, net) ||
            (previous != NULL && rank >= (int)previous->net.bits * 2 + previous->excluded))
            continue;
        if (best == NULL || rank > (int)best->net.bits * 2 + best->excluded)
            best = &nets[i];
    }
    return best;
}

static void compare_walks(const struct nets *nets, const struct scanned *all, size_t count)
{
    for (size_t i = 0; i < LOOKUPS; i++) {
        struct ipnet net = random_net(true);
        const struct net_item *got = NULL;
        const struct scanned *want = NULL;
        do {
            got = nets_next(nets, &net, got);
            want = scan(all, count, &net, want);
            struct ipnet found = { .bits = 0 };
            if (got != NULL)
                found = nets_get(got);
            if ((got == NULL) != (want == NULL) ||
                (got != NULL &&
                 (!ipnet_equal(&found, &want->net) || got->excluded != want->excluded))) {
                char looked_up[IPNET_TEXT_MAX], text[IPNET_TEXT_MAX];
                ipnet_print(&net, looked_up);
                ipnet_print(&found, text);
                fail_msg("%s gives \"%s\" among %zu", looked_up, text, count);
            }
        } while (got != NULL);
    }
}

static void finds_what_a_scan_finds(UNUSED void **state)
{
    static struct scanned all[NETS_MOST];
    struct tails tails;

    tails_init(&tails);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct nets nets = { .count = 0 };
        size_t count = random_number() % NETS_MOST;
        for (size_t i = 0; i < count; i++) {
            all[i].net = random_net(false);
            all[i].excluded = random_number() % 2 == 0;
            assert_int_equal(0, nets_add(&nets, &all[i].net, all[i].excluded, TAIL_NONE));
        }
        assert_int_equal(0, nets_finish(&nets, &tails));
        assert_true(nets.count <= count && nets_memory(&nets) >= count / 300);
        compare_walks(&nets, all, count);
        nets_free(&nets);
    }
    tails_free(&tails);
}

static void nothing_lies_in_no_networks(UNUSED void **state)
{
    struct nets nets = { .count = 0 };
    struct ipnet net = random_net(true), unset = { .is_set = false };
    struct tails tails;

    tails_init(&tails);
    assert_int_equal(0, nets_finish(&nets, &tails));
    assert_null(nets_next(&nets, &net, NULL));
    assert_null(nets_next(&nets, &unset, NULL));
    nets_free(&nets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_scan_finds),
        cmocka_unit_test(nothing_lies_in_no_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
