/* signd/long_lines.h - lines longer than the MTA sends. Postfix's smtp(8) cuts them after smtp_line_length_limit bytes (998 fit,
 * RFC 5321 4.5.3.1.6) and begins the rest with a blank; a signature is of what arrives. Pure. */
#ifndef GATEHOUSE_SIGND_LONG_LINES_H
#define GATEHOUSE_SIGND_LONG_LINES_H

#include "common/base/slice.h"

#define LINE_CUT "\r\n " /* what stands where a line was cut */

/* Lines under way, cut anywhere. Line ends are LF or CRLF. */
struct line_cutter {
    size_t limit; /* bytes of a line without its end; under 2: lines stay as they are */
    size_t column; /* bytes of this line so far */
};

/* How many of the next bytes go through; with *is_cut LINE_CUT comes after them, and the others are for the next
 * call. */
size_t line_cutter_next(struct line_cutter *cutter, struct slice bytes, bool *is_cut);

#endif
