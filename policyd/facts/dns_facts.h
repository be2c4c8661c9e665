/* policyd/facts/dns_facts.h - facts that are made of DNS answers. Such a fact is a plain function of the request and of
 * the answers known: one that is missing is asked for, and when it is there all functions that wait are run again. An
 * answer is asked for once per request, whichever facts need it. When the request's time is up they run a last time, with
 * a failure for each answer that has not come. On the worker's thread. */
#ifndef GATEHOUSE_POLICYD_DNS_FACTS_H
#define GATEHOUSE_POLICYD_DNS_FACTS_H

#include "policyd/facts/request.h"

/* FETCH_KNOWN: *out is set. FETCH_UNKNOWN: it cannot be had. FETCH_STARTED: an answer is missing and has been asked for;
 * all that are needed should be asked for before this is said, so that they come side by side. */
typedef enum fetch_result dns_fact(struct fact_request *request, const struct fact_ref *ref,
                                   struct value *out);

/* A provider's whole work: `fact` now, and if need be again when answers have come. */
enum fetch_result dns_fact_get(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, dns_fact *fact, struct value *out);

/* The answer to a question, NULL while it is on its way. In the request's arena. Without a resolver, or memory, it has
 * failed. `name` as in dns_ask(), borrowed for the call. */
const struct dns_answer *dns_fact_ask(struct fact_request *request, struct slice name,
                                      enum dns_type type);

#endif
