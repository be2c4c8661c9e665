/* common/milter/source.h - a message as bytes to be read from somewhere: as it is received, as an edited copy, from a file. */
#ifndef GATEHOUSE_MILTER_SOURCE_H
#define GATEHOUSE_MILTER_SOURCE_H

#include "common/milter/message.h"

enum { SOURCE_CHUNK = 64 << 10 }; /* bytes: what readers ask for at once */

struct source {
    uint64_t size; /* bytes in all */
    /* As spool_read(): bytes from `offset` on, at most `max`, borrowed from the source or put into `space`. Empty at the
     * end only; -1: it cannot be read. Any thread, as long as what is behind it lives. */
    int (*read)(const struct source *source, uint64_t offset, size_t max, char *space,
                struct slice *out);
    const void *of; /* the message, the head of a copy */
    struct slice head; /* comes before the body of `of`, or before `body` */
    struct slice body;
    int fd; /* of a file */
};

/* The whole message as it was received; it must be whole. */
struct source source_of_message(const struct message *message);
/* Another header section (with its blank line), then the body as received, or `body` unless that is absent. */
struct source source_of_copy(struct slice head, const struct message *message, struct slice body);
/* The file behind `fd`, which stays the caller's. */
struct source source_of_file(int fd, uint64_t size);

#endif
