/* common/milter/source.c - see source.h. */
#include "common/milter/source.h"

#include <errno.h>
#include <unistd.h>

static int read_message(const struct source *source, uint64_t offset, size_t max, char *space,
                        struct slice *out)
{
    return message_read(source->of, offset, max, space, out);
}

static int read_copy(const struct source *source, uint64_t offset, size_t max, char *space,
                     struct slice *out)
{
    const struct message *message = source->of;

    if (offset < source->head.len) {
        *out = slice_part(source->head, (size_t)offset, max);
        return 0;
    }
    offset -= source->head.len;
    if (source->body.ptr == NULL)
        return message_read(message, message->head.len + offset, max, space, out);
    *out = offset < source->body.len ? slice_part(source->body, (size_t)offset, max) : SLICE("");
    return 0;
}

static int read_file(const struct source *source, uint64_t offset, size_t max, char *space,
                     struct slice *out)
{
    ssize_t got;

    if (offset > INT64_MAX)
        return -1;
    do
        got = pread(source->fd, space, max, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    *out = (struct slice){ space, (size_t)got };
    return 0;
}

struct source source_of_message(const struct message *message)
{
    return (struct source){
        .size = message_size(message), .read = read_message, .of = message, .fd = -1
    };
}

struct source source_of_copy(struct slice head, const struct message *message, struct slice body)
{
    uint64_t body_size = body.ptr != NULL ? body.len : message_size(message) - message->head.len;

    return (struct source){ .size = head.len + body_size,
                            .read = read_copy,
                            .of = message,
                            .head = head,
                            .body = body,
                            .fd = -1 };
}

struct source source_of_file(int fd, uint64_t size)
{
    return (struct source){ .size = size, .read = read_file, .fd = fd };
}
