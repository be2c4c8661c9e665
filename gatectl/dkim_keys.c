/* gatectl/dkim_keys.c - see dkim_keys.h. */
#include "gatectl/dkim_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/config/conf.h"
#include "common/mail/address.h"

#define KEY_DIRECTORY "/etc/gatehouse/dkim"

const char *dkim_directory(struct gatectl *ctl)
{
    const struct conf_entry *entry = NULL;

    if (ctl->options.directory != NULL)
        return ctl->options.directory;
    if (!gatectl_settings(ctl))
        return NULL;
    if (ctl->settings->conf != NULL)
        entry = conf_find(&ctl->settings->conf->sections[0], SLICE("key_directory"));
    return entry == NULL ? KEY_DIRECTORY : entry->value.ptr; /* terminated, see conf.h */
}

/* Who may read keys is the daemon's to judge, with its own user; here all that root and we own counts. */
struct shared *dkim_keys_read(struct gatectl *ctl)
{
    const char *directory = dkim_directory(ctl);
    struct stat st = { .st_uid = geteuid(), .st_gid = getegid() };

    if (directory == NULL)
        return NULL;
    if (stat(directory, &st) != 0) {
        gatectl_error(ctl, "%s: %s", directory, strerror(errno));
        return NULL;
    }
    const struct key_rules rules = { st.st_uid, st.st_gid };
    struct shared *keys = key_set_read(directory, &rules, ctl->clock->wall_ms(ctl->clock), NULL);
    if (keys == NULL) {
        gatectl_error(ctl, "out of memory");
    } else if (key_set_error(shared_get(keys))[0] != '\0') {
        gatectl_error(ctl, "%s", key_set_error(shared_get(keys)));
        shared_unref(&keys);
    }
    return keys;
}

bool dkim_key_is_missing(struct gatectl *ctl, struct slice domain, struct slice selector)
{
    const char *directory = dkim_directory(ctl);
    struct slice path = { NULL, 0 };

    if (directory != NULL && access(directory, X_OK) == 0)
        path = arena_printf(ctl->arena, "%s/%.*s/%.*s.key", directory, SLICE_ARG(domain),
                            SLICE_ARG(selector));
    return path.ptr != NULL && access(path.ptr, F_OK) != 0 && errno == ENOENT;
}

/* ---- names ---- */

bool dkim_domain(struct gatectl *ctl, const char *typed, struct slice *domain)
{
    if (address_normalise_domain(slice_of(typed), ctl->arena, domain) == ADDRESS_NORMAL &&
        address_is_valid_domain(*domain) && domain->ptr[0] != '[')
        return true;
    gatectl_error(ctl, "\"%s\" is no domain", typed);
    return false;
}

bool dkim_selector(struct gatectl *ctl, const char *typed, struct slice *selector)
{
    if (address_normalise_domain(slice_of(typed), ctl->arena, selector) == ADDRESS_NORMAL &&
        address_is_valid_domain(*selector) && selector->ptr[0] != '[' &&
        selector->len <= KEY_SELECTOR_MAX)
        return true;
    gatectl_error(ctl, "\"%s\" is no selector: letters, digits and hyphens", typed);
    return false;
}

static bool has_selector(const struct key_set *keys, struct slice domain, struct slice selector)
{
    size_t first = 0, count = key_set_find(keys, domain, &first);

    for (size_t i = 0; i < count; i++)
        if (slice_equal(key_set_at(keys, first + i)->selector, selector))
            return true;
    return false;
}

struct slice dkim_new_selector(struct gatectl *ctl, const struct key_set *keys, struct slice domain,
                               const char *suffix)
{
    time_t now = (time_t)(ctl->clock->wall_ms(ctl->clock) / SECOND);
    struct tm day;
    struct slice selector = { NULL, 0 };

    gmtime_r(&now, &day);
    for (unsigned n = 0; n < 1000; n++) {
        char more[8] = "";
        if (n > 0)
            snprintf(more, sizeof more, "-%u", n + 1);
        selector = arena_printf(ctl->arena, "s%04d%02d%02d%s%s", day.tm_year + 1900, day.tm_mon + 1,
                                day.tm_mday, suffix, more);
        if (selector.ptr == NULL || !has_selector(keys, domain, selector))
            break;
    }
    return selector;
}

/* ---- writing ---- */

/* The directory of a domain's keys, made if need be with the owner of the one above. -1 after a message. */
static int open_domain(struct gatectl *ctl, const char *directory, struct slice domain,
                       struct stat *owner)
{
    int above = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

    if (above < 0 || fstat(above, owner) != 0) {
        gatectl_error(ctl, "%s: %s", directory, strerror(errno));
    } else {
        bool is_new = mkdirat(above, domain.ptr, 0700) == 0;
        fd = openat(above, domain.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || (is_new && geteuid() == 0 && fchown(fd, owner->st_uid, owner->st_gid) != 0)) {
            gatectl_error(ctl, "%s/%s: %s", directory, domain.ptr, strerror(errno));
            if (fd >= 0)
                close(fd);
            fd = -1;
        }
    }
    if (above >= 0)
        close(above);
    return fd;
}

/* Under another name first, which nobody reads: then it is given its own, unless that is taken. */
static bool store_in(int dir, const char *name, struct slice pem, const struct stat *owner)
{
    static const char draft[] = ".new-key";
    int fd = openat(dir, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && fchmod(fd, 0600) == 0 &&
              (geteuid() != 0 || fchown(fd, owner->st_uid, owner->st_gid) == 0) &&
              fd_write_all(fd, pem) == 0 && fsync(fd) == 0 &&
              linkat(dir, draft, dir, name, 0) == 0 && fsync(dir) == 0;
    int why = errno;

    if (fd >= 0) {
        close(fd);
        unlinkat(dir, draft, 0);
    }
    errno = why;
    return ok;
}

int dkim_key_store(struct gatectl *ctl, struct slice domain, struct slice selector,
                   const struct dkim_key *key)
{
    const char *directory = dkim_directory(ctl);
    struct slice file = arena_printf(ctl->arena, "%.*s.key", SLICE_ARG(selector));
    struct slice terminated = arena_copy(ctl->arena, domain);
    struct stat owner = { .st_uid = 0 };
    AUTO_BUF pem = BUF_INIT(DKIM_PEM_MAX);

    if (directory == NULL)
        return EXIT_FAILED;
    if (file.ptr == NULL || terminated.ptr == NULL || dkim_key_print(key, &pem) != 0) {
        gatectl_error(ctl, "out of memory");
        return EXIT_FAILED;
    }
    int dir = open_domain(ctl, directory, terminated, &owner);
    if (dir < 0)
        return EXIT_FAILED;
    bool ok = store_in(dir, file.ptr, buf_slice(&pem), &owner);
    if (!ok)
        gatectl_error(ctl, "%s/%s/%s: %s", directory, terminated.ptr, file.ptr, strerror(errno));
    if (pem.data != NULL)
        explicit_bzero(pem.data, pem.cap);
    close(dir);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
