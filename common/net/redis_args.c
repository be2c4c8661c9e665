/* common/net/redis_args.c - commands being put together, see redis.h. */
#include "common/net/redis.h"

#include <inttypes.h>
#include <stdarg.h>

enum { SCRIPT_HEAD = 3 }; /* EVALSHA, digest, number of keys */

void redis_args_clear(struct redis_args *args)
{
    args->count = args->keys = args->used = 0;
    args->is_full = false;
}

void redis_args_script(struct redis_args *args)
{
    redis_args_clear(args);
    args->count = SCRIPT_HEAD; /* filled in when it is sent */
}

void redis_args_add(struct redis_args *args, struct slice text)
{
    if (args->count == REDIS_ARGS_MAX) {
        args->is_full = true;
        return;
    }
    args->texts[args->count] = text.ptr == NULL ? "" : text.ptr;
    args->lengths[args->count++] = text.len;
}

void redis_args_printf(struct redis_args *args, const char *format, ...)
{
    char *at = args->space + args->used;
    size_t room = sizeof(args->space) - args->used;
    va_list list;

    va_start(list, format);
    int len = vsnprintf(at, room, format, list);
    va_end(list);
    if (len < 0 || (size_t)len >= room) {
        args->is_full = true;
        return;
    }
    args->used += (size_t)len;
    redis_args_add(args, (struct slice){ at, (size_t)len });
}

void redis_args_u64(struct redis_args *args, uint64_t number)
{
    redis_args_printf(args, "%" PRIu64, number);
}

void redis_args_end_keys(struct redis_args *args)
{
    args->keys = args->count - SCRIPT_HEAD;
}
