/* common/lists/map.c - see map.h. Keys live in a hash table (names.h), tagged with their kind; a record's number leads to
 * the key's spelling and its values, which lie one after the other in one buffer. */
#include "common/lists/map.h"

#include "common/base/buf.h"
#include "common/lists/entry.h"
#include "common/lists/list.h"
#include "common/lists/names.h"
#include "common/live/tail.h"
#include "common/mail/address.h"

#include <stdatomic.h>

enum { KEYS_MOST = INT32_MAX, SCRATCH_MAX = 1 << 18 };

enum key_kind {
    KEY_WHOLE, /* a mailbox, a login, a word: compared as a whole */
    KEY_USER, /* `user@`; the name is the local part */
    KEY_DOMAIN, /* `@dom`; the name is the domain */
    KEY_BELOW, /* `@.dom`; the name is the domain */
};

struct map_record {
    uint64_t until_s;
    uint32_t at; /* in `texts`: the key, then its values */
    uint16_t key_len, values_len;
};

struct map {
    atomic_size_t owners;
    struct names names;
    struct map_record *records; /* owned */
    size_t count, cap;
    struct buf texts;
};

struct map_builder {
    struct map *map; /* owned until it is finished */
    struct arena *arena; /* for one key at a time */
    size_t max_keys;
};

struct map_key {
    enum key_kind kind;
    struct slice name; /* borrowed from the text or the arena */
};

struct map *map_share(struct map *map)
{
    atomic_fetch_add(&map->owners, 1);
    return map;
}

void map_free(struct map **map)
{
    struct map *gone = *map;

    *map = NULL;
    if (gone == NULL || atomic_fetch_sub(&gone->owners, 1) > 1)
        return;
    names_free(&gone->names);
    free(gone->records);
    buf_free(&gone->texts);
    free(gone);
}

struct map_builder *map_builder_new(size_t max_keys)
{
    struct map_builder *builder = calloc(1, sizeof *builder);

    if (builder == NULL)
        return NULL;
    builder->max_keys = max_keys < KEYS_MOST ? max_keys : KEYS_MOST;
    builder->arena = arena_new(SCRATCH_MAX);
    builder->map = calloc(1, sizeof *builder->map);
    if (builder->arena == NULL || builder->map == NULL) {
        map_builder_free(&builder);
        return NULL;
    }
    atomic_init(&builder->map->owners, 1);
    names_init(&builder->map->names);
    builder->map->texts = (struct buf)BUF_INIT(UINT32_MAX - 1);
    return builder;
}

void map_builder_free(struct map_builder **builder)
{
    if (*builder == NULL)
        return;
    map_free(&(*builder)->map);
    arena_free(&(*builder)->arena);
    free(*builder);
    *builder = NULL;
}

bool map_builder_is_full(const struct map_builder *builder)
{
    return builder->map->count >= builder->max_keys;
}

/* Which kind of key `text` is, and its name before it is normalised. */
static struct map_key key_split(struct slice text)
{
    size_t at = slice_rfind(text, '@');

    if (slice_starts_with(text, SLICE("@.")))
        return (struct map_key){ KEY_BELOW, slice_skip(text, 2) };
    if (slice_starts_with(text, SLICE("@")))
        return (struct map_key){ KEY_DOMAIN, slice_skip(text, 1) };
    if (at != SIZE_MAX && at + 1 == text.len)
        return (struct map_key){ KEY_USER, slice_part(text, 0, at) };
    return (struct map_key){ KEY_WHOLE, text };
}

static const char *key_parse(struct slice text, struct arena *arena, struct map_key *out)
{
    struct map_key key = key_split(text);
    bool is_domain = key.kind == KEY_DOMAIN || key.kind == KEY_BELOW;
    struct ip_address address;
    char spelling[IPNET_TEXT_MAX];

    if (text.len == 0)
        return "a key is missing";
    if (text.len > ENTRY_MAX)
        return "the key is longer than 320 bytes";
    if (ip_address_parse(text, &address)) {
        struct ipnet net = ipnet_of(&address);
        ipnet_print(&net, spelling);
        *out = (struct map_key){ KEY_WHOLE, arena_copy(arena, slice_of(spelling)) };
        return out->name.ptr == NULL ? "out of memory" : NULL;
    }
    if (entry_has_control_byte(text))
        return "control bytes are not allowed";
    enum address_form form = is_domain ? address_normalise_domain(key.name, arena, &key.name)
                                       : address_normalise_mailbox(key.name, arena, &key.name);
    if (form == ADDRESS_NO_MEMORY)
        return "out of memory";
    struct slice domain = is_domain ? key.name : address_domain(key.name);
    if (form == ADDRESS_ODD || (domain.ptr != NULL && !address_is_valid_domain(domain)))
        return "not a key: user@example.com, user@, @example.com, @.example.com or a word";
    *out = key;
    return NULL;
}

