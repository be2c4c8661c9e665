/* tests/fakes/key_directory.h - a directory of DKIM keys, DOMAIN/SELECTOR.key, real files below /tmp. */
#ifndef GATEHOUSE_FAKE_KEY_DIRECTORY_H
#define GATEHOUSE_FAKE_KEY_DIRECTORY_H

#include <sys/types.h>

#include "common/dkim/key_set.h"

struct key_directory {
    char root[40];
    char path[400]; /* of the last key_directory_path() */
};

/* All fail the test (assert) when the file system does. */
void key_directory_make(struct key_directory *directory);
void key_directory_remove(struct key_directory *directory);
const char *key_directory_path(struct key_directory *directory, const char *name);
void key_directory_domain(struct key_directory *directory, const char *domain);
void key_directory_put(struct key_directory *directory, const char *name, struct slice text,
                       mode_t mode);
void key_directory_put_key(struct key_directory *directory, const char *name,
                           enum dkim_key_type type, unsigned bits);
/* Reads it as signd of this user does; *files (may be NULL) is what was read before, and is replaced. */
void key_directory_read(const struct key_directory *directory, struct shared **files);

#endif
