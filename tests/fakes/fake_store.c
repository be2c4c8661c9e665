/* tests/fakes/fake_store.c - see fake_store.h. */
#include "tests/fakes/fake_store.h"

enum { MEMORY_LIMIT = 8 << 20 };

static struct fake_store *fake_of(struct store *store)
{
    return (struct fake_store *)store;
}

/* Ends a call with what the memory store says, or without an answer. */
static void fake_end(struct fake_store *fake, struct store_call *call, enum fake_call kind)
{
    if (fake->fails) {
        call->result = STORE_FAILED;
        return;
    }
    switch (kind) {
    case FAKE_CHARGE:
        store_charge(fake->real, (struct store_charge *)call);
        break;
    case FAKE_GREYLIST:
        store_greylist(fake->real, (struct store_greylist *)call);
        break;
    case FAKE_FETCH:
        store_fetch(fake->real, (struct store_fetch *)call);
        break;
    }
    call->is_degraded = fake->is_degraded;
}

static bool fake_begin(struct fake_store *fake, struct store_call *call, enum fake_call kind)
{
    if (!fake->holds) {
        fake_end(fake, call, kind);
        return true;
    }
    if (fake->held_count == FAKE_STORE_HELD_MAX)
        abort();
    fake->held[fake->held_count++] = (struct fake_held){ call, kind };
    call->pending = fake;
    return false;
}

static bool fake_charge(struct store *store, struct store_charge *charge)
{
    struct fake_store *fake = fake_of(store);

    if (charge->peek) {
        fake->peeks++;
    } else {
        fake->charges++;
        fake->use_count = charge->use_count;
        snprintf(fake->once, sizeof fake->once, "%.*s", SLICE_ARG(charge->once));
    }
    return fake_begin(fake, &charge->call, FAKE_CHARGE);
}

static bool fake_greylist(struct store *store, struct store_greylist *greylist)
{
    struct fake_store *fake = fake_of(store);

    if (greylist->peek)
        fake->peeks++;
    else
        fake->greylists++;
    return fake_begin(fake, &greylist->call, FAKE_GREYLIST);
}

static bool fake_fetch(struct store *store, struct store_fetch *fetch)
{
    fake_of(store)->fetches++;
    return fake_begin(fake_of(store), &fetch->call, FAKE_FETCH);
}

static bool fake_read(struct store *store, struct store_read *read)
{
    return store_read(fake_of(store)->real, read);
}

static bool fake_write(struct store *store, struct store_write *write)
{
    return store_write(fake_of(store)->real, write);
}

static bool fake_poll(struct store *store, struct store_poll *poll)
{
    return store_poll(fake_of(store)->real, poll);
}

static bool fake_reset(struct store *store, struct store_reset *reset)
{
    return store_reset(fake_of(store)->real, reset);
}

static bool fake_top(struct store *store, struct store_top *top)
{
    return store_top(fake_of(store)->real, top);
}

static bool fake_log_read(struct store *store, struct store_log_read *read)
{
    return store_log_read(fake_of(store)->real, read);
}

static void fake_log(struct store *store, struct slice line)
{
    struct fake_store *fake = fake_of(store);

    fake->lines++;
    buf_clear(&fake->log);
    buf_add(&fake->log, line);
}

static void fake_status(const struct store *store, struct store_status *out)
{
    store_status(((const struct fake_store *)store)->real, out);
}

static void fake_abandon(struct store *store, struct store_call *call)
{
    struct fake_store *fake = fake_of(store);

    for (size_t i = 0; i < fake->held_count; i++)
        if (fake->held[i].call == call) {
            fake->abandoned++;
            fake->held_count--;
            memmove(&fake->held[i], &fake->held[i + 1],
                    (fake->held_count - i) * sizeof fake->held[0]);
            return;
        }
    abort(); /* it was not under way */
}

static void fake_free(UNUSED struct store *store)
{
}

static const struct store_ops fake_ops = {
    .charge = fake_charge,
    .greylist = fake_greylist,
    .fetch = fake_fetch,
    .read = fake_read,
    .write = fake_write,
    .poll = fake_poll,
    .reset = fake_reset,
    .top = fake_top,
    .log_read = fake_log_read,
    .log = fake_log,
    .status = fake_status,
    .abandon = fake_abandon,
    .free = fake_free,
};

struct fake_store *fake_store_new(const struct clock *clock)
{
    struct fake_store *fake = calloc(1, sizeof *fake);

    if (fake == NULL)
        abort();
    fake->store.ops = &fake_ops;
    fake->log = (struct buf)BUF_INIT(STORE_LOG_LINE_MAX);
    fake->memory = store_memory_new(clock, MEMORY_LIMIT);
    fake->real = fake->memory == NULL ? NULL : store_memory_open(fake->memory);
    if (fake->real == NULL)
        abort();
    return fake;
}

void fake_store_free(struct fake_store **fake)
{
    store_free(&(*fake)->real);
    store_memory_free(&(*fake)->memory);
    buf_free(&(*fake)->log);
    free(*fake);
    *fake = NULL;
}

void fake_store_release(struct fake_store *fake)
{
    while (fake->held_count > 0) {
        struct fake_held held = fake->held[0];
        fake->held_count--;
        memmove(fake->held, fake->held + 1, fake->held_count * sizeof held);
        void (*done)(struct store_call *) = held.call->done;
        fake_end(fake, held.call, held.kind);
        held.call->pending = NULL;
        done(held.call);
    }
}

void fake_store_set(struct fake_store *fake, const char *key, const char *field, const char *text)
{
    struct store_write write = { .key = slice_of(key),
                                 .field = slice_of(field),
                                 .text = slice_of(text) };

    if (!store_write(fake->real, &write) || write.call.result != STORE_OK)
        abort();
}
