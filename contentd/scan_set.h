/* contentd/scan_set.h - scanners, chains and who has which, compiled from the sections of the file. Immutable once made, counted
 * (struct shared): live changes of the configuration share it. */
#ifndef GATEHOUSE_CONTENTD_SCAN_SET_H
#define GATEHOUSE_CONTENTD_SCAN_SET_H

#include "common/run/daemon.h"
#include "contentd/scan_sections.h"
#include "contentd/scanners/backend.h"

struct scan_set {
    struct arena *arena; /* owns all but the backends and the map; texts too */
    const struct scanner *scanners; /* in the order of the file */
    struct backend **backends; /* owned; of each scanner */
    size_t scanner_count;
    struct chain_set chains;
    const struct chain *no_chain; /* without scanners: for whom no line of [apply] stands */
    struct map *apply; /* of the file */
};

/* Every mistake is reported to load->errors, with its place; what is wrong is left out. Reads password files (blocking).
 * NULL: out of memory. */
struct scan_set *scan_set_new(const struct scan_sections *sections, const struct daemon_load *load);
void scan_set_free(void *scan_set); /* NULL-safe; for shared_new() */

#define SCANNER_NONE SIZE_MAX
size_t scan_set_find(const struct scan_set *set, struct slice scanner); /* SCANNER_NONE: none */

#endif
