/* contentd/quarantine/control.h - the quarantine in the control API (common/control/control.h), and the thread that does what waits
 * for the disk or the release listener: the keeper. It also removes what has expired, once a minute.
 *
 *     GET    /v1/quarantine[?recipient=&sender=&find=&older=SECONDS&after=ID&count=N]
 *                                             {"messages": [{"id", ...}], "next": ID or null, "total", "bytes"}; newest first
 *     GET    /v1/quarantine/ID                {"id", "time", "size", "reason", "sender", "recipients", ...}
 *     GET    /v1/quarantine/ID/message[?offset=N]  {"id", "size", "offset", "data": base64}
 *     POST   /v1/quarantine/ID/release[?recipient=R|to=R[&sender=S]]  {"id", "released": [R], "refused": [{"recipient", "reply"}], "kept"}
 *     DELETE /v1/quarantine/ID                {"id", "deleted": true}
 *
 * A page of the list has `count` rows, or less when it took 2 s, 20,000 entries or 4 MiB: as long as there is a "next", there is more.
 * `recipient` and `sender` of the list are compared without regard to case; `@example.com` fits every mailbox there. A release
 * goes to the recipients the message is kept for (or to one of them), which are then no longer kept; `to` sends a copy to
 * somebody else, from `sender` instead of its own, and keeps all. An answer of release with nobody in "released" has the status 502.
 * "unrecorded" says why it could not be written down who has got it: they are still listed, and a release sends it to them again.
 * What is damaged has a member "damaged" that says how, and members that are lost are empty; it is released with `to` alone, and not
 * when a part of the message is missing. */
#ifndef GATEHOUSE_CONTENTD_QUARANTINE_CONTROL_H
#define GATEHOUSE_CONTENTD_QUARANTINE_CONTROL_H

#include "common/control/control.h"
#include "common/quarantine/quarantine.h"
#include "common/quarantine/release.h"
#include "common/run/worker.h"

struct keeper; /* opaque; its functions on the main worker's thread */

/* Starts the thread. `release` NULL: releasing is refused (422). What it is given must outlive it. NULL: out of memory or
 * threads. */
struct keeper *keeper_new(struct worker *main, struct quarantine *quarantine,
                          struct release *release);
/* Waits for the step under way (at most RELEASE_TIMEOUT_MS); what waits is answered with 503. NULL-safe; clears *keeper. */
void keeper_free(struct keeper **keeper);

/* For struct control_daemon: false when it is not about the quarantine. */
bool keeper_serve(struct keeper *keeper, struct control_request *request);

#endif
