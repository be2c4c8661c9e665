/* signd/control.h - what signd's control API serves beside common/control/service.h. On the main worker's thread. */
#ifndef GATEHOUSE_SIGND_CONTROL_H
#define GATEHOUSE_SIGND_CONTROL_H

#include "common/control/service.h"

struct key_file;
struct key_lives;
struct key_watch_report;

/* {"domain", "selector", "type", "bits", "state", "since", "usable", "problem", "record", "record_problem", "looked"}: what is
 * not known is left out. `record`: of a key that is watched, else NULL. Any thread. The caller owns it. */
json_t *control_key(const struct key_lives *lives, const struct key_file *file,
                    const struct key_watch_report *record);

extern const struct control_service_spec signd_control; /* its context: the main struct server */

#endif
