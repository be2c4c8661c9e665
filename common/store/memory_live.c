/* common/store/memory_live.c - see memory_live.h. */
#include "common/store/memory_live.h"

#include "common/base/hash.h"
#include "common/live/tail.h"

enum { EXPIRE_SLOTS = 4, ENTRY_OVERHEAD = 32 /* of malloc, and the table's slots */ };

struct live_field {
    struct hashtable_entry link;
    size_t name_len, text_len;
    char bytes[]; /* name, text */
};

struct live_hash {
    struct hashtable_entry link;
    struct hashtable fields;
    uint64_t version;
    uint64_t bytes; /* all that it counts for in live.used */
    size_t hand; /* next slot to look for expired fields in */
    size_t key_len;
    char key[];
};

static struct live_hash *hash_of(struct hashtable_entry *entry)
{
    return (struct live_hash *)(void *)entry;
}

static struct live_field *field_of(struct hashtable_entry *entry)
{
    return (struct live_field *)(void *)entry;
}

static struct slice field_name(const struct live_field *field)
{
    return (struct slice){ field->bytes, field->name_len };
}

static struct slice field_text(const struct live_field *field)
{
    return (struct slice){ field->bytes + field->name_len, field->text_len };
}

static uint64_t hash_bytes(size_t key_len)
{
    return sizeof(struct live_hash) + key_len + ENTRY_OVERHEAD + 16 * sizeof(void *);
}

static uint64_t field_bytes(size_t name_len, size_t text_len)
{
    return sizeof(struct live_field) + name_len + text_len + ENTRY_OVERHEAD;
}

static bool is_hash(const struct hashtable_entry *entry, const void *key)
{
    const struct live_hash *hash = (const struct live_hash *)(const void *)entry;

    return slice_equal((struct slice){ hash->key, hash->key_len }, *(const struct slice *)key);
}

static bool is_field(const struct hashtable_entry *entry, const void *name)
{
    return slice_equal(field_name((const struct live_field *)(const void *)entry),
                       *(const struct slice *)name);
}

bool live_init(struct live *live, uint64_t max)
{
    *live = (struct live){ .max = max };
    pthread_rwlock_init(&live->lock, NULL);
    return hashtable_init(&live->hashes);
}

static void hash_free(struct live_hash *hash)
{
    for (size_t slot = 0; slot < hash->fields.slot_count; slot++)
        while (*hashtable_slot(&hash->fields, slot) != NULL)
            free(hashtable_remove(&hash->fields, hashtable_slot(&hash->fields, slot)));
    hashtable_free(&hash->fields);
    free(hash);
}

void live_free(struct live *live)
{
    for (size_t slot = 0; slot < live->hashes.slot_count; slot++)
        while (*hashtable_slot(&live->hashes, slot) != NULL)
            hash_free(
                hash_of(hashtable_remove(&live->hashes, hashtable_slot(&live->hashes, slot))));
    hashtable_free(&live->hashes);
    pthread_rwlock_destroy(&live->lock);
}

/* ---- reading ---- */

void live_lock(struct live *live)
{
    pthread_rwlock_rdlock(&live->lock);
}

void live_unlock(struct live *live)
{
    pthread_rwlock_unlock(&live->lock);
}

struct live_hash *live_hash_find(struct live *live, struct slice key)
{
    if (live->hashes.count == 0)
        return NULL;
    return hash_of(*hashtable_find(&live->hashes, hash_keyed(key), is_hash, &key));
}

struct slice live_text(struct live_hash *hash, struct slice field)
{
    struct hashtable_entry *entry =
        *hashtable_find(&hash->fields, hash_keyed(field), is_field, &field);

    return entry == NULL ? (struct slice){ NULL, 0 } : field_text(field_of(entry));
}

bool live_has(struct live_hash *hash, struct slice field, struct slice text)
{
    struct slice now = hash == NULL ? (struct slice){ NULL, 0 } : live_text(hash, field);

    return (now.ptr == NULL) == (text.ptr == NULL) && slice_equal(now, text);
}

bool live_fetch(struct live *live, struct slice key, const struct slice *fields, size_t count,
                struct slice *texts, struct arena *arena)
{
    bool ok = true;

    live_lock(live);
    struct live_hash *hash = live_hash_find(live, key);
    for (size_t i = 0; hash != NULL && i < count; i++) {
        struct slice text = live_text(hash, fields[i]);
        texts[i] = arena_copy(arena, text);
        ok &= text.ptr == NULL || texts[i].ptr != NULL;
    }
    live_unlock(live);
    return ok;
}

