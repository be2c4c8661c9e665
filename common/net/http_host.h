/* common/net/http_host.h - for whom a web browser takes a server: what its requests name in `Host`. A page of a name whose
 * address its owner changes to ours once it is loaded ("DNS rebinding") may read our answers like those of its own server; its requests
 * still name that server. Pure. */
#ifndef GATEHOUSE_NET_HTTP_HOST_H
#define GATEHOUSE_NET_HTTP_HOST_H

#include "common/base/slice.h"

/* Whether the value of a Host field (port or not; absent: none was sent) names us and nobody else: an address, a name without dots
 * ("localhost"), which nobody can own in the DNS, or `own_name`, that of this host. */
bool http_host_is_ours(struct slice host, struct slice own_name);

#endif
