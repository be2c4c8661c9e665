/* tests/fakes/key_directory.c - see key_directory.h. */
#include "tests/fakes/key_directory.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

void key_directory_make(struct key_directory *directory)
{
    snprintf(directory->root, sizeof directory->root, "/tmp/gatehouse-keys-XXXXXX");
    check(mkdtemp(directory->root) != NULL, directory->root);
}

static int remove_one(const char *path, UNUSED const struct stat *st, UNUSED int type,
                      UNUSED struct FTW *ftw)
{
    return remove(path);
}

void key_directory_remove(struct key_directory *directory)
{
    check(nftw(directory->root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, directory->root);
}

const char *key_directory_path(struct key_directory *directory, const char *name)
{
    snprintf(directory->path, sizeof directory->path, "%s/%s", directory->root, name);
    return directory->path;
}

void key_directory_domain(struct key_directory *directory, const char *domain)
{
    check(mkdir(key_directory_path(directory, domain), 0700) == 0, domain);
}

void key_directory_put(struct key_directory *directory, const char *name, struct slice text,
                       mode_t mode)
{
    FILE *file = fopen(key_directory_path(directory, name), "w");

    check(file != NULL, name);
    check(fwrite(text.ptr, 1, text.len, file) == text.len, name);
    check(fclose(file) == 0 && chmod(directory->path, mode) == 0, name);
}

void key_directory_put_key(struct key_directory *directory, const char *name,
                           enum dkim_key_type type, unsigned bits)
{
    struct dkim_key *key = dkim_key_generate(type, bits);
    AUTO_BUF pem = BUF_INIT(DKIM_PEM_MAX);

    check(key != NULL && dkim_key_print(key, &pem) == 0, "making a key");
    key_directory_put(directory, name, buf_slice(&pem), 0600);
    dkim_key_free(&key);
}

void key_directory_read(const struct key_directory *directory, struct shared **files)
{
    const struct key_rules rules = { geteuid(), getegid() };
    struct shared *now = key_set_read(directory->root, &rules, 0, *files);

    check(now != NULL, directory->root);
    shared_unref(files);
    *files = now;
}
