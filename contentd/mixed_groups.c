/* contentd/mixed_groups.c - see mixed_groups.h. Verdicts are sorted by a keyed digest of what they do to the message; equal
 * digests lie side by side then, and are compared in full. */
#include "contentd/mixed_groups.h"

#include "common/base/buf.h"
#include "common/base/hash.h"

enum { KEY_MAX = 64 << 20 };

struct member {
    const struct recipient_verdict *verdict;
    size_t recipient;
    uint64_t digest;
};

static bool is_of_message(const struct edit *edit)
{
    return edit->kind != EDIT_ADD_RECIPIENT && edit->kind != EDIT_REMOVE_RECIPIENT;
}

static const struct edit *next_of_message(const struct edit *edit)
{
    while (edit != NULL && !is_of_message(edit))
        edit = edit->next;
    return edit;
}

static bool same_edits(const struct edits *a, const struct edits *b)
{
    const struct edit *x = next_of_message(a->first), *y = next_of_message(b->first);

    for (; x != NULL && y != NULL; x = next_of_message(x->next), y = next_of_message(y->next))
        if (!edit_equal(x, y))
            return false;
    return x == y; /* both at their end */
}

static bool is_same(const struct recipient_verdict *a, const struct recipient_verdict *b,
                    bool by_reason)
{
    if (a == b)
        return true;
    if (by_reason && (a->kind != b->kind || a->source != b->source || !slice_equal(a->by, b->by) ||
                      !slice_equal(a->reason, b->reason)))
        return false;
    return same_edits(&a->edits, &b->edits);
}

static bool digest_make(const struct recipient_verdict *verdict, bool by_reason, uint64_t *out)
{
    AUTO_BUF key = BUF_INIT(KEY_MAX);

    if (by_reason &&
        buf_printf(&key, "%d %d %.*s\n%.*s\n", (int)verdict->kind, (int)verdict->source,
                   SLICE_ARG(verdict->by), SLICE_ARG(verdict->reason)))
        return false;
    for (const struct edit *edit = next_of_message(verdict->edits.first); edit != NULL;
         edit = next_of_message(edit->next)) {
        uint64_t text = hash_keyed(edit->text); /* a body may be large */
        if (buf_printf(&key, "%d %zu %llu %.*s\n", (int)edit->kind, edit->index,
                       (unsigned long long)text, SLICE_ARG(edit->name)))
            return false;
    }
    *out = hash_keyed(buf_slice(&key));
    return true;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_verdict(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return compare_numbers((uintptr_t)x->verdict, (uintptr_t)y->verdict);
}

static int by_digest(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int order = compare_numbers(x->digest, y->digest);

    return order != 0 ? order : compare_numbers(x->recipient, y->recipient);
}

static int by_first_member(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return compare_numbers(x->members[0], y->members[0]);
}

/* The digest of each verdict is made once, however many recipients have it. */
static bool digests_make(struct member *members, size_t count, bool by_reason)
{
    qsort(members, count, sizeof *members, by_verdict);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && members[i].verdict == members[i - 1].verdict)
            members[i].digest = members[i - 1].digest;
        else if (!digest_make(members[i].verdict, by_reason, &members[i].digest))
            return false;
    }
    qsort(members, count, sizeof *members, by_digest);
    return true;
}

bool groups_make(struct groups *out, const struct recipient_verdict *const *verdicts, size_t count,
                 bool (*chosen)(const struct recipient_verdict *verdict), bool by_reason,
                 struct arena *arena)
{
    struct member *members = arena_alloc_array(arena, count + 1, sizeof *members);
    size_t *numbers = arena_alloc_array(arena, count + 1, sizeof *numbers), found = 0;

    *out = (struct groups){ .groups = arena_alloc_array(arena, count + 1, sizeof *out->groups) };
    if (members == NULL || numbers == NULL || out->groups == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (chosen(verdicts[i]))
            members[found++] = (struct member){ .verdict = verdicts[i], .recipient = i };
    if (!digests_make(members, found, by_reason))
        return false;
    for (size_t i = 0; i < found; i++) {
        numbers[i] = members[i].recipient;
        if (i == 0 || members[i].digest != members[i - 1].digest ||
            !is_same(members[i].verdict, members[i - 1].verdict, by_reason))
            out->groups[out->count++] =
                (struct group){ .verdict = members[i].verdict, .members = &numbers[i] };
        out->groups[out->count - 1].count++;
    }
    qsort(out->groups, out->count, sizeof *out->groups, by_first_member);
    return true;
}
