/* policyd/control.c - see control.h. */
#include "policyd/control.h"

#include "common/control/control_http.h"
#include "common/rules/trace.h"
#include "policyd/inquiry.h"

enum { EXPLAIN_MEMORY_MAX = 8 << 20 };

/* ---- the configuration in force, as the generic part sees it ---- */

static void control_hold(void *context, struct control_view *out)
{
    struct server *server = context;
    struct snapshot *snapshot = snapshot_ref(worker_snapshot(server->worker));
    const struct policy *policy = snapshot_data(snapshot);

    *out = (struct control_view){
        .limits = shared_get(policy->parts.limits),
        .file_classes = shared_get(policy->parts.classes_file),
        .live_classes = shared_get(policy->parts.classes_live),
        .names = rule_book_names(&policy->schema),
        .held = snapshot,
    };
}

static void control_release(UNUSED void *context, struct control_view *view)
{
    struct snapshot *snapshot = view->held;

    snapshot_unref(&snapshot);
}

static void add_status(void *context, json_t *status)
{
    struct server *server = context;
    const struct daemon *daemon = worker_daemon(server->worker);
    const struct policy *policy = server_policy(server);
    const struct policy_metrics *metrics = &server->policyd->metrics;
    char type[GEOIP_TYPE_MAX];
    uint64_t build_s;

    json_object_set_new(status, "program", json_string("gatehouse-policyd"));
    json_object_set_new(status, "started_s",
                        json_integer((json_int_t)(daemon_started_ms(daemon) / SECOND)));
    json_object_set_new(status, "connections",
                        json_integer((json_int_t)daemon_connections(daemon)));
    json_object_set_new(status, "requests",
                        json_integer((json_int_t)metric_read(metrics->requests)));
    json_object_set_new(status, "rules",
                        json_integer((json_int_t)rule_set_count(policy->book.rules)));
    json_object_set_new(status, "limits", json_integer((json_int_t)policy->limit_count));
    json_object_set_new(
        status, "mode",
        json_string(policy->parts.config->common.mode == CONF_SHADOW ? "shadow" : "enforce"));
    if (policy->parts.geoip != NULL)
        json_object_set_new(
            status, "geoip",
            geoip_describe(policy->parts.geoip, type, &build_s)
                ? json_pack("{s:s, s:I}", "type", type, "built_s", (json_int_t)build_s)
                : json_string("no usable database"));
}

/* ---- GET rules ---- */

static const char *const trouble_words[] = {
    [TROUBLE_SKIP] = "skip",
    [TROUBLE_MATCH] = "match",
    [TROUBLE_DEFER] = "defer",
};

static json_t *rule_json(const struct policy *policy, size_t n)
{
    struct rule_info rule = rule_set_info(policy->book.rules, n);
    bool is_shadow = rule.mode == RULE_SHADOW;
    char stages[STAGES_TEXT_MAX + 1];

    return json_pack("{s:o, s:I, s:s, s:s, s:o, s:s, s:I, s:o, s:o}", "name",
                     control_text(rule.name), "order", (json_int_t)rule.order, "mode",
                     is_shadow ? "shadow" : "enforce", "trouble", trouble_words[rule.trouble],
                     "stages", control_text(stages_print(rule.stages, stages)), "origin",
                     rule.is_live ? "live" : "file", "matches",
                     (json_int_t)metric_read(
                         (is_shadow ? policy->book.shadow_matches : policy->book.matches)[n]),
                     "when", control_text(rule.when.ptr == NULL ? SLICE("") : rule.when), "then",
                     control_text(rule.then));
}

static void serve_rules(struct server *server, struct control_request *request)
{
    const struct policy *policy = server_policy(server);
    json_t *rules = json_array();

    for (size_t n = 0; n < rule_set_count(policy->book.rules); n++)
        json_array_append_new(rules, rule_json(policy, n));
    request->reply(request, 200, json_pack("{s:o}", "rules", rules));
}

/* ---- POST explain ---- */

struct explaining {
    struct control_request *request;
    struct arena *arena;
    struct trace *trace;
    json_t *rules, *rule; /* all, and the one being described */
};

static json_t *value_json(const struct value *value)
{
    char text[64];

    if (value->type == VALUE_BOOLEAN)
        return json_string(value->boolean ? "yes" : "no");
    if (value->is_empty)
        return json_string("");
    if (value->text.len > 0)
        return control_text(value->text);
    if (value->type == VALUE_ADDRESS)
        return control_text((struct slice){ text, ipnet_print(&value->net, text) });
    snprintf(text, sizeof text, "%.15g", value->number);
    return json_string(text);
}

static void explain_rule(void *arg, const struct trace_rule *rule)
{
    struct explaining *explaining = arg;

    explaining->rule = json_pack(
        "{s:o, s:I, s:s, s:s, s:o, s:o}", "rule", control_text(rule->info->name), "order",
        (json_int_t)rule->info->order, "mode",
        rule->info->mode == RULE_SHADOW ? "shadow" : "enforce", "result",
        trace_result_name(rule->result), "conditions", json_array(), "facts", json_array());
    if (rule->action != NULL)
        json_object_set_new(explaining->rule, "action", control_text(rule->info->then));
    json_array_append_new(explaining->rules, explaining->rule);
}

