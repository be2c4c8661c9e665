/* gatectl/backend.c - see backend.h. */
#include "gatectl/backend.h"

enum backend_result backend_ask(struct backend *backend, const struct ask *ask, unsigned *status,
                                json_t **answer, char error[BACKEND_ERROR_MAX])
{
    return backend->ops->ask(backend, ask, status, answer, error);
}

void backend_free(struct backend **backend)
{
    if (*backend != NULL)
        (*backend)->ops->free(*backend);
    *backend = NULL;
}

struct control_request ask_request(const struct ask *ask)
{
    struct control_request request = { .method = ask->method, .body = ask->body };

    for (size_t i = 0; i < CONTROL_SEGMENTS_MAX && ask->segments[i] != NULL; i++)
        request.segments[request.segment_count++] = slice_of(ask->segments[i]);
    for (size_t i = 0; i < CONTROL_PARAMS_MAX && ask->params[i].name != NULL; i++)
        request.params[request.param_count++] = ask->params[i];
    return request;
}

/* Unreserved characters of RFC 3986, section 2.3, stay; all others are encoded. */
static int print_encoded(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_plain = ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (is_plain ? buf_put_char(out, c) : buf_printf(out, "%%%02X", (unsigned)(unsigned char)c))
            return -1;
    }
    return 0;
}

int ask_print_path(struct buf *out, const struct ask *ask)
{
    const char *gap = "?";

    if (buf_put(out, "/v1"))
        return -1;
    for (size_t i = 0; i < CONTROL_SEGMENTS_MAX && ask->segments[i] != NULL; i++)
        if (buf_put_char(out, '/') || print_encoded(out, slice_of(ask->segments[i])))
            return -1;
    for (size_t i = 0; i < CONTROL_PARAMS_MAX && ask->params[i].name != NULL; i++) {
        if (buf_printf(out, "%s%s=", gap, ask->params[i].name) ||
            print_encoded(out, ask->params[i].value))
            return -1;
        gap = "&";
    }
    return 0;
}
