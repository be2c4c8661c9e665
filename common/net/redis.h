/* common/net/redis.h - the connection of one worker to Redis: found (names, Sentinel), logged in, checked, kept and made
 * anew when it is lost. Together with redis_link.c and redis_reply.c the only user of hiredis. One loop's thread.
 *
 * Ready means: connected, AUTH and SELECT done, the server is a master (ROLE), the version of the keys is ours
 * (`gh:schema`, SET 1 NX), and all scripts are loaded. No work is sent before that, so nothing can run as another user
 * or in another database. A user of an ACL needs +role +select +script +eval +evalsha besides the commands of its scripts.
 *
 * Of a name with several addresses the first one is used that all this can be had from.
 *
 * Lost (error, end, silence for half a second or more, a server that became read-only or starts anew): all commands under way end
 * with reply NULL, and after at most REDIS_BACKOFF_MOST_MS, at once when it had been ready, the next attempt begins. So a
 * server that comes back is used within a second. Deadlines of single commands are the caller's. */
#ifndef GATEHOUSE_NET_REDIS_H
#define GATEHOUSE_NET_REDIS_H

#include "common/net/redis_link.h"
#include "common/net/redis_url.h"

struct event_base;
struct redis; /* opaque */

enum {
    REDIS_BACKOFF_LEAST_MS = 50,
    REDIS_BACKOFF_MOST_MS = 400,
    REDIS_SCRIPTS_MAX = 9,
    REDIS_ARGS_MAX = 3072,
    REDIS_ARGS_SPACE = 96 * 1024,
};

struct redis_options {
    const struct redis_url *url; /* these three must outlive the connection */
    const struct redis_secrets *secrets;
    const char *const *scripts;
    size_t script_count; /* at most REDIS_SCRIPTS_MAX */
    const char *schema; /* the number that gh:schema must hold */
    unsigned answer_ms; /* what an answer may take; silence is borne at least twice as long */
    /* It became ready or stopped being so: from the loop. */
    void (*changed)(void *arg);
    void *arg;
};

/* Begins to connect. NULL: out of memory. */
struct redis *redis_new(struct event_base *base, const struct redis_options *options);
void redis_free(struct redis **redis); /* commands under way end with reply NULL, from inside */

bool redis_is_ready(const struct redis *redis);
const char *redis_problem(const struct redis *redis); /* why it is not; "" when it is */
/* Gives the connection up, connects again. */
void redis_renew(struct redis *redis, const char *why);

/* A command being put together. Texts are borrowed until it is sent; printed ones are kept inside. What does not fit
 * makes redis_send() fail. */
struct redis_args {
    size_t count, keys, used;
    bool is_full;
    const char *texts[REDIS_ARGS_MAX];
    size_t lengths[REDIS_ARGS_MAX];
    char space[REDIS_ARGS_SPACE];
};
void redis_args_clear(struct redis_args *args);
void redis_args_script(struct redis_args *args); /* clear; keys and arguments of a script follow */
/* An absent text is an empty one. */
void redis_args_add(struct redis_args *args, struct slice text);
void redis_args_u64(struct redis_args *args, uint64_t number);
void redis_args_printf(struct redis_args *args, const char *format, ...) PRINTF_LIKE(2, 3);
void redis_args_end_keys(struct redis_args *args); /* of a script: what was added so far are KEYS */

/* Sends a command, or script number `script` made by redis_args_script(); `with_text`: the server may not know the script
 * (it said NOSCRIPT), its text is sent along, after which it knows it. False: not ready or too much under way. */
bool redis_send(struct redis *redis, struct redis_args *args, redis_reply_fn *fn, void *arg);
bool redis_send_script(struct redis *redis, size_t script, bool with_text, struct redis_args *args,
                       redis_reply_fn *fn, void *arg);

#endif
