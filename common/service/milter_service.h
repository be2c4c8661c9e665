/* common/service/milter_service.h - what every milter with rules has beside service.h: the milter, and what is in force for
 * its threads. The daemon's state begins with a struct milter_service. */
#ifndef GATEHOUSE_SERVICE_MILTER_SERVICE_H
#define GATEHOUSE_SERVICE_MILTER_SERVICE_H

#include "common/milter/milter.h"
#include "common/milter/params.h"
#include "common/run/snapshot_cell.h"
#include "common/service/service.h"

struct milter_service {
    struct service service; /* first member */
    struct snapshot_cell in_force;
};

/* `descriptors_each`: as in struct milter_settings.
 *
 * In the daemon's `start` and, when milter_end() has been called, `stop`. -1, logged: to be ended all the same. */
int milter_service_start(struct milter_service *service, const struct service_spec *spec,
                         struct daemon *daemon, const struct milter_hooks *hooks,
                         const struct milter_config *config, size_t descriptors_each);
void milter_service_stop(struct milter_service *service);

/* In `apply`, on the main worker: another configuration is in force. */
void milter_service_apply(struct worker *worker, const struct milter_config *config,
                          size_t descriptors_each);

/* ---- in hooks ---- */

/* A message that cannot be looked at: it comes again. */
struct milter_reply milter_service_deferred(void);
/* The same unless we only watch: with `mode = shadow` nothing is refused, for that neither. */
struct milter_reply milter_service_undecided(struct milter_service *service);

#endif
