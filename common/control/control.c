/* common/control/control.c - routes of the API and the jobs that wait for the store. See control.h. */
#include "common/control/control_impl.h"

#include <stdarg.h>
#include <unistr.h>

/* ---- requests ---- */

const char *const control_param_names[] = {
    "force",     "value",  "limit", "count",  "after", "find", /* of quarantines: */
    "recipient", "sender", "older", "offset", "to", /* of explain: */
    "scan",      NULL,
};

struct slice control_param(const struct control_request *request, const char *name)
{
    for (size_t i = 0; i < request->param_count; i++)
        if (strcmp(request->params[i].name, name) == 0)
            return request->params[i].value;
    return (struct slice){ NULL, 0 };
}

/* The answer of an error: {"error": text}, NULL when memory is out. */
PRINTF_LIKE(1, 0)
static json_t *error_answer(const char *format, va_list args)
{
    char text[400];

    vsnprintf(text, sizeof(text), format, args);
    return json_pack("{s:o}", "error", control_text(slice_of(text)));
}

void control_error(struct control_request *request, unsigned status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    json_t *answer = error_answer(format, args);
    va_end(args);
    request->reply(request, status, answer);
}

json_t *control_text(struct slice bytes)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const uint8_t *rest = (const uint8_t *)bytes.ptr;
    size_t left = bytes.len;
    AUTO_BUF out = BUF_INIT(3 * bytes.len);

    if (u8_check(rest, left) == NULL)
        return json_stringn_nocheck(bytes.ptr == NULL ? "" : bytes.ptr, bytes.len);
    while (left > 0) {
        const uint8_t *bad = u8_check(rest, left);
        size_t good = bad == NULL ? left : (size_t)(bad - rest);
        if (buf_add(&out, (struct slice){ (const char *)rest, good }))
            return NULL;
        rest += good;
        left -= good;
        if (left == 0)
            break;
        if (buf_put(&out, replacement))
            return NULL;
        rest++;
        left--;
    }
    return json_stringn_nocheck(buf_text(&out), out.len);
}

/* ---- jobs ---- */

struct control_job *control_job_new(struct control *control, struct control_request *request)
{
    struct control_job *job = calloc(1, sizeof(*job));
    struct arena *arena = arena_new(CONTROL_ANSWER_MAX);

    if (job == NULL || arena == NULL) {
        free(job);
        arena_free(&arena);
        control_error(request, 503, "out of memory");
        return NULL;
    }
    job->control = control;
    job->request = request;
    job->arena = arena;
    control->daemon.hold(control->daemon.context, &job->view);
    job->next_job = control->jobs;
    if (control->jobs != NULL)
        control->jobs->previous_job = job;
    control->jobs = job;
    return job;
}

static void job_end(struct control_job *job)
{
    struct control *control = job->control;

    if (job->previous_job != NULL)
        job->previous_job->next_job = job->next_job;
    else
        control->jobs = job->next_job;
    if (job->next_job != NULL)
        job->next_job->previous_job = job->previous_job;
    if (job->cleanup != NULL)
        job->cleanup(job);
    if (control->daemon.release != NULL)
        control->daemon.release(control->daemon.context, &job->view);
    arena_free(&job->arena);
    free(job);
}

void control_job_reply(struct control_job *job, unsigned status, json_t *answer)
{
    struct control_request *request = job->request;

    if (answer != NULL && status == 200 && job->store.call.is_degraded)
        json_object_set_new(answer, "degraded", json_true());
    job_end(job);
    request->reply(request, status, answer);
}

void control_job_error(struct control_job *job, unsigned status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    json_t *answer = error_answer(format, args);
    va_end(args);
    control_job_reply(job, status, answer);
}

static void job_step(struct control_job *job)
{
    struct store_status status;

    if (job->store.call.result == STORE_OK) {
        job->next(job);
        return;
    }
    store_status(job->control->store, &status);
    control_job_error(job, 503, "the %s store did not do it: %s", status.kind,
                      status.detail[0] == '\0' ? "no answer, or too much for one answer"
                                               : status.detail);
}

static void job_called(struct store_call *call)
{
    job_step((struct control_job *)(void *)call);
}

void control_job_wait(struct control_job *job, void (*next)(struct control_job *job))
{
    job->next = next;
    job->store.call.done = job_called;
}

void control_job_started(struct control_job *job, bool is_done)
{
    if (is_done)
        job_step(job);
}

bool control_job_count(struct control_job *job, size_t *count)
{
    struct slice text = control_param(job->request, "count");
    uint64_t number = CONTROL_COUNT_DEFAULT;

    if (text.ptr != NULL &&
        (!slice_to_u64(text, &number) || number == 0 || number > CONTROL_COUNT_MAX)) {
        control_job_error(job, 400, "count is a number from 1 to %d", CONTROL_COUNT_MAX);
        return false;
    }
    *count = (size_t)number;
    return true;
}

