/* common/dkim/key_set.c - see key_set.h. */
#include "common/dkim/key_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/mail/address.h"

/* What tells one content of a file from another without reading it. */
struct identity {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

/* A file as read once; shared by the sets in which it stays the same. */
struct loaded {
    struct key_file file; /* first member: what the set shows */
    struct identity identity;
    struct shared *key; /* struct dkim_key; NULL: cannot be used */
    char names[ADDRESS_DOMAIN_MAX + KEY_SELECTOR_MAX + 2];
};

struct key_set {
    struct loaded *items;
    size_t count, room;
    char error[KEY_REASON_MAX];
};

/* ---- sets ---- */

static void drop_items(struct key_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        shared_unref(&set->items[i].key);
    set->count = 0;
}

static void set_free(void *object)
{
    struct key_set *set = object;

    drop_items(set);
    free(set->items);
    free(set);
}

static void key_drop(void *object)
{
    struct dkim_key *key = object;

    dkim_key_free(&key);
}

/* Texts of an item lie within it, so they are set when it has its final place. */
static void settle(struct loaded *item)
{
    size_t domain = strlen(item->names);

    item->file.domain = (struct slice){ item->names, domain };
    item->file.selector = slice_of(item->names + domain + 1);
    item->file.key = shared_get(item->key);
}

static int by_name(const void *left, const void *right)
{
    const struct loaded *a = left, *b = right;
    int order = strcmp(a->names, b->names);

    return order != 0 ? order
                      : strcmp(a->names + strlen(a->names) + 1, b->names + strlen(b->names) + 1);
}

static struct loaded *set_add(struct key_set *set)
{
    if (set->count == set->room) {
        size_t room = set->room == 0 ? 16 : set->room * 2;
        struct loaded *items = realloc(set->items, room * sizeof *items);
        if (items == NULL)
            return NULL;
        set->items = items;
        set->room = room;
    }
    memset(&set->items[set->count], 0, sizeof set->items[0]);
    return &set->items[set->count++];
}

const char *key_set_error(const struct key_set *set)
{
    return set->error;
}

size_t key_set_count(const struct key_set *set)
{
    return set->count;
}

const struct key_file *key_set_at(const struct key_set *set, size_t n)
{
    return &set->items[n].file;
}

size_t key_set_find(const struct key_set *set, struct slice domain, size_t *first)
{
    size_t low = 0, high = set->count, count = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(set->items[middle].file.domain, domain) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + count < set->count && slice_equal(set->items[low + count].file.domain, domain))
        count++;
    if (count > 0)
        *first = low;
    return count;
}

/* ---- one file ---- */

