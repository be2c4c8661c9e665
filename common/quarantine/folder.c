/* common/quarantine/folder.c - see folder.h.
 *
 * The message is written as ID.part, then its description as ID.tmp; both are renamed, ID.json last. An entry that is removed
 * becomes ID.eml with ID.tmp first. So ID.part and ID.tmp tell what a crash has left behind from an entry that somebody
 * has damaged. The names of all entries are in memory, sorted: by time, therefore. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/quarantine/files.h"
#include "common/quarantine/folder_impl.h"
#include "common/quarantine/salvage.h"

/* ---- names ---- */

const char *folder_name(char room[NAME_ROOM], struct slice id, const char *suffix)
{
    snprintf(room, NAME_ROOM, "%.*s.%s", (int)KEPT_ID_LEN, id.ptr, suffix);
    return room;
}

/* ---- the clock's mark ---- */

void folder_mark(struct folder *folder, uint64_t wall_ms)
{
    const struct timespec at = { (time_t)(wall_ms / 1000), (long)(wall_ms % 1000) * 1000000L };
    const struct timespec times[2] = { at, at };

    atomic_store(&folder->marked_ms, wall_ms);
    futimens(folder->lock_fd, times); /* without it the next process doubts the clock for a while */
}

uint64_t folder_marked_ms(const struct folder *folder)
{
    return atomic_load(&folder->marked_ms);
}

/* ---- adding ---- */

/* Counts in what will be written, so that several at the same time do not pass the bound together. */
static bool reserve(struct folder *folder, uint64_t bytes, uint64_t size_max)
{
    bool fits;

    pthread_mutex_lock(&folder->lock);
    uint64_t used = folder->index.bytes + folder->reserved;
    fits = folder->index.count < FOLDER_ENTRIES_MAX &&
           (size_max == 0 || (bytes <= size_max && used <= size_max - bytes));
    if (fits)
        folder->reserved += bytes;
    pthread_mutex_unlock(&folder->lock);
    return fits;
}

/* ID.tmp with the description, to be renamed; `is_spare`: it is there; *bytes: how many. */
static int write_description(struct folder *folder, const struct kept *kept, bool is_spare,
                             uint64_t *bytes, struct buf *error)
{
    char room[NAME_ROOM];
    json_t *json = kept_to_json(kept);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    int rc = -1;

    folder_name(room, slice_of(kept->id), "tmp");
    if (text == NULL || strlen(text) > KEPT_JSON_MAX)
        buf_put(error, text == NULL ? "out of memory" : "too many recipients to be kept");
    else
        rc = (is_spare ? file_overwrite : file_write_bytes)(folder->directory, room, slice_of(text),
                                                            error);
    if (rc == 0)
        *bytes = strlen(text);
    free(text);
    json_decref(json);
    return rc;
}

/* ID.from becomes ID.to. */
static int rename_file(struct folder *folder, struct slice id, const char *from, const char *to,
                       struct buf *error)
{
    char old[NAME_ROOM], new[NAME_ROOM];

    if (renameat(folder->directory, folder_name(old, id, from), folder->directory,
                 folder_name(new, id, to)) == 0)
        return 0;
    if (error != NULL)
        buf_printf(error, "%s: %s", new, strerror(errno));
    return -1;
}

static void remove_files(struct folder *folder, struct slice id)
{
    static const char *const suffixes[] = { "json", "eml", "part", "tmp",
                                            "spare" }; /* in this order */
    char room[NAME_ROOM];

    for (size_t i = 0; i < COUNT(suffixes); i++)
        unlinkat(folder->directory, folder_name(room, id, suffixes[i]), 0);
}

/* Both files are written: makes an entry of them. */
static int add_entry(struct folder *folder, const struct kept *kept, uint64_t bytes,
                     struct buf *error)
{
    struct slice id = slice_of(kept->id);
    int rc;

    pthread_mutex_lock(&folder->lock);
    rc = rename_file(folder, id, "part", "eml", error);
    if (rc == 0)
        rc = rename_file(folder, id, "tmp", "json", error);
    if (rc == 0 && !index_insert(&folder->index, id, bytes)) {
        buf_put(error, "out of memory");
        rc = -1;
    }
    pthread_mutex_unlock(&folder->lock);
    if (rc == 0 && fsync(folder->directory) != 0) {
        buf_printf(error, "%s: %s", folder->path, strerror(errno));
        folder_remove(folder, id, NULL);
        rc = -1;
    }
    return rc;
}