static struct slice key_print(const struct map_key *key, struct arena *arena)
{
    const char *before = key->kind == KEY_DOMAIN ? "@" : key->kind == KEY_BELOW ? "@." : "";

    return arena_printf(arena, "%s%.*s%s", before, SLICE_ARG(key->name),
                        key->kind == KEY_USER ? "@" : "");
}

struct slice map_key_normalise(struct slice key, struct arena *arena, const char **error)
{
    struct map_key parsed;
    const char *wrong = key_parse(slice_trim(key), arena, &parsed);
    struct slice text = { NULL, 0 };

    if (wrong == NULL)
        text = key_print(&parsed, arena);
    if (text.ptr == NULL)
        *error = wrong == NULL ? "out of memory" : wrong;
    return text;
}

static bool name_find(const struct map *map, enum key_kind kind, struct slice name,
                      struct name_record *out)
{
    struct names_cursor cursor = { names_hash(name), 0 };

    while (names_next(&map->names, name, &cursor, out))
        if (out->tag == kind)
            return true;
    return false;
}

static bool is_separator(char c)
{
    return c == ',' || ascii_is_space(c);
}

/* The next value of a text as people write it; false at its end. */
static bool value_cut(struct slice *rest, struct slice *value)
{
    size_t len = 0;

    while (rest->len > 0 && is_separator(rest->ptr[0]))
        *rest = slice_skip(*rest, 1);
    while (len < rest->len && !is_separator(rest->ptr[len]))
        len++;
    *value = slice_part(*rest, 0, len);
    *rest = slice_skip(*rest, len);
    return len > 0;
}

/* Adds the values, normalised and joined by `,`, to the map's texts. */
static const char *values_put(struct map *map, struct slice text, struct arena *arena,
                              size_t *written)
{
    size_t start = map->texts.len;
    struct slice value, normal;

    while (value_cut(&text, &value)) {
        if (address_normalise_mailbox(value, arena, &normal) == ADDRESS_NO_MEMORY ||
            (map->texts.len > start && buf_put_char(&map->texts, ',')) ||
            buf_add(&map->texts, normal))
            return "out of memory";
        if (map->texts.len - start > MAP_VALUES_MAX)
            return "the values are longer than 8192 bytes";
    }
    *written = map->texts.len - start;
    return *written == 0 ? "the key has no value" : NULL;
}

static int records_grow(struct map *map)
{
    size_t cap = map->cap == 0 ? 16 : map->cap * 2;

    if (map->count < map->cap)
        return 0;
    struct map_record *records = reallocarray(map->records, cap, sizeof *records);
    if (records == NULL)
        return -1;
    map->records = records;
    map->cap = cap;
    return 0;
}

static const char *record_put(struct map_builder *builder, const struct map_key *key,
                              const struct live_tail *tail)
{
    struct map *map = builder->map;
    struct slice spelling = key_print(key, builder->arena);
    size_t start = map->texts.len, values_len = 0;

    if (spelling.ptr == NULL || records_grow(map) || buf_add(&map->texts, spelling))
        return "out of memory";
    const char *error = values_put(map, tail->head, builder->arena, &values_len);
    if (error == NULL &&
        names_add(&map->names, key->name, 0, (unsigned char)key->kind, (uint32_t)map->count))
        error = "out of memory";
    if (error != NULL) {
        map->texts.len = start;
        return error;
    }
    map->records[map->count++] =
        (struct map_record){ tail->until_s, (uint32_t)start, (uint16_t)spelling.len,
                             (uint16_t)values_len };
    return NULL;
}

const char *map_builder_add(struct map_builder *builder, struct slice key, struct slice values,
                            bool *in_values)
{
    struct map_key parsed;
    struct live_tail tail;
    struct name_record record;
    const char *error = NULL;
    bool ignored;

    in_values = in_values == NULL ? &ignored : in_values;
    *in_values = false;
    arena_reset(builder->arena);
    if (map_builder_is_full(builder))
        return "the map has too many keys";
    if ((error = key_parse(slice_trim(key), builder->arena, &parsed)) != NULL)
        return error;
    if (name_find(builder->map, parsed.kind, parsed.name, &record))
        return "the key is there already; the first one counts";
    *in_values = true;
    return live_tail_parse(values, &tail, &error) ? record_put(builder, &parsed, &tail) : error;
}