static struct identity identity_of(const struct stat *st)
{
    return (struct identity){ .dev = st->st_dev,
                              .ino = st->st_ino,
                              .size = st->st_size,
                              .mtime = st->st_mtim,
                              .ctime = st->st_ctim,
                              .mode = st->st_mode,
                              .uid = st->st_uid,
                              .gid = st->st_gid };
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same(const struct identity *a, const struct identity *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           same_time(a->mtime, b->mtime) && same_time(a->ctime, b->ctime) && a->mode == b->mode &&
           a->uid == b->uid && a->gid == b->gid;
}

/* Whether anybody but us could read or change it. */
static const char *why_unsafe(const struct stat *st, const struct key_rules *rules)
{
    if (!S_ISREG(st->st_mode))
        return "it is not a regular file";
    if (st->st_uid != 0 && st->st_uid != rules->uid)
        return "it belongs to another user; it must belong to root or to the daemon's user";
    if ((st->st_mode & S_IRWXO) != 0)
        return "others may read or write it; chmod 0640 or stricter";
    if ((st->st_mode & S_IWGRP) != 0)
        return "its group may write it; chmod 0640 or stricter";
    if ((st->st_mode & S_IRGRP) != 0 && st->st_gid != rules->gid && st->st_gid != 0)
        return "a group may read it that is not the daemon's; chgrp it, or chmod 0600";
    if (st->st_size > DKIM_PEM_MAX)
        return "it is too large for a key";
    return NULL;
}

/* A new key has to know what it signs. */
static bool works(const struct dkim_key *key)
{
    unsigned char digest[DKIM_DIGEST_LEN], signature[DKIM_SIGNATURE_MAX];
    size_t len = sizeof signature;

    for (size_t i = 0; i < sizeof digest; i++)
        digest[i] = (unsigned char)i;
    return dkim_key_sign(key, digest, signature, &len) == 0 &&
           dkim_key_check(key, digest, signature, len);
}

static void judge_key(struct loaded *item, struct dkim_key *key)
{
    if (!works(key)) {
        snprintf(item->file.reason, sizeof item->file.reason,
                 "it fails its self-test: what it signs does not verify");
        dkim_key_free(&key);
        return;
    }
    if (dkim_key_type(key) == DKIM_RSA && dkim_key_bits(key) < DKIM_RSA_BITS_GOOD)
        snprintf(item->file.reason, sizeof item->file.reason,
                 "an RSA key of %u bits is weak; make one of %d", dkim_key_bits(key),
                 DKIM_RSA_BITS_GOOD);
    item->key = shared_new(key, key_drop);
}

static void read_key(struct loaded *item, int fd)
{
    char pem[DKIM_PEM_MAX], error[DKIM_KEY_ERROR_MAX];
    ssize_t len = fd_read(fd, pem, sizeof pem);

    if (len < 0) {
        snprintf(item->file.reason, sizeof item->file.reason, "%s", strerror(errno));
        return;
    }
    struct dkim_key *key = dkim_key_parse((struct slice){ pem, (size_t)len }, error);
    explicit_bzero(pem, sizeof pem);
    if (key != NULL)
        judge_key(item, key);
    else
        snprintf(item->file.reason, sizeof item->file.reason, "%s", error);
}

/* The content at `fd`, or why it cannot be used. */
static void load(struct loaded *item, int fd, const struct stat *st, const struct key_rules *rules,
                 uint64_t wall_ms)
{
    const char *unsafe = why_unsafe(st, rules);

    item->identity = identity_of(st);
    item->file.seen_ms = wall_ms;
    if (unsafe != NULL)
        snprintf(item->file.reason, sizeof item->file.reason, "%s", unsafe);
    else
        read_key(item, fd);
}

/* ---- the directory ---- */

struct reader {
    struct key_set *set;
    const struct key_set *before; /* NULL: none */
    const struct key_rules *rules;
    uint64_t wall_ms;
    bool has_changed; /* something is not as before */
    bool has_failed; /* out of memory */
    const char *trouble; /* why not all has been seen; NULL: it has */
};

/* NULL: the end, or trouble: whose keys come after it nobody knows, and their mail must not go out without them. */
static const struct dirent *next_entry(struct reader *reader, DIR *dir)
{
    errno = 0;
    const struct dirent *entry = readdir(dir);

    if (entry == NULL && errno != 0)
        reader->trouble = strerror(errno);
    else if (entry != NULL && reader->set->count >= KEY_SET_KEYS_MAX)
        reader->trouble = "too many keys";
    return reader->trouble == NULL ? entry : NULL;
}

static const struct loaded *find_before(const struct reader *reader, const struct loaded *like)
{
    if (reader->before == NULL || reader->before->count == 0)
        return NULL;
    return bsearch(like, reader->before->items, reader->before->count, sizeof *like, by_name);
}

/* One that cannot even be opened is in the set, too: mail of its domain must not go out without its signature. */
static void add_file(struct reader *reader, int directory, const char *file, struct slice domain,
                     struct slice selector)
{
    struct loaded *item = set_add(reader->set);
    struct stat st = { 0 };

    if (item == NULL) {
        reader->has_failed = true;
        return;
    }
    memcpy(item->names, domain.ptr, domain.len);
    memcpy(item->names + domain.len + 1, selector.ptr, selector.len);
    int fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const struct loaded *before = find_before(reader, item);
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(item->file.reason, sizeof item->file.reason, "%s", strerror(errno));
        item->file.seen_ms = before == NULL ? reader->wall_ms : before->file.seen_ms;
        reader->has_changed |=
            before == NULL || strcmp(before->file.reason, item->file.reason) != 0;
    } else {
        struct identity now = identity_of(&st);
        if (before != NULL && same(&before->identity, &now)) {
            *item = *before;
            item->key = shared_ref(before->key);
        } else {
            load(item, fd, &st, reader->rules, reader->wall_ms);
            reader->has_changed = true;
        }
    }
    if (fd >= 0)
        close(fd);
}

