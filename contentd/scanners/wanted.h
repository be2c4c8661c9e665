/* contentd/scanners/wanted.h - what a scanner wants to be changed in a message or said to its sender, checked before it goes
 * into a finding: from there it is carried out as it stands, so nobody who has a say in a scanner's answer may break a
 * header section or a reply apart. Pure.
 *
 * wanted_header() and wanted_address() give NULL, or a constant text why it cannot be done: the finding is trouble then. */
#ifndef GATEHOUSE_CONTENTD_WANTED_H
#define GATEHOUSE_CONTENTD_WANTED_H

#include "contentd/finding.h"

enum {
    WANTED_NAME_MAX = 128, /* bytes of a header field's name */
    WANTED_VALUE_MAX = 65536, /* of its value */
    WANTED_ADDRESS_MAX = 1024,
    WANTED_EDITS_MAX = 10000, /* of one scanner */
};

/* Adds one edit of a header field. Line ends in `value` become "\n" and are allowed only before a blank; those at its end
 * are dropped, as is one blank at its beginning. An absent value removes (EDIT_CHANGE_HEADER alone). */
const char *wanted_header(struct edits *edits, struct arena *arena, enum edit_kind kind,
                          struct slice name, struct slice value, size_t index);

/* Adds one edit of an address, with or without <>; empty (the null sender) only for EDIT_CHANGE_SENDER. */
const char *wanted_address(struct edits *edits, struct arena *arena, enum edit_kind kind,
                           struct slice address);

/* One line of at most `max` bytes: control bytes become blanks, blanks at the ends are dropped, a character of UTF-8 is not
 * cut. Absent: `text` is absent, or memory is out. */
struct slice wanted_line(struct arena *arena, struct slice text, size_t max);

/* A reply as a scanner words it: "5.7.1 text", "text". What it does not say is the given code and enhanced code (constant);
 * what it says of another class counts as text. Lines become one. */
struct reply wanted_reply(struct arena *arena, struct slice text, unsigned code,
                          const char *enhanced);

#endif
