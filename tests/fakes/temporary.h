/* tests/fakes/temporary.h - a directory for one test. */
#ifndef GATEHOUSE_TESTS_TEMPORARY_H
#define GATEHOUSE_TESTS_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>

enum { TEMPORARY_MAX = 64 };

struct temporary {
    char path[TEMPORARY_MAX];
    bool is_disk;
};

/* Under /tmp; ends the test program when it cannot. */
void temporary_make(struct temporary *temporary);
/* A file system of its own with so much room ("64k"). False: none can be mounted here, it is a plain directory. */
bool temporary_make_disk(struct temporary *temporary, const char *size);
/* Nothing more can be written to it until the file "fill" is removed. */
void temporary_fill(const struct temporary *temporary);
void temporary_remove(struct temporary *temporary); /* with all files in it, two levels deep */

/* Files in it, without those that begin with a dot. */
size_t temporary_count(const struct temporary *temporary);
bool temporary_has(const struct temporary *temporary, const char *name, const char *suffix);
void temporary_put(const struct temporary *temporary, const char *name, const char *text);

#endif
