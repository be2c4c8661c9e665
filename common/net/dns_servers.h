/* common/net/dns_servers.h - which resolvers are asked: those of the configuration, or those of resolv.conf(5). */
#ifndef GATEHOUSE_NET_DNS_SERVERS_H
#define GATEHOUSE_NET_DNS_SERVERS_H

#include <sys/socket.h>

#include "common/base/buf.h"

enum { DNS_SERVERS_MAX = 8 };

struct dns_servers {
    struct sockaddr_storage addresses[DNS_SERVERS_MAX];
    socklen_t lengths[DNS_SERVERS_MAX];
    size_t count;
};

/* Adds ADDRESS or ADDRESS@PORT (53 without). False: it is no address, or there are DNS_SERVERS_MAX. */
bool dns_servers_add(struct dns_servers *servers, struct slice text);

/* The `nameserver` lines of resolv.conf's text; others and addresses that cannot be read are passed over, as libc does.
 * 127.0.0.1 when there is none. */
void dns_servers_parse(struct dns_servers *servers, struct slice resolv_conf);
/* The same of a file; one that cannot be read names none. Reads the disk. */
void dns_servers_read(struct dns_servers *servers, const char *path);

/* ADDRESS@PORT. 0; -1: the buffer is full. */
int dns_servers_print(const struct dns_servers *servers, size_t index, struct buf *out);

#endif