static bool copy_fields(struct live_hash *hash, struct arena *arena, struct store_field *out)
{
    size_t n = 0;

    for (size_t slot = 0; slot < hash->fields.slot_count; slot++) {
        struct hashtable_entry *entry = *hashtable_slot(&hash->fields, slot);
        for (; entry != NULL; entry = entry->next) {
            const struct live_field *field = field_of(entry);
            out[n].name = arena_copy(arena, field_name(field));
            out[n].text = arena_copy(arena, field_text(field));
            if (out[n].name.ptr == NULL || out[n].text.ptr == NULL)
                return false;
            n++;
        }
    }
    return true;
}

bool live_read(struct live *live, struct slice key, struct arena *arena,
               struct store_field **fields, size_t *count)
{
    bool ok = true;

    live_lock(live);
    struct live_hash *hash = live_hash_find(live, key);
    if (hash != NULL) {
        struct store_field *out = arena_alloc_array(arena, hash->fields.count, sizeof *out);
        ok = out != NULL && copy_fields(hash, arena, out);
        if (ok) {
            *fields = out;
            *count = hash->fields.count;
        }
    }
    live_unlock(live);
    return ok;
}

void live_version(struct live *live, struct slice key, char out[48])
{
    live_lock(live);
    struct live_hash *hash = live_hash_find(live, key);
    snprintf(out, 48, "%llu", hash == NULL ? 0ULL : (unsigned long long)hash->version);
    live_unlock(live);
}

uint64_t live_used(struct live *live)
{
    live_lock(live);
    uint64_t used = live->used;
    live_unlock(live);
    return used;
}

/* ---- writing, under the write lock ---- */

static bool take(struct live *live, uint64_t bytes)
{
    if (bytes > live->max || live->used > live->max - bytes)
        return false;
    live->used += bytes;
    return true;
}

static struct live_hash *hash_make(struct live *live, struct slice key)
{
    struct live_hash *hash = live_hash_find(live, key);
    uint64_t bytes = hash_bytes(key.len);

    if (hash != NULL || !take(live, bytes))
        return hash;
    hash = calloc(1, sizeof *hash + key.len);
    if (hash == NULL || !hashtable_init(&hash->fields)) {
        live->used -= bytes;
        free(hash);
        return NULL;
    }
    hash->bytes = bytes;
    hash->key_len = key.len;
    memcpy(hash->key, key.ptr, key.len);
    hash->link.hash = hash_keyed(key);
    hashtable_insert(&live->hashes, &hash->link);
    return hash;
}

/* Not in a hash yet, or not any more. */
static void field_free(struct live *live, struct live_field *field)
{
    live->used -= field_bytes(field->name_len, field->text_len);
    free(field);
}

static void field_drop(struct live *live, struct live_hash *hash, struct hashtable_entry **link)
{
    struct live_field *field = field_of(hashtable_remove(&hash->fields, link));

    hash->bytes -= field_bytes(field->name_len, field->text_len);
    field_free(live, field);
}

static void drop_expired(struct live *live, struct live_hash *hash, uint64_t wall_ms)
{
    struct live_tail tail;
    const char *error;

    for (size_t n = 0; n < EXPIRE_SLOTS; n++) {
        hash->hand = (hash->hand + 1) % hash->fields.slot_count;
        struct hashtable_entry **link = hashtable_slot(&hash->fields, hash->hand);
        while (*link != NULL)
            if (live_tail_parse(field_text(field_of(*link)), &tail, &error) &&
                live_tail_is_expired(&tail, wall_ms))
                field_drop(live, hash, link);
            else
                link = &(*link)->next;
    }
}

static struct live_field *field_make(struct live *live, struct slice name, struct slice text)
{
    uint64_t bytes = field_bytes(name.len, text.len);
    struct live_field *field;

    if (!take(live, bytes))
        return NULL;
    field = calloc(1, sizeof *field + name.len + text.len);
    if (field == NULL) {
        live->used -= bytes;
        return NULL;
    }
    field->name_len = name.len;
    field->text_len = text.len;
    memcpy(field->bytes, name.ptr, name.len);
    if (text.len > 0)
        memcpy(field->bytes + name.len, text.ptr, text.len);
    field->link.hash = hash_keyed(name);
    return field;
}

/* True: in place of another one. */
static bool field_insert(struct live *live, struct live_hash *hash, struct live_field *field)
{
    struct slice name = field_name(field);
    struct hashtable_entry **link =
        hashtable_find(&hash->fields, field->link.hash, is_field, &name);
    bool existed = *link != NULL;

    if (existed)
        field_drop(live, hash, link);
    hashtable_insert(&hash->fields, &field->link);
    hash->bytes += field_bytes(field->name_len, field->text_len);
    return existed;
}

