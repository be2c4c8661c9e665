/* contentd/scan_values.h - how values of [scanner] and [chain] are written: each is read by one function, with which its
 * parameter is checked and compiled. Pure. */
#ifndef GATEHOUSE_CONTENTD_SCAN_VALUES_H
#define GATEHOUSE_CONTENTD_SCAN_VALUES_H

#include "common/config/param.h"
#include "contentd/chain.h"
#include "contentd/scanners/scanner.h"

/* `KIND ADDRESS, ADDRESS`; *addresses borrows from `text`. */
bool scan_parse_kind(struct slice text, const struct scanner_kind **kind, struct slice *addresses,
                     struct conf_complaint *out);
/* A score or weight: -1.5, at most 1000000. */
bool scan_parse_number(struct slice text, double *number, struct conf_complaint *out);
/* `reject|quarantine|discard|tempfail [code text]`; the reply borrows from `text`. */
bool scan_parse_virus(struct slice text, enum verdict_kind *kind, struct reply *reply,
                      struct conf_complaint *out);
/* `[code] text` of class 5; not empty. */
bool scan_parse_reply(struct slice text, struct reply *reply, struct conf_complaint *out);
/* One word of `headers`: the bit CHAIN_..._HEADERS. */
bool scan_parse_headers(struct slice word, unsigned *bit, struct conf_complaint *out);

/* The same, for the table. */
bool scan_check_kind(struct slice text, struct conf_complaint *out);
bool scan_check_number(struct slice text, struct conf_complaint *out);
bool scan_check_virus(struct slice text, struct conf_complaint *out);
bool scan_check_reply(struct slice text, struct conf_complaint *out);
bool scan_check_headers(struct slice word, struct conf_complaint *out);

#endif
