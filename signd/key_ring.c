/* signd/key_ring.c - see key_ring.h. */
#include "signd/key_ring.h"

#include <stdlib.h>
#include <string.h>

#include "common/mail/address.h"

/* ---- states ---- */

struct named_life {
    struct slice domain, selector; /* in the arena */
    struct dkim_life life; /* without by and note */
};

struct key_lives {
    struct named_life *items; /* by domain, selector */
    size_t count, room;
    struct arena *arena;
};

struct key_lives_builder {
    struct key_lives *lives;
};

enum { LIFE_BYTES_MAX = ADDRESS_DOMAIN_MAX + KEY_SELECTOR_MAX + 64 };

void key_lives_free(void *object)
{
    struct key_lives *lives = object;

    if (lives == NULL)
        return;
    arena_free(&lives->arena);
    free(lives->items);
    free(lives);
}

struct key_lives_builder *key_lives_builder_new(size_t fields)
{
    struct key_lives_builder *builder = calloc(1, sizeof *builder);
    struct key_lives *lives = calloc(1, sizeof *lives);

    if (builder == NULL || lives == NULL) {
        free(builder);
        free(lives);
        return NULL;
    }
    builder->lives = lives;
    lives->room = fields;
    lives->items = calloc(fields + 1, sizeof *lives->items);
    lives->arena = arena_new((fields + 16) * LIFE_BYTES_MAX);
    if (lives->items == NULL || lives->arena == NULL) {
        key_lives_free(lives);
        free(builder);
        return NULL;
    }
    return builder;
}

const char *key_lives_add(struct key_lives_builder *builder, struct slice field, struct slice text)
{
    struct slice domain, selector;
    struct dkim_life life;
    const char *error = NULL;

    if (!dkim_life_name(field, &domain, &selector) || domain.len > ADDRESS_DOMAIN_MAX ||
        selector.len > KEY_SELECTOR_MAX)
        return "the name of a key is DOMAIN/SELECTOR";
    if (!dkim_life_parse(text, &life, &error))
        return error;
    return key_lives_put(builder, domain, selector, &life);
}

const char *key_lives_put(struct key_lives_builder *builder, struct slice domain,
                          struct slice selector, const struct dkim_life *life)
{
    struct key_lives *lives = builder->lives;

    if (lives->count == lives->room)
        return "too many keys";
    struct named_life *item = &lives->items[lives->count];
    item->domain = arena_copy(lives->arena, domain);
    item->selector = arena_copy(lives->arena, selector);
    item->life = (struct dkim_life){ .state = life->state, .since_s = life->since_s };
    if (item->domain.ptr == NULL || item->selector.ptr == NULL)
        return "out of memory";
    lives->count++;
    return NULL;
}

static int by_name(const void *left, const void *right)
{
    const struct named_life *a = left, *b = right;
    int order = slice_compare(a->domain, b->domain);

    return order != 0 ? order : slice_compare(a->selector, b->selector);
}

struct key_lives *key_lives_finish(struct key_lives_builder **builder)
{
    struct key_lives *lives = (*builder)->lives;

    free(*builder);
    *builder = NULL;
    if (lives->count > 0)
        qsort(lives->items, lives->count, sizeof *lives->items, by_name);
    return lives;
}

const struct dkim_life *key_lives_find(const struct key_lives *lives, struct slice domain,
                                       struct slice selector)
{
    const struct named_life wanted = { .domain = domain, .selector = selector };
    const struct named_life *found =
        lives == NULL || lives->count == 0
            ? NULL
            : bsearch(&wanted, lives->items, lives->count, sizeof wanted, by_name);

    return found == NULL ? NULL : &found->life;
}

size_t key_lives_count(const struct key_lives *lives)
{
    return lives == NULL ? 0 : lives->count;
}

const struct dkim_life *key_lives_at(const struct key_lives *lives, size_t n, struct slice *domain,
                                     struct slice *selector)
{
    *domain = lives->items[n].domain;
    *selector = lives->items[n].selector;
    return &lives->items[n].life;
}

