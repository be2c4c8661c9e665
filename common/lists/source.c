/* common/lists/source.c - see source.h. The file is read whole and parsed as slices of it. */
#include "common/lists/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fd.h"

/* What tells one state of a file from another. */
struct file_stamp {
    struct timespec mtime;
    off_t size;
    ino_t inode;
    dev_t device;
    bool is_there;
};

struct list_source {
    char *path; /* owned */
    enum source_kind kind;
    struct source_bounds bounds;
    struct file_stamp loaded, seen; /* at the last attempt to load; at the last refresh */
    bool was_refreshed;
    struct list *list; /* owned, one of the two */
    struct map *map;
};

/* One load: where it is in the file, and what it has found wrong. */
struct load {
    struct list_source *source;
    const struct source_errors *errors;
    size_t line, bad_lines;
    struct list_builder *list;
    struct map_builder *map;
};

struct list_source *list_source_new(const char *path, enum source_kind kind,
                                    struct source_bounds bounds)
{
    struct list_source *source = calloc(1, sizeof *source);

    if (source == NULL)
        return NULL;
    source->kind = kind;
    source->bounds = bounds;
    source->path = strdup(path);
    if (source->path == NULL)
        list_source_free(&source);
    return source;
}

void list_source_free(struct list_source **source)
{
    if (*source == NULL)
        return;
    list_free(&(*source)->list);
    map_free(&(*source)->map);
    free((*source)->path);
    free(*source);
    *source = NULL;
}

static struct file_stamp stamp_of(const struct stat *status)
{
    return (struct file_stamp){ status->st_mtim, status->st_size, status->st_ino, status->st_dev,
                                true };
}

static bool stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->is_there == b->is_there && a->mtime.tv_sec == b->mtime.tv_sec &&
           a->mtime.tv_nsec == b->mtime.tv_nsec && a->size == b->size && a->inode == b->inode &&
           a->device == b->device;
}

static void report(const struct load *load, size_t line, size_t column, const char *text)
{
    if (load->errors != NULL)
        load->errors->report(load->errors->arg, load->source->path, line, column, text);
}

static void report_bad_line(struct load *load, size_t line, size_t offset, const char *text)
{
    if (load->bad_lines++ < SOURCE_REPORTS_MAX)
        report(load, line, offset + 1, text);
}

static void report_rest(const struct load *load)
{
    char text[64];

    if (load->bad_lines <= SOURCE_REPORTS_MAX)
        return;
    snprintf(text, sizeof text, "%zu more lines have mistakes",
             load->bad_lines - SOURCE_REPORTS_MAX);
    report(load, 0, 0, text);
}

/* Takes the next line without its end; the last one needs none. */
static bool line_cut(struct slice *rest, struct slice *line)
{
    if (rest->len == 0)
        return false;
    if (!slice_cut(rest, '\n', line)) {
        *line = *rest;
        *rest = slice_skip(*rest, rest->len);
    }
    return true;
}

static struct slice without_mark(struct slice text) /* a byte order mark, which editors leave */
{
    return slice_skip(text, slice_starts_with(text, SLICE("\xef\xbb\xbf")) ? 3 : 0);
}

static void list_parse(struct load *load, struct slice rest)
{
    struct slice line;
    size_t offset = 0;

    while (line_cut(&rest, &line)) {
        load->line++;
        const char *error = list_builder_add_line(load->list, line, &offset);
        if (error == NULL)
            continue;
        report_bad_line(load, load->line, offset, error);
        if (list_builder_is_full(load->list))
            return;
    }
}

/* A logical line of a map: the first physical one and those that continue it. */
struct logical_line {
    struct buf text;
    size_t line; /* where it begins */
    bool is_too_long;
};

enum { LOGICAL_LINE_MAX = 2 * MAP_VALUES_MAX };

static void logical_line_append(struct logical_line *logical, struct slice text)
{
    if ((logical->text.len > 0 && buf_put_char(&logical->text, ' ')) ||
        buf_add(&logical->text, text))
        logical->is_too_long = true;
}

/* Hands the line over to the map and empties it. False when no more keys are taken. */
static bool logical_line_take(struct load *load, struct logical_line *logical)
{
    struct slice text = buf_slice(&logical->text), key = text;
    const char *error = NULL;
    bool in_values = false;

    for (key.len = 0; key.len < text.len && !ascii_is_space(text.ptr[key.len]);)
        key.len++;
    if (logical->is_too_long)
        error = "the line, with those that continue it, is too long";
    else if (text.len > 0)
        error = map_builder_add(load->map, key, slice_trim(slice_skip(text, key.len)), &in_values);
    if (error != NULL)
        report_bad_line(load, logical->line, in_values ? key.len + 1 : 0, error);
    buf_clear(&logical->text);
    logical->is_too_long = false;
    return error == NULL || !map_builder_is_full(load->map);
}

