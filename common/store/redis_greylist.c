/* common/store/redis_greylist.c - greylisting in Redis: greylist.lua. Without an answer everything passes: who is told to
 * come again by a host that does not remember him would wait for ever. */
#include "common/store/store_redis_impl.h"

static struct store_greylist *greylist_of(struct store_call *call)
{
    return (struct store_greylist *)(void *)call;
}

static void add_key(struct redis_args *args, const struct greylist_name *name)
{
    redis_args_printf(args, "gh:grey:%s", name->text);
}

static bool greylist_send(struct pending *pending)
{
    const struct store_greylist *greylist = greylist_of(pending->call);
    struct redis_args *args = &pending->store->args;
    struct greylist_names names;

    if (!greylist_names(greylist, &names))
        return false;
    redis_args_script(args);
    add_key(args, &names.origin);
    add_key(args, &names.triplet);
    add_key(args, &names.shared);
    redis_args_end_keys(args);
    args_time(pending->store);
    redis_args_add(args, greylist->peek ? SLICE("1") : SLICE(""));
    redis_args_u64(args, greylist->delay_ms);
    redis_args_u64(args, greylist->window_ms);
    redis_args_u64(args, greylist->expiry_ms);
    redis_args_u64(args, greylist->allow_after);
    redis_args_u64(args, greylist->allow_expiry_ms);
    redis_args_u64(args, STORE_TRIPLETS_MAX);
    return send_script(pending, SCRIPT_GREYLIST);
}

static enum progress greylist_reply(struct pending *pending, const struct redisReply *reply)
{
    return answer_greylist(reply, greylist_of(pending->call)) == ANSWER_OK ? PROGRESS_DONE
                                                                           : PROGRESS_FAILED;
}

static void greylist_fallback(UNUSED struct worker_store *store, struct store_call *call,
                              UNUSED struct pending *pending)
{
    struct store_greylist *greylist = greylist_of(call);

    greylist->state = GREYLIST_PASSED;
    greylist->left_ms = 0;
    greylist->is_crowded = false;
    call->result = STORE_OK;
    call->is_degraded = true;
}

static const struct pending_kind greylist_kind = {
    .is_request = true,
    .writes = true,
    .send = greylist_send,
    .reply = greylist_reply,
    .fallback = greylist_fallback,
};

bool redis_store_greylist(struct store *store, struct store_greylist *greylist)
{
    return pending_start((struct worker_store *)(void *)store, &greylist_kind, &greylist->call);
}
