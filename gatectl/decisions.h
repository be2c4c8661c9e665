/* gatectl/decisions.h - lines of the decision log, for tail and why. */
#ifndef GATEHOUSE_GATECTL_DECISIONS_H
#define GATEHOUSE_GATECTL_DECISIONS_H

#include "gatectl/gatectl.h"

/* The lines after `after` (empty: the newest), at most `count`, oldest first. Caller owns *lines, an array. */
int decisions_read(struct gatectl *ctl, struct slice after, struct slice find, unsigned count,
                   json_t **lines);

/* Takes the next NAME=VALUE off *line: bare, "quoted" with \" and \\, or <in angle brackets>; a word without `=` has no
 * value. Values keep their quoting; they are slices of the line. False at its end. */
bool decision_next_field(struct slice *line, struct slice *name, struct slice *value);

#endif
