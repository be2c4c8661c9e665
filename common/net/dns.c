/* common/net/dns.c - see dns.h. A question is what is on its way to libunbound; lookups of the same name and type hang
 * on it. Each lookup has its own deadline. A question lives until libunbound has an answer, also when nobody waits any
 * more: so what is counted as in flight is in flight.
 *
 * A failure is no evidence that a resolver is away, and libunbound keeps failures for 5 s. So a failure makes us probe:
 * if nobody answers the probe, we go on probing until somebody does, and then ask again, in a new context, what is still
 * waited for. */
#include "common/net/dns.h"

#include <search.h>

#include "common/net/dns_context.h"
#include "common/net/dns_probe.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

enum { PROBE_MS = 250 }; /* of a probe, to the next one, and of a wait that is suspicious */

struct dns {
    struct dns_probe probe; /* first member */
    struct worker *worker;
    struct dns_servers servers;
    const char *resolv_conf; /* NULL: the servers are configured */
    bool no_cache, is_down;
    uint64_t cache_size, timeout_ms;
    size_t in_flight, in_flight_max;
    struct dns_context *context;
    struct dns_question *questions; /* in flight */
    void *tree; /* the same, for tsearch() */
    uint64_t answered_ms, probed_ms; /* the last answer from the network, the last probe's start */
};

struct dns_question {
    struct dns_context_question inner; /* first member */
    struct dns *dns;
    struct dns_question *next, *previous;
    struct dns_ask *asks; /* that wait for it */
    uint64_t sent_ms;
    bool is_being_sent; /* an answer now comes inside dns_ask() */
    enum dns_type type;
    char name[]; /* as dns_name_escape() has it */
};

/* ---- what is counted ---- */

enum { LOOKUPS, CACHE_HITS, SHARED, FAILED, LATE, IN_FLIGHT, DOWN, RENEWED, DURATION };

static struct metric metrics[] = {
    [LOOKUPS] = METRIC("gatehouse_dns_lookups_total", METRIC_COUNTER, "DNS lookups started."),
    [CACHE_HITS] = METRIC("gatehouse_dns_cache_hits_total", METRIC_COUNTER,
                          "DNS lookups answered from the cache."),
    [SHARED] = METRIC("gatehouse_dns_shared_total", METRIC_COUNTER,
                      "DNS lookups that joined an equal question under way."),
    [FAILED] = METRIC_BY("gatehouse_dns_failures_total", METRIC_COUNTER,
                         "DNS lookups that failed, by kind.", "kind"),
    [LATE] = METRIC("gatehouse_dns_late_total", METRIC_COUNTER,
                    "DNS answers that came when nobody waited for them any more."),
    [IN_FLIGHT] = METRIC("gatehouse_dns_in_flight", METRIC_GAUGE, "DNS questions on their way."),
    [DOWN] = METRIC("gatehouse_dns_down", METRIC_GAUGE, "Workers that no DNS resolver answers."),
    [RENEWED] = METRIC("gatehouse_dns_renewed_total", METRIC_COUNTER,
                       "How often the cache was emptied because the resolvers were back."),
    [DURATION] = METRIC("gatehouse_dns_duration_seconds", METRIC_HISTOGRAM,
                        "From a DNS question to its answer over the network."),
};
static const char *const failure_words[DNS_FAILURES] = {
    [DNS_FAILURE_NONE] = "none",         [DNS_FAILURE_SERVER] = "server",
    [DNS_FAILURE_TIMEOUT] = "timeout",   [DNS_FAILURE_GARBLED] = "garbled",
    [DNS_FAILURE_OVERLOAD] = "overload", [DNS_FAILURE_MEMORY] = "memory",
};
static metric_id failure_series[DNS_FAILURES]; /* atomic: set by whichever worker is first */

static void count_one(size_t metric)
{
    metric_add(metric_of(&metrics[metric]), 1);
}

