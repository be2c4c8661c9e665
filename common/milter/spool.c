/* common/milter/spool.c - see spool.h. Memory comes in chunks, each twice as large as the one before, that never move:
 * a small message takes little, and readers need no lock. What is there is published by storing `size` after the bytes. */
#include "common/milter/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    /* Bytes; the n-th chunk has CHUNK_FIRST << n, the last one what memory_max leaves. */
    CHUNK_FIRST = 4096,
    CHUNKS_MAX = 40,
    ERROR_MAX = 256,
};

struct spool {
    size_t memory_max;
    uint64_t size_max;
    _Atomic uint64_t size; /* of what readers may see */
    char *chunks[CHUNKS_MAX];
    int fd; /* of what is beyond memory_max; -1: none yet */
    bool is_too_large;
    char error[ERROR_MAX];
    char directory[];
};

struct spool *spool_new(const struct spool_bounds *bounds)
{
    size_t len = strlen(bounds->directory);
    struct spool *spool = calloc(1, sizeof *spool + len + 1);

    if (spool == NULL)
        return NULL;
    spool->memory_max = bounds->memory_max;
    spool->size_max = bounds->size_max;
    spool->fd = -1;
    memcpy(spool->directory, bounds->directory, len);
    return spool;
}

void spool_free(struct spool **spool)
{
    struct spool *gone = *spool;

    *spool = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < CHUNKS_MAX; i++)
        free(gone->chunks[i]);
    if (gone->fd >= 0)
        close(gone->fd);
    free(gone);
}

/* ---- places in memory ---- */

struct place {
    size_t chunk, at; /* which one, and where in it */
    size_t room; /* from there to its end */
};

/* Of an offset below memory_max. */
static struct place place_of(const struct spool *spool, size_t offset)
{
    struct place place = { 0 };
    size_t start = 0, size = CHUNK_FIRST;

    while (place.chunk + 1 < CHUNKS_MAX && offset - start >= size) {
        start += size;
        size *= 2;
        place.chunk++;
    }
    if (size > spool->memory_max - start)
        size = spool->memory_max - start;
    place.at = offset - start;
    place.room = size - place.at;
    return place;
}

/* ---- adding ---- */

static int fail(struct spool *spool, const char *what, int error)
{
    snprintf(spool->error, sizeof spool->error, "%s: %s: %s", spool->directory, what,
             strerror(error));
    return -1;
}

/* As much of *bytes as the chunk takes. */
static int add_to_chunk(struct spool *spool, uint64_t offset, struct slice *bytes)
{
    struct place place = place_of(spool, (size_t)offset);
    size_t len = bytes->len < place.room ? bytes->len : place.room;

    if (spool->chunks[place.chunk] == NULL) {
        spool->chunks[place.chunk] = malloc(place.at + place.room);
        if (spool->chunks[place.chunk] == NULL) {
            snprintf(spool->error, sizeof spool->error, "out of memory for a message's body");
            return -1;
        }
    }
    memcpy(spool->chunks[place.chunk] + place.at, bytes->ptr, len);
    *bytes = slice_skip(*bytes, len);
    return 0;
}

/* A file without a name: gone with its descriptor, whatever happens to us. */
static int open_file(struct spool *spool)
{
    char path[PATH_MAX];

    spool->fd = open(spool->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spool->fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return fail(spool, "a file for the body of a message", errno);
    int len = snprintf(path, sizeof path, "%s/message-XXXXXX", spool->directory);
    if (len < 0 || (size_t)len >= sizeof path)
        return fail(spool, "a file for the body of a message", ENAMETOOLONG);
    spool->fd = mkostemp(path, O_CLOEXEC);
    if (spool->fd < 0)
        return fail(spool, "a file for the body of a message", errno);
    unlink(path);
    return 0;
}

static int add_to_file(struct spool *spool, uint64_t offset, struct slice *bytes)
{
    if (spool->fd < 0 && open_file(spool))
        return -1;
    ssize_t n = pwrite(spool->fd, bytes->ptr, bytes->len, (off_t)(offset - spool->memory_max));
    if (n < 0 && errno != EINTR)
        return fail(spool, "writing the body of a message", errno);
    *bytes = slice_skip(*bytes, n < 0 ? 0 : (size_t)n);
    return 0;
}

int spool_append(struct spool *spool, struct slice bytes)
{
    uint64_t size = atomic_load_explicit(&spool->size, memory_order_relaxed);

    if (spool->error[0] != '\0')
        return -1;
    if (bytes.len > spool->size_max - size) {
        spool->is_too_large = true;
        snprintf(spool->error, sizeof spool->error, "the body is larger than %llu bytes",
                 (unsigned long long)spool->size_max);
        return -1;
    }
    while (bytes.len > 0) {
        size_t before = bytes.len;
        if (size < spool->memory_max ? add_to_chunk(spool, size, &bytes)
                                     : add_to_file(spool, size, &bytes))
            return -1;
        size += before - bytes.len;
    }
    atomic_store_explicit(&spool->size, size, memory_order_release);
    return 0;
}

bool spool_needs_file(const struct spool *spool, size_t more)
{
    uint64_t size = atomic_load_explicit(&spool->size, memory_order_relaxed);

    return size > spool->memory_max || more > spool->memory_max - size;
}

const char *spool_error(const struct spool *spool)
{
    return spool->error[0] == '\0' ? NULL : spool->error;
}

bool spool_is_too_large(const struct spool *spool)
{
    return spool->is_too_large;
}

/* ---- reading ---- */

uint64_t spool_size(const struct spool *spool)
{
    return atomic_load_explicit(&spool->size, memory_order_acquire);
}

static int read_file(const struct spool *spool, uint64_t offset, size_t len, char *space,
                     struct slice *out)
{
    ssize_t n;

    do
        n = pread(spool->fd, space, len, (off_t)(offset - spool->memory_max));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return -1; /* also when the file is shorter than what was written */
    *out = (struct slice){ space, (size_t)n };
    return 0;
}

int spool_read(const struct spool *spool, uint64_t offset, size_t max, char *space,
               struct slice *out)
{
    uint64_t size = spool_size(spool);
    size_t len = max;

    if (offset >= size || max == 0) {
        *out = (struct slice){ "", 0 };
        return 0;
    }
    if (len > size - offset)
        len = (size_t)(size - offset);
    if (offset >= spool->memory_max)
        return read_file(spool, offset, len, space, out);
    struct place place = place_of(spool, (size_t)offset);
    *out = (struct slice){ spool->chunks[place.chunk] + place.at,
                           len < place.room ? len : place.room };
    return 0;
}
