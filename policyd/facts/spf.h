/* policyd/facts/spf.h - the facts spf, spf_helo, spf.explanation, spf.domain and spf.header: SPF (policyd/spf/) over the
 * worker's DNS. Each identity of a request is checked at most once. */
#ifndef GATEHOUSE_POLICYD_FACTS_SPF_H
#define GATEHOUSE_POLICYD_FACTS_SPF_H

#include "policyd/facts/request.h"
#include "policyd/spf/spf.h"

extern const char *const spf_words[]; /* the vocabulary of spf and spf_helo, NULL-terminated */

enum fetch_result spf_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                           struct value *out);

/* What came of it, if this request has looked it up: `result` is one of spf_words, `domain` what was checked (empty: none).
 * False: it has not, or not yet. */
bool spf_known(struct fact_request *request, enum spf_identity identity, struct slice *result,
               struct slice *domain);

#endif
