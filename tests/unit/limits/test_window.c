/* tests/unit/limits/test_window.c - the sliding window against an exact log of what was admitted. */
#include "tests/unit/unit.h"

#include "common/limits/window.h"

/* A small generator of our own: the same numbers on every machine, from the seed that a failure prints. */
static uint64_t random_state;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static void buckets_are_24ths_of_the_window(UNUSED void **state)
{
    static const uint64_t windows[] = { 24, 25, 1000, 5000, 60000, 3600000, 366 * DAY };

    for (size_t i = 0; i < COUNT(windows); i++)
        for (int n = 0; n < 1000; n++) {
            random_state = i * 1000 + (uint64_t)n + 1;
            uint64_t now = random_below(UINT64_C(1) << 42) + 1;
            uint64_t bucket = window_bucket(windows[i], now);
            uint64_t begin = window_bucket_begin_ms(windows[i], bucket);
            assert_true(begin <= now);
            assert_true(window_bucket(windows[i], begin) == bucket);
            assert_true(begin == 0 || window_bucket(windows[i], begin - 1) < bucket);
            assert_true(window_bucket(windows[i], now + windows[i]) == bucket + WINDOW_BUCKETS);
        }
    assert_true(window_bucket(24, UINT64_MAX) > 0); /* saturates */
    assert_true(window_bucket_begin_ms(1000, UINT64_MAX) == UINT64_MAX);
}

/* One subject: a window, and beside it every admitted charge with its time. */
struct history {
    uint64_t window_ms, most;
    struct window_cell cells[WINDOW_CELLS_MAX];
    size_t count, room;
    struct {
        uint64_t at_ms, amount;
    } log[4000];
    size_t logged;
};

static bool charge(struct history *h, uint64_t now_ms, uint64_t amount)
{
    uint64_t bucket = window_clamp(h->cells, h->count, window_bucket(h->window_ms, now_ms));

    if (!window_admits(window_used(h->cells, h->count, bucket), amount, h->most))
        return false;
    if (!window_add(h->cells, &h->count, h->room, bucket, amount))
        window_add_late(h->cells, &h->count, bucket, amount);
    return true;
}

/* What was admitted in the window that ends at `now_ms`, it included. */
static uint64_t exact_used(const struct history *h, uint64_t now_ms, uint64_t stretch_ms)
{
    uint64_t used = 0;

    for (size_t i = h->logged; i-- > 0 && now_ms - h->log[i].at_ms < stretch_ms;)
        used += h->log[i].amount;
    return used;
}

/* Checks both promises at one charge: never more than N in any window of the given length (each such stretch that holds
 * too much would end in a charge), and no refusal that a window longer by 1/24 would not explain. */
static void charge_checked(struct history *h, uint64_t now_ms, uint64_t amount, uint64_t seed)
{
    bool ok = charge(h, now_ms, amount);
    uint64_t late_ms = h->window_ms / WINDOW_BUCKETS + 1;

    if (ok) {
        h->log[h->logged].at_ms = now_ms;
        h->log[h->logged++].amount = amount;
        if (exact_used(h, now_ms, h->window_ms + 1) > h->most)
            fail_msg("seed %llu: more than %llu admitted", (unsigned long long)seed,
                     (unsigned long long)h->most);
    } else if (h->room == WINDOW_CELLS_MAX &&
               exact_used(h, now_ms, h->window_ms + late_ms) + amount <= h->most) {
        fail_msg("seed %llu: refused although free for longer than window/24",
                 (unsigned long long)seed);
    }
}

static uint64_t random_step(uint64_t window_ms)
{
    switch (random_below(4)) {
    case 0:
        return 0;
    case 1:
        return random_below(window_ms / WINDOW_BUCKETS + 1);
    case 2:
        return random_below(window_ms / 4 + 1);
    default:
        return random_below(40) == 0 ? random_below(3 * window_ms) : random_below(3);
    }
}

static void run_history(struct history *h, uint64_t seed, size_t room)
{
    static const uint64_t windows[] = { 24, 100, 1000, 1001, 5000, 60000, 3600000, 30 * DAY };

    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    *h = (struct history){ .window_ms = windows[random_below(COUNT(windows))],
                           .most = 1 + random_below(60),
                           .room = room };
    uint64_t now_ms = UINT64_C(1795314861000) + random_below(h->window_ms);
    uint64_t largest = random_below(3) == 0 ? 1 : 1 + random_below(12);
    for (size_t n = 0; n < 400; n++) {
        now_ms += random_step(h->window_ms);
        charge_checked(h, now_ms, 1 + random_below(largest), seed);
    }
}

static void no_window_admits_more_and_no_slot_is_late(UNUSED void **state)
{
    static struct history h;

    for (uint64_t seed = 1; seed <= 5000; seed++)
        run_history(&h, seed, WINDOW_CELLS_MAX);
}

static void admits_no_more_when_there_is_no_room_for_cells(UNUSED void **state)
{
    static struct history h;

    for (uint64_t seed = 1; seed <= 2000; seed++)
        run_history(&h, seed, 1 + seed % 6);
}

