/* common/lists/list.c - see list.h. Networks live in a sorted array (nets.h), everything else in a hash table (names.h);
 * a name's record is tagged with its kind and with whether it is a `!` entry. */
#include "common/lists/list.h"

#include "common/lists/entry.h"
#include "common/lists/names.h"
#include "common/lists/nets.h"
#include "common/lists/tails.h"

#include <stdatomic.h>

enum { TAG_EXCLUDED = 1 << 7, ENTRIES_MOST = INT32_MAX, SCRATCH_MAX = 1 << 16 };

struct list {
    atomic_size_t owners;
    unsigned kinds; /* set of entry_kind: kinds of names that occur */
    struct names names;
    struct nets nets;
    struct tails tails;
};

struct list_builder {
    struct list *list; /* owned until it is finished */
    struct arena *arena; /* for one entry at a time */
    size_t max_entries, entries;
    char error[ENTRY_ERROR_MAX];
};

struct list *list_share(struct list *list)
{
    atomic_fetch_add(&list->owners, 1);
    return list;
}

void list_free(struct list **list)
{
    struct list *gone = *list;

    *list = NULL;
    if (gone == NULL || atomic_fetch_sub(&gone->owners, 1) > 1)
        return;
    names_free(&gone->names);
    nets_free(&gone->nets);
    tails_free(&gone->tails);
    free(gone);
}

struct list_builder *list_builder_new(size_t max_entries)
{
    struct list_builder *builder = calloc(1, sizeof *builder);

    if (builder == NULL)
        return NULL;
    builder->max_entries = max_entries < ENTRIES_MOST ? max_entries : ENTRIES_MOST;
    builder->arena = arena_new(SCRATCH_MAX);
    builder->list = calloc(1, sizeof *builder->list);
    if (builder->arena == NULL || builder->list == NULL) {
        list_builder_free(&builder);
        return NULL;
    }
    atomic_init(&builder->list->owners, 1);
    names_init(&builder->list->names);
    tails_init(&builder->list->tails);
    return builder;
}

void list_builder_free(struct list_builder **builder)
{
    if (*builder == NULL)
        return;
    list_free(&(*builder)->list);
    arena_free(&(*builder)->arena);
    free(*builder);
    *builder = NULL;
}

bool list_builder_is_full(const struct list_builder *builder)
{
    return builder->entries >= builder->max_entries;
}

static int name_put(struct list *list, const struct entry *entry, uint32_t tail)
{
    unsigned char tag = (unsigned char)(entry->kind | (entry->excluded ? TAG_EXCLUDED : 0));
    struct names_cursor cursor = { names_hash(entry->name), 0 };
    struct name_record record;

    while (names_next(&list->names, entry->name, &cursor, &record)) {
        if (record.tag != tag)
            continue;
        names_set_data(&list->names, record.at, tails_longer(&list->tails, record.data, tail));
        return 0;
    }
    list->kinds |= entry->kind;
    return names_add(&list->names, entry->name, entry_sign(entry->kind), tag, tail);
}

static int entry_put(struct list *list, const struct entry *entry, const struct live_tail *tail)
{
    uint32_t number;

    if (tails_add(&list->tails, tail, &number))
        return -1;
    if (entry->kind == ENTRY_NET)
        return nets_add(&list->nets, &entry->net, entry->excluded, number);
    return name_put(list, entry, number);
}

static const char *builder_add(struct list_builder *builder, struct slice text,
                               const struct live_tail *tail)
{
    struct entry entry;

    arena_reset(builder->arena);
    if (list_builder_is_full(builder))
        return "the list has too many entries";
    if (!entry_parse(text, builder->arena, &entry, builder->error))
        return builder->error;
    if (entry_put(builder->list, &entry, tail))
        return "out of memory";
    builder->entries++;
    return NULL;
}

static const char *tail_parse(struct slice text, struct live_tail *out)
{
    const char *error = NULL;

    if (!live_tail_parse(text, out, &error))
        return error;
    return out->head.len == 0 ? NULL : "only until=, by= and note= may follow an entry";
}

const char *list_builder_add(struct list_builder *builder, struct slice entry, struct slice tail,
                             bool *in_tail)
{
    struct live_tail parsed;
    const char *error = tail_parse(tail, &parsed);

    if (in_tail != NULL)
        *in_tail = error != NULL;
    return error != NULL ? error : builder_add(builder, slice_trim(entry), &parsed);
}

/* Where a comment begins: a `#` at the start or after a blank, and not inside a note. */
static size_t comment_begin(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct slice rest = slice_skip(text, i);
        if (i > 0 && !ascii_is_space(text.ptr[i - 1]))
            continue;
        if (slice_starts_with(rest, SLICE("note=")))
            break;
        if (text.ptr[i] == '#')
            return i;
    }
    return text.len;
}

static size_t blank_in(struct slice text)
{
    size_t i = 0;

    while (i < text.len && !ascii_is_space(text.ptr[i]))
        i++;
    return i;
}

const char *list_builder_add_line(struct list_builder *builder, struct slice line, size_t *offset)
{
    struct slice text = slice_trim(line), comment;
    struct live_tail tail;

    if (text.len == 0 || text.ptr[0] == '#')
        return NULL;
    struct slice entry = slice_part(text, 0, blank_in(text));
    struct slice rest = slice_trim(slice_skip(text, entry.len));
    size_t at = comment_begin(rest);
    comment = slice_trim(slice_skip(rest, at + 1));
    rest = slice_trim(slice_part(rest, 0, at));
    const char *error = tail_parse(rest, &tail);
    *offset = (size_t)((error == NULL ? entry.ptr : rest.ptr) - line.ptr);
    if (error != NULL)
        return error;
    if (tail.note.len == 0)
        tail.note = comment;
    return builder_add(builder, entry, &tail);
}