enum folder_result folder_add(struct folder *folder, struct kept *kept, const struct source *source,
                              uint64_t size_max, struct buf *error)
{
    char room[NAME_ROOM];
    uint64_t described = 0, marked_ms = folder_marked_ms(folder);

    kept->time_ms = folder->clock->wall_ms(folder->clock);
    if (kept->time_ms < marked_ms)
        kept->time_ms = marked_ms;
    kept->size = source->size;
    kept_id_make(kept->time_ms, kept->id);
    if (!reserve(folder, source->size, size_max)) {
        buf_printf(error, "%s: full", folder->path);
        return FOLDER_FULL;
    }
    struct slice id = slice_of(kept->id);
    int rc = file_write_source(folder->directory, folder_name(room, id, "part"), source, error);
    if (rc == 0)
        rc = write_description(folder, kept, false, &described, error);
    if (rc == 0)
        rc = add_entry(folder, kept, source->size + described, error);
    if (rc != 0)
        remove_files(folder, id);
    pthread_mutex_lock(&folder->lock);
    folder->reserved -= source->size;
    pthread_mutex_unlock(&folder->lock);
    return rc == 0 ? FOLDER_OK : FOLDER_FAILED;
}

/* `error` may be NULL. */
static int reserve_spare(struct folder *folder, struct slice id, uint64_t bytes, struct buf *error)
{
    AUTO_BUF unsaid = BUF_INIT(400);
    char room[NAME_ROOM];

    return file_reserve(folder->directory, folder_name(room, id, "spare"), bytes,
                        error != NULL ? error : &unsaid);
}

int folder_update(struct folder *folder, const struct kept *kept, struct buf *error)
{
    struct slice id = slice_of(kept->id);
    char room[NAME_ROOM];
    uint64_t described = 0;
    int rc = -1;

    unlinkat(folder->directory, folder_name(room, id, "tmp"), 0);
    bool has_spare = rename_file(folder, id, "spare", "tmp", NULL) == 0;
    if (write_description(folder, kept, has_spare, &described, error) != 0)
        return -1;
    pthread_mutex_lock(&folder->lock);
    struct index_entry *entry = index_find(&folder->index, id);
    if (entry != NULL && rename_file(folder, id, "tmp", "json", error) == 0) {
        folder->index.bytes -= entry->bytes;
        entry->bytes = kept->size + described;
        folder->index.bytes += entry->bytes;
        rc = 0;
    }
    pthread_mutex_unlock(&folder->lock);
    if (entry == NULL)
        buf_printf(error, "%s: it has been removed meanwhile", kept->id);
    if (rc != 0)
        unlinkat(folder->directory, folder_name(room, id, "tmp"), 0);
    else
        fsync(folder->directory); /* the old description is a whole one, too */
    if (rc == 0 && has_spare)
        reserve_spare(folder, id, described, NULL);
    return rc;
}

int folder_spare(struct folder *folder, struct slice id, struct buf *error)
{
    char room[NAME_ROOM];
    int64_t described = file_size(folder->directory, folder_name(room, id, "json"));

    if (described >= 0)
        return reserve_spare(folder, id, (uint64_t)described, error);
    buf_printf(error, "%s: %s", room, strerror(errno));
    return -1;
}

/* ---- reading, removing ---- */

bool folder_has(struct folder *folder, struct slice id)
{
    pthread_mutex_lock(&folder->lock);
    bool found = index_find(&folder->index, id) != NULL;
    pthread_mutex_unlock(&folder->lock);
    return found;
}

/* What has been found out about it; a change for the worse is logged. False: it has been removed meanwhile. */
static bool note_damage(struct folder *folder, struct slice id, struct slice damage)
{
    pthread_mutex_lock(&folder->lock);
    struct index_entry *entry = index_find(&folder->index, id);
    bool is_news = entry != NULL && damage.len > 0 && !entry->is_damaged;
    if (entry != NULL)
        index_mark(&folder->index, entry, damage.len > 0);
    pthread_mutex_unlock(&folder->lock);
    if (is_news)
        log_warning("%s/%.*s is damaged: %.*s", folder->path, (int)KEPT_ID_LEN, id.ptr,
                    SLICE_ARG(damage));
    return entry != NULL;
}

/* The description as it was written, or what is left of it; *damage: what is wrong. 0, or -1: it cannot be read. */
static int read_description(struct folder *folder, struct slice id, struct arena *arena,
                            struct kept *out, struct slice *damage, struct buf *error)
{
    AUTO_BUF text = BUF_INIT(KEPT_JSON_MAX + 4096);
    char room[NAME_ROOM];
    const char *why = "the description is missing";

