/* contentd/scanners/spamd_answer.h - what spamd answers to REPORT (SpamAssassin's spamd/PROTOCOL). Pure. */
#ifndef GATEHOUSE_CONTENTD_SPAMD_ANSWER_H
#define GATEHOUSE_CONTENTD_SPAMD_ANSWER_H

#include "common/base/arena.h"

enum spamd_result {
    SPAMD_MORE, /* not whole yet */
    SPAMD_DONE,
    SPAMD_ERROR, /* spamd says that it is in trouble: `error` */
    SPAMD_GARBLED, /* nothing that spamd says, or it contradicts itself: `error` says how */
};

struct spamd_answer {
    bool is_spam;
    double score, required;
    struct slice body; /* the report */
    struct slice error;
};

enum { SPAMD_HEAD_MAX = 4096, SPAMD_ANSWER_MAX = 256 << 10 }; /* bytes */

/* `in`: all that has come. Texts borrow from it, or are constants. An answer is whole when it is exactly as long as it says; one
 * byte more and it is garbled. */
enum spamd_result spamd_answer_parse(struct slice in, struct spamd_answer *out);

/* The tests that hit, "GTUBE(1000), MISSING_DATE(2.7)", from the table of a report as SpamAssassin writes it by default, in
 * `arena`; absent: there is no such table, or memory is out. *table is the table itself. */
struct slice spamd_report_symbols(struct slice report, struct arena *arena, struct slice *table);

#endif
