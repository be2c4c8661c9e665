/* common/quarantine/folder_impl.h - the inside of a folder, for folder.c (entries) and folder_open.c (what is found when it is opened). */
#ifndef GATEHOUSE_QUARANTINE_FOLDER_IMPL_H
#define GATEHOUSE_QUARANTINE_FOLDER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/quarantine/folder.h"
#include "common/quarantine/index.h"

enum { NAME_ROOM = KEPT_ID_LEN + 8 };

struct folder {
    char *path;
    int directory, lock_fd;
    const struct clock *clock;
    _Atomic uint64_t marked_ms; /* also the time of change of the file .lock */
    pthread_mutex_t lock; /* for all that follows */
    struct kept_index index;
    uint64_t reserved; /* bytes that are being written */
};

/* "ID.suffix" in `room`. */
const char *folder_name(char room[NAME_ROOM], struct slice id, const char *suffix);

#endif