static void metrics_prepare(void)
{
    metrics_register(metrics, COUNT(metrics));
    for (size_t i = DNS_FAILURE_NONE + 1; i < DNS_FAILURES; i++) {
        struct slice word = slice_of(failure_words[i]);
        __atomic_store_n(&failure_series[i], metric_series(&metrics[FAILED], &word),
                         __ATOMIC_RELAXED);
    }
}

static void ask_fail(struct dns_ask *ask, enum dns_failure failure)
{
    ask->answer = (struct dns_answer){ .status = DNS_FAILED, .failure = failure };
    metric_add(__atomic_load_n(&failure_series[failure], __ATOMIC_RELAXED), 1);
}

/* ---- questions ---- */

static uint64_t now_ms(const struct dns *dns)
{
    const struct clock *clock = worker_clock(dns->worker);

    return clock->now_ms(clock);
}

static int compare(const void *a, const void *b)
{
    const struct dns_question *left = a, *right = b;

    return left->type != right->type ? (left->type < right->type ? -1 : 1)
                                     : strcmp(left->name, right->name);
}

static void questions_link(struct dns *dns, struct dns_question *question)
{
    question->previous = NULL;
    question->next = dns->questions;
    if (question->next != NULL)
        question->next->previous = question;
    dns->questions = question;
    dns->in_flight++;
    metric_change(metric_of(&metrics[IN_FLIGHT]), 1);
}

/* Joins what is under way, or makes a new question (*is_new). NULL: out of memory. */
static struct dns_question *question_get(struct dns *dns, const char *name, size_t len,
                                         enum dns_type type, bool *is_new)
{
    struct dns_question *question = calloc(1, sizeof *question + len + 1);

    if (question == NULL)
        return NULL;
    memcpy(question->name, name, len);
    question->type = type;
    question->dns = dns;
    struct dns_question *const *found = tsearch(question, &dns->tree, compare);
    *is_new = found != NULL && *found == question;
    if (*is_new) {
        questions_link(dns, question);
        return question;
    }
    free(question);
    return found == NULL ? NULL : *found;
}

/* Nobody may wait for it any more. */
static void question_free(struct dns_question *question)
{
    struct dns *dns = question->dns;

    tdelete(question, &dns->tree, compare);
    *(question->previous == NULL ? &dns->questions : &question->previous->next) = question->next;
    if (question->next != NULL)
        question->next->previous = question->previous;
    dns->in_flight--;
    metric_change(metric_of(&metrics[IN_FLIGHT]), -1);
    free(question);
}

static void ask_link(struct dns_ask *ask, struct dns_question *question)
{
    ask->question = question;
    ask->previous = NULL;
    ask->next = question->asks;
    if (ask->next != NULL)
        ask->next->previous = ask;
    question->asks = ask;
}

static void ask_unlink(struct dns_ask *ask)
{
    *(ask->previous == NULL ? &ask->question->asks : &ask->previous->next) = ask->next;
    if (ask->next != NULL)
        ask->next->previous = ask->previous;
    ask->question = NULL;
}

/* ---- resolvers that are away ---- */

static void question_send(struct dns_question *question);

static void probe_again(struct dns *dns)
{
    dns->probed_ms = now_ms(dns);
    if (dns->resolv_conf != NULL)
        dns_servers_read(&dns->servers, dns->resolv_conf);
    dns_probe_start(&dns->probe, dns->worker, &dns->servers, PROBE_MS);
}

/* Something failed that was sent then: is anybody there? */
static void suspect(struct dns *dns, uint64_t sent_ms)
{
    if (!op_is_pending(&dns->probe.op) && dns->answered_ms <= sent_ms &&
        now_ms(dns) - dns->probed_ms >= PROBE_MS)
        probe_again(dns);
}

