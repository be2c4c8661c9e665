/* common/control/control_http.h - the control API on a daemon's `http` listener. The daemon's route is
 * { HTTP_GET | HTTP_PUT | HTTP_POST | HTTP_DELETE, "/v1/", ... }, and its handler calls control_http_serve().
 * Whoever may open the listener may use it: there is no log-in. */
#ifndef GATEHOUSE_CONTROL_CONTROL_HTTP_H
#define GATEHOUSE_CONTROL_CONTROL_HTTP_H

#include "common/control/control.h"
#include "common/net/http.h"

/* Ends the call, now or later. */
void control_http_serve(struct control *control, struct http_call *call);

#endif
