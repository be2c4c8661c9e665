/* tests/fakes/fake_limits.h - limits for tests, from a small table of facts. */
#ifndef GATEHOUSE_TESTS_FAKE_LIMITS_H
#define GATEHOUSE_TESTS_FAKE_LIMITS_H

#include "common/limits/limit_config.h"

/* client_address, client_net, sender, sender_domain, recipient, sasl_username, country,
 * encryption_keysize, authenticated, `limit.*.used` */
extern const struct fact_type fake_limit_facts[];
extern const size_t fake_limit_fact_count;

/* `rate` for messages by sasl_username, named `name`. Ends the process on a mistake. */
struct limit_set *fake_limit(const char *name, const char *rate);

#endif
