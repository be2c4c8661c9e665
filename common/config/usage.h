/* common/config/usage.h - what a program says about its parameters: -d, -n, the sample file, the manual pages. All
 * made from the tables; the same input gives the same bytes. Functions return 0, or -1 when the buffer is full. */
#ifndef GATEHOUSE_CONFIG_USAGE_H
#define GATEHOUSE_CONFIG_USAGE_H

#include "common/config/param.h"

/* A part of a manual page. Paragraphs are separated by empty lines; lines that begin with a blank are shown as they
 * are; everything is plain text. */
struct usage_block {
    const char *title; /* "SIGNALS" */
    const char *text;
};

/* Something else that the program has a table of and a file may name: facts, actions. Comes after the blocks. */
struct usage_table {
    const char *title; /* "FACTS" */
    const char *text; /* what they are; one paragraph */
    const void *rows;
    const size_t *count;
    /* Of row `i`: how it is written, what sort of thing it is, and a sentence about it. 0, or -1: a buffer is full. */
    int (*describe)(const void *rows, size_t i, struct buf *name, struct buf *sort,
                    struct buf *doc);
};
enum { USAGE_ENTRY_MAX = 1024 }; /* bytes of each of these texts */

struct usage_program {
    const char *name; /* "gatehouse-policyd" */
    const char *conf_name; /* "policyd.conf" */
    const char *summary; /* "policy server for Postfix": after the name, no full stop */
    const char *description; /* paragraphs, as in a block */
    const struct usage_block *daemon_blocks; /* more of the daemon's page */
    size_t daemon_block_count;
    const struct usage_block *conf_blocks; /* more of the file's page: the rule language, ... */
    size_t conf_block_count;
    const struct usage_table *tables; /* of the file's page and of -d */
    size_t table_count;
    const char *see_also; /* "gatectl(1), postconf(5)" */
    const struct conf_schema *schema;
};

/* -d: every parameter with its documentation, type, range and default, those of the sections, then the tables. */
int usage_defaults(const struct usage_program *program, struct buf *out);
/* -n: what is given and differs from the default, then all sections. Reading it back gives the same configuration. */
int usage_changed(const struct conf_schema *schema, const struct conf *conf, struct buf *out);
/* A file that can be used as it is: parameters without a default set to their example, all others commented out. */
int usage_sample(const struct usage_program *program, struct buf *out);
/* Manual pages in roff, man(7): NAME.conf(5) and NAME(8). */
int usage_conf_page(const struct usage_program *program, struct buf *out);
int usage_daemon_page(const struct usage_program *program, struct buf *out);

#endif
