/* gatectl/settings.h - what gatectl takes from the daemon's configuration: where the control socket and the store are,
 * and what is declared. Mistakes in the file are the daemon's to report (`gatectl check`); here they are passed over. */
#ifndef GATEHOUSE_GATECTL_SETTINGS_H
#define GATEHOUSE_GATECTL_SETTINGS_H

#include "common/control/control.h"

#define GATECTL_SOCKET "unix:/run/gatehouse/policyd.http"

struct settings {
    const char *http; /* unix:PATH or inet:ADDRESS:PORT; "" when the daemon serves nowhere */
    const char *store; /* "memory", "redis://..." */
    const char *password_file; /* "" without */
    const char *quarantine_directory, *release, *myhostname; /* of contentd; "" without */
    struct limit_set *limits; /* owned; types of facts are not known: all texts */
    struct classes *classes; /* owned */
    struct fact_type *facts; /* of the limits' keys; in the arena */
    size_t fact_count;
    struct conf *conf; /* in the arena; NULL: there is no file */
    struct arena *arena; /* owned */
};

/* A file that cannot be read is an error when `is_required`, else the defaults are taken: the control socket is `socket` then
 * (borrowed). NULL with one line in `error` (`size` bytes). */
struct settings *settings_read(const char *path, bool is_required, const char *socket, char *error,
                               size_t size);
void settings_free(struct settings **settings); /* NULL-safe; clears *settings */

/* What the file declares, for live_check(); everything counts as declared without a file. */
struct live_names settings_names(const struct settings *settings);

#endif
