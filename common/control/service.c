/* common/control/service.c - see service.h. */
#include "common/control/service.h"

#include "common/control/control_http.h"

struct control_service {
    const struct control_service_spec *spec;
    struct daemon *daemon;
    void *context;
    struct control *control;
};

/* ---- the configuration in force, as control.h sees it ---- */

static struct control_in_force in_force(const struct control_service *service, const void *data)
{
    struct control_in_force now = { .book = NULL };

    service->spec->in_force(data, &now);
    return now;
}

static void hold(void *context, struct control_view *out)
{
    const struct control_service *service = context;
    struct snapshot *snapshot = snapshot_ref(daemon_snapshot(service->daemon));
    struct control_in_force now = in_force(service, snapshot_data(snapshot));

    *out = (struct control_view){
        .limits = now.limits,
        .file_classes = now.file_classes,
        .live_classes = now.live_classes,
        .names = rule_book_names(now.schema),
        .held = snapshot,
    };
}

static void release(UNUSED void *context, struct control_view *view)
{
    struct snapshot *snapshot = view->held;

    snapshot_unref(&snapshot);
}

/* ---- GET status ---- */

static void add_status(void *context, json_t *status)
{
    const struct control_service *service = context;
    const struct daemon *daemon = service->daemon;
    const void *data = snapshot_data(daemon_snapshot(daemon));
    struct control_in_force now = in_force(service, data);
    bool is_shadow = daemon_common(daemon)->mode == CONF_SHADOW;

    json_object_set_new(status, "program", json_string(service->spec->program));
    json_object_set_new(status, "started_s",
                        json_integer((json_int_t)(daemon_started_ms(daemon) / SECOND)));
    json_object_set_new(status, "connections",
                        json_integer((json_int_t)daemon_connections(daemon)));
    json_object_set_new(status, "rules", json_integer((json_int_t)rule_set_count(now.book->rules)));
    json_object_set_new(status, "mode", json_string(is_shadow ? "shadow" : "enforce"));
    if (service->spec->add_status != NULL)
        service->spec->add_status(service->context, data, status);
}

/* ---- GET rules ---- */

static const char *const trouble_words[] = {
    [TROUBLE_SKIP] = "skip",
    [TROUBLE_MATCH] = "match",
    [TROUBLE_DEFER] = "defer",
};

static json_t *rule_json(const struct rule_book *book, size_t n)
{
    struct rule_info rule = rule_set_info(book->rules, n);
    bool is_shadow = rule.mode == RULE_SHADOW;
    char stages[STAGES_TEXT_MAX + 1];
    uint64_t matches = metric_read((is_shadow ? book->shadow_matches : book->matches)[n]);

    return json_pack("{s:o, s:I, s:s, s:s, s:o, s:s, s:I, s:o, s:o}", "name",
                     control_text(rule.name), "order", (json_int_t)rule.order, "mode",
                     is_shadow ? "shadow" : "enforce", "trouble", trouble_words[rule.trouble],
                     "stages", control_text(stages_print(rule.stages, stages)), "origin",
                     rule.is_live ? "live" : "file", "matches", (json_int_t)matches, "when",
                     control_text(rule.when.ptr == NULL ? SLICE("") : rule.when), "then",
                     control_text(rule.then));
}

static void serve_rules(const struct control_service *service, struct control_request *request)
{
    struct control_in_force now =
        in_force(service, snapshot_data(daemon_snapshot(service->daemon)));
    json_t *rules = json_array();

    for (size_t n = 0; n < rule_set_count(now.book->rules); n++)
        json_array_append_new(rules, rule_json(now.book, n));
    request->reply(request, 200, json_pack("{s:o}", "rules", rules));
}

static bool serve(void *context, struct control_request *request)
{
    const struct control_service *service = context;

    if (request->method == CONTROL_GET && slice_equal(request->segments[0], SLICE("rules"))) {
        serve_rules(service, request);
        return true;
    }
    return service->spec->serve != NULL && service->spec->serve(service->context, request);
}

/* ---- life ---- */

struct control_service *control_service_new(const struct control_service_spec *spec,
                                            struct daemon *daemon, struct store *store,
                                            void *context)
{
    struct control_service *service = calloc(1, sizeof *service);

    if (service == NULL)
        return NULL;
    *service = (struct control_service){ .spec = spec, .daemon = daemon, .context = context };
    const struct control_daemon hooks = { hold, release, add_status, serve, service };
    service->control = control_new(store, daemon_clock(daemon), &hooks);
    if (service->control == NULL)
        control_service_free(&service);
    return service;
}

void control_service_free(struct control_service **service)
{
    if (*service == NULL)
        return;
    control_free(&(*service)->control);
    free(*service);
    *service = NULL;
}

void control_service_serve(struct control_service *service, struct http_call *call)
{
    control_http_serve(service->control, call);
}