struct map *map_builder_finish(struct map_builder **builder)
{
    struct map *map = (*builder)->map;

    (*builder)->map = NULL;
    map_builder_free(builder);
    names_shrink(&map->names);
    return map;
}

static bool key_lookup(const struct map *map, enum key_kind kind, struct slice name,
                       unsigned specificity, uint64_t wall_ms, struct map_match *out)
{
    struct name_record found;
    struct slice texts = buf_slice(&map->texts);

    if (name.len == 0 || !name_find(map, kind, name, &found))
        return false;
    const struct map_record *record = &map->records[found.data];
    struct live_tail tail = { .until_s = record->until_s };
    if (live_tail_is_expired(&tail, wall_ms))
        return false;
    *out = (struct map_match){ .found = true,
                               .specificity = specificity,
                               .key = slice_part(texts, record->at, record->key_len),
                               .values = slice_part(texts, record->at + record->key_len,
                                                    record->values_len),
                               .until_s = record->until_s };
    return true;
}

/* `user@`, with the extension and without. */
static bool user_lookup(const struct map *map, struct slice mailbox, uint64_t wall_ms,
                        struct map_match *out)
{
    struct slice local = address_local(mailbox);
    struct slice base = address_local_base(mailbox, SLICE(LIST_DELIMITERS));

    if (address_domain(mailbox).len == 0)
        return false;
    return key_lookup(map, KEY_USER, local, LEVEL_USER + 1, wall_ms, out) ||
           (base.len < local.len && key_lookup(map, KEY_USER, base, LEVEL_USER, wall_ms, out));
}

static bool candidate_lookup(const struct map *map, const struct candidate *candidate,
                             uint64_t wall_ms, struct map_match *out)
{
    enum key_kind kind = (candidate->kinds & ENTRY_AT) != 0      ? KEY_DOMAIN
                         : (candidate->kinds & ENTRY_BELOW) != 0 ? KEY_BELOW
                                                                 : KEY_WHOLE;

    return key_lookup(map, kind, candidate->name, candidate->specificity, wall_ms, out);
}

static bool names_lookup(const struct map *map, const struct value *key, uint64_t wall_ms,
                         struct map_match *out)
{
    struct candidate candidates[CANDIDATES_MAX];
    char scratch[ENTRY_MAX];
    size_t count = candidates_of(key, candidates, scratch);
    bool user_is_due = key->type == VALUE_MAILBOX;

    for (size_t i = 0; i < count; i++) {
        if (user_is_due && candidates[i].specificity < LEVEL_USER) {
            user_is_due = false;
            if (user_lookup(map, key->text, wall_ms, out))
                return true;
        }
        if (candidate_lookup(map, &candidates[i], wall_ms, out))
            return true;
    }
    return false;
}

bool map_lookup(const struct map *map, const struct value *key, uint64_t wall_ms,
                struct map_match *out)
{
    char text[IPNET_TEXT_MAX];

    *out = (struct map_match){ .found = false };
    if (map == NULL || key->is_empty)
        return false;
    if (key->type != VALUE_ADDRESS)
        return names_lookup(map, key, wall_ms, out);
    size_t len = ipnet_print(&key->net, text);
    return key_lookup(map, KEY_WHOLE, (struct slice){ text, len }, LEVEL_EXACT, wall_ms, out);
}

size_t map_count(const struct map *map)
{
    return map == NULL ? 0 : map->count;
}

const struct map_match *map_pick(const struct map_match *file, const struct map_match *live)
{
    if (!file->found || !live->found)
        return live->found ? live : file;
    return file->specificity > live->specificity ? file : live;
}

bool map_value_next(struct slice *rest, struct slice *value)
{
    return rest->len > 0 && slice_next(rest, ',', value);
}

bool map_match_has(const struct map_match *match, struct slice value)
{
    struct slice rest = match->values, one;

    while (map_value_next(&rest, &one))
        if (slice_equal_nocase(one, value))
            return true;
    return false;
}

bool map_has(const struct map *map, const struct value *key, struct slice value, uint64_t wall_ms)
{
    struct map_match match;

    return map_lookup(map, key, wall_ms, &match) && map_match_has(&match, value);
}