struct list *list_builder_finish(struct list_builder **builder)
{
    struct list *list = (*builder)->list;

    (*builder)->list = NULL;
    list_builder_free(builder);
    names_shrink(&list->names);
    if (nets_finish(&list->nets, &list->tails))
        list_free(&list);
    return list;
}

struct slice list_entry_normalise(struct slice entry, struct arena *arena, const char **error)
{
    static const struct slice absent = { NULL, 0 };
    AUTO_BUF text = BUF_INIT(ENTRY_MAX + 2);
    char wrong[ENTRY_ERROR_MAX];
    struct entry parsed;

    *error = "out of memory";
    if (!entry_parse(slice_trim(entry), arena, &parsed, wrong)) {
        struct slice kept = arena_copy(arena, slice_of(wrong));
        if (kept.ptr != NULL)
            *error = kept.ptr;
        return absent;
    }
    return entry_print(&text, &parsed) ? absent : arena_copy(arena, buf_slice(&text));
}

static void tail_fill(const struct list *list, uint32_t number, struct list_match *out)
{
    struct live_tail tail = tails_get(&list->tails, number);

    out->until_s = tail.until_s;
    out->by = tail.by;
    out->note = tail.note;
}

static bool net_lookup(const struct list *list, const struct ipnet *net, uint64_t wall_ms,
                       struct list_match *out)
{
    const struct net_item *item = NULL;

    while ((item = nets_next(&list->nets, net, item)) != NULL) {
        if (tails_is_expired(&list->tails, item->tail, wall_ms))
            continue;
        *out =
            (struct list_match){ .found = true, .excluded = item->excluded, .net = nets_get(item) };
        out->specificity = net_specificity(&out->net);
        tail_fill(list, item->tail, out);
        return true;
    }
    return false;
}

/* The records of one name that are of the candidate's kinds: of several, `!` wins. */
static bool candidate_lookup(const struct list *list, const struct candidate *candidate,
                             uint32_t hash, uint64_t wall_ms, struct list_match *out)
{
    struct names_cursor cursor = { hash, 0 };
    struct name_record record;
    bool found = false;

    while (names_next(&list->names, candidate->name, &cursor, &record)) {
        bool excluded = (record.tag & TAG_EXCLUDED) != 0;
        if ((record.tag & candidate->kinds) == 0 || (found && !excluded) ||
            tails_is_expired(&list->tails, record.data, wall_ms))
            continue;
        found = true;
        *out = (struct list_match){ .found = true,
                                    .excluded = excluded,
                                    .specificity = candidate->specificity,
                                    .entry = record.name };
        if (record.before != 0) /* that sign stands right before the name */
            out->entry = (struct slice){ record.name.ptr - 1, record.name.len + 1 };
        tail_fill(list, record.data, out);
    }
    return found;
}

/* All names are hashed first and their places fetched side by side: waiting for memory is what a lookup costs. */
static bool names_lookup(const struct list *list, const struct value *subject, uint64_t wall_ms,
                         struct list_match *out)
{
    struct candidate candidates[CANDIDATES_MAX];
    uint32_t hashes[CANDIDATES_MAX];
    char scratch[ENTRY_MAX];
    size_t count = list->kinds == 0 ? 0 : candidates_of(subject, candidates, scratch), kept = 0;

    for (size_t i = 0; i < count; i++) {
        if ((candidates[i].kinds & list->kinds) == 0)
            continue;
        candidates[kept] = candidates[i];
        bool is_same = kept > 0 && candidates[kept - 1].name.ptr == candidates[kept].name.ptr &&
                       candidates[kept - 1].name.len == candidates[kept].name.len;
        hashes[kept] = is_same ? hashes[kept - 1] : names_hash(candidates[kept].name);
        names_prefetch(&list->names, hashes[kept++]);
    }
    for (size_t i = 0; i < kept; i++)
        if (candidate_lookup(list, &candidates[i], hashes[i], wall_ms, out))
            return true;
    return false;
}

bool list_lookup(const struct list *list, const struct value *subject, uint64_t wall_ms,
                 struct list_match *out)
{
    *out = (struct list_match){ .found = false };
    if (list == NULL || subject->is_empty)
        return false;
    return subject->type == VALUE_ADDRESS ? net_lookup(list, &subject->net, wall_ms, out)
                                          : names_lookup(list, subject, wall_ms, out);
}

size_t list_count(const struct list *list)
{
    return list == NULL ? 0 : list->names.count + list->nets.count;
}

size_t list_networks(const struct list *list)
{
    return list == NULL ? 0 : list->nets.count;
}

size_t list_memory(const struct list *list)
{
    return sizeof *list + names_memory(&list->names) + nets_memory(&list->nets) +
           tails_memory(&list->tails);
}

const struct list_match *list_pick(const struct list_match *file, const struct list_match *live)
{
    if (!file->found || !live->found)
        return live->found ? live : file;
    return file->specificity > live->specificity ? file : live;
}

bool list_match_is_member(const struct list_match *match)
{
    return match->found && !match->excluded;
}

int list_match_print(struct buf *out, const struct list_match *match)
{
    struct entry entry = { .kind = match->net.is_set ? ENTRY_NET : ENTRY_NAME,
                           .excluded = match->excluded,
                           .name = match->entry,
                           .net = match->net };

    return match->found ? entry_print(out, &entry) : 0;
}
