/* common/quarantine/folder_open.c - what is found in a folder when it is opened; see folder.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/quarantine/files.h"
#include "common/quarantine/folder_impl.h"

enum { LOCK_PAUSE_MS = 20 };

/* The id of ID.suffix; absent for another name. */
static struct slice id_of(const char *name, const char *suffix)
{
    struct slice text = slice_of(name), id = slice_part(text, 0, KEPT_ID_LEN);

    if (!kept_id_is_valid(id) || text.len < KEPT_ID_LEN + 2 || text.ptr[KEPT_ID_LEN] != '.' ||
        !slice_equal(slice_skip(text, KEPT_ID_LEN + 1), slice_of(suffix)))
        return (struct slice){ NULL, 0 };
    return id;
}

static bool has_file(struct folder *folder, struct slice id, const char *suffix)
{
    char room[NAME_ROOM];

    return file_size(folder->directory, folder_name(room, id, suffix)) >= 0;
}

static int remove_leftover(struct folder *folder, const char *name)
{
    log_info("%s/%s: left behind by a crash, removed", folder->path, name);
    unlinkat(folder->directory, name, 0);
    return 0;
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

/* What is there counts, whole or damaged. What cannot be looked at is no leftover, and nothing is opened then. */
static int see_description(struct folder *folder, const char *name)
{
    struct slice id = id_of(name, "json");
    char room[NAME_ROOM];

    if (id.ptr == NULL || folder->index.count >= FOLDER_ENTRIES_MAX)
        return 0;
    int64_t message = file_size(folder->directory, folder_name(room, id, "eml"));
    if (message < 0 && errno != ENOENT)
        return -1;
    if (message < 0 && has_file(folder, id, "part"))
        return remove_leftover(folder, name); /* renamed, but for the crash, in this order */
    int64_t known = file_size(folder->directory, name);
    if (known < 0)
        return errno == ENOENT ? 0 : -1;
    uint64_t bytes = (message < 0 ? 0 : (uint64_t)message) + (uint64_t)known;
    if (index_append(&folder->index, id, bytes, message < 0))
        return 0;
    errno = ENOMEM;
    return -1;
}

/* A message without a description is a leftover when it was being added or removed, else the description was lost. */
static int see_message(struct folder *folder, const char *name)
{
    struct slice id = id_of(name, "eml");

    if (id.ptr == NULL || has_file(folder, id, "json"))
        return 0;
    if (has_file(folder, id, "tmp"))
        return remove_leftover(folder, name);
    int64_t size = file_size(folder->directory, name);
    if (size < 0)
        return errno == ENOENT ? 0 : -1;
    if (folder->index.count < FOLDER_ENTRIES_MAX &&
        !index_append(&folder->index, id, (uint64_t)size, true)) {
        errno = ENOMEM;
        return -1;
    }
    return 0;
}

static int see_leftover(struct folder *folder, const char *name)
{
    struct slice id = id_of(name, "spare");
    bool is_nobodys = id.ptr != NULL && !has_file(folder, id, "json");

    if (is_nobodys || id_of(name, "tmp").ptr != NULL || id_of(name, "part").ptr != NULL)
        return remove_leftover(folder, name);
    return 0;
}

/* In this order: what is removed by one tells the one before what the rest is. */
static int see_all(struct folder *folder)
{
    if (each_name(folder, see_description) != 0 || each_name(folder, see_message) != 0 ||
        each_name(folder, see_leftover) != 0)
        return -1;
    index_sort(&folder->index);
    if (folder->index.damaged_count > 0)
        log_warning("%s: %zu messages lack their description, or it lacks its message",
                    folder->path, folder->index.damaged_count);
    return 0;
}

/* One process at a time. */
static int take_lock(struct folder *folder, uint64_t wait_ms, struct buf *error)
{
    static const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };

    folder->lock_fd = openat(folder->directory, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (folder->lock_fd >= 0)
        file_give(folder->directory, folder->lock_fd);
    for (;; wait_ms -= LOCK_PAUSE_MS) {
        if (folder->lock_fd >= 0 && flock(folder->lock_fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (folder->lock_fd < 0 || errno != EWOULDBLOCK || wait_ms < LOCK_PAUSE_MS)
            break;
        nanosleep(&pause, NULL);
    }
    buf_printf(error, "%s: %s", folder->path,
               errno == EWOULDBLOCK ? "another process uses it" : strerror(errno));
    return -1;
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

static int open_directory(struct folder *folder, uint64_t wait_ms, struct buf *error)
{
    if (mkdir(folder->path, 0700) == 0 || errno == EEXIST)
        folder->directory = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->directory < 0) {
        buf_printf(error, "%s: %s", folder->path, strerror(errno));
        return -1;
    }
    if (take_lock(folder, wait_ms, error) != 0)
        return -1;
    if (see_all(folder) == 0) {
        read_mark(folder);
        return 0;
    }
    buf_printf(error, "%s: %s", folder->path, strerror(errno));
    return -1;
}

struct folder *folder_open(const char *path, uint64_t wait_ms, const struct clock *clock,
                           struct buf *error)
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
    if (open_directory(folder, wait_ms, error) != 0)
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