/* Takes the hash out of the table, for the caller to free after unlocking. */
static struct live_hash *hash_take(struct live *live, struct slice key)
{
    struct hashtable_entry **link = hashtable_find(&live->hashes, hash_keyed(key), is_hash, &key);

    if (*link == NULL)
        return NULL;
    struct live_hash *hash = hash_of(hashtable_remove(&live->hashes, link));
    live->used -= hash->bytes;
    return hash;
}

static bool put_locked(struct live *live, struct slice key, struct slice field, struct slice text,
                       uint64_t wall_ms, bool *existed, struct live_hash **old)
{
    struct live_hash *hash = hash_make(live, key);

    if (hash == NULL)
        return false;
    if (live_has(hash, field, text)) {
        *existed = true;
        return true;
    }
    drop_expired(live, hash, wall_ms);
    struct live_field *made = field_make(live, field, text);
    if (made != NULL)
        *existed = field_insert(live, hash, made);
    hash->version = ++live->version;
    if (hash->fields.count == 0)
        *old = hash_take(live, key);
    return made != NULL;
}

static void remove_locked(struct live *live, struct slice key, struct slice field, bool *existed,
                          struct live_hash **old)
{
    struct live_hash *hash = live_hash_find(live, key);
    struct hashtable_entry **link;

    if (hash == NULL)
        return;
    link = hashtable_find(&hash->fields, hash_keyed(field), is_field, &field);
    if (*link == NULL)
        return;
    *existed = true;
    field_drop(live, hash, link);
    hash->version = ++live->version;
    if (hash->fields.count == 0)
        *old = hash_take(live, key);
}

bool live_write(struct live *live, struct slice key, struct slice field, struct slice text,
                uint64_t wall_ms, bool *existed)
{
    struct live_hash *old = NULL;
    bool ok = true;

    *existed = false;
    pthread_rwlock_wrlock(&live->lock);
    if (field.ptr == NULL) {
        old = hash_take(live, key);
        *existed = old != NULL;
    } else if (text.ptr == NULL) {
        remove_locked(live, key, field, existed, &old);
    } else {
        ok = put_locked(live, key, field, text, wall_ms, existed, &old);
    }
    pthread_rwlock_unlock(&live->lock);
    if (old != NULL)
        hash_free(old); /* perhaps a million fields: nobody waits for it */
    return ok;
}

/* ---- several fields in one step ---- */

static bool is_as_read(struct live_hash *hash, const struct store_swap *swap)
{
    for (size_t i = 0; i < swap->count; i++) {
        const struct store_change *change = &swap->changes[i];
        if (!live_has(hash, change->field, change->was) &&
            !live_has(hash, change->field, change->text))
            return false;
    }
    return true;
}

/* All of them, or none: chained. */
static struct hashtable_entry *fields_make(struct live *live, const struct store_swap *swap)
{
    struct hashtable_entry *chain = NULL, *gone;

    for (size_t i = 0; i < swap->count; i++) {
        struct live_field *field = field_make(live, swap->changes[i].field, swap->changes[i].text);
        if (field != NULL) {
            field->link.next = chain;
            chain = &field->link;
            continue;
        }
        while ((gone = chain) != NULL) {
            chain = gone->next;
            field_free(live, field_of(gone));
        }
        return NULL;
    }
    return chain;
}

static bool swap_locked(struct live *live, const struct store_swap *swap, uint64_t wall_ms,
                        struct live_hash **old)
{
    struct live_hash *hash = hash_make(live, swap->key);
    struct hashtable_entry *chain, *next;

    if (hash == NULL)
        return false;
    drop_expired(live, hash, wall_ms);
    chain = fields_make(live, swap);
    for (struct hashtable_entry *entry = chain; entry != NULL; entry = next) {
        next = entry->next;
        field_insert(live, hash, field_of(entry));
    }
    hash->version = ++live->version;
    if (hash->fields.count == 0)
        *old = hash_take(live, swap->key);
    return chain != NULL;
}

bool live_swap(struct live *live, struct store_swap *swap, uint64_t wall_ms)
{
    struct live_hash *old = NULL;
    bool ok = true;

    pthread_rwlock_wrlock(&live->lock);
    if (is_as_read(live_hash_find(live, swap->key), swap))
        swap->is_written = ok = swap_locked(live, swap, wall_ms, &old);
    pthread_rwlock_unlock(&live->lock);
    if (old != NULL)
        hash_free(old);
    return ok;
}
