/* common/net/redis_reply.c - see redis_reply.h. */
#include "common/net/redis_reply.h"

#include <hiredis/hiredis.h>

bool redis_text(const struct redisReply *reply, struct slice *out)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
        return false;
    *out = (struct slice){ reply->str == NULL ? "" : reply->str, reply->len };
    return true;
}

bool redis_integer(const struct redisReply *reply, int64_t *out)
{
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER)
        return false;
    *out = reply->integer;
    return true;
}

bool redis_list(const struct redisReply *reply, size_t *count)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY)
        return false;
    *count = reply->elements;
    return true;
}

const struct redisReply *redis_item(const struct redisReply *list, size_t n)
{
    if (list == NULL || list->type != REDIS_REPLY_ARRAY || n >= list->elements)
        return NULL;
    return list->element[n];
}

bool redis_is_nil(const struct redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_NIL;
}

static const struct {
    struct slice word;
    enum redis_error means;
} error_words[] = {
    { SLICE_INIT("NOSCRIPT"), REDIS_NOSCRIPT },    { SLICE_INIT("READONLY"), REDIS_UNUSABLE },
    { SLICE_INIT("LOADING"), REDIS_UNUSABLE },     { SLICE_INIT("MASTERDOWN"), REDIS_UNUSABLE },
    { SLICE_INIT("NOAUTH"), REDIS_UNUSABLE },      { SLICE_INIT("WRONGPASS"), REDIS_UNUSABLE },
    { SLICE_INIT("CLUSTERDOWN"), REDIS_UNUSABLE }, { SLICE_INIT("MOVED"), REDIS_UNUSABLE },
    { SLICE_INIT("OOM"), REDIS_UNWILLING },        { SLICE_INIT("MISCONF"), REDIS_UNWILLING },
    { SLICE_INIT("NOREPLICAS"), REDIS_UNWILLING }, { SLICE_INIT("BUSY"), REDIS_UNWILLING },
    { SLICE_INIT("NOPERM"), REDIS_UNWILLING },
};

/* Redis 6 wraps what a command in a script said: `ERR Error running script (...): @user_script: 12: -OOM command not
 * allowed ...`, so its words are also looked for after a minus. */
static bool says(struct slice text, struct slice word)
{
    if (slice_starts_with(text, word))
        return true;
    while (text.len > word.len) {
        size_t at = slice_find(text, '-');
        if (at == SIZE_MAX)
            return false;
        text = slice_skip(text, at + 1);
        if (slice_starts_with(text, word))
            return true;
    }
    return false;
}

enum redis_error redis_error(const struct redisReply *reply, struct slice *text)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return REDIS_NO_ERROR;
    *text = (struct slice){ reply->str == NULL ? "" : reply->str, reply->len };
    for (size_t i = 0; i < COUNT(error_words); i++) {
        if (says(*text, error_words[i].word))
            return error_words[i].means;
    }
    return REDIS_MISTAKE;
}

/* ---- bounds: the library's own constructors, called only as long as the reply stays within them ---- */

static bool within_bounds(const redisReadTask *task)
{
    struct redis_bounds *bounds = task->privdata;

    if (task->parent == NULL)
        bounds->values = 0;
    return bounds->values++ < REDIS_REPLY_VALUES_MOST;
}

static const redisReplyObjectFunctions *library(const redisReadTask *task)
{
    const struct redis_bounds *bounds = task->privdata;

    return bounds->library;
}

static void *bounded_string(const redisReadTask *task, char *text, size_t len)
{
    return within_bounds(task) ? library(task)->createString(task, text, len) : NULL;
}

static void *bounded_array(const redisReadTask *task, int elements)
{
    if (elements < 0 || elements > REDIS_REPLY_LIST_MOST || !within_bounds(task))
        return NULL;
    return library(task)->createArray(task, elements);
}

static void *bounded_integer(const redisReadTask *task, long long number)
{
    return within_bounds(task) ? library(task)->createInteger(task, number) : NULL;
}

static void *bounded_nil(const redisReadTask *task)
{
    return within_bounds(task) ? library(task)->createNil(task) : NULL;
}

void redis_reader_bound(struct redisReader *reader, struct redis_bounds *bounds)
{
    /* hiredis takes a pointer to non-const but never writes there. */
    static redisReplyObjectFunctions bounded = { bounded_string, bounded_array, bounded_integer,
                                                 bounded_nil, freeReplyObject };

    *bounds = (struct redis_bounds){ .library = reader->fn };
    reader->fn = &bounded;
    reader->privdata = bounds;
}

bool redis_replies_in(struct slice bytes, void (*each)(void *arg, const struct redisReply *reply),
                      void *arg)
{
    struct redis_bounds bounds;
    redisReader *reader = redisReaderCreate();
    bool is_good = reader != NULL;
    void *reply;

    if (is_good) {
        redis_reader_bound(reader, &bounds);
        is_good = redisReaderFeed(reader, bytes.ptr, bytes.len) == REDIS_OK;
    }
    while (is_good) {
        is_good = redisReaderGetReply(reader, &reply) == REDIS_OK;
        if (!is_good || reply == NULL)
            break;
        each(arg, reply);
        freeReplyObject(reply);
    }
    if (reader != NULL)
        redisReaderFree(reader);
    return is_good;
}
