/* common/config/conf_errors.c - see conf_errors.h. */
#include "common/config/conf_errors.h"

#include <stdarg.h>

#include "common/base/arena.h"

#define FILES_MAX                                                                                  \
    64 /* different names; the order of further ones is that of the first that did not fit */

struct mistake {
    size_t file; /* index in `files` */
    unsigned line, column;
    bool is_warning;
    size_t number; /* in the order of reporting: keeps sorting stable */
    struct slice file_name, text;
};

struct conf_errors {
    struct arena *arena;
    struct mistake mistakes[CONF_ERRORS_MAX];
    size_t kept, errors, warnings;
    bool is_sorted;
    struct slice files[FILES_MAX];
    size_t file_count;
};

/* File names and texts of CONF_ERRORS_MAX mistakes, with room to spare. */
#define ARENA_MAX (CONF_ERRORS_MAX * (CONF_ERROR_TEXT_MAX + 1024))
#define FILE_NAME_MAX 300

struct conf_errors *conf_errors_new(void)
{
    struct conf_errors *errors = calloc(1, sizeof(*errors));

    if (errors == NULL)
        return NULL;
    errors->arena = arena_new(ARENA_MAX);
    if (errors->arena == NULL)
        conf_errors_free(&errors);
    return errors;
}

void conf_errors_free(struct conf_errors **errors)
{
    if (*errors == NULL)
        return;
    arena_free(&(*errors)->arena);
    free(*errors);
    *errors = NULL;
}

static size_t file_index(struct conf_errors *errors, struct slice name)
{
    for (size_t i = 0; i < errors->file_count; i++)
        if (slice_equal(errors->files[i], name))
            return i;
    if (errors->file_count < FILES_MAX)
        errors->files[errors->file_count++] = name;
    return errors->file_count - 1;
}

/* A copy without control bytes; absent when memory is out. */
static struct slice printable(struct arena *arena, struct slice text)
{
    char *copy = arena_alloc(arena, text.len + 1);

    if (copy == NULL)
        return (struct slice){ NULL, 0 };
    for (size_t i = 0; i < text.len; i++) {
        bool is_control = (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f;
        copy[i] = is_control ? '?' : text.ptr[i];
    }
    return (struct slice){ copy, text.len };
}

PRINTF_LIKE(4, 0)
static void add(struct conf_errors *errors, struct conf_pos pos, bool is_warning,
                const char *format, va_list args)
{
    char text[CONF_ERROR_TEXT_MAX];
    int len = vsnprintf(text, sizeof(text), format, args);
    struct mistake *mistake = &errors->mistakes[errors->kept];

    *(is_warning ? &errors->warnings : &errors->errors) += 1;
    if (len < 0 || errors->kept == CONF_ERRORS_MAX)
        return;
    size_t used = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    *mistake = (struct mistake){
        .line = pos.line,
        .column = pos.column,
        .is_warning = is_warning,
        .number = errors->kept,
        .file_name = printable(errors->arena, slice_part(pos.file, 0, FILE_NAME_MAX)),
        .text = printable(errors->arena, (struct slice){ text, used }),
    };
    if (mistake->file_name.ptr == NULL || mistake->text.ptr == NULL)
        return;
    mistake->file = file_index(errors, mistake->file_name);
    errors->kept++;
    errors->is_sorted = false;
}

void conf_error(struct conf_errors *errors, struct conf_pos pos, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(errors, pos, false, format, args);
    va_end(args);
}

void conf_warning(struct conf_errors *errors, struct conf_pos pos, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(errors, pos, true, format, args);
    va_end(args);
}

size_t conf_errors_count(const struct conf_errors *errors)
{
    return errors->errors;
}

size_t conf_errors_warnings(const struct conf_errors *errors)
{
    return errors->warnings;
}

static int order(const void *left, const void *right)
{
    const struct mistake *a = left, *b = right;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static void print_line(const struct mistake *mistake, struct buf *out)
{
    buf_clear(out);
    buf_add(out, mistake->file_name);
    if (mistake->line > 0)
        buf_printf(out, ":%u:%u", mistake->line, mistake->column);
    buf_put(out, mistake->is_warning ? ": warning: " : ": ");
    buf_add(out, mistake->text);
}

void conf_errors_each(struct conf_errors *errors,
                      void (*line)(void *arg, bool is_warning, struct slice text), void *arg)
{
    AUTO_BUF out = BUF_INIT(FILE_NAME_MAX + CONF_ERROR_TEXT_MAX + 64);
    size_t lost = errors->errors + errors->warnings - errors->kept;

    if (!errors->is_sorted)
        qsort(errors->mistakes, errors->kept, sizeof(errors->mistakes[0]), order);
    errors->is_sorted = true;
    for (size_t i = 0; i < errors->kept; i++) {
        print_line(&errors->mistakes[i], &out);
        line(arg, errors->mistakes[i].is_warning, buf_slice(&out));
    }
    if (lost > 0) {
        buf_clear(&out);
        buf_printf(&out, "and %zu more", lost);
        line(arg, false, buf_slice(&out));
    }
}

struct printing {
    struct buf *out;
    int rc;
};

static void print_one(void *arg, UNUSED bool is_warning, struct slice text)
{
    struct printing *printing = arg;

    if (printing->rc == 0 && (buf_add(printing->out, text) || buf_put_char(printing->out, '\n')))
        printing->rc = -1;
}

int conf_errors_print(struct conf_errors *errors, struct buf *out)
{
    struct printing printing = { out, 0 };

    conf_errors_each(errors, print_one, &printing);
    return printing.rc;
}
