/* common/store/store_impl.h - what a back end of store.h provides: for common/store/ alone. A back end's own struct
 * begins with `struct store`; store.c forwards to these, after setting the call to "failed, not degraded, nothing
 * pending", so that a back end only writes what differs. */
#ifndef GATEHOUSE_STORE_STORE_IMPL_H
#define GATEHOUSE_STORE_STORE_IMPL_H

#include "common/store/store.h"

/* One function for each call of store.h, with its contract; none may be NULL. */
struct store_ops {
    bool (*charge)(struct store *store, struct store_charge *charge);
    bool (*greylist)(struct store *store, struct store_greylist *greylist);
    bool (*tx_write)(struct store *store, struct store_tx_write *write);
    bool (*tx_read)(struct store *store, struct store_tx_read *read);
    bool (*tx_update)(struct store *store, struct store_tx_update *update);
    bool (*refund)(struct store *store, struct store_refund *refund);
    bool (*tx_find)(struct store *store, struct store_tx_find *find);
    bool (*lease_open)(struct store *store, struct store_lease *lease);
    void (*lease_close)(struct store *store, struct store_lease *lease);
    bool (*fetch)(struct store *store, struct store_fetch *fetch);
    bool (*read)(struct store *store, struct store_read *read);
    bool (*write)(struct store *store, struct store_write *write);
    bool (*swap)(struct store *store, struct store_swap *swap);
    bool (*poll)(struct store *store, struct store_poll *poll);
    bool (*reset)(struct store *store, struct store_reset *reset);
    bool (*top)(struct store *store, struct store_top *top);
    bool (*log_read)(struct store *store, struct store_log_read *read);
    void (*log)(struct store *store, struct slice line);
    void (*status)(const struct store *store, struct store_status *out);
    void (*abandon)(struct store *store,
                    struct store_call *call); /* only with call->pending set; store.c clears it */
    void (*free)(struct store *store);
    bool is_shared; /* otherwise the five functions of records are not called and may be NULL */
};

/* The names of a greylist call's entries, without their prefix: `{ORIGIN}`, `{ORIGIN}{SENDER}{RECIPIENT}`, and the entry that
 * it shares in a crowd, `{ORIGIN}3f`. Subjects have no braces. False: a subject is longer than any that limit_subject() makes. */
enum {
    GREYLIST_SUBJECT_MAX = LIMIT_SUBJECT_MAX + 2,
    GREYLIST_NAME_MAX = 3 * (GREYLIST_SUBJECT_MAX + 2)
};
struct greylist_names {
    struct greylist_name {
        size_t len;
        char text[GREYLIST_NAME_MAX + 1];
    } origin, triplet, shared;
};
bool greylist_names(const struct store_greylist *greylist, struct greylist_names *out);

struct store {
    const struct store_ops *ops;
};

#endif
