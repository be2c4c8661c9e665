/* common/config/conf_errors.h - all mistakes of a configuration, collected and printed together, in the order of the
 * file. Not thread-safe. */
#ifndef GATEHOUSE_CONFIG_CONF_ERRORS_H
#define GATEHOUSE_CONFIG_CONF_ERRORS_H

#include "common/base/buf.h"

/* Lines and columns count from 1; a tab and a character of several bytes are one column each. Line 0: the file (or `-o
 * name=value`) as a whole. */
struct conf_pos {
    struct slice file; /* borrowed: must outlive what refers to it; conf_error() copies it */
    unsigned line, column;
};

#define CONF_ERRORS_MAX 200 /* kept; further ones are counted */
#define CONF_ERROR_TEXT_MAX 400 /* bytes; longer texts are cut */

struct conf_errors; /* opaque */
struct conf_errors *conf_errors_new(void); /* caller owns it; NULL: out of memory */
void conf_errors_free(struct conf_errors **errors); /* NULL-safe; clears *errors */

/* Control bytes in the text, which may quote the file, are shown as `?`. */
void conf_error(struct conf_errors *errors, struct conf_pos pos, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Worth saying, but no reason to refuse the file. */
void conf_warning(struct conf_errors *errors, struct conf_pos pos, const char *format, ...)
    PRINTF_LIKE(3, 4);

size_t conf_errors_count(const struct conf_errors *errors); /* without warnings */
size_t conf_errors_warnings(const struct conf_errors *errors);

/* One call per mistake, as `file:line:column: text` (`file: text` for line 0; `warning: ` before the text of a
 * warning): files in the order in which they were first named, lines and columns ascending. The line is valid during
 * the call. */
void conf_errors_each(struct conf_errors *errors,
                      void (*line)(void *arg, bool is_warning, struct slice text), void *arg);
/* The same into a buffer, each ended by a newline. 0, or -1 when it is full. */
int conf_errors_print(struct conf_errors *errors, struct buf *out);

#endif