static void explain_condition(void *arg, const struct trace_condition *condition)
{
    struct explaining *explaining = arg;

    json_array_append_new(json_object_get(explaining->rule, "conditions"),
                          json_pack("{s:o, s:I, s:s}", "text", control_text(condition->text),
                                    "depth", (json_int_t)condition->depth, "result",
                                    condition->is_evaluated ? trace_result_name(condition->result)
                                                            : "not evaluated"));
}

static void explain_fact(void *arg, const struct trace_fact *fact)
{
    struct explaining *explaining = arg;
    json_t *json = json_pack("{s:o, s:s}", "name", control_text(fact->name), "state",
                             fact->state == FACT_KNOWN ? "known" : "unknown");

    if (fact->state == FACT_KNOWN)
        json_object_set_new(json, "value", value_json(fact->value));
    json_array_append_new(json_object_get(explaining->rule, "facts"), json);
}

static json_t *limits_json(const struct decided *decided, struct arena *arena)
{
    json_t *limits = json_array();

    for (size_t i = 0; i < decided->use_count; i++) {
        const struct limit_use *use = &decided->uses[i];
        json_array_append_new(
            limits,
            json_pack("{s:o, s:o, s:I, s:I, s:o, s:b}", "limit",
                      control_text(limit_name(use->limit)), "subject", control_text(use->subject),
                      "used", (json_int_t)use->used, "amount", (json_int_t)use->amount, "rate",
                      control_text(rate_print(arena, use->rate)), "exceeded",
                      decided->exceeded != NULL && decided->exceeded->limit == use->limit));
    }
    return limits;
}

static void explained(void *arg, const struct decided *decided)
{
    struct explaining *explaining = arg;
    struct control_request *request = explaining->request;

    if (decided == NULL) {
        control_error(request, 503, "not decided: out of memory, or ending");
    } else {
        const struct trace_visitor visitor = { explain_rule, explain_condition, explain_fact,
                                               explaining };
        explaining->rules = json_array();
        trace_visit(explaining->trace, &visitor);
        json_t *answer =
            json_pack("{s:s, s:o, s:o, s:o, s:o}", "verdict", action_word(decided->spoken), "rule",
                      control_text(decided->rule), "reply", control_text(decided->reply), "limits",
                      limits_json(decided, explaining->arena), "trace", explaining->rules);
        request->reply(request, 200, answer);
    }
    arena_free(&explaining->arena);
    free(explaining);
}

/* What a person leaves out: the kind of request, and the stage. */
static bool explain_request(struct slice body, struct buf *out)
{
    struct slice text = slice_trim(body);
    bool has_kind = slice_starts_with(text, SLICE("request=")) ||
                    memmem(text.ptr, text.len, "\nrequest=", 9) != NULL;
    bool has_state = slice_starts_with(text, SLICE("protocol_state=")) ||
                     memmem(text.ptr, text.len, "\nprotocol_state=", 16) != NULL;

    return buf_put(out, has_kind ? "" : "request=smtpd_access_policy\n") == 0 &&
           buf_put(out, has_state ? "" : "protocol_state=RCPT\n") == 0 && buf_add(out, text) == 0 &&
           buf_put(out, "\n\n") == 0;
}

static void serve_explain(struct server *server, struct control_request *request)
{
    AUTO_BUF text = BUF_INIT(POLICY_REQUEST_MAX);
    struct policy_request req;
    size_t used;

    if (request->body.len == 0 || !explain_request(request->body, &text) ||
        policy_parse(buf_slice(&text), &req, &used) != PROTO_DONE) {
        control_error(request, 400, "the body is no policy request: NAME=VALUE lines are expected");
        return;
    }
    struct explaining *explaining = calloc(1, sizeof *explaining);
    if (explaining != NULL)
        explaining->arena = arena_new(EXPLAIN_MEMORY_MAX);
    if (explaining == NULL || explaining->arena == NULL) {
        free(explaining);
        control_error(request, 503, "out of memory");
        return;
    }
    explaining->request = request;
    explaining->trace = trace_new(explaining->arena);
    inquiry_explain(server, &req, explaining->trace, explained, explaining);
}

/* ---- serving ---- */

static bool control_noun(void *context, struct control_request *request)
{
    struct server *server = context;
    struct slice noun = request->segments[0];

    if (slice_equal(noun, SLICE("rules")) && request->method == CONTROL_GET)
        serve_rules(server, request);
    else if (slice_equal(noun, SLICE("explain")) && request->method == CONTROL_POST)
        serve_explain(server, request);
    else
        return false;
    return true;
}

int policy_control_start(struct daemon *daemon, struct server *server)
{
    const struct control_daemon hooks = { control_hold, control_release, add_status, control_noun,
                                          server };

    server->policyd->control = control_new(server->store, daemon_clock(daemon), &hooks);
    return server->policyd->control == NULL ? -1 : 0;
}

void policy_control_stop(struct policyd *policyd)
{
    control_free(&policyd->control);
}

void policy_control_serve(struct http_call *call, void *daemon)
{
    struct policyd *policyd = daemon_state(daemon);

    control_http_serve(policyd->control, call);
}
