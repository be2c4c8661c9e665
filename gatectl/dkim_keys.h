/* gatectl/dkim_keys.h - DKIM keys on the disk, as gatectl makes and reads them: DIRECTORY/DOMAIN/SELECTOR.key. */
#ifndef GATEHOUSE_GATECTL_DKIM_KEYS_H
#define GATEHOUSE_GATECTL_DKIM_KEYS_H

#include "common/dkim/key_set.h"
#include "gatectl/gatectl.h"

/* Where signd's configuration, or --directory, says that they are. NULL after a message. */
const char *dkim_directory(struct gatectl *ctl);

/* All of them; caller unrefs. NULL after a message. */
struct shared *dkim_keys_read(struct gatectl *ctl);

/* `domain` and `selector` in the one spelling that names have; false after a message. */
bool dkim_domain(struct gatectl *ctl, const char *typed, struct slice *domain);
bool dkim_selector(struct gatectl *ctl, const char *typed, struct slice *selector);

/* Whether the directory, if there is one here, lacks the file of that key: it may be on another host, or mistyped. */
bool dkim_key_is_missing(struct gatectl *ctl, struct slice domain, struct slice selector);

/* A selector that the domain does not have yet: today's date, and `suffix`; in the run's arena. Absent: out of memory. */
struct slice dkim_new_selector(struct gatectl *ctl, const struct key_set *keys, struct slice domain,
                               const char *suffix);

/* Writes a new file, with the owner of the directory and mode 0600; it appears whole or not at all. One that is there is not
 * replaced. EXIT_DONE, or another code after a message. */
int dkim_key_store(struct gatectl *ctl, struct slice domain, struct slice selector,
                   const struct dkim_key *key);

#endif
