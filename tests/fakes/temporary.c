/* tests/fakes/temporary.c - see temporary.h. */
#include "tests/fakes/temporary.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

enum { PATH_ROOM = TEMPORARY_MAX + 300 };

void temporary_make(struct temporary *temporary)
{
    temporary->is_disk = false;
    snprintf(temporary->path, sizeof temporary->path, "/tmp/gatehouse-test-XXXXXX");
    if (mkdtemp(temporary->path) == NULL)
        abort();
}

bool temporary_make_disk(struct temporary *temporary, const char *size)
{
    char options[40];

    temporary_make(temporary);
    snprintf(options, sizeof options, "size=%s,mode=0700", size);
    temporary->is_disk = mount("none", temporary->path, "tmpfs", 0, options) == 0;
    return temporary->is_disk;
}

void temporary_fill(const struct temporary *temporary)
{
    static const char space[4096];
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%s/fill", temporary->path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        abort();
    while (write(fd, space, sizeof space) > 0)
        ;
    close(fd);
}

static void remove_all(const char *path, unsigned depth)
{
    DIR *names = opendir(path);
    const struct dirent *one;

    while (names != NULL && (one = readdir(names)) != NULL) {
        char file[PATH_ROOM + 300];
        if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0)
            continue;
        snprintf(file, sizeof file, "%s/%s", path, one->d_name);
        if (unlink(file) != 0 && depth > 0)
            remove_all(file, depth - 1);
    }
    if (names != NULL)
        closedir(names);
    rmdir(path);
}

void temporary_remove(struct temporary *temporary)
{
    if (temporary->is_disk)
        umount(temporary->path);
    remove_all(temporary->path, 2);
}

size_t temporary_count(const struct temporary *temporary)
{
    DIR *names = opendir(temporary->path);
    const struct dirent *one;
    size_t count = 0;

    while (names != NULL && (one = readdir(names)) != NULL)
        count += one->d_name[0] != '.';
    if (names != NULL)
        closedir(names);
    return count;
}

bool temporary_has(const struct temporary *temporary, const char *name, const char *suffix)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%s/%s%s", temporary->path, name, suffix);
    return access(path, F_OK) == 0;
}

void temporary_put(const struct temporary *temporary, const char *name, const char *text)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "%s/%s", temporary->path, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}
