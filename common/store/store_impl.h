/* common/store/store_impl.h - what a back end of store.h provides: for common/store/ alone. A back end's own struct
 * begins with `struct store`; store.c forwards to these, after setting the call to "failed, not degraded, nothing
 * pending", so that a back end only writes what differs. */
#ifndef GATEHOUSE_STORE_STORE_IMPL_H
#define GATEHOUSE_STORE_STORE_IMPL_H

#include "common/store/store.h"

/* One function for each call of store.h, with its contract; none may be NULL. */
struct store_ops {
    bool (*charge)(struct store *store, struct store_charge *charge);
    bool (*fetch)(struct store *store, struct store_fetch *fetch);
    bool (*read)(struct store *store, struct store_read *read);
    bool (*write)(struct store *store, struct store_write *write);
    bool (*poll)(struct store *store, struct store_poll *poll);
    bool (*reset)(struct store *store, struct store_reset *reset);
    bool (*top)(struct store *store, struct store_top *top);
    bool (*log_read)(struct store *store, struct store_log_read *read);
    void (*log)(struct store *store, struct slice line);
    void (*status)(const struct store *store, struct store_status *out);
    void (*abandon)(struct store *store,
                    struct store_call *call); /* only with call->pending set; store.c clears it */
    void (*free)(struct store *store);
};

struct store {
    const struct store_ops *ops;
};

#endif