static bool context_make(struct dns *dns)
{
    const struct dns_context_options options = {
        .servers = &dns->servers,
        .no_cache = dns->no_cache,
        .cache_size = dns->cache_size,
        .in_flight_max = dns->in_flight_max,
    };
    struct dns_context *context = dns_context_new(worker_base(dns->worker), &options);

    if (context == NULL)
        return false;
    dns_context_free(&dns->context);
    dns->context = context;
    return true;
}

static void questions_send_again(struct dns *dns)
{
    for (struct dns_question *question = dns->questions, *next; question != NULL; question = next) {
        next = question->next;
        if (question->asks == NULL)
            question_free(question);
        else
            question_send(question);
    }
}

static void set_down(struct dns *dns, bool is_down)
{
    static struct log_change change = LOG_CHANGE_INIT(false);

    dns->is_down = is_down;
    metric_set(metric_of(&metrics[DOWN]), is_down);
    log_once_per_change(&change, is_down, is_down ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
                        is_down ? "dns: no resolver answers" : "dns: resolvers answer again");
}

static void probed(struct dns_probe *probe, bool is_alive)
{
    struct dns *dns = (struct dns *)probe;

    if (is_alive)
        dns->answered_ms = now_ms(dns);
    if (is_alive && !dns->is_down)
        return;
    if (is_alive && context_make(dns)) {
        set_down(dns, false);
        count_one(RENEWED);
        questions_send_again(dns);
        return;
    }
    set_down(dns, true);
    probe_again(dns);
}

/* ---- answers ---- */

/* Absent packet: a failure. Lookups end from the loop, those of a question being sent inside dns_ask(). */
static void question_end(struct dns_question *question, struct slice packet)
{
    struct dns *dns = question->dns;
    struct dns_ask *ask;

    while ((ask = question->asks) != NULL) {
        ask_unlink(ask);
        if (packet.ptr == NULL)
            ask_fail(ask, DNS_FAILURE_SERVER);
        else
            dns_packet_parse(packet, question->type, ask->arena, &ask->answer);
        if (packet.ptr != NULL && ask->answer.status == DNS_FAILED)
            ask_fail(ask, ask->answer.failure);
        op_finish(&ask->op, OP_OK);
    }
    if (packet.ptr == NULL)
        suspect(dns, question->sent_ms);
    question_free(question);
}

static void question_answered(struct dns_context_question *inner, struct slice packet)
{
    struct dns_question *question = (struct dns_question *)inner;
    struct dns *dns = question->dns;

    if (question->is_being_sent) {
        if (packet.ptr != NULL)
            count_one(CACHE_HITS);
    } else if (packet.ptr != NULL) {
        dns->answered_ms = now_ms(dns);
        metric_observe_us(metric_of(&metrics[DURATION]),
                          (dns->answered_ms - question->sent_ms) * 1000);
        if (question->asks == NULL)
            count_one(LATE);
    }
    question_end(question, packet);
}

static void question_send(struct dns_question *question)
{
    question->sent_ms = now_ms(question->dns);
    question->inner.answered = question_answered;
    if (dns_context_ask(question->dns->context, &question->inner, question->name, question->type) !=
        0)
        question_end(question, (struct slice){ NULL, 0 });
}

/* ---- lookups ---- */

static void ask_ended(struct op *op, enum op_result result)
{
    struct dns_ask *ask = (struct dns_ask *)op;

    if (result == OP_TIMEOUT) {
        struct dns_question *question = ask->question;
        ask_unlink(ask);
        ask_fail(ask, DNS_FAILURE_TIMEOUT);
        suspect(question->dns, question->sent_ms);
    }
    ask->done(ask);
}

/* DNS_FAILURE_NONE: it is under way, or has been answered. */
static enum dns_failure ask_start(struct dns *dns, struct dns_ask *ask, struct slice name,
                                  enum dns_type type)
{
    char text[DNS_NAME_TEXT_MAX + 1];
    size_t len = dns_name_escape(name, text);
    bool is_new;