    *out = (struct kept){ .size = 0 };
    if (file_read(folder->directory, folder_name(room, id, "json"), &text) != 0) {
        if (errno != ENOENT && errno != EFBIG && errno != ELOOP) {
            buf_printf(error, "%s: %s", room, strerror(errno));
            return -1;
        }
        if (errno != ENOENT)
            why = "the description is none";
    } else if (kept_parse(arena, buf_slice(&text), out, &why)) {
        if (slice_equal(slice_of(out->id), slice_part(id, 0, KEPT_ID_LEN)))
            return 0;
        why = "the description is that of another message";
    }
    *damage = arena_printf(arena, "the description is lost: %s", why);
    salvage_description(arena, buf_slice(&text), out);
    memcpy(out->id, id.ptr, KEPT_ID_LEN);
    out->time_ms = kept_id_time_ms(id);
    return damage->ptr == NULL ? -1 : 0;
}

/* Beside the message as it is: its size, its header fields when nothing else tells of them. */
static void compare_message(struct folder *folder, struct slice id, struct arena *arena,
                            struct kept *kept, struct slice *damage)
{
    char room[NAME_ROOM];
    int64_t size = file_size(folder->directory, folder_name(room, id, "eml"));

    if (size < 0) {
        *damage = arena_printf(arena, "the message is missing: %s%s%.*s", strerror(errno),
                               damage->len > 0 ? "; " : "", SLICE_ARG(*damage));
        kept->is_cut = true;
        return;
    }
    if (damage->len > 0) {
        salvage_message(arena, folder->directory, room, kept);
    } else if ((uint64_t)size != kept->size) {
        *damage = arena_printf(arena, "%lld bytes of %llu are there", (long long)size,
                               (unsigned long long)kept->size);
        kept->is_cut = true;
    }
    kept->size = (uint64_t)size;
}

enum folder_result folder_read(struct folder *folder, struct slice id, struct arena *arena,
                               struct kept *out, struct buf *error)
{
    struct slice damage = { NULL, 0 };

    if (!folder_has(folder, id))
        return FOLDER_NOT_THERE;
    if (read_description(folder, id, arena, out, &damage, error) != 0)
        return FOLDER_FAILED;
    compare_message(folder, id, arena, out, &damage);
    out->damage = damage;
    if (!note_damage(folder, id, damage))
        return FOLDER_NOT_THERE;
    return damage.len > 0 ? FOLDER_DAMAGED : FOLDER_OK;
}

int folder_open_message(struct folder *folder, struct slice id, uint64_t *size)
{
    char room[NAME_ROOM];
    struct stat about;
    int fd = folder_has(folder, id) ? openat(folder->directory, folder_name(room, id, "eml"),
                                             O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
                                    : -1;

    if (fd < 0)
        return -1;
    if (fstat(fd, &about) != 0 || about.st_size < 0) {
        close(fd);
        return -1;
    }
    *size = (uint64_t)about.st_size;
    return fd;
}

enum folder_result folder_remove(struct folder *folder, struct slice id, struct buf *error)
{
    enum folder_result result = FOLDER_OK;

    pthread_mutex_lock(&folder->lock);
    struct index_entry *entry = index_find(&folder->index, id);
    if (entry == NULL) {
        result = FOLDER_NOT_THERE;
    } else if (rename_file(folder, id, "json", "tmp", NULL) != 0 && errno != ENOENT) {
        if (error != NULL)
            buf_printf(error, "%.*s: %s", (int)KEPT_ID_LEN, id.ptr, strerror(errno));
        result = FOLDER_FAILED;
    } else {
        remove_files(folder, id);
        index_delete(&folder->index, entry);
    }
    pthread_mutex_unlock(&folder->lock);
    return result;
}

size_t folder_list(struct folder *folder, struct slice after, bool newest_first, size_t count,
                   char (*ids)[KEPT_ID_LEN + 1])
{
    size_t done;

    pthread_mutex_lock(&folder->lock);
    done = index_list(&folder->index, after, newest_first, count, ids);
    pthread_mutex_unlock(&folder->lock);
    return done;
}

size_t folder_count(struct folder *folder)
{
    pthread_mutex_lock(&folder->lock);
    size_t count = folder->index.count;
    pthread_mutex_unlock(&folder->lock);
    return count;
}

uint64_t folder_bytes(struct folder *folder)
{
    pthread_mutex_lock(&folder->lock);
    uint64_t bytes = folder->index.bytes + folder->reserved;
    pthread_mutex_unlock(&folder->lock);
    return bytes;
}

size_t folder_damaged_count(struct folder *folder)
{
    pthread_mutex_lock(&folder->lock);
    size_t count = folder->index.damaged_count;
    pthread_mutex_unlock(&folder->lock);
    return count;
}