static void admits_exactly_n_from_a_burst(UNUSED void **state)
{
    for (uint64_t most = 0; most < 200; most += 7) {
        struct history h = { .window_ms = 60000, .most = most, .room = WINDOW_CELLS_MAX };
        uint64_t admitted = 0;
        for (uint64_t n = 0; n < 10 * most + 10; n++)
            admitted += charge(&h, 1000000 + n % 100, 1);
        assert_true(admitted == most);
    }
}

/* For a subject time stands still until the clock has caught up with its last charge. */
static void a_clock_that_goes_back_admits_nothing_more(UNUSED void **state)
{
    static struct history h;

    for (uint64_t seed = 1; seed <= 1000; seed++) {
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
        h = (struct history){ .window_ms = 60000, .most = 20, .room = WINDOW_CELLS_MAX };
        uint64_t now_ms = UINT64_C(1795314861000), last_ms = 0;
        for (size_t n = 0; n < 300; n++) {
            now_ms += random_below(3000);
            uint64_t back_ms = random_below(3) == 0 ? random_below(300000) : 0;
            if (!charge(&h, now_ms - back_ms, 1))
                continue;
            last_ms = now_ms - back_ms > last_ms ? now_ms - back_ms : last_ms;
            h.log[h.logged].at_ms = last_ms;
            h.log[h.logged++].amount = 1;
            if (exact_used(&h, last_ms, h.window_ms + 1) > h.most)
                fail_msg("seed %llu: a clock that went back admitted more",
                         (unsigned long long)seed);
        }
    }
}

static void tells_when_slots_are_free(UNUSED void **state)
{
    static struct history h;

    for (uint64_t seed = 1; seed <= 1000; seed++) {
        run_history(&h, seed, WINDOW_CELLS_MAX);
        uint64_t now_ms = h.log[h.logged - 1].at_ms, amount = 1 + random_below(h.most);
        uint64_t bucket = window_bucket(h.window_ms, now_ms);
        uint64_t used = window_used(h.cells, h.count, bucket);
        uint64_t free_ms = window_free_ms(h.cells, h.count, h.window_ms, h.most, amount, now_ms);
        assert_int_equal(free_ms == 0, window_admits(used, amount, h.most));
        uint64_t then = window_bucket(h.window_ms, now_ms + free_ms);
        assert_true(window_admits(window_used(h.cells, h.count, then), amount, h.most));
        if (free_ms == 0)
            continue;
        then = window_bucket(h.window_ms, now_ms + free_ms - 1);
        assert_false(window_admits(window_used(h.cells, h.count, then), amount, h.most));
    }
    assert_true(window_free_ms(NULL, 0, 1000, 5, 6, 0) == UINT64_MAX);
    assert_true(window_free_ms(NULL, 0, 1000, 0, 1, 0) == UINT64_MAX);
    assert_true(window_free_ms(NULL, 0, 1000, 5, 5, 0) == 0);
}

static void sums_saturate(UNUSED void **state)
{
    struct window_cell cells[WINDOW_CELLS_MAX];
    size_t count = 0;

    assert_true(window_add(cells, &count, WINDOW_CELLS_MAX, 100, UINT64_MAX));
    assert_true(window_add(cells, &count, WINDOW_CELLS_MAX, 100, 5));
    assert_true(window_add(cells, &count, WINDOW_CELLS_MAX, 101, UINT64_MAX));
    assert_true(window_used(cells, count, 101) == UINT64_MAX);
    assert_false(window_admits(UINT64_MAX, 1, UINT64_MAX - 1));
    assert_false(window_admits(1, UINT64_MAX, UINT64_MAX - 1));
}

static void takes_charges_of_earlier_buckets(UNUSED void **state)
{
    static const uint64_t order[] = { 100, 90, 95, 76, 75, 10, 95 };
    struct window_cell cells[WINDOW_CELLS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < COUNT(order); i++)
        assert_true(window_add(cells, &count, WINDOW_CELLS_MAX, order[i], 1));
    assert_int_equal(4, count); /* 76 90 95 100: 75 and 10 have left the window of 100 */
    for (size_t i = 1; i < count; i++)
        assert_true(cells[i - 1].bucket < cells[i].bucket);
    assert_true(window_used(cells, count, 100) == 5);
    assert_true(window_used(cells, count, 101) == 4);
    assert_true(window_used(cells, count, 0) == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_24ths_of_the_window),
        cmocka_unit_test(no_window_admits_more_and_no_slot_is_late),
        cmocka_unit_test(admits_no_more_when_there_is_no_room_for_cells),
        cmocka_unit_test(admits_exactly_n_from_a_burst),
        cmocka_unit_test(a_clock_that_goes_back_admits_nothing_more),
        cmocka_unit_test(tells_when_slots_are_free),
        cmocka_unit_test(sums_saturate),
        cmocka_unit_test(takes_charges_of_earlier_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