static void map_parse(struct load *load, struct slice rest)
{
    struct logical_line logical = { .text = BUF_INIT(LOGICAL_LINE_MAX) };
    struct slice line;
    bool goes_on = true;

    while (goes_on && line_cut(&rest, &line)) {
        struct slice text = slice_trim(line);
        load->line++;
        if (text.len == 0 || text.ptr[0] == '#')
            continue; /* ends nothing, as in Postfix */
        if (!ascii_is_space(line.ptr[0])) {
            goes_on = logical_line_take(load, &logical);
            logical.line = load->line;
        } else if (logical.line == 0) {
            report_bad_line(load, load->line, 0, "continues a line, and there is none before it");
            continue;
        }
        logical_line_append(&logical, text);
    }
    if (goes_on)
        logical_line_take(load, &logical);
    buf_free(&logical.text);
}

static bool out_of_memory(const struct load *load)
{
    report(load, 0, 0, "out of memory");
    return false;
}

/* Replaces what was loaded before. */
static bool parse(struct load *load, struct slice text)
{
    struct list_source *source = load->source;

    if (source->kind == SOURCE_LIST) {
        load->list = list_builder_new(source->bounds.max_entries);
        if (load->list == NULL)
            return out_of_memory(load);
        list_parse(load, without_mark(text));
        struct list *list = list_builder_finish(&load->list);
        if (list == NULL)
            return out_of_memory(load);
        list_free(&source->list);
        source->list = list;
    } else {
        load->map = map_builder_new(source->bounds.max_entries);
        if (load->map == NULL)
            return out_of_memory(load);
        map_parse(load, without_mark(text));
        map_free(&source->map);
        source->map = map_builder_finish(&load->map);
    }
    report_rest(load);
    return true;
}

/* What follows an entry or a key may be separated by tabs as well; live values have blanks only. */
static void tabs_to_blanks(char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] == '\t')
            data[i] = ' ';
}

static enum source_state load_failed(const struct load *load, const char *text)
{
    report(load, 0, 0, text);
    return SOURCE_FAILED;
}

/* `status` is of `fd`. */
static enum source_state load_open_file(struct load *load, int fd, const struct stat *status)
{
    size_t size = (size_t)status->st_size;
    char *data = malloc(size + 1);
    enum source_state state = SOURCE_FAILED;

    if (data == NULL) {
        out_of_memory(load);
        return SOURCE_FAILED;
    }
    ssize_t len = fd_read(fd, data, size); /* or as much as there is when it has become shorter */
    if (len < 0) {
        load_failed(load, strerror(errno));
    } else {
        tabs_to_blanks(data, (size_t)len);
        if (parse(load, (struct slice){ data, (size_t)len }))
            state = SOURCE_LOADED;
    }
    free(data);
    return state;
}

static enum source_state load_file(struct load *load)
{
    struct list_source *source = load->source;
    /* O_NONBLOCK: a pipe by that name must not hold us up */
    int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    enum source_state state;

    if (fd < 0)
        return load_failed(load, strerror(errno));
    if (fstat(fd, &status) != 0) {
        state = load_failed(load, strerror(errno));
    } else {
        source->loaded = stamp_of(&status);
        if (!S_ISREG(status.st_mode))
            state = load_failed(load, "not a regular file");
        else if ((uintmax_t)status.st_size > source->bounds.max_bytes)
            state = load_failed(load, "the file is too long");
        else
            state = load_open_file(load, fd, &status);
    }
    close(fd);
    return state;
}

enum source_state list_source_refresh(struct list_source *source,
                                      const struct source_errors *errors)
{
    struct load load = { .source = source, .errors = errors };
    struct file_stamp now = { .is_there = false }, seen = source->seen;
    struct stat status;
    bool is_first = !source->was_refreshed;

    if (stat(source->path, &status) == 0)
        now = stamp_of(&status);
    source->seen = now;
    source->was_refreshed = true;
    if (!is_first && (stamp_equal(&now, &source->loaded) || !stamp_equal(&now, &seen)))
        return SOURCE_SAME;
    source->loaded = now; /* also when that fails: it is tried again when something changes */
    return load_file(&load);
}

struct list *list_source_list(const struct list_source *source)
{
    return source->list;
}

struct map *list_source_map(const struct list_source *source)
{
    return source->map;
}

const char *list_source_path(const struct list_source *source)
{
    return source->path;
}
