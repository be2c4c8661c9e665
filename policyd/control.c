/* policyd/control.c - see control.h. */
#include "policyd/control.h"

#include "policyd/explain_doubts.h"
#include "policyd/inquiry.h"

enum { EXPLAIN_MEMORY_MAX = 8 << 20 };

/* ---- the configuration in force ---- */

static void in_force(const void *data, struct control_in_force *out)
{
    const struct policy *policy = data;

    *out = (struct control_in_force){
        .book = &policy->book,
        .schema = &policy->schema,
        .limits = shared_get(policy->parts.limits),
        .file_classes = shared_get(policy->parts.classes_file),
        .live_classes = shared_get(policy->parts.classes_live),
    };
}

/* {"zen": "works", ...} */
static json_t *dns_lists(const struct dnsbl_set *set)
{
    json_t *lists = json_object();

    for (size_t i = 0; i < set->count; i++)
        json_object_setn_new(lists, set->lists[i].name.ptr, set->lists[i].name.len,
                             json_string(dnsbl_is_off(&set->lists[i]) ? "off" : "works"));
    return lists;
}

static void add_status(void *context, const void *data, json_t *status)
{
    const struct server *server = context;
    const struct policy *policy = data;
    const struct policy_metrics *metrics = &server->policyd->metrics;
    char type[GEOIP_TYPE_MAX];
    uint64_t build_s;

    json_object_set_new(status, "requests",
                        json_integer((json_int_t)metric_read(metrics->requests)));
    json_object_set_new(status, "limits", json_integer((json_int_t)policy->limit_count));
    const struct dnsbl_set *dnsbls = shared_get(policy->parts.dnsbls);
    if (dnsbls->count > 0)
        json_object_set_new(status, "dns_lists", dns_lists(dnsbls));
    if (policy->parts.geoip != NULL)
        json_object_set_new(
            status, "geoip",
            geoip_describe(policy->parts.geoip, type, &build_s)
                ? json_pack("{s:s, s:I}", "type", type, "built_s", (json_int_t)build_s)
                : json_string("no usable database"));
}

/* ---- POST explain ---- */

struct explaining {
    struct control_request *request;
    struct arena *arena;
    struct trace *trace;
    json_t *doubts;
};

static void explaining_free(struct explaining *explaining)
{
    if (explaining == NULL)
        return;
    json_decref(explaining->doubts);
    arena_free(&explaining->arena);
    free(explaining);
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
        json_t *answer =
            json_pack("{s:s, s:o, s:o, s:o, s:o, s:O}", "verdict", action_word(decided->spoken),
                      "rule", control_text(decided->rule), "reply", control_text(decided->reply),
                      "limits", limits_json(decided, explaining->arena), "trace",
                      control_trace(explaining->trace), "doubts", explaining->doubts);
        request->reply(request, 200, answer);
    }
    explaining_free(explaining);
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
        control_error(request, 400,
                      "this is no policy request: NAME=VALUE lines are expected, with numbers for "
                      "recipient_count, size and encryption_keysize");
        return;
    }
    struct explaining *explaining = calloc(1, sizeof *explaining);
    if (explaining != NULL) {
        explaining->arena = arena_new(EXPLAIN_MEMORY_MAX);
        explaining->doubts = explain_doubts(request->body);
    }
    if (explaining == NULL || explaining->arena == NULL || explaining->doubts == NULL) {
        explaining_free(explaining);
        control_error(request, 503, "out of memory");
        return;
    }
    explaining->request = request;
    explaining->trace = trace_new(explaining->arena);
    inquiry_explain(server, &req, explaining->trace, explained, explaining);
}

/* ---- serving ---- */

static bool serve(void *context, struct control_request *request)
{
    if (request->method != CONTROL_POST || !slice_equal(request->segments[0], SLICE("explain")))
        return false;
    serve_explain(context, request);
    return true;
}

const struct control_service_spec policyd_control = {
    .program = "gatehouse-policyd",
    .in_force = in_force,
    .add_status = add_status,
    .serve = serve,
};
