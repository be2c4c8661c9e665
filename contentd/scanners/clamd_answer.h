/* contentd/scanners/clamd_answer.h - what clamd says to zINSTREAM (clamd(8)). Pure. */
#ifndef GATEHOUSE_CONTENTD_CLAMD_ANSWER_H
#define GATEHOUSE_CONTENTD_CLAMD_ANSWER_H

#include "common/base/slice.h"

enum clamd_answer {
    CLAMD_MORE, /* its end (a NUL) has not come */
    CLAMD_CLEAN,
    CLAMD_VIRUS,
    CLAMD_OVERSIZE, /* larger than clamd's StreamMaxLength */
    CLAMD_ERROR, /* it says that it is in trouble */
    CLAMD_GARBLED, /* nothing that clamd says */
};

enum { CLAMD_ANSWER_MAX = 4096 }; /* bytes, with the NUL; clamd's own buffer is smaller */

/* `in`: all that has come. *text borrows from it: the name of what was found, clamd's words for an error, what was
 * garbled. An answer with anything behind its end is garbled: it cannot be known which part to believe. */
enum clamd_answer clamd_answer_parse(struct slice in, struct slice *text);

#endif
