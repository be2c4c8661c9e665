/* common/dkim/rotation.c - see rotation.h. */
#include "common/dkim/rotation.h"

#include "common/live/tail.h"

const char *const dkim_state_words[] = { "pending", "seen", "active", "retiring", "retired", NULL };
const char *const dkim_visibility_words[] = { "unknown", "good", "missing", "differs", NULL };

static bool read_state(struct slice word, enum dkim_state *out)
{
    for (size_t i = 0; dkim_state_words[i] != NULL; i++) {
        if (!slice_equal(word, slice_of(dkim_state_words[i])))
            continue;
        *out = (enum dkim_state)i;
        return true;
    }
    return false;
}

bool dkim_life_parse(struct slice text, struct dkim_life *out, const char **error)
{
    struct live_tail tail;
    struct slice word, since = SLICE("since=");

    if (!live_tail_parse(text, &tail, error))
        return false;
    struct dkim_life life = { .by = tail.by, .note = tail.note };
    struct slice rest = tail.head;
    *error = "a state is needed: pending, seen, active, retiring or retired";
    if (!slice_next(&rest, ' ', &word) || !read_state(word, &life.state))
        return false;
    *error = "only since=UNIX_SECONDS can follow the state";
    while (slice_next(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (!slice_starts_with(word, since) ||
            !slice_to_u64(slice_skip(word, since.len), &life.since_s))
            return false;
    }
    *error = NULL;
    *out = life;
    return true;
}

int dkim_life_print(struct buf *out, const struct dkim_life *life)
{
    const struct live_tail tail = { .head = SLICE(""), .by = life->by, .note = life->note };
    int rc = buf_printf(out, "%s since=%llu", dkim_state_words[life->state],
                        (unsigned long long)life->since_s);

    if (rc == 0 && (life->by.len > 0 || life->note.len > 0))
        rc = buf_put_char(out, ' ') != 0 ? -1 : live_tail_print(out, &tail);
    return rc;
}

bool dkim_life_name(struct slice field, struct slice *domain, struct slice *selector)
{
    *selector = field;
    return slice_cut(selector, '/', domain) && domain->len > 0 && selector->len > 0 &&
           slice_find(*selector, '/') == SIZE_MAX;
}

static void change(struct dkim_rotating *key, enum dkim_state next)
{
    key->changes = true;
    key->next = next;
}

/* A clock that is behind the one that wrote `since` has seen no time pass. */
static bool has_been(const struct dkim_rotating *key, uint64_t now_s, uint64_t long_s)
{
    return now_s >= key->since_s && now_s - key->since_s >= long_s;
}

static void retire_others(struct dkim_rotating *keys, size_t count,
                          const struct dkim_rotating *successor)
{
    for (size_t i = 0; i < count; i++)
        if (&keys[i] != successor && keys[i].state == DKIM_ACTIVE &&
            keys[i].type == successor->type && slice_equal(keys[i].domain, successor->domain))
            change(&keys[i], DKIM_RETIRING);
}

void dkim_rotate(struct dkim_rotating *keys, size_t count, const struct dkim_rotation *rotation,
                 uint64_t now_s)
{
    for (size_t i = 0; i < count; i++)
        keys[i].changes = false;
    for (size_t i = 0; i < count; i++) {
        struct dkim_rotating *key = &keys[i];
        bool is_visible = key->visibility == DKIM_VISIBLE;
        bool is_gone = !is_visible && key->visibility != DKIM_VISIBILITY_UNKNOWN;
        if (key->state == DKIM_PENDING && is_visible) {
            change(key, DKIM_SEEN);
        } else if (key->state == DKIM_SEEN && is_gone) {
            change(key, DKIM_PENDING);
        } else if (key->state == DKIM_SEEN && is_visible &&
                   has_been(key, now_s, rotation->activate_after_s)) {
            change(key, DKIM_ACTIVE);
            retire_others(keys, count, key);
        } else if (key->state == DKIM_RETIRING && has_been(key, now_s, rotation->retire_after_s)) {
            change(key, DKIM_RETIRED);
        }
    }
}
