/* contentd/scan.h - all scanners that a message needs, side by side, on one worker's loop: those that take it as it
 * arrives begin when the headers have ended, the others when it is whole. Every scanner asked for has exactly one finding
 * in the end, whatever happens. On the worker's thread alone. */
#ifndef GATEHOUSE_CONTENTD_SCAN_H
#define GATEHOUSE_CONTENTD_SCAN_H

#include "contentd/chain.h"
#include "contentd/scanners/scanner.h"

struct scan_run; /* opaque; in the arena */

struct scan_setup {
    struct worker *worker;
    struct arena *arena; /* of the findings; the loop's until scan_run_end() */
    const struct message *message; /* its headers have ended */
    const struct scanner *scanners; /* of the configuration */
    size_t scanner_count;
    scanner_set wanted; /* which of them */
    /* How long all may take from the moment the message is whole; what is under way then is trouble. */
    uint64_t budget_ms;
    /* One scanner has ended: finding n of scan_run_findings(). For each one wanted, from the loop; may cancel others, not
     * end the run. Optional. */
    void (*found)(void *owner, size_t n);
    /* All have ended: once, from the loop, never from inside a call here. The last call. */
    void (*done)(void *owner);
    void *owner;
};

/* All that `setup` points to must outlive it. NULL: out of memory. */
struct scan_run *scan_run_start(const struct scan_setup *setup);
void scan_run_more(struct scan_run *run); /* the message has grown, or is whole now */
/* Nobody needs these any more: unless they have ended, their finding is FINDING_CANCELLED (`found` is not called). */
void scan_run_cancel(struct scan_run *run, scanner_set which);
/* One for each scanner of the configuration; FINDING_NONE: not wanted, or not known yet. Valid as long as the arena. */
const struct finding *scan_run_findings(const struct scan_run *run);
scanner_set scan_run_pending(const struct scan_run *run); /* wanted, and without a finding yet */
/* Stops what is under way without `done`, and clears *run; after `done` nothing is left to stop. NULL-safe. */
void scan_run_end(struct scan_run **run);

#endif
