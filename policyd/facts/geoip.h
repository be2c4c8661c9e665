/* policyd/facts/geoip.h - country, continent and network owner of an address, from a database file in MaxMind's format.
 * The only user of libmaxminddb, which maps files: one that is overwritten in place would kill the process (SIGBUS), so
 * a file is copied into sealed memory, checked there and only then used. */
#ifndef GATEHOUSE_POLICYD_GEOIP_H
#define GATEHOUSE_POLICYD_GEOIP_H

#include "common/mail/ipnet.h"

#define GEOIP_FILE_MAX ((size_t)1 << 30) /* bytes; a larger file is refused */
#define GEOIP_ERROR_MAX 256
#define GEOIP_WORD_MAX 12

/* A file's path and the database last read from it; shared by all workers, counted. */
struct geoip;

/* Reads the file. A missing or damaged one is no reason to stop: the object is made without a database, *error says why
 * (otherwise it is empty), and geoip_refresh() tries again. NULL: out of memory. */
struct geoip *geoip_new(const char *path, char error[GEOIP_ERROR_MAX]);
struct geoip *geoip_ref(struct geoip *geoip); /* one more owner; any thread */
void geoip_free(struct geoip **geoip); /* one owner less; NULL-safe; clears *geoip; any thread */

enum geoip_change {
    GEOIP_SAME, /* the file is the one already read (or already found to be bad) */
    GEOIP_READ, /* a new database is in use */
    GEOIP_BAD, /* missing or damaged, told once per state of the file: the old database stays in use */
};

/* Looks whether the file has changed (device, inode, size, modification time) and reads it again if so. Blocks on the
 * disk: not for a worker's loop. One caller at a time; look-ups go on meanwhile. `error` is written for GEOIP_BAD. */
enum geoip_change geoip_refresh(struct geoip *geoip, char error[GEOIP_ERROR_MAX]);

/* For status: false without a database. `type` as the file says, `build_s` Unix seconds. Any thread. */
#define GEOIP_TYPE_MAX 64
bool geoip_describe(struct geoip *geoip, char type[GEOIP_TYPE_MAX], uint64_t *build_s);

struct geoip_record {
    char country[GEOIP_WORD_MAX]; /* "DE"; "none": private; "unlisted": not in the database */
    char continent[GEOIP_WORD_MAX]; /* "EU"; "none"; "unlisted" */
    bool has_asn;
    uint32_t asn;
};

/* False without a database: the facts are unknown. Both common layouts are read, `country.iso_code`, `continent.code`,
 * `autonomous_system_number` and the flat `country_code`, `continent_code`, `asn`. Private (RFC 1918, RFC 4193, RFC 6598),
 * loopback and link-local addresses are never looked up. Any thread; about a microsecond; never blocks on the disk. */
bool geoip_lookup(struct geoip *geoip, const struct ip_address *address, struct geoip_record *out);

#endif
