/* contentd/places.h - where copies of messages are put: the quarantine, and the outbox if there is a release listener. They
 * are opened when contentd starts; what cannot be (no directory, another process has it) is tried again every second, on a
 * thread of its own, until it can. Until then what must be put there is deferred; the log says so, a metric, and /ready.
 * All functions: main thread. */
#ifndef GATEHOUSE_CONTENTD_PLACES_H
#define GATEHOUSE_CONTENTD_PLACES_H

#include "contentd/config.h"
#include "contentd/effects.h"

struct places_opener; /* opaque */

struct places_spec {
    struct snapshot *snapshot; /* a reference is kept: `config` lies in it */
    const struct contentd_config *config;
    const struct clock *clock; /* these two must outlive it */
    const struct release *release; /* NULL: there is no outbox */
    struct effects_places *places; /* to be filled; must outlive it */
    /* On this worker's loop, with `arg`, when the quarantine has been opened after the start. */
    struct worker *main;
    worker_call *opened;
    void *arg;
};

/* Opens them, and waits for another process to let go of one (QUARANTINE_WAIT_MS). NULL: out of memory, logged. */
struct places_opener *places_open(const struct places_spec *spec);
/* Tries no more, and closes what is open. NULL-safe; clears *opener. */
void places_close(struct places_opener **opener);

/* What is settled by the configuration of the quarantine. */
struct quarantine_settings places_quarantine_settings(const struct contentd_config *config);

#endif
