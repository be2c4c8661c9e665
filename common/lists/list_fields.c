/* common/lists/list_fields.c - lists that are asked for per request: which fields could decide, and which of those that
 * are there does. See list.h. */
#include "common/lists/entry.h"
#include "common/lists/list.h"
#include "common/live/tail.h"

/* Prefix lengths asked for; what registries and operators deal in. list.h names them. */
static const unsigned char ipv4_lengths[] = { 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20,
                                              19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9,  8 };
static const unsigned char ipv6_lengths[] = { 128, 112, 96, 80, 64, 60, 56, 52, 48,
                                              44,  40,  36, 32, 29, 28, 24, 20, 16 };

enum { FIELDS_MAX = 4 * CANDIDATES_MAX }; /* two kinds at most at each, plain and excluded */
_Static_assert(FIELDS_MAX >= 2 * COUNT(ipv4_lengths), "the fields of an address fit, too");

static const enum entry_kind kinds[] = { ENTRY_AT, ENTRY_NAME, ENTRY_BELOW };

struct field_set {
    struct arena *arena;
    struct slice *fields;
    size_t count;
    bool is_incomplete; /* memory is out */
};

static void field_add(struct field_set *set, struct slice field)
{
    if (field.ptr == NULL)
        set->is_incomplete = true;
    else
        set->fields[set->count++] = field;
}

/* "!@example.com". Copied byte by byte: a hostile name may hold a NUL, which must not end it. */
static struct slice field_spell(struct arena *arena, bool excluded, enum entry_kind kind,
                                struct slice name)
{
    char *text = arena_alloc(arena, name.len + 2);
    size_t len = 0;

    if (text == NULL)
        return (struct slice){ NULL, 0 };
    if (excluded)
        text[len++] = '!';
    if (entry_sign(kind) != 0)
        text[len++] = entry_sign(kind);
    memcpy(text + len, name.ptr, name.len);
    return (struct slice){ text, len + name.len };
}

static void name_fields(struct field_set *set, const struct candidate *candidate)
{
    for (int excluded = 1; excluded >= 0; excluded--)
        for (size_t i = 0; i < COUNT(kinds); i++)
            if ((candidate->kinds & kinds[i]) != 0)
                field_add(set, field_spell(set->arena, excluded == 1, kinds[i], candidate->name));
}

static void net_fields(struct field_set *set, const struct ipnet *net)
{
    bool is_ipv4 = ipnet_is_ipv4(net);
    size_t count = is_ipv4 ? COUNT(ipv4_lengths) : COUNT(ipv6_lengths);
    char text[IPNET_TEXT_MAX];

    for (size_t i = 0; i < count; i++) {
        unsigned bits = is_ipv4 ? ipv4_lengths[i] + IPV4_PREFIX_BITS : ipv6_lengths[i];
        if (!net->is_set || bits > net->bits) /* a smaller network cannot contain it */
            continue;
        struct ipnet outer = ipnet_mask(net, bits - (is_ipv4 ? IPV4_PREFIX_BITS : 0), bits);
        ipnet_print(&outer, text);
        struct slice both = arena_printf(set->arena, "!%s", text);
        field_add(set, both);
        field_add(set, slice_skip(both, 1));
    }
}

size_t list_fields(const struct value *subject, struct arena *arena, const struct slice **fields)
{
    struct field_set set = { .arena = arena };
    struct candidate candidates[CANDIDATES_MAX];
    char scratch[ENTRY_MAX];
    size_t count = candidates_of(subject, candidates, scratch);

    bool is_name = subject->type == VALUE_MAILBOX || subject->type == VALUE_DOMAIN;
    if (subject->is_empty || (count == 1 && !is_name && !entry_is_word(candidates[0].name)))
        return 0;
    set.fields = arena_alloc_array(arena, FIELDS_MAX, sizeof *set.fields);
    if (set.fields == NULL)
        return SIZE_MAX;
    if (subject->type == VALUE_ADDRESS)
        net_fields(&set, &subject->net);
    for (size_t i = 0; i < count; i++)
        name_fields(&set, &candidates[i]);
    *fields = set.fields;
    return set.is_incomplete ? SIZE_MAX : set.count;
}

/* How specific a field made by name_fields() is; its `!` is off. */
static unsigned name_specificity(const struct value *subject, struct slice field)
{
    struct candidate candidates[CANDIDATES_MAX];
    char scratch[ENTRY_MAX];
    size_t count = candidates_of(subject, candidates, scratch);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < COUNT(kinds); k++) {
            char sign = entry_sign(kinds[k]);
            bool has_sign = sign == 0 || (field.len > 0 && field.ptr[0] == sign);
            if ((candidates[i].kinds & kinds[k]) != 0 && has_sign &&
                slice_equal(slice_skip(field, sign != 0), candidates[i].name))
                return candidates[i].specificity;
        }
    return 0;
}

static void field_fill(const struct value *subject, struct slice field,
                       const struct live_tail *tail, struct list_match *out)
{
    *out = (struct list_match){
        .found = true, .until_s = tail->until_s, .by = tail->by, .note = tail->note
    };
    out->excluded = slice_starts_with(field, SLICE("!"));
    out->entry = slice_skip(field, out->excluded ? 1 : 0);
    if (subject->type == VALUE_ADDRESS && ipnet_parse(out->entry, &out->net, NULL)) {
        out->entry = (struct slice){ NULL, 0 };
        out->specificity = net_specificity(&out->net);
    } else {
        out->specificity = name_specificity(subject, out->entry);
    }
}

bool list_match_fields(const struct value *subject, const struct slice *fields,
                       const struct slice *texts, size_t count, uint64_t wall_ms,
                       struct list_match *out, size_t *bad)
{
    struct live_tail tail;
    const char *error;
    size_t first_bad = SIZE_MAX;

    *out = (struct list_match){ .found = false };
    for (size_t i = 0; i < count && !out->found; i++) {
        if (texts[i].ptr == NULL)
            continue;
        if (!live_tail_parse(texts[i], &tail, &error) || tail.head.len > 0)
            first_bad = first_bad < i ? first_bad : i;
        else if (!live_tail_is_expired(&tail, wall_ms))
            field_fill(subject, fields[i], &tail, out);
    }
    if (bad != NULL)
        *bad = first_bad;
    return out->found;
}