/* ---- GET status ---- */

static const char *const store_state_words[] = {
    [STORE_UP] = "up",
    [STORE_DEGRADED] = "degraded",
    [STORE_DOWN] = "down",
};

static void serve_status(struct control_job *job)
{
    struct control_daemon *daemon = &job->control->daemon;
    struct store_status store;
    json_t *answer;

    store_status(job->control->store, &store);
    answer =
        json_pack("{s:{s:s, s:s, s:o}}", "store", "kind", store.kind, "state",
                  store_state_words[store.state], "detail", control_text(slice_of(store.detail)));
    if (answer != NULL && daemon->add_status != NULL)
        daemon->add_status(daemon->context, answer);
    control_job_reply(job, 200, answer);
}

/* ---- live/KEY[/FIELD] ---- */

static void reply_refused(struct control_job *job, enum live_result result,
                          const struct live_error *error)
{
    unsigned status = result == LIVE_NO_SUCH_KEY ? 404 : result == LIVE_UNDECLARED ? 409 : 422;

    control_job_reply(job, status,
                      json_pack("{s:o, s:s, s:I}", "error", control_text(slice_of(error->text)),
                                "where", error->where, "offset", (json_int_t)error->offset));
}

static void fields_read(struct control_job *job)
{
    const struct store_read *read = &job->store.read;
    struct live_error error;
    struct slice key;

    /* What is left of a name that was declared once is shown; nothing at all of one that is not is a mistyped name. */
    if (read->count == 0 &&
        live_check_key(read->key, &job->view.names, job->arena, &key, &error) == LIVE_UNDECLARED) {
        control_job_error(job, 404, "%s", error.text);
        return;
    }
    json_t *fields = json_object();
    for (size_t i = 0; fields != NULL && i < read->count; i++) {
        json_t *name = control_text(read->fields[i].name);
        if (name == NULL)
            break;
        json_object_setn_new_nocheck(fields, json_string_value(name), json_string_length(name),
                                     control_text(read->fields[i].text));
        json_decref(name);
    }
    control_job_reply(job, 200,
                      json_pack("{s:o, s:o}", "key", control_text(read->key), "fields", fields));
}

static void serve_live_read(struct control_job *job)
{
    struct live_error error;
    struct store_read *read = &job->store.read;
    struct slice key;
    enum live_result result =
        live_check_key(job->request->segments[1], &job->view.names, job->arena, &key, &error);

    if (result != LIVE_OK && result != LIVE_UNDECLARED) {
        reply_refused(job, result, &error);
        return;
    }
    *read = (struct store_read){ .key = key, .arena = job->arena };
    control_job_wait(job, fields_read);
    control_job_started(job, store_read(job->control->store, read));
}

static void field_written(struct control_job *job)
{
    const struct store_write *write = &job->store.write;

    control_job_reply(job, 200,
                      json_pack("{s:o, s:o, s:b}", "key", control_text(write->key), "field",
                                control_text(write->field), "existed", write->existed));
}

static void write_field(struct control_job *job, const struct live_place *place, struct slice text)
{
    struct store_write *write = &job->store.write;

    *write = (struct store_write){ .key = place->key, .field = place->field, .text = text };
    control_job_wait(job, field_written);
    control_job_started(job, store_write(job->control->store, write));
}

static bool is_forced(const struct control_job *job)
{
    return slice_equal(control_param(job->request, "force"), SLICE("1"));
}

static void serve_live_put(struct control_job *job)
{
    const struct control_request *request = job->request;
    struct slice text = slice_trim(request->body);
    struct live_place place;
    struct live_error error;
    enum live_result result;

    if (text.ptr == NULL)
        text = SLICE("");
    result = live_check(request->segments[1], request->segments[2], text, &job->view.names,
                        job->arena, &place, &error);
    if (result == LIVE_OK || (result == LIVE_UNDECLARED && is_forced(job)))
        write_field(job, &place, text);
    else
        reply_refused(job, result, &error);
}

/* With force the field is taken as it is: what was typed by hand in a form that nobody reads must be removable. */
static void serve_live_delete(struct control_job *job)
{
    const struct control_request *request = job->request;
    struct live_place place = { .field = request->segments[2] };
    struct live_error error;
    enum live_result result =
        live_check_key(request->segments[1], &job->view.names, job->arena, &place.key, &error);

    if (result == LIVE_UNDECLARED)
        result = LIVE_OK;
    if (result == LIVE_OK && !is_forced(job))
        result = live_check_field(request->segments[1], request->segments[2], job->arena,
                                  &place.field, &error);
    if (result == LIVE_OK)
        write_field(job, &place, (struct slice){ NULL, 0 });
    else
        reply_refused(job, result, &error);
}

/* ---- GET top, log ---- */