/* A label of A-labels, as selectors and domains have them. */
static bool is_name(struct slice text, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_lower = c >= 'a' && c <= 'z';
        if (!is_lower && !ascii_is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return text.len > 0 && text.len <= max && text.ptr[0] != '.';
}

/* A directory of keys that cannot be read is an unusable key without a selector: its domain has keys, after all. */
static void add_closed_domain(struct reader *reader, struct slice domain, const char *reason)
{
    struct loaded *item = set_add(reader->set);

    if (item == NULL) {
        reader->has_failed = true;
        return;
    }
    memcpy(item->names, domain.ptr, domain.len);
    snprintf(item->file.reason, sizeof item->file.reason, "%s", reason);
    const struct loaded *before = find_before(reader, item);
    item->file.seen_ms = before == NULL ? reader->wall_ms : before->file.seen_ms;
    reader->has_changed |= before == NULL || strcmp(before->file.reason, reason) != 0;
}

static void add_domain(struct reader *reader, int parent, const char *name)
{
    struct slice domain = slice_of(name);
    const struct dirent *entry;

    if (!is_name(domain, ADDRESS_DOMAIN_MAX))
        return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        if (why != ENOTDIR && why != ENOENT)
            add_closed_domain(reader, domain, strerror(why));
        return;
    }
    while ((entry = next_entry(reader, dir)) != NULL) {
        struct slice file = slice_of(entry->d_name);
        if (!slice_ends_with(file, SLICE(".key")))
            continue;
        struct slice selector = slice_part(file, 0, file.len - strlen(".key"));
        if (is_name(selector, KEY_SELECTOR_MAX))
            add_file(reader, fd, entry->d_name, domain, selector);
    }
    closedir(dir);
}

static void finish(struct reader *reader)
{
    struct key_set *set = reader->set;

    if (set->count > 0)
        qsort(set->items, set->count, sizeof *set->items, by_name);
    for (size_t i = 0; i < set->count; i++)
        settle(&set->items[i]);
    reader->has_changed |= reader->before == NULL || reader->before->count != set->count ||
                           reader->before->error[0] != '\0';
}

/* The keys of before, with the reason why they could not be looked at. */
static bool keep_before(struct reader *reader, const char *directory, const char *reason)
{
    struct key_set *set = reader->set;

    snprintf(set->error, sizeof set->error, "%.120s: %s", directory, reason);
    reader->has_changed = reader->before == NULL || strcmp(reader->before->error, set->error) != 0;
    drop_items(set);
    for (size_t i = 0; reader->before != NULL && i < reader->before->count; i++) {
        struct loaded *item = set_add(set);
        if (item == NULL)
            return false;
        *item = reader->before->items[i];
        item->key = shared_ref(reader->before->items[i].key);
    }
    for (size_t i = 0; i < set->count; i++)
        settle(&set->items[i]);
    return true;
}

static bool read_directory(struct reader *reader, const char *directory)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;

    if (dir == NULL)
        return keep_before(reader, directory, strerror(errno));
    while ((entry = next_entry(reader, dir)) != NULL)
        add_domain(reader, dirfd(dir), entry->d_name);
    closedir(dir);
    if (reader->trouble != NULL)
        return keep_before(reader, directory, reader->trouble);
    finish(reader);
    return !reader->has_failed;
}

struct shared *key_set_read(const char *directory, const struct key_rules *rules, uint64_t wall_ms,
                            struct shared *before)
{
    struct reader reader = { .set = calloc(1, sizeof *reader.set),
                             .before = shared_get(before),
                             .rules = rules,
                             .wall_ms = wall_ms };

    if (reader.set == NULL)
        return NULL;
    if (read_directory(&reader, directory) && reader.has_changed)
        return shared_new(reader.set, set_free);
    bool is_same = !reader.has_changed && !reader.has_failed;
    set_free(reader.set);
    return is_same ? shared_ref(before) : NULL;
}
