/* gatectl/backend_http.c - the daemon's control socket. The only file that uses libcurl. */
#include <curl/curl.h>

#include "gatectl/backend.h"

enum {
    CONNECT_MS = 2000,
    ANSWER_MS = 30000,
    PATH_MAX_BYTES = 8192,
    ANSWER_MAX_BYTES = 2 * CONTROL_ANSWER_MAX,
};

struct backend_http {
    struct backend backend; /* first member */
    CURL *curl;
    struct buf base; /* "http://localhost" */
    struct buf socket; /* unix: the path; empty otherwise */
};

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct buf *body = arg;

    return buf_add(body, (struct slice){ data, size * count }) == 0 ? count : 0;
}

static const char *method_word(enum control_method method)
{
    static const char *const words[] = {
        [CONTROL_GET] = "GET",
        [CONTROL_PUT] = "PUT",
        [CONTROL_POST] = "POST",
        [CONTROL_DELETE] = "DELETE",
    };

    return words[method];
}

/* The options of one request; those of the connection are set once. */
static CURLcode set_request(CURL *curl, const struct ask *ask, const char *url, struct buf *body)
{
    bool has_body = ask->method == CONTROL_PUT || ask->method == CONTROL_POST;
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, url);

    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, (void *)body);
    if (rc == CURLE_OK && has_body)
        rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len);
    if (rc == CURLE_OK && has_body)
        rc = curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
                              ask->body.ptr == NULL ? "" : ask->body.ptr);
    if (rc == CURLE_OK && !has_body)
        rc = curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method_word(ask->method));
    return rc;
}

static enum backend_result read_answer(CURL *curl, struct buf *body, unsigned *status,
                                       json_t **answer, char error[BACKEND_ERROR_MAX])
{
    json_error_t wrong;
    long code = 0;
    json_t *json = json_loadb(buf_text(body), body->len, JSON_ALLOW_NUL, &wrong);

    if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code) != CURLE_OK || code < 100 ||
        code > 999 || !json_is_object(json)) {
        json_decref(json);
        snprintf(error, BACKEND_ERROR_MAX, "what answers there is no Gatehouse daemon (status %ld)",
                 code);
        return BACKEND_BROKEN;
    }
    *status = (unsigned)code;
    *answer = json;
    return BACKEND_OK;
}

/* curl speaks of "localhost port 80" when a unix socket refuses: the system says it better. */
static void tell_failure(struct backend_http *http, CURLcode rc, const char *why,
                         char error[BACKEND_ERROR_MAX])
{
    long number = 0;

    curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &number);
    if (rc == CURLE_COULDNT_CONNECT && http->socket.len > 0 && number > 0)
        why = strerror((int)number);
    snprintf(error, BACKEND_ERROR_MAX, "%s: %s",
             http->socket.len > 0 ? buf_text(&http->socket) : buf_text(&http->base),
             why[0] == '\0' ? curl_easy_strerror(rc) : why);
}

static enum backend_result http_ask(struct backend *backend, const struct ask *ask,
                                    unsigned *status, json_t **answer,
                                    char error[BACKEND_ERROR_MAX])
{
    struct backend_http *http = (struct backend_http *)backend;
    char why[CURL_ERROR_SIZE] = "";
    AUTO_BUF url = BUF_INIT(PATH_MAX_BYTES);
    AUTO_BUF body = BUF_INIT(ANSWER_MAX_BYTES);
    CURLcode rc;

    if (buf_add(&url, buf_slice(&http->base)) || ask_print_path(&url, ask)) {
        snprintf(error, BACKEND_ERROR_MAX, "the request is too long");
        return BACKEND_BROKEN;
    }
    rc = curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, why);
    if (rc == CURLE_OK)
        rc = set_request(http->curl, ask, buf_text(&url), &body);
    if (rc == CURLE_OK)
        rc = curl_easy_perform(http->curl);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, NULL);
    if (rc == CURLE_OK)
        return read_answer(http->curl, &body, status, answer, error);
    tell_failure(http, rc, why, error);
    return rc == CURLE_WRITE_ERROR || rc == CURLE_WEIRD_SERVER_REPLY ||
                   rc == CURLE_UNSUPPORTED_PROTOCOL
               ? BACKEND_BROKEN
               : BACKEND_UNREACHABLE;
}

static void http_free(struct backend *backend)
{
    struct backend_http *http = (struct backend_http *)backend;

    curl_easy_cleanup(http->curl);
    buf_free(&http->base);
    buf_free(&http->socket);
    free(http);
    curl_global_cleanup();
}

static const struct backend_ops http_ops = { http_ask, http_free };

/* Splits `where` into what curl wants. A path may begin in the current directory, too. */
static int set_place(struct backend_http *http, const char *where)
{
    struct slice place = slice_of(where);
    bool is_path = slice_find(place, ':') == SIZE_MAX && slice_find(place, '/') != SIZE_MAX;

    if (slice_starts_with(place, SLICE("unix:"))) {
        place = slice_skip(place, 5);
        is_path = place.len > 0;
    }
    if (is_path)
        return buf_add(&http->socket, place) || buf_put(&http->base, "http://localhost") ? -1 : 0;
    if (slice_starts_with(place, SLICE("inet:")))
        return buf_printf(&http->base, "http://%.*s", SLICE_ARG(slice_skip(place, 5)));
    if (!slice_starts_with(place, SLICE("http://")) && !slice_starts_with(place, SLICE("https://")))
        return -1;
    while (slice_ends_with(place, SLICE("/")))
        place.len--;
    return buf_add(&http->base, place);
}

static CURLcode set_connection(struct backend_http *http)
{
    CURL *curl = http->curl;
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);

    if (rc == CURLE_OK && http->socket.len > 0)
        rc = curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, buf_text(&http->socket));
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    return rc == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) : rc;
}

struct backend *backend_http_new(const char *where, char error[BACKEND_ERROR_MAX])
{
    struct backend_http *http = calloc(1, sizeof(*http));

    if (http == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        snprintf(error, BACKEND_ERROR_MAX, "out of memory");
        return NULL;
    }
    http->backend.ops = &http_ops;
    http->base.max = http->socket.max = PATH_MAX_BYTES;
    http->curl = curl_easy_init();
    if (http->curl != NULL && set_place(http, where) == 0 && set_connection(http) == CURLE_OK)
        return &http->backend;
    snprintf(
        error, BACKEND_ERROR_MAX,
        "\"%.200s\" is no place: a path with a /, unix:PATH, inet:host:port or http://host:port",
        where);
    http_free(&http->backend);
    return NULL;
}
