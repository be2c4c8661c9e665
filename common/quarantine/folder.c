/* common/quarantine/folder.c - see folder.h.
 *
 * ID.eml is written first: without ID.json it counts for nothing. ID.json is written as ID.tmp and renamed. The names of
 * all entries are in memory, sorted: by time, therefore. */
#include "common/quarantine/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/quarantine/files.h"
#include "common/quarantine/index.h"

enum { NAME_ROOM = KEPT_ID_LEN + 8 };

struct folder {
    char *path;
    int directory, lock_fd;
    const struct clock *clock;
    _Atomic uint64_t marked_ms; /* also the time of change of the file .lock */
    pthread_mutex_t lock; /* for all that follows */
    struct kept_index index;
    uint64_t reserved; /* bytes that are being written */
};

/* ---- names ---- */

static const char *name_of(char room[NAME_ROOM], struct slice id, const char *suffix)
{
    snprintf(room, NAME_ROOM, "%.*s.%s", (int)KEPT_ID_LEN, id.ptr, suffix);
    return room;
}

/* The id of ID.suffix; absent for another name. */
static struct slice id_of(const char *name, const char *suffix)
{
    struct slice text = slice_of(name), id = slice_part(text, 0, KEPT_ID_LEN);

    if (!kept_id_is_valid(id) || text.len < KEPT_ID_LEN + 2 || text.ptr[KEPT_ID_LEN] != '.' ||
        !slice_equal(slice_skip(text, KEPT_ID_LEN + 1), slice_of(suffix)))
        return (struct slice){ NULL, 0 };
    return id;
}

/* ---- opening ---- */

