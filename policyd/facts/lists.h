/* policyd/facts/lists.h - membership: subject in list:NAME, in list:NAME/{key}, in map:NAME/{key}. */
#ifndef GATEHOUSE_POLICYD_LISTS_H
#define GATEHOUSE_POLICYD_LISTS_H

#include "policyd/facts/lookup.h"

enum fetch_result list_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                            struct value *out);
enum fetch_result map_fact(struct evaluation *evaluation, const struct fact_ref *ref,
                           struct value *out);

#endif
