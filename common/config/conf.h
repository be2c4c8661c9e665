/* common/config/conf.h - the syntax of a configuration file: bytes in, sections of `name = value` out.
 *
 *     # a comment: the first byte that is no blank is a #
 *     name = value
 *         that goes on here, joined by one blank
 *     [limit user-hourly]
 *     rate = 200/1h
 *
 * What names and kinds exist is param.h's matter. Every mistake is reported, with its position, and reading goes on.
 *
 * Every text of a document (names, values, all their parts) lies in the document's own bytes, so a pointer to a byte
 * says where in the file that byte was written: conf_where(). That holds for values that span lines, too. */
#ifndef GATEHOUSE_CONFIG_CONF_H
#define GATEHOUSE_CONFIG_CONF_H

#include "common/base/arena.h"
#include "common/config/conf_errors.h"

#define CONF_FILE_MAX (4u << 20) /* bytes */
#define CONF_LINES_MAX 100000u
#define CONF_LINE_MAX 8192u /* bytes of one line */
#define CONF_VALUE_MAX (256u << 10) /* bytes of a value with its continuation lines */
#define CONF_NAME_MAX 400u /* bytes of a parameter's name: a mailbox fits, with a prefix */
#define CONF_HEADING_MAX 64u /* bytes of a kind, and of a section's name */

/* Names and values are followed by a NUL that the slice does not count. */
struct conf_entry {
    struct slice name;
    struct slice value; /* without blanks around it; may be empty */
};

struct conf_section {
    struct slice kind; /* absent: what stands before the first heading */
    struct slice name; /* absent for `[kind]` */
    bool is_broken; /* its heading cannot be read: what is in it cannot be judged */
    bool is_repeated; /* its heading was there before: its lines are judged, but do not count */
    const struct conf_entry *entries; /* in the order of the file, then those added by -o */
    size_t count;
    const struct conf_entry **by_name; /* sorted; for conf_find() */
};

struct conf_run; /* private: where a stretch of bytes came from */

struct conf {
    struct slice file; /* its name, as given */
    const struct conf_section *sections; /* [0]: what stands before the first heading */
    size_t count; /* at least 1 */
    const char *bytes; /* all texts */
    size_t len;
    const struct conf_run *runs; /* ascending */
    size_t run_count;
};

/* `overrides` are the arguments of -o: `name=value`, or `kind/name:parameter=value` and `kind:parameter=value` for
 * sections that the file has; each replaces what the file says, the last of equal ones counts. All arguments are
 * borrowed for the call; the document lives in `arena`. NULL, which is reported, when memory is out or the text is
 * beyond the bounds above. */
struct conf *conf_parse(struct slice file, struct slice text, const struct slice *overrides,
                        size_t override_count, struct arena *arena, struct conf_errors *errors);

/* The whole file, at most CONF_FILE_MAX bytes. Absent, which is reported, when it cannot be read. */
struct slice conf_read(const char *path, struct arena *arena, struct conf_errors *errors);

/* NULL when there is none. */
const struct conf_entry *conf_find(const struct conf_section *section, struct slice name);
const struct conf_section *conf_section(const struct conf *conf, struct slice kind,
                                        struct slice name);

/* Where `byte`, which may be one past the end of a text, was written. A pointer that is not into the document (a
 * default) gives the file as a whole. */
struct conf_pos conf_where(const struct conf *conf, const char *byte);
/* Where a section begins: its heading; for section 0 the file as a whole. */
struct conf_pos conf_section_where(const struct conf *conf, const struct conf_section *section);

#endif