static void top_read(struct control_job *job)
{
    const struct store_top *top = &job->store.top;
    const struct limit_set *limits = job->view.limits;

    if (top->count == 0 && top->limit.len > 0 && limits != NULL &&
        limit_set_find(limits, top->limit) == NULL) {
        control_job_error(job, 404, "no limit \"%.*s\" in the configuration",
                          SLICE_ARG(top->limit));
        return;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < top->count; i++)
        json_array_append_new(rows, json_pack("{s:o, s:o, s:I, s:I}", "limit",
                                              control_text(top->rows[i].limit), "subject",
                                              control_text(top->rows[i].subject), "used",
                                              (json_int_t)top->rows[i].used, "window_ms",
                                              (json_int_t)top->rows[i].window_ms));
    control_job_reply(job, 200, json_pack("{s:o}", "rows", rows));
}

static void serve_top(struct control_job *job)
{
    struct store_top *top = &job->store.top;
    size_t count;

    if (!control_job_count(job, &count))
        return;
    *top = (struct store_top){ .limit = control_param(job->request, "limit"),
                               .arena = job->arena,
                               .count = count };
    control_job_wait(job, top_read);
    control_job_started(job, store_top(job->control->store, top));
}

static void log_read(struct control_job *job)
{
    const struct store_log_read *log = &job->store.log;
    json_t *lines = json_array();

    for (size_t i = 0; i < log->count; i++)
        json_array_append_new(lines, json_pack("{s:o, s:o}", "id", control_text(log->lines[i].name),
                                               "text", control_text(log->lines[i].text)));
    control_job_reply(job, 200, json_pack("{s:o}", "lines", lines));
}

static void serve_log(struct control_job *job)
{
    struct store_log_read *log = &job->store.log;
    size_t count;

    if (!control_job_count(job, &count))
        return;
    *log = (struct store_log_read){ .after = control_param(job->request, "after"),
                                    .find = control_param(job->request, "find"),
                                    .arena = job->arena,
                                    .count = count };
    control_job_wait(job, log_read);
    control_job_started(job, store_log_read(job->control->store, log));
}

/* ---- routes ---- */

static const struct route {
    enum control_method method;
    const char *noun;
    size_t segments;
    const char *last; /* the last segment; NULL: anything */
    void (*serve)(struct control_job *job);
} routes[] = {
    { CONTROL_GET, "status", 1, NULL, serve_status },
    { CONTROL_GET, "live", 2, NULL, serve_live_read },
    { CONTROL_PUT, "live", 3, NULL, serve_live_put },
    { CONTROL_DELETE, "live", 3, NULL, serve_live_delete },
    { CONTROL_GET, "limits", 1, NULL, control_limits },
    { CONTROL_GET, "usage", 1, NULL, control_usage },
    { CONTROL_POST, "limits", 3, "reset", control_limit_reset },
    { CONTROL_GET, "top", 1, NULL, serve_top },
    { CONTROL_GET, "log", 1, NULL, serve_log },
    { CONTROL_GET, "transactions", 2, NULL, control_transactions },
};

/* NULL: there is none; *is_known tells a wrong method from a wrong path. */
static const struct route *find_route(const struct control_request *request, bool *is_known)
{
    size_t count = request->segment_count;

    *is_known = false;
    for (size_t i = 0; i < COUNT(routes); i++) {
        if (count != routes[i].segments ||
            !slice_equal(request->segments[0], slice_of(routes[i].noun)) ||
            (routes[i].last != NULL &&
             !slice_equal(request->segments[count - 1], slice_of(routes[i].last))))
            continue;
        *is_known = true;
        if (request->method == routes[i].method)
            return &routes[i];
    }
    return NULL;
}

void control_serve(struct control *control, struct control_request *request)
{
    struct control_daemon *daemon = &control->daemon;
    bool is_known = false;
    const struct route *route = request->segment_count == 0 ? NULL : find_route(request, &is_known);

    if (route != NULL) {
        struct control_job *job = control_job_new(control, request);
        if (job != NULL)
            route->serve(job);
    } else if (is_known) {
        control_error(request, 405, "this resource has no such method");
    } else if (daemon->serve == NULL || !daemon->serve(daemon->context, request)) {
        control_error(request, 404, "no such resource; is another daemon meant?");
    }
}

struct control *control_new(struct store *store, const struct clock *clock,
                            const struct control_daemon *daemon)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return NULL;
    control->store = store;
    control->clock = clock;
    control->daemon = *daemon;
    return control;
}

void control_abort(struct control *control)
{
    while (control->jobs != NULL) {
        struct control_job *job = control->jobs;
        store_abandon(control->store, &job->store.call);
        control_job_error(job, 503, "ended before the store answered");
    }
}

void control_free(struct control **control)
{
    if (*control == NULL)
        return;
    control_abort(*control);
    free(*control);
    *control = NULL;
}
