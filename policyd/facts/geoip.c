/* policyd/facts/geoip.c - see geoip.h. A database is immutable once open; readers hold the lock for the time of one
 * look-up, and a refresh takes it for writing only to exchange two pointers. */
#include "policyd/facts/geoip.h"

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"

#define COPY_CHUNK 65536
/* Of a large database so many records are looked at before it is used, evenly spread. */
#define CHECKED_RECORDS 100000

/* What tells one state of a file from another. All zero: no file. */
struct file_state {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct geoip {
    atomic_uint owners;
    char *path;
    struct file_state seen; /* the refreshing thread's */
    pthread_rwlock_t lock;
    MMDB_s *db; /* under `lock`; NULL: none */
};

/* ---- reading a file into sealed memory ---- */

static struct file_state file_state_of(const struct stat *st)
{
    return (struct file_state){ st->st_dev, st->st_ino, st->st_size, st->st_mtim };
}

static bool file_state_equal(const struct file_state *a, const struct file_state *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* NULL, or what went wrong. */
static const char *copy_bytes(int from, int to, size_t size)
{
    char chunk[COPY_CHUNK];
    size_t copied = 0;

    for (;;) {
        ssize_t got = fd_read(from, chunk, sizeof chunk);
        if (got < 0)
            return strerrordesc_np(errno);
        if (got == 0)
            return copied == size ? NULL : "it became shorter while it was read";
        if ((size_t)got > size - copied)
            return "it became longer while it was read";
        if (fd_write_all(to, (struct slice){ chunk, (size_t)got }) != 0)
            return "no memory to hold it";
        copied += (size_t)got;
    }
}

/* A descriptor of the copy, which nothing can change or cut any more; -1 with *problem set. */
static int copy_sealed(int file, const struct stat *before, const char **problem)
{
    struct stat after;
    int copy = memfd_create("gatehouse-geoip", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (copy < 0) {
        *problem = strerrordesc_np(errno);
        return -1;
    }
    *problem = copy_bytes(file, copy, (size_t)before->st_size);
    if (*problem == NULL) {
        struct file_state old = file_state_of(before), new;
        if (fstat(file, &after))
            *problem = strerrordesc_np(errno);
        else if (new = file_state_of(&after), !file_state_equal(&old, &new))
            *problem = "it changed while it was read";
        else if (fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
            *problem = strerrordesc_np(errno);
    }
    if (*problem == NULL)
        return copy;
    close(copy);
    return -1;
}

/* ---- what a record says ---- */

/* A value that has exactly `len` letters; they are put into `out` in upper case. */
static bool read_code(MMDB_entry_s *entry, const char *const *path, char *out, size_t len)
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!ascii_is_alpha(data.utf8_string[i]))
            return false;
    }
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(data.utf8_string[i] & ~0x20);
    out[len] = '\0';
    return true;
}

/* A number, or a text like "AS64500". */
static bool read_asn(MMDB_entry_s *entry, const char *const *path, uint32_t *out)
{
    MMDB_entry_data_s data;
    uint64_t number;

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data)
        return false;
    if (data.type == MMDB_DATA_TYPE_UINT32 || data.type == MMDB_DATA_TYPE_UINT16) {
        *out = data.type == MMDB_DATA_TYPE_UINT32 ? data.uint32 : data.uint16;
        return true;
    }
    if (data.type != MMDB_DATA_TYPE_UTF8_STRING)
        return false;
    struct slice text = { data.utf8_string, data.data_size };
    if (slice_equal_nocase(slice_part(text, 0, 2), SLICE("AS")))
        text = slice_skip(text, 2);
    if (!slice_to_u64(text, &number) || number > UINT32_MAX)
        return false;
    *out = (uint32_t)number;
    return true;
}

static void set_words(struct geoip_record *record, const char *word)
{
    *record = (struct geoip_record){ .has_asn = false };
    snprintf(record->country, sizeof record->country, "%s", word);
    snprintf(record->continent, sizeof record->continent, "%s", word);
}