/* Calls `see` for every file name; -1 with errno. */
static int each_name(struct folder *folder, int (*see)(struct folder *folder, const char *name))
{
    int fd = openat(folder->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *one;
    int rc = names == NULL ? -1 : 0;

    if (names == NULL && fd >= 0)
        close(fd);
    while (rc == 0 && (one = readdir(names)) != NULL)
        rc = see(folder, one->d_name);
    if (names != NULL)
        closedir(names);
    return rc;
}

/* Entries that are whole; in the order of the directory. What cannot be looked at is no leftover, and nothing is opened then. */
static int see_entry(struct folder *folder, const char *name)
{
    struct slice id = id_of(name, "json");
    char room[NAME_ROOM];

    if (id.ptr == NULL || folder->index.count >= FOLDER_ENTRIES_MAX)
        return 0;
    int64_t message = file_size(folder->directory, name_of(room, id, "eml"));
    int64_t known = message < 0 ? -1 : file_size(folder->directory, name);
    if (known < 0)
        return errno == ENOENT ? 0 : -1;
    if (index_append(&folder->index, id, (uint64_t)message + (uint64_t)known))
        return 0;
    errno = ENOMEM;
    return -1;
}

/* What a crash has left: a message or a description that lacks the other one. */
static int see_leftover(struct folder *folder, const char *name)
{
    static const char *const suffixes[] = { "eml", "json", "tmp" };

    for (size_t i = 0; i < COUNT(suffixes); i++) {
        struct slice id = id_of(name, suffixes[i]);
        if (id.ptr == NULL ||
            (index_find(&folder->index, id) != NULL && strcmp(suffixes[i], "tmp") != 0))
            continue;
        log_info("%s/%s: left behind by a crash, removed", folder->path, name);
        unlinkat(folder->directory, name, 0);
    }
    return 0;
}

/* One process at a time. */
static int take_lock(struct folder *folder, struct buf *error)
{
    folder->lock_fd = openat(folder->directory, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (folder->lock_fd >= 0 && flock(folder->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    buf_printf(error, "%s: %s", folder->path,
               errno == EWOULDBLOCK ? "another process uses it" : strerror(errno));
    return -1;
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

/* In an empty folder there is nothing that a wrong clock could harm. */
static void read_mark(struct folder *folder)
{
    struct stat about;

    if (folder->index.count == 0)
        folder_mark(folder, folder->clock->wall_ms(folder->clock));
    else if (fstat(folder->lock_fd, &about) == 0 && about.st_mtim.tv_sec > 0)
        atomic_store(&folder->marked_ms, (uint64_t)about.st_mtim.tv_sec * 1000 +
                                             (uint64_t)about.st_mtim.tv_nsec / 1000000);
}

static int open_directory(struct folder *folder, struct buf *error)
{
    if (mkdir(folder->path, 0700) == 0 || errno == EEXIST)
        folder->directory = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->directory < 0) {
        buf_printf(error, "%s: %s", folder->path, strerror(errno));
        return -1;
    }
    if (take_lock(folder, error) != 0)
        return -1;
    if (each_name(folder, see_entry) == 0) {
        index_sort(&folder->index);
        if (each_name(folder, see_leftover) == 0) {
            read_mark(folder);
            return 0;
        }
    }
    buf_printf(error, "%s: %s", folder->path, strerror(errno));
    return -1;
}

struct folder *folder_open(const char *path, const struct clock *clock, struct buf *error)
{
    struct folder *folder = calloc(1, sizeof *folder);

    if (folder == NULL || (folder->path = strdup(path)) == NULL) {
        free(folder);
        buf_put(error, "out of memory");
        return NULL;
    }
    folder->directory = folder->lock_fd = -1;
    folder->clock = clock;
    pthread_mutex_init(&folder->lock, NULL);
    if (open_directory(folder, error) != 0)
        folder_close(&folder);
    return folder;
}

void folder_close(struct folder **folder)
{
    struct folder *gone = *folder;

    *folder = NULL;
    if (gone == NULL)
        return;
    if (gone->lock_fd >= 0)
        close(gone->lock_fd);
    if (gone->directory >= 0)
        close(gone->directory);
    pthread_mutex_destroy(&gone->lock);
    index_free(&gone->index);
    free(gone->path);
    free(gone);
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

/* ID.tmp with the description, to be renamed; *bytes: how many. */
static int write_description(struct folder *folder, const struct kept *kept, uint64_t *bytes,
                             struct buf *error)
{
    char room[NAME_ROOM];
    json_t *json = kept_to_json(kept);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    int rc = -1;

    if (text == NULL || strlen(text) > KEPT_JSON_MAX)
        buf_put(error, text == NULL ? "out of memory" : "too many recipients to be kept");
    else
        rc = file_write_bytes(folder->directory, name_of(room, slice_of(kept->id), "tmp"),
                              slice_of(text), error);
    if (rc == 0)
        *bytes = strlen(text);
    free(text);
    json_decref(json);
    return rc;
}

/* Shows the description; the lock is held. */
static int show(struct folder *folder, const char *id, struct buf *error)
{
    char from[NAME_ROOM], to[NAME_ROOM];

    if (renameat(folder->directory, name_of(from, slice_of(id), "tmp"), folder->directory,
                 name_of(to, slice_of(id), "json")) == 0)
        return 0;
    buf_printf(error, "%s: %s", to, strerror(errno));
    return -1;
}

static void remove_files(struct folder *folder, struct slice id)
{
    static const char *const suffixes[] = { "json", "tmp", "eml" };
    char room[NAME_ROOM];

    for (size_t i = 0; i < COUNT(suffixes); i++)
        unlinkat(folder->directory, name_of(room, id, suffixes[i]), 0);
}

/* Both files are written: makes an entry of them. */
static int add_entry(struct folder *folder, const struct kept *kept, uint64_t bytes,
                     struct buf *error)
{
    struct slice id = slice_of(kept->id);
    int rc;

    pthread_mutex_lock(&folder->lock);
    rc = show(folder, kept->id, error);
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
    int rc = file_write_source(folder->directory, name_of(room, id, "eml"), source, error);
    if (rc == 0)
        rc = write_description(folder, kept, &described, error);
    if (rc == 0)
        rc = add_entry(folder, kept, source->size + described, error);
    if (rc != 0)
        remove_files(folder, id);
    pthread_mutex_lock(&folder->lock);
    folder->reserved -= source->size;
    pthread_mutex_unlock(&folder->lock);
    return rc == 0 ? FOLDER_OK : FOLDER_FAILED;
}

int folder_update(struct folder *folder, const struct kept *kept, struct buf *error)
{
    struct slice id = slice_of(kept->id);
    char room[NAME_ROOM];
    uint64_t described = 0;
    int rc = -1;

    unlinkat(folder->directory, name_of(room, id, "tmp"), 0);
    if (write_description(folder, kept, &described, error) != 0)
        return -1;
    pthread_mutex_lock(&folder->lock);
    struct index_entry *entry = index_find(&folder->index, id);
    if (entry != NULL && show(folder, kept->id, error) == 0) {
        folder->index.bytes -= entry->bytes;
        entry->bytes = kept->size + described;
        folder->index.bytes += entry->bytes;
        rc = 0;
    }
    pthread_mutex_unlock(&folder->lock);
    if (entry == NULL)
        buf_printf(error, "%s: it has been removed meanwhile", kept->id);
    if (rc != 0)
        unlinkat(folder->directory, name_of(room, id, "tmp"), 0);
    else
        fsync(folder->directory); /* the old description is a whole one, too */
    return rc;
}

/* ---- reading, removing ---- */

static bool is_there(struct folder *folder, struct slice id)
{
    pthread_mutex_lock(&folder->lock);
    bool found = index_find(&folder->index, id) != NULL;
    pthread_mutex_unlock(&folder->lock);
    return found;
}

enum folder_result folder_read(struct folder *folder, struct slice id, struct arena *arena,
                               struct kept *out, struct buf *error)
{
    AUTO_BUF text = BUF_INIT(KEPT_JSON_MAX + 4096);
    char room[NAME_ROOM];
    const char *why;

    if (!is_there(folder, id))
        return FOLDER_NOT_THERE;
    if (file_read(folder->directory, name_of(room, id, "json"), &text) != 0) {
        if (errno == ENOENT)
            return FOLDER_NOT_THERE;
        buf_printf(error, "%s: %s", room, strerror(errno));
        return FOLDER_FAILED;
    }
    if (kept_parse(arena, buf_slice(&text), out, &why) &&
        slice_equal(slice_of(out->id), slice_part(id, 0, KEPT_ID_LEN)))
        return FOLDER_OK;
    buf_printf(error, "%s/%s: %s", folder->path, room, why);
    return FOLDER_FAILED;
}

int folder_open_message(struct folder *folder, struct slice id, uint64_t *size)
{
    char room[NAME_ROOM];
    struct stat about;
    int fd = is_there(folder, id) ? openat(folder->directory, name_of(room, id, "eml"),
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
    char room[NAME_ROOM];

    pthread_mutex_lock(&folder->lock);
    struct index_entry *entry = index_find(&folder->index, id);
    if (entry == NULL) {
        result = FOLDER_NOT_THERE;
    } else if (unlinkat(folder->directory, name_of(room, id, "json"), 0) != 0 && errno != ENOENT) {
        if (error != NULL)
            buf_printf(error, "%s: %s", room, strerror(errno));
        result = FOLDER_FAILED;
    } else {
        unlinkat(folder->directory, name_of(room, id, "eml"), 0);
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
