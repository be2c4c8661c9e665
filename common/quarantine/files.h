/* common/quarantine/files.h - files in a directory that are on the disk when a function returns. Names are relative to
 * `directory`, an open descriptor. Errors: one line with the name in *error, and nothing is left behind. */
#ifndef GATEHOUSE_QUARANTINE_FILES_H
#define GATEHOUSE_QUARANTINE_FILES_H

#include "common/base/buf.h"
#include "common/milter/source.h"

/* A new file (0600) with these bytes, fsynced; the directory is not. 0 or -1. */
int file_write_source(int directory, const char *name, const struct source *source,
                      struct buf *error);
int file_write_bytes(int directory, const char *name, struct slice bytes, struct buf *error);
/* The same for a file that is there: all of it is replaced, in the room that it has. When that fails it is removed. */
int file_overwrite(int directory, const char *name, struct slice bytes, struct buf *error);
/* A new file of this size for which the disk has room, whatever others write. 0 or -1. */
int file_reserve(int directory, const char *name, uint64_t bytes, struct buf *error);
/* Root gives a new file to whom the directory belongs: the daemon must be able to use what gatectl has written. */
void file_give(int directory, int fd);
/* All of a file, at most out->max bytes. 0, or -1 with errno. */
int file_read(int directory, const char *name, struct buf *out);
/* Its size; -1 with errno: it cannot be looked at; ENOENT: it is not there, or no plain file. */
int64_t file_size(int directory, const char *name);

#endif