static void read_record(MMDB_entry_s *entry, struct geoip_record *out)
{
    static const char *const country[][3] = { { "country", "iso_code" },
                                              { "country_code" },
                                              { "country" } };
    static const char *const continent[][3] = { { "continent", "code" },
                                                { "continent_code" },
                                                { "continent" } };
    static const char *const asn[][3] = { { "autonomous_system_number" }, { "asn" } };

    for (size_t i = 0; i < COUNT(country); i++) {
        if (read_code(entry, country[i], out->country, 2))
            break;
    }
    for (size_t i = 0; i < COUNT(continent); i++) {
        if (read_code(entry, continent[i], out->continent, 2))
            break;
    }
    for (size_t i = 0; i < COUNT(asn) && !out->has_asn; i++)
        out->has_asn = read_asn(entry, asn[i], &out->asn);
}

/* ---- checking and opening ---- */

static const char *check_record(MMDB_entry_s entry)
{
    struct geoip_record record;
    MMDB_entry_data_s data;
    static const char *const nothing[] = { NULL };

    if (MMDB_aget_value(&entry, &data, nothing) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_MAP)
        return "it has a record that is no map";
    set_words(&record, "unlisted");
    read_record(&entry, &record);
    return NULL;
}

/* Looks at every node of the search tree and at a sample of the records. NULL, or what is wrong. */
static const char *check_tree(const MMDB_s *db)
{
    uint32_t nodes = db->metadata.node_count;
    uint32_t step = nodes / CHECKED_RECORDS + 1;

    if (db->metadata.ip_version != 4 && db->metadata.ip_version != 6)
        return "its addresses are neither IPv4 nor IPv6";
    for (uint32_t n = 0; n < nodes; n++) {
        MMDB_search_node_s node;
        if (MMDB_read_node(db, n, &node) != MMDB_SUCCESS ||
            node.left_record_type == MMDB_RECORD_TYPE_INVALID ||
            node.right_record_type == MMDB_RECORD_TYPE_INVALID)
            return "its search tree is damaged";
        const char *problem = NULL;
        if (n % step == 0 && node.left_record_type == MMDB_RECORD_TYPE_DATA)
            problem = check_record(node.left_record_entry);
        if (problem == NULL && n % step == 0 && node.right_record_type == MMDB_RECORD_TYPE_DATA)
            problem = check_record(node.right_record_entry);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

static void db_close(MMDB_s *db)
{
    if (db == NULL)
        return;
    MMDB_close(db);
    free(db);
}

/* libmaxminddb opens by name only; the mapping outlives the descriptor. */
static MMDB_s *open_copy(int copy, const char **problem)
{
    char name[32];
    MMDB_s *db = calloc(1, sizeof *db);

    if (db == NULL) {
        *problem = "no memory";
        return NULL;
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", copy);
    int status = MMDB_open(name, MMDB_MODE_MMAP, db);
    if (status != MMDB_SUCCESS) {
        *problem = MMDB_strerror(status);
        free(db);
        return NULL;
    }
    *problem = check_tree(db);
    if (*problem == NULL)
        return db;
    db_close(db);
    return NULL;
}

static MMDB_s *open_file(const char *path, struct file_state *state, const char **problem)
{
    MMDB_s *db = NULL;
    struct stat st;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), copy = -1;

    *state = (struct file_state){ .size = 0 };
    if (file < 0 || fstat(file, &st)) {
        *problem = strerrordesc_np(errno);
        goto out;
    }
    *state = file_state_of(&st);
    if (!S_ISREG(st.st_mode))
        *problem = "it is not a regular file";
    else if (st.st_size < 0 || (uintmax_t)st.st_size > GEOIP_FILE_MAX)
        *problem = "it is larger than 1 GiB";
    else if ((copy = copy_sealed(file, &st, problem)) >= 0)
        db = open_copy(copy, problem);
out:
    if (file >= 0)
        close(file);
    if (copy >= 0)
        close(copy);
    return db;
}

/* ---- the object ---- */

static bool state_differs(const struct geoip *geoip)
{
    struct stat st;
    struct file_state now = { .size = 0 };

    if (stat(geoip->path, &st) == 0)
        now = file_state_of(&st);
    return !file_state_equal(&now, &geoip->seen);
}

static enum geoip_change read_again(struct geoip *geoip, char error[GEOIP_ERROR_MAX])
{
    const char *problem = NULL;
    MMDB_s *fresh = open_file(geoip->path, &geoip->seen, &problem);

    if (fresh == NULL) {
        snprintf(error, GEOIP_ERROR_MAX, "%.160s: cannot use this country database: %s",
                 geoip->path, problem);
        return GEOIP_BAD;
    }
    pthread_rwlock_wrlock(&geoip->lock);
    MMDB_s *old = geoip->db;
    geoip->db = fresh;
    pthread_rwlock_unlock(&geoip->lock);
    db_close(old);
    return GEOIP_READ;
}

struct geoip *geoip_new(const char *path, char error[GEOIP_ERROR_MAX])
{
    struct geoip *geoip = calloc(1, sizeof *geoip);

    if (geoip == NULL)
        return NULL;
    geoip->path = strdup(path);
    if (geoip->path == NULL || pthread_rwlock_init(&geoip->lock, NULL)) {
        free(geoip->path);
        free(geoip);
        return NULL;
    }
    atomic_init(&geoip->owners, 1);
    error[0] = '\0';
    read_again(geoip, error);
    return geoip;
}

struct geoip *geoip_ref(struct geoip *geoip)
{
    atomic_fetch_add(&geoip->owners, 1);
    return geoip;
}

void geoip_free(struct geoip **geoip)
{
    struct geoip *old = *geoip;

    *geoip = NULL;
    if (old == NULL || atomic_fetch_sub(&old->owners, 1) > 1)
        return;
    db_close(old->db);
    pthread_rwlock_destroy(&old->lock);
    free(old->path);
    free(old);
}

enum geoip_change geoip_refresh(struct geoip *geoip, char error[GEOIP_ERROR_MAX])
{
    return state_differs(geoip) ? read_again(geoip, error) : GEOIP_SAME;
}

bool geoip_describe(struct geoip *geoip, char type[GEOIP_TYPE_MAX], uint64_t *build_s)
{
    pthread_rwlock_rdlock(&geoip->lock);
    const MMDB_s *db = geoip->db;
    if (db != NULL) {
        snprintf(type, GEOIP_TYPE_MAX, "%s", db->metadata.database_type);
        *build_s = db->metadata.build_epoch;
    }
    pthread_rwlock_unlock(&geoip->lock);
    return db != NULL;
}

/* ---- look-ups ---- */

static MMDB_lookup_result_s find(const MMDB_s *db, const struct ip_address *address, int *status)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in in = { .sin_family = AF_INET };

    if (ip_address_is_ipv4(address)) {
        memcpy(&in.sin_addr, address->bytes + 12, 4);
        return MMDB_lookup_sockaddr(db, (const struct sockaddr *)(const void *)&in, status);
    }
    memcpy(&in6.sin6_addr, address->bytes, 16);
    return MMDB_lookup_sockaddr(db, (const struct sockaddr *)(const void *)&in6, status);
}

bool geoip_lookup(struct geoip *geoip, const struct ip_address *address, struct geoip_record *out)
{
    pthread_rwlock_rdlock(&geoip->lock);
    const MMDB_s *db = geoip->db;
    if (db != NULL) {
        /* Internal addresses belong to no country; other special ones (documentation) may be in a database. */
        bool is_internal = ip_address_is_internal(address);
        int status = MMDB_SUCCESS;
        set_words(out, is_internal ? "none" : "unlisted");
        MMDB_lookup_result_s found = { .found_entry = false };
        if (!is_internal)
            found = find(db, address, &status);
        if (status == MMDB_SUCCESS && found.found_entry)
            read_record(&found.entry, out);
    }
    pthread_rwlock_unlock(&geoip->lock);
    return db != NULL;
}
