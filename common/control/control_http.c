/* common/control/control_http.c - see control_http.h. */
#include "common/control/control_http.h"

#include <stddef.h>

struct exchange {
    struct control_request request; /* first member */
    struct http_call *call;
};

static void reply(struct control_request *request, unsigned status, json_t *answer)
{
    struct exchange *exchange = (struct exchange *)request;
    struct http_call *call = exchange->call;

    free(exchange);
    http_reply_json(call, status, answer);
}

static enum control_method method_of(const struct http_call *call)
{
    switch (http_call_method(call)) {
    case HTTP_PUT:
        return CONTROL_PUT;
    case HTTP_POST:
        return CONTROL_POST;
    case HTTP_DELETE:
        return CONTROL_DELETE;
    case HTTP_GET:
        break;
    }
    return CONTROL_GET;
}

void control_http_serve(struct control *control, struct http_call *call)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    struct control_request *request;

    if (exchange == NULL) {
        http_error(call, 503, "out of memory");
        return;
    }
    request = &exchange->request;
    exchange->call = call;
    request->method = method_of(call);
    request->body = http_call_body(call);
    request->reply = reply;
    for (size_t n = 0; http_call_segment(call, n).ptr != NULL; n++) {
        if (n == CONTROL_SEGMENTS_MAX) {
            control_error(request, 404, "no such resource");
            return;
        }
        request->segments[request->segment_count++] = http_call_segment(call, n);
    }
    for (size_t i = 0; control_param_names[i] != NULL; i++) {
        struct slice value = http_call_query(call, control_param_names[i]);
        if (value.ptr != NULL && request->param_count < CONTROL_PARAMS_MAX)
            request->params[request->param_count++] =
                (struct control_param){ control_param_names[i], value };
    }
    control_serve(control, request);
}
