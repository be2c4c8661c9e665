/* common/store/leases.c - see leases.h. A subject is an entry of a hash table as long as it has a connection, and of a list in
 * the order in which the entries were told, so what is due stands in front. */
#include "common/store/leases.h"

#include <pthread.h>
#include <sys/queue.h>

#include "common/base/hash.h"
#include "common/store/hashtable.h"

struct held {
    struct hashtable_entry link; /* first member */
    TAILQ_ENTRY(held) order;
    size_t len;
    char subject[LEASE_SUBJECT_MAX + 1];
    uint64_t count;
    uint64_t told_ms; /* 0: never */
};
TAILQ_HEAD(held_list, held);

struct leases {
    pthread_mutex_t lock;
    struct hashtable table;
    struct held_list order; /* the one told longest ago first */
    size_t most;
    uint64_t number; /* of the last word */
    uint64_t refused;
};

static bool is_subject(const struct hashtable_entry *entry, const void *key)
{
    const struct held *held = (const struct held *)(const void *)entry;
    const struct slice *subject = key;

    return slice_equal((struct slice){ held->subject, held->len }, *subject);
}

/* The link to it; it points to NULL when there is none. */
static struct hashtable_entry **find(struct leases *leases, struct slice subject)
{
    return hashtable_find(&leases->table, hash_keyed(subject), is_subject, &subject);
}

struct leases *leases_new(size_t most)
{
    struct leases *leases = calloc(1, sizeof *leases);

    if (leases == NULL)
        return NULL;
    TAILQ_INIT(&leases->order);
    leases->most = most;
    if (!hashtable_init(&leases->table)) {
        free(leases);
        return NULL;
    }
    if (pthread_mutex_init(&leases->lock, NULL) != 0) {
        hashtable_free(&leases->table);
        free(leases);
        return NULL;
    }
    return leases;
}

void leases_free(struct leases **leases)
{
    struct held *held;

    if (*leases == NULL)
        return;
    while ((held = TAILQ_FIRST(&(*leases)->order)) != NULL) {
        TAILQ_REMOVE(&(*leases)->order, held, order);
        free(held);
    }
    hashtable_free(&(*leases)->table);
    pthread_mutex_destroy(&(*leases)->lock);
    free(*leases);
    *leases = NULL;
}

static struct held *held_new(struct leases *leases, struct slice subject)
{
    struct held *held;

    if (leases->table.count >= leases->most || subject.len == 0 || subject.len > LEASE_SUBJECT_MAX)
        return NULL;
    held = calloc(1, sizeof *held);
    if (held == NULL)
        return NULL;
    memcpy(held->subject, subject.ptr, subject.len);
    held->len = subject.len;
    held->link.hash = hash_keyed(subject);
    hashtable_insert(&leases->table, &held->link);
    TAILQ_INSERT_HEAD(&leases->order, held, order);
    return held;
}

bool leases_add(struct leases *leases, struct slice subject)
{
    pthread_mutex_lock(&leases->lock);
    struct held *held = (struct held *)(void *)*find(leases, subject);
    if (held == NULL)
        held = held_new(leases, subject);
    if (held != NULL)
        held->count++;
    else
        leases->refused++;
    pthread_mutex_unlock(&leases->lock);
    return held != NULL;
}

static void word_of(struct leases *leases, const struct held *held, struct lease_word *word)
{
    memcpy(word->subject, held->subject, sizeof word->subject);
    word->count = held->count;
    word->number = ++leases->number;
}

bool leases_remove(struct leases *leases, struct slice subject, struct lease_word *word)
{
    pthread_mutex_lock(&leases->lock);
    struct hashtable_entry **link = find(leases, subject);
    struct held *held = (struct held *)(void *)*link;
    if (held != NULL) {
        held->count--;
        word_of(leases, held, word);
        if (held->count == 0) {
            hashtable_remove(&leases->table, link);
            TAILQ_REMOVE(&leases->order, held, order);
            free(held);
        }
    }
    pthread_mutex_unlock(&leases->lock);
    return held != NULL;
}

static void told(struct leases *leases, struct held *held, uint64_t now_ms)
{
    held->told_ms = now_ms;
    TAILQ_REMOVE(&leases->order, held, order);
    TAILQ_INSERT_TAIL(&leases->order, held, order);
}

bool leases_tell(struct leases *leases, struct slice subject, uint64_t now_ms,
                 struct lease_word *word)
{
    pthread_mutex_lock(&leases->lock);
    struct held *held = (struct held *)(void *)*find(leases, subject);
    if (held != NULL) {
        word_of(leases, held, word);
        told(leases, held, now_ms);
    }
    pthread_mutex_unlock(&leases->lock);
    return held != NULL;
}

bool leases_look(struct leases *leases, struct slice subject, struct lease_word *word)
{
    if (subject.len == 0 || subject.len > LEASE_SUBJECT_MAX)
        return false;
    pthread_mutex_lock(&leases->lock);
    const struct held *held = (const struct held *)(void *)*find(leases, subject);
    *word =
        (struct lease_word){ .count = held == NULL ? 0 : held->count, .number = ++leases->number };
    memcpy(word->subject, subject.ptr, subject.len);
    pthread_mutex_unlock(&leases->lock);
    return true;
}

uint64_t leases_count(struct leases *leases, struct slice subject)
{
    pthread_mutex_lock(&leases->lock);
    const struct held *held = (const struct held *)(void *)*find(leases, subject);
    uint64_t count = held == NULL ? 0 : held->count;
    pthread_mutex_unlock(&leases->lock);
    return count;
}

size_t leases_due(struct leases *leases, uint64_t before_ms, uint64_t now_ms,
                  struct lease_word *words, size_t most)
{
    size_t count = 0;

    pthread_mutex_lock(&leases->lock);
    struct held *held = TAILQ_FIRST(&leases->order);
    while (count < most && held != NULL && held->told_ms <= before_ms && held->told_ms < now_ms) {
        word_of(leases, held, &words[count++]);
        told(leases, held, now_ms);
        held = TAILQ_FIRST(&leases->order);
    }
    pthread_mutex_unlock(&leases->lock);
    return count;
}

void leases_stats(struct leases *leases, struct leases_stats *out)
{
    pthread_mutex_lock(&leases->lock);
    *out = (struct leases_stats){ leases->table.count, leases->refused };
    pthread_mutex_unlock(&leases->lock);
}
