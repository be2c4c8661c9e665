/* signd/key_states.c - see key_states.h. A line of the file is a field of gh:dkim and its text: "DOMAIN/SELECTOR STATE since=N". */
#include "signd/key_states.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

enum { FILE_MAX = 64 << 20, ERROR_MAX = PATH_MAX + 100 };

static struct metric metrics[] = {
    METRIC("gatehouse_key_states_unsaved", METRIC_GAUGE,
           "1 while the states of keys could not be written to key_state_file."),
};

struct key_states {
    pthread_mutex_t mutex;
    struct shared *known; /* struct key_lives; with the mutex */
    /* the main thread's: */
    char path[PATH_MAX], draft[PATH_MAX]; /* empty: no file */
    struct shared *files, *said; /* as looked at last */
    uint64_t files_reads; /* reads begun when `files` were first looked at */
    bool is_saved, is_lost;
    bool has_new; /* there are keys of which nothing is known */
    char error[ERROR_MAX];
};

/* ---- the file ---- */

/* NULL, with a line in the log. */
static struct key_lives *parse(const char *path, struct slice text)
{
    size_t lines = 0;
    struct slice rest = text, line, field;

    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    struct key_lives_builder *builder = key_lives_builder_new(lines);
    for (size_t n = 1; builder != NULL && slice_cut(&rest, '\n', &line); n++) {
        const char *error = "the name of a key is needed, and a state";
        if (slice_cut(&line, ' ', &field))
            error = key_lives_add(builder, field, line);
        if (error != NULL) {
            log_error("%s:%zu: %s", path, n, error);
            key_lives_free(key_lives_finish(&builder));
            return NULL;
        }
    }
    if (builder == NULL || rest.len > 0) {
        log_error("%s: %s", path, builder == NULL ? "out of memory" : "the last line is cut off");
        if (builder != NULL)
            key_lives_free(key_lives_finish(&builder));
        return NULL;
    }
    return key_lives_finish(&builder);
}

static bool load(struct key_states *states)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);

    if (fd_read_file(states->path, &text) != 0 && errno != ENOENT) {
        log_error("key_state_file %s: %s", states->path, strerror(errno));
        return false;
    }
    states->known = shared_new(parse(states->path, buf_slice(&text)), key_lives_free);
    if (states->known == NULL)
        log_error(
            "key_state_file %s cannot be used: mend it, or remove it, and all keys sign of which "
            "the store says nothing",
            states->path);
    return states->known != NULL;
}

static bool sync_directory(const char *path)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Whole or not at all. */
static bool replace(const struct key_states *states, struct slice text)
{
    int fd = open(states->draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && fd_write_all(fd, text) == 0 && fsync(fd) == 0;
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (!ok) {
        unlink(states->draft);
        errno = error;
        return false;
    }
    return rename(states->draft, states->path) == 0 && sync_directory(states->path);
}

static bool print(const struct key_lives *lives, struct buf *out)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < key_lives_count(lives); i++) {
        struct slice domain, selector;
        const struct dkim_life *life = key_lives_at(lives, i, &domain, &selector);
        rc = buf_printf(out, "%.*s/%.*s ", SLICE_ARG(domain), SLICE_ARG(selector));
        if (rc == 0)
            rc = dkim_life_print(out, life);
        if (rc == 0)
            rc = buf_put_char(out, '\n');
    }
    return rc == 0;
}

/* Tried again at the next look when it fails; said once. */
static void save(struct key_states *states)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX);
    bool failed_before = states->error[0] != '\0';

    states->is_saved = states->path[0] == '\0' || (print(shared_get(states->known), &text) &&
                                                   replace(states, buf_slice(&text)));
    metric_set(metric_of(&metrics[0]), !states->is_saved);
    if (states->is_saved) {
        if (failed_before)
            log_info("key_state_file %s has been written", states->path);
        states->error[0] = '\0';
        return;
    }
    snprintf(states->error, sizeof states->error, "key_state_file %s cannot be written: %s",
             states->path, strerror(errno));
    if (!failed_before)
        log_error("%s; after a restart the states of keys are what they were before",
                  states->error);
}

/* ---- life ---- */

struct key_states *key_states_new(const char *path)
{
    struct key_states *states = calloc(1, sizeof *states);

    if (states == NULL)
        return NULL;
    metrics_register(metrics, COUNT(metrics));
    pthread_mutex_init(&states->mutex, NULL);
    snprintf(states->path, sizeof states->path, "%s", path);
    snprintf(states->draft, sizeof states->draft, "%.*s.new", PATH_MAX - 5, path);
    states->is_saved = true;
    if (!load(states))
        key_states_free(&states);
    return states;
}

void key_states_free(struct key_states **states)
{
    struct key_states *gone = *states;

    *states = NULL;
    if (gone == NULL)
        return;
    shared_unref(&gone->known);
    shared_unref(&gone->files);
    shared_unref(&gone->said);
    pthread_mutex_destroy(&gone->mutex);
    free(gone);
}

struct shared *key_states_take(struct key_states *states)
{
    pthread_mutex_lock(&states->mutex);
    struct shared *known = shared_ref(states->known);
    pthread_mutex_unlock(&states->mutex);
    return known;
}

/* ---- what is known ---- */

