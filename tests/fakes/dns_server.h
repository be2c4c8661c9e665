/* tests/fakes/dns_server.h - a DNS server on a port of loopback, UDP and TCP, on the test's own loop. What it answers is
 * up to the test: also nothing, late, twice, or bytes that are no answer. */
#ifndef GATEHOUSE_TESTS_DNS_SERVER_H
#define GATEHOUSE_TESTS_DNS_SERVER_H

#include <event2/event.h>

#include "common/net/dns.h"
#include "tests/fakes/dns_message.h"

struct dns_query {
    char name[256]; /* as text; bytes as they came */
    uint16_t type;
    bool is_tcp;
};

struct dns_reply {
    struct dns_message message; /* an answer without records, with the query's id */
    bool is_silent;
    unsigned delay_ms;
    unsigned copies; /* 1 */
};

struct dns_server {
    struct event_base *base;
    uint16_t port;
    char text[32]; /* 127.0.0.1@PORT */
    void (*answer)(void *arg, const struct dns_query *query, struct dns_reply *reply);
    void *arg;
    size_t queries, tcp_queries; /* that came, without probes (for the root) */
    size_t probes;
    /* own */
    int udp, tcp;
    struct event *udp_event, *tcp_event;
    struct dns_server_timer *timers;
    struct dns_server_stream *streams;
};

/* Finds a port; nobody listens yet. The base, `answer` and `arg` are kept. */
void dns_server_init(struct dns_server *server, struct event_base *base,
                     void (*answer)(void *arg, const struct dns_query *query,
                                    struct dns_reply *reply),
                     void *arg);
void dns_server_start(struct dns_server *server); /* also again, on the same port */
/* A resolver on `worker` that asks this server alone. Ends the process when there is none. */
struct dns *dns_server_dns(const struct dns_server *server, struct worker *worker,
                           uint64_t timeout_ms);
void dns_server_stop(struct dns_server *server); /* its port is closed: who asks is refused */

#endif
