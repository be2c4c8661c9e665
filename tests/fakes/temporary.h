/* tests/fakes/temporary.h - a directory for one test. */
#ifndef GATEHOUSE_TESTS_TEMPORARY_H
#define GATEHOUSE_TESTS_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>

enum { TEMPORARY_MAX = 64 };

struct temporary {
    char path[TEMPORARY_MAX];
};

/* Under /tmp; ends the test program when it cannot. */
void temporary_make(struct temporary *temporary);
void temporary_remove(struct temporary *temporary); /* with all files in it, two levels deep */

/* Files in it, without those that begin with a dot. */
size_t temporary_count(const struct temporary *temporary);
bool temporary_has(const struct temporary *temporary, const char *name, const char *suffix);
void temporary_put(const struct temporary *temporary, const char *name, const char *text);

#endif
