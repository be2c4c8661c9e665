/* common/net/dns_context.c - see dns_context.h. */
#include "common/net/dns_context.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

enum { CONFIG_MAX = 8192, BOGUS = 1, CLASS_IN = 1 };

struct dns_context {
    struct ub_ctx *ctx;
    bool is_ending;
};

/* Parsing of options and completing a context touch libunbound's globals. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The resolver validates and minimises, not we. Times: a question is repeated after 0.4, 1.2 and 2.8 s (not sooner for a
 * resolver that is near: it may have to ask far), and given up after 6. What is learned of a resolver is kept for less
 * than a second: it would shun one that is back. */
static const char settings[] = "server:\n"
                               "module-config: \"iterator\"\n"
                               "do-not-query-localhost: no\n"
                               "qname-minimisation: no\n"
                               "harden-below-nxdomain: no\n"
                               "minimal-responses: yes\n"
                               "rrset-roundrobin: no\n"
                               "outbound-msg-retry: 4\n"
                               "infra-cache-min-rtt: 400\n"
                               "infra-host-ttl: 0\n"
                               "infra-keep-probing: yes\n"
                               "outgoing-num-tcp: 32\n"
                               "unblock-lan-zones: yes\n"
                               "local-zone: \"localhost.\" nodefault\n"
                               "local-zone: \"127.in-addr.arpa.\" nodefault\n"
                               "local-zone: \"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                               "0.0.0.0.0.0.0.0.ip6.arpa.\" nodefault\n"
                               "local-zone: \"home.arpa.\" nodefault\n"
                               "local-zone: \"onion.\" nodefault\n"
                               "local-zone: \"test.\" nodefault\n"
                               "local-zone: \"invalid.\" nodefault\n";

/* A zone that exists in the context alone: a question in it is answered at once. */
#define INNER_ZONE "context.gatehouse.invalid"

static int print_config(struct buf *out, const struct dns_context_options *options)
{
    int bad = buf_put(out, settings);

    bad |= buf_printf(out, "outgoing-range: %zu\n", options->in_flight_max);
    /* Records take about twice what the messages made of them take. */
    bad |= buf_printf(out, "msg-cache-size: %llu\n",
                      (unsigned long long)(options->cache_size / 3 + 1));
    bad |= buf_printf(out, "rrset-cache-size: %llu\n",
                      (unsigned long long)(options->cache_size / 3 * 2 + 1));
    bad |= buf_put(out, "local-zone: \"" INNER_ZONE ".\" static\n");
    bad |= buf_printf(out, "forward-zone:\nname: \".\"\nforward-no-cache: %s\n",
                      options->no_cache ? "yes" : "no");
    for (size_t i = 0; i < options->servers->count; i++) {
        bad |= buf_put(out, "forward-addr: ");
        bad |= dns_servers_print(options->servers, i, out);
        bad |= buf_put_char(out, '\n');
    }
    return bad;
}

/* libunbound reads its settings from a file; not all of them can be given otherwise. */
static int read_config(struct ub_ctx *ctx, struct slice text)
{
    char name[32];
    int fd = memfd_create("dns", MFD_CLOEXEC), rc = -1;

    if (fd < 0)
        return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (write(fd, text.ptr, text.len) == (ssize_t)text.len && ub_ctx_config(ctx, name) == 0)
        rc = 0;
    close(fd);
    return rc;
}

static void inner_answered(void *arg, UNUSED int rcode, UNUSED void *packet, UNUSED int len,
                           UNUSED int security, UNUSED char *why, UNUSED int is_limited)
{
    *(bool *)arg = true;
}

static struct ub_ctx *make(struct event_base *base, struct slice config)
{
    struct ub_ctx *ctx = ub_ctx_create_event(base);
    bool is_answered = false;

    if (ctx == NULL)
        return NULL;
    ub_ctx_debugout(ctx, NULL); /* failures are counted, not written to stderr */
    if (read_config(ctx, config) == 0 &&
        ub_resolve_event(ctx, INNER_ZONE, RR_A, CLASS_IN, &is_answered, inner_answered, NULL) ==
            0 &&
        is_answered)
        return ctx;
    ub_ctx_delete(ctx);
    return NULL;
}

struct dns_context *dns_context_new(struct event_base *base,
                                    const struct dns_context_options *options)
{
    AUTO_BUF config = BUF_INIT(CONFIG_MAX);
    struct dns_context *context = calloc(1, sizeof *context);

    if (context == NULL || print_config(&config, options) != 0) {
        free(context);
        return NULL;
    }
    pthread_mutex_lock(&mutex);
    context->ctx = make(base, buf_slice(&config));
    pthread_mutex_unlock(&mutex);
    if (context->ctx == NULL)
        dns_context_free(&context);
    return context;
}

void dns_context_free(struct dns_context **context)
{
    if (*context == NULL)
        return;
    (*context)->is_ending = true;
    pthread_mutex_lock(&mutex);
    ub_ctx_delete((*context)->ctx);
    pthread_mutex_unlock(&mutex);
    free(*context);
    *context = NULL;
}

static void answered(void *arg, int rcode, void *packet, int len, int security, UNUSED char *why,
                     UNUSED int is_limited)
{
    struct dns_context_question *question = arg;
    bool is_good = rcode == 0 && packet != NULL && len > 0 && security != BOGUS;

    if (!question->context->is_ending)
        question->answered(question, is_good ? (struct slice){ packet, (size_t)len }
                                             : (struct slice){ NULL, 0 });
}

int dns_context_ask(struct dns_context *context, struct dns_context_question *question,
                    const char *name, enum dns_type type)
{
    question->context = context;
    return ub_resolve_event(context->ctx, name[0] == '\0' ? "." : name, (int)type, CLASS_IN,
                            question, answered, NULL) == 0
               ? 0
               : -1;
}
