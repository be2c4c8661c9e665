/* contentd/scanners/icap_answer.h - the answer to a RESPMOD request (RFC 3507), read as it comes, and what it means. Pure.
 *
 *     a field that names malware, with 200 or 204      VIRUS, at once
 *     204                                              CLEAN
 *     200, HTTP 200, the very bytes that we sent       CLEAN: servers may do without 204
 *     200, anything else                               VIRUS without a name: it has put something else in their place
 *     100                                              passed over: a server that thinks of a preview
 *     any other                                        trouble
 *
 * Fields: X-Infection-Found (Threat=NAME), X-Virus-ID, X-Violations-Found (draft-stecher-icap-subid, and what c-icap, ESET,
 * Kaspersky, Symantec and others send). */
#ifndef GATEHOUSE_CONTENTD_ICAP_ANSWER_H
#define GATEHOUSE_CONTENTD_ICAP_ANSWER_H

#include "common/base/arena.h"
#include "contentd/finding.h"
#include "contentd/scanners/http_wire.h"

enum { ICAP_CONTINUES_MOST = 4 };

struct icap_answer { /* zeroed: nothing has come */
    enum { ICAP_HEAD, ICAP_HTTP_HEAD, ICAP_BODY, ICAP_END } state;
    unsigned status, http_status;
    size_t continues;
    size_t http_length; /* bytes of the HTTP head */
    bool has_body;
    struct chunk_reader chunks;
    struct slice virus; /* in the arena; absent: none was named */
    struct slice istag; /* the service's state, in the arena; absent: not told */
};

/* Takes *used bytes from the start of `in`; *body (borrowed from `in`, perhaps empty) is what of them is content. Call again
 * with the rest while the result is MORE and *used is not 0. DONE: the answer is whole, or names malware. BAD: *error
 * says why (in the arena or constant). */
enum wire_state icap_answer_read(struct icap_answer *answer, struct arena *arena, struct slice in,
                                 size_t *used, struct slice *body, const char **error);

/* After DONE: result and virus. `is_same`: the content was that of the message, byte by byte. */
void icap_answer_finding(const struct icap_answer *answer, bool is_same, struct finding *finding);

#endif
