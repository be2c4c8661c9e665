/* common/net/redis_reply.h - reading what Redis answered, without trusting it: every accessor checks the type, and
 * a reply of another type is the caller's failure to handle, never a crash. The value is borrowed for the callback. */
#ifndef GATEHOUSE_NET_REDIS_REPLY_H
#define GATEHOUSE_NET_REDIS_REPLY_H

#include "common/base/slice.h"

struct redisReply; /* of hiredis */

/* Bounds of one reply; beyond them the connection is given up. */
enum {
    REDIS_REPLY_LIST_MOST = 65536, /* elements of one list */
    REDIS_REPLY_VALUES_MOST = 262144, /* values in all */
    REDIS_REPLY_BYTES_MOST = 32 * 1024 * 1024,
};

bool redis_text(const struct redisReply *reply, struct slice *out); /* string or status */
bool redis_integer(const struct redisReply *reply, int64_t *out);
bool redis_list(const struct redisReply *reply, size_t *count);
const struct redisReply *redis_item(const struct redisReply *list, size_t n); /* NULL: none */
bool redis_is_nil(const struct redisReply *reply);

/* What an error reply means to us. */
enum redis_error {
    REDIS_NO_ERROR, /* not an error reply */
    REDIS_NOSCRIPT, /* the scripts were flushed: send their text */
    REDIS_UNUSABLE, /* this server cannot serve us now (READONLY, LOADING, MASTERDOWN, NOAUTH...): connect anew */
    REDIS_UNWILLING, /* it answers but refuses writes for now (OOM, MISCONF, NOREPLICAS, BUSY...) */
    REDIS_MISTAKE, /* anything else: this command failed */
};
enum redis_error redis_error(const struct redisReply *reply, struct slice *text);

/* Reads replies from bytes; what the connection does, as a function, for tests and fuzzing. False: the bytes are not
 * the protocol, or beyond the bounds. */
bool redis_replies_in(struct slice bytes, void (*each)(void *arg, const struct redisReply *reply),
                      void *arg);

/* Makes a reader of hiredis keep the bounds above; *bounds is its memory and must outlive it. */
struct redisReader;
struct redis_bounds {
    size_t values; /* in the reply being read */
    const void *library; /* the reader's own constructors */
};
void redis_reader_bound(struct redisReader *reader, struct redis_bounds *bounds);

#endif