/* The first life of a domain; lives->count: it has none. */
static size_t first_of(const struct key_lives *lives, struct slice domain)
{
    size_t low = 0, high = lives->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(lives->items[middle].domain, domain) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- choosing ---- */

static bool has_file(const struct key_ring *ring, struct slice domain, struct slice selector)
{
    size_t first, count = key_set_find(ring->files, domain, &first);

    for (size_t i = 0; i < count; i++)
        if (slice_equal(key_set_at(ring->files, first + i)->selector, selector))
            return true;
    return false;
}

/* A key that is to sign, says the store, but whose file this host does not have. */
static const struct named_life *missing_file(const struct key_ring *ring, struct slice domain)
{
    const struct key_lives *lives = ring->lives;

    for (size_t i = lives == NULL ? 0 : first_of(lives, domain);
         lives != NULL && i < lives->count && slice_equal(lives->items[i].domain, domain); i++)
        if (lives->items[i].life.state == DKIM_ACTIVE &&
            !has_file(ring, domain, lives->items[i].selector))
            return &lives->items[i];
    return NULL;
}

static enum key_choice unusable(struct chosen_keys *out, struct slice domain, struct slice selector,
                                const char *reason)
{
    snprintf(out->reason, sizeof out->reason, "%.*s/%.*s.key: %s", SLICE_ARG(domain),
             SLICE_ARG(selector), reason);
    return KEYS_UNUSABLE;
}

/* The keys of this very domain. */
static enum key_choice choose_of(const struct key_ring *ring, struct slice domain, const char *why,
                                 struct chosen_keys *out)
{
    size_t first = 0, count = key_set_find(ring->files, domain, &first);
    const struct named_life *missing = missing_file(ring, domain);
    const struct key_file *unknown = NULL;

    if (ring->looked != NULL)
        ring->looked(ring->arg, domain, why);
    out->domain = domain;
    out->count = 0;
    if (missing != NULL)
        return unusable(out, domain, missing->selector,
                        "the key is active, but this host does not have it");
    for (size_t i = 0; i < count; i++) {
        const struct key_file *file = key_set_at(ring->files, first + i);
        const struct dkim_life *life = key_lives_find(ring->lives, domain, file->selector);
        if (file->selector.len == 0)
            return unusable(out, domain, SLICE("*"), file->reason);
        if (life == NULL)
            unknown = file;
        if (life == NULL || life->state != DKIM_ACTIVE)
            continue;
        if (file->key == NULL)
            return unusable(out, domain, file->selector, file->reason);
        if (out->count < KEYS_OF_A_MESSAGE_MAX)
            out->keys[out->count++] = file;
    }
    if (out->count > 0)
        return KEYS_FOUND;
    return unknown == NULL ? KEYS_NONE
                           : unusable(out, domain, unknown->selector,
                                      "the store has not said yet in what state it is");
}

/* The domain that the map names for this mailbox; absent: it names none. */
static struct slice assigned_to(const struct key_ring *ring, struct slice from, uint64_t wall_ms)
{
    struct value key = { .type = VALUE_MAILBOX, .text = from };
    struct map_match entries, file, live;
    struct slice rest, value, none = { NULL, 0 };

    if (ring->assigned == NULL)
        return none;
    map_lookup(ring->assigned->entries, &key, wall_ms, &entries);
    map_lookup(ring->assigned->file, &key, wall_ms, &file);
    map_lookup(ring->assigned->live, &key, wall_ms, &live);
    const struct map_match *match = map_pick(map_pick(&entries, &file), &live);
    if (!match->found)
        return none;
    rest = match->values;
    return map_value_next(&rest, &value) ? value : none;
}

static enum key_choice choose_assigned(const struct key_ring *ring, struct slice domain,
                                       const char *why, struct chosen_keys *out)
{
    if (slice_equal_nocase(domain, SLICE("none"))) {
        if (ring->looked != NULL)
            ring->looked(ring->arg, domain, why);
        return KEYS_NONE;
    }
    enum key_choice choice = choose_of(ring, domain, why, out);
    return choice == KEYS_NONE ? unusable(out, domain, SLICE("*"),
                                          "its keys are assigned, but it has no active one")
                               : choice;
}

enum key_choice key_ring_choose(const struct key_ring *ring, struct slice from, uint64_t wall_ms,
                                struct chosen_keys *out)
{
    struct slice domain = address_domain(from), assigned = assigned_to(ring, from, wall_ms);
    enum key_choice choice = KEYS_NONE;
    const char *why = "from";

    out->count = 0;
    if (assigned.ptr != NULL)
        return choose_assigned(ring, assigned, "assigned", out);
    if (key_set_error(ring->files)[0] != '\0' && key_set_count(ring->files) == 0) {
        snprintf(out->reason, sizeof out->reason, "%s", key_set_error(ring->files));
        return KEYS_UNUSABLE;
    }
    for (bool goes_on = domain.len > 0; goes_on && choice == KEYS_NONE;
         goes_on = ring->use_parents && address_parent_domain(&domain)) {
        choice = choose_of(ring, domain, why, out);
        why = "parent";
    }
    if (choice == KEYS_NONE && ring->default_domain.len > 0)
        choice = choose_assigned(ring, ring->default_domain, "default", out);
    return choice;
}
