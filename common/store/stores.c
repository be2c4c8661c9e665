/* common/store/stores.c - see stores.h. */
#include "common/store/stores.h"

#include "common/store/store_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PASSWORD_FILE_MAX = 4096 };

struct stores {
    struct store_memory *memory;
    struct store_redis *redis; /* NULL: memory is all there is */
};

static int file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;

    if (fd < 0)
        return -1;
    if (buf_reserve(out, PASSWORD_FILE_MAX) == 0)
        got = read(fd, out->data, PASSWORD_FILE_MAX);
    if (got >= 0)
        out->len = (size_t)got;
    close(fd);
    return got < 0 ? -1 : 0;
}

static bool secrets_read(struct slice path, struct redis_secrets *out, struct buf *error)
{
    AUTO_BUF name = BUF_INIT(4096);
    AUTO_BUF text = BUF_INIT(PASSWORD_FILE_MAX);
    const char *why;

    *out = (struct redis_secrets){ .password = "" };
    if (path.len == 0)
        return true;
    if (buf_add(&name, path) || file_read(buf_text(&name), &text)) {
        buf_printf(error, "store_password_file %.*s: %s", SLICE_ARG(path), strerror(errno));
        return false;
    }
    bool ok = redis_secrets_parse(buf_slice(&text), out, &why);
    explicit_bzero(text.data, text.len);
    if (!ok)
        buf_printf(error, "store_password_file %.*s: %s", SLICE_ARG(path), why);
    return ok;
}

static bool redis_make(struct stores *stores, const struct stores_options *options,
                       struct buf *error)
{
    struct store_redis_options redis = { .clock = options->clock, .shadow = stores->memory };
    const char *why;

    if (!redis_url_parse(options->url, &redis.url, &why)) {
        buf_printf(error, "store: %s", why);
        return false;
    }
    if (!secrets_read(options->password_file, &redis.secrets, error))
        return false;
    stores->redis = store_redis_new(&redis);
    explicit_bzero(&redis.secrets, sizeof redis.secrets);
    if (stores->redis == NULL)
        buf_put(error, "out of memory");
    return stores->redis != NULL;
}

struct stores *stores_new(const struct stores_options *options, struct buf *error)
{
    struct stores *stores = calloc(1, sizeof *stores);

    if (stores != NULL)
        stores->memory = store_memory_new(options->clock, options->memory_limit);
    if (stores == NULL || stores->memory == NULL) {
        buf_put(error, "out of memory");
        stores_free(&stores);
        return NULL;
    }
    if (!slice_equal(options->url, SLICE("memory")) && !redis_make(stores, options, error))
        stores_free(&stores);
    return stores;
}

void stores_free(struct stores **stores)
{
    if (*stores == NULL)
        return;
    store_redis_free(&(*stores)->redis);
    store_memory_free(&(*stores)->memory);
    free(*stores);
    *stores = NULL;
}

struct store *stores_open(struct stores *stores, struct event_base *base)
{
    return stores->redis == NULL ? store_memory_open(stores->memory)
                                 : store_redis_open(stores->redis, base);
}

struct store_memory *stores_memory(struct stores *stores)
{
    return stores->memory;
}
