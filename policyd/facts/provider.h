/* policyd/facts/provider.h - where policyd's facts come from: each is answered at once, or a look-up is started that ends
 * in evaluation_provide(). `request` of the evaluation is a struct fact_request. */
#ifndef GATEHOUSE_POLICYD_PROVIDER_H
#define GATEHOUSE_POLICYD_PROVIDER_H

#include "policyd/facts/request.h"

/* The fact_fetch of policyd. */
enum fetch_result fact_provide(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out);

#endif
