/* gatectl/output.h - what gatectl prints: aligned tables and escaped text for people, JSON for programs. */
#ifndef GATEHOUSE_GATECTL_OUTPUT_H
#define GATEHOUSE_GATECTL_OUTPUT_H

#include <jansson.h>

#include "common/base/buf.h"

/* Adds `text` so that a terminal shows it and obeys nothing in it: control characters (C1 and DEL too), characters that
 * turn the direction of writing, line separators and bytes that are no UTF-8 become \xNN, byte by byte. A backslash stays
 * as it is: this is for reading, not for reading back (--json is). 0, or -1: the buffer is full. */
int output_escape(struct buf *out, struct slice text);

/* The same straight to a file. */
void output_text(FILE *out, struct slice text);

/* One document, every byte of it ASCII, and a newline. */
void output_json(FILE *out, const json_t *document);
void output_json_line(FILE *out, const json_t *document); /* on one line */
void output_json_new(FILE *out, json_t *document); /* takes it */

struct column {
    const char *title;
    bool is_number; /* to the right */
};

/* A table with its headings, columns two blanks apart, nothing after the last. Without rows nothing is printed. */
struct text_table; /* opaque */
/* NULL: out of memory. */
struct text_table *text_table_new(const struct column *columns, size_t count);
void text_table_free(struct text_table **table); /* NULL-safe; clears *table */
/* The next cell, row by row; the text is copied and escaped. Failures are remembered for text_table_print(). */
void text_table_cell(struct text_table *table, struct slice text);
/* Text, number, yes or no; null: "-". */
void text_table_cell_json(struct text_table *table, const json_t *value);
bool text_table_print(const struct text_table *table, FILE *out); /* false: memory was out */

/* Of a JSON array: `put` puts the cells of each row. False: memory was out. */
bool output_table(FILE *out, const struct column *columns, size_t count, const json_t *rows,
                  void (*put)(struct text_table *table, const json_t *row, void *arg), void *arg);

/* The text of a JSON string member; absent when there is none. */
struct slice json_member(const json_t *object, const char *name);

#endif
