/* common/net/dns_probe.h - is any resolver there? One small question to each; whatever it answers, it is alive. Apart from
 * libunbound, whose SERVFAIL does not tell a resolver that could not from one that is gone. */
#ifndef GATEHOUSE_NET_DNS_PROBE_H
#define GATEHOUSE_NET_DNS_PROBE_H

#include "common/net/dns_servers.h"
#include "common/run/op.h"

struct dns_probe {
    struct op op; /* first member */
    void (*done)(struct dns_probe *probe, bool is_alive); /* from the loop; may start it again */
    struct dns_probe_socket {
        struct dns_probe *probe;
        struct event event;
        int fd;
        uint16_t id; /* of the question */
    } sockets[DNS_SERVERS_MAX];
    size_t count;
};

/* The probe is zeroed but for `done`, or done. Dead is who has not answered within `timeout_ms`. */
void dns_probe_start(struct dns_probe *probe, struct worker *worker,
                     const struct dns_servers *servers, uint64_t timeout_ms);
void dns_probe_abandon(struct dns_probe *probe); /* ends it without `done` */

#endif