static const char *put_said(struct key_lives_builder *builder, const struct key_lives *said)
{
    const char *error = NULL;

    for (size_t i = 0; error == NULL && i < key_lives_count(said); i++) {
        struct slice domain, selector;
        const struct dkim_life *life = key_lives_at(said, i, &domain, &selector);
        error = key_lives_put(builder, domain, selector, life);
    }
    return error;
}

static bool has_file(const struct key_set *files, struct slice domain, struct slice selector)
{
    size_t first, count = key_set_find(files, domain, &first);

    for (size_t i = 0; i < count; i++)
        if (slice_equal(key_set_at(files, first + i)->selector, selector))
            return true;
    return false;
}

/* What was known of keys of which the store says nothing. With a directory that cannot be read nobody can say that a file is
 * gone. */
static const char *put_known(struct key_states *states, struct key_lives_builder *builder,
                             const struct key_set *files, const struct key_lives *said)
{
    const struct key_lives *known = shared_get(states->known);
    bool keeps_all = key_set_error(files)[0] != '\0';
    const char *error = NULL;

    states->is_lost = false;
    for (size_t i = 0; error == NULL && i < key_lives_count(known); i++) {
        struct slice domain, selector;
        const struct dkim_life *life = key_lives_at(known, i, &domain, &selector);
        if (key_lives_find(said, domain, selector) != NULL ||
            (!keeps_all && !has_file(files, domain, selector)))
            continue;
        states->is_lost = states->is_lost || (said != NULL && life->state != DKIM_ACTIVE);
        error = key_lives_put(builder, domain, selector, life);
    }
    return error;
}

/* Keys of which nothing was ever said. */
static const char *put_new(struct key_states *states, struct key_lives_builder *builder,
                           const struct key_set *files, const struct key_lives *said,
                           bool store_was_asked)
{
    static const struct dkim_life active = { .state = DKIM_ACTIVE };
    const struct key_lives *known = shared_get(states->known);
    const char *error = NULL;

    states->has_new = false;
    for (size_t i = 0; error == NULL && i < key_set_count(files); i++) {
        const struct key_file *file = key_set_at(files, i);
        if (file->selector.len == 0 || key_lives_find(said, file->domain, file->selector) != NULL ||
            key_lives_find(known, file->domain, file->selector) != NULL)
            continue;
        if (store_was_asked)
            error = key_lives_put(builder, file->domain, file->selector, &active);
        else
            states->has_new = true;
    }
    return error;
}

/* NULL: out of memory, which is logged. */
static struct key_lives *make(struct key_states *states, const struct key_set *files,
                              const struct key_lives *said, bool store_was_asked)
{
    struct key_lives_builder *builder = key_lives_builder_new(
        key_set_count(files) + key_lives_count(said) + key_lives_count(shared_get(states->known)));
    const char *error = builder == NULL ? "out of memory" : put_said(builder, said);

    if (error == NULL)
        error = put_known(states, builder, files, said);
    if (error == NULL)
        error = put_new(states, builder, files, said, store_was_asked);
    struct key_lives *made = builder == NULL ? NULL : key_lives_finish(&builder);
    if (error == NULL)
        return made;
    key_lives_free(made);
    log_error("the states of keys stay what they are: %s", error);
    return NULL;
}

static bool are_equal(const struct key_lives *a, const struct key_lives *b)
{
    bool equal = key_lives_count(a) == key_lives_count(b);

    for (size_t i = 0; equal && i < key_lives_count(a); i++) {
        struct slice a_domain, a_selector, b_domain, b_selector;
        const struct dkim_life *left = key_lives_at(a, i, &a_domain, &a_selector);
        const struct dkim_life *right = key_lives_at(b, i, &b_domain, &b_selector);
        equal = left->state == right->state && left->since_s == right->since_s &&
                slice_equal(a_domain, b_domain) && slice_equal(a_selector, b_selector);
    }
    return equal;
}

static void put_in_force(struct key_states *states, struct key_lives *lives)
{
    if (are_equal(lives, shared_get(states->known))) {
        key_lives_free(lives);
        return;
    }
    struct shared *made = shared_new(lives, key_lives_free);
    if (made == NULL)
        return;
    pthread_mutex_lock(&states->mutex);
    struct shared *before = states->known;
    states->known = made;
    pthread_mutex_unlock(&states->mutex);
    shared_unref(&before);
    states->is_saved = false;
}

static void remember(struct shared **where, struct shared *what)
{
    shared_ref(what);
    shared_unref(where);
    *where = what;
}

static void look(struct key_states *states, const struct key_states_input *input)
{
    if (input->files != states->files)
        states->files_reads = input->reads;
    remember(&states->files, input->files);
    remember(&states->said, input->said);
    struct key_lives *made = make(states, shared_get(input->files), shared_get(input->said),
                                  input->said_number > states->files_reads);
    if (made != NULL)
        put_in_force(states, made);
}

bool key_states_look(struct key_states *states, const struct key_states_input *input)
{
    if (input->files != NULL && (input->files != states->files || input->said != states->said))
        look(states, input);
    if (!states->is_saved)
        save(states);
    return states->has_new || input->said == NULL;
}

bool key_states_are_lost(const struct key_states *states)
{
    return states->is_lost;
}

const char *key_states_error(const struct key_states *states)
{
    return states->error[0] == '\0' ? NULL : states->error;
}