    if (dns->in_flight >= dns->in_flight_max)
        return DNS_FAILURE_OVERLOAD;
    struct dns_question *question = question_get(dns, text, len, type, &is_new);
    if (question == NULL)
        return DNS_FAILURE_MEMORY;
    ask_link(ask, question);
    if (is_new) {
        question->is_being_sent = true;
        question_send(question);
        if (ask->question != NULL) /* else it has been answered, and is gone */
            question->is_being_sent = false;
    } else {
        count_one(SHARED);
    }
    return DNS_FAILURE_NONE;
}

bool dns_ask(struct dns *dns, struct dns_ask *ask, struct slice name, enum dns_type type)
{
    count_one(LOOKUPS);
    ask->question = NULL;
    if (!dns_name_is_valid(name)) {
        ask->answer = (struct dns_answer){ .status = DNS_NO_DOMAIN };
        return true;
    }
    enum dns_failure failure = ask_start(dns, ask, name, type);
    if (failure != DNS_FAILURE_NONE)
        ask_fail(ask, failure);
    if (ask->question == NULL)
        return true;
    op_start(&ask->op, dns->worker, dns->timeout_ms, ask_ended);
    return false;
}

void dns_abandon(struct dns_ask *ask)
{
    struct dns_question *question = ask->question;

    op_abandon(&ask->op);
    if (question == NULL)
        return;
    ask_unlink(ask);
    if (now_ms(question->dns) - question->sent_ms >= PROBE_MS)
        suspect(question->dns, question->sent_ms); /* whoever gave up has waited in vain so long */
}

/* ---- life ---- */

static bool servers_set(struct dns *dns, const struct dns_options *options, struct buf *error)
{
    if (options->resolver_count == 0) {
        dns->resolv_conf = options->resolv_conf != NULL ? options->resolv_conf : "/etc/resolv.conf";
        dns_servers_read(&dns->servers, dns->resolv_conf);
        return true;
    }
    for (size_t i = 0; i < options->resolver_count; i++) {
        if (!dns_servers_add(&dns->servers, options->resolvers[i])) {
            buf_printf(error, "resolver \"%.*s\": no address, or one too many",
                       SLICE_ARG(options->resolvers[i]));
            return false;
        }
    }
    return true;
}

struct dns *dns_new(struct worker *worker, const struct dns_options *options, struct buf *error)
{
    struct dns *dns = calloc(1, sizeof *dns);

    if (dns == NULL) {
        buf_put(error, "out of memory");
        return NULL;
    }
    dns->worker = worker;
    dns->no_cache = options->no_cache;
    dns->cache_size = options->cache_size > 0 ? options->cache_size : DNS_CACHE_SIZE;
    dns->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : DNS_TIMEOUT_MS;
    dns->in_flight_max = options->in_flight_max > 0 ? options->in_flight_max : DNS_IN_FLIGHT_MAX;
    dns->probe.done = probed;
    metrics_prepare();
    worker_common_timeout(worker, dns->timeout_ms);
    if (!servers_set(dns, options, error)) {
        dns_free(&dns);
    } else if (!context_make(dns)) {
        buf_put(error, "dns: out of memory or descriptors");
        dns_free(&dns);
    }
    return dns;
}

void dns_free(struct dns **dns)
{
    if (*dns == NULL)
        return;
    dns_probe_abandon(&(*dns)->probe);
    dns_context_free(&(*dns)->context);
    while ((*dns)->questions != NULL)
        question_free((*dns)->questions);
    if ((*dns)->is_down)
        metric_set(metric_of(&metrics[DOWN]), 0);
    free(*dns);
    *dns = NULL;
}

void dns_report(const struct dns *dns, struct dns_status_report *out)
{
    *out = (struct dns_status_report){ .in_flight = dns->in_flight,
                                       .is_down = dns->is_down,
                                       .answered_ms = dns->answered_ms };
}
