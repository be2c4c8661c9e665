/* common/net/dns_probe.c - see dns_probe.h. */
#include "common/net/dns_probe.h"

#include "common/base/hash.h"

#include <sys/socket.h>
#include <unistd.h>

enum { QUERY_SIZE = 17, ID_SIZE = 2, RESPONSE_AT = 2, RESPONSE_BIT = 0x80 };

static void sockets_close(struct dns_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++) {
        event_del(&probe->sockets[i].event);
        close(probe->sockets[i].fd);
    }
    probe->count = 0;
}

static void readable(int fd, UNUSED short what, void *arg)
{
    struct dns_probe_socket *socket = arg;
    unsigned char answer[QUERY_SIZE];
    ssize_t len = recv(fd, answer, sizeof answer, 0);

    if (len < 0)
        event_del(&socket->event); /* refused: nothing will come */
    else if (len > RESPONSE_AT && (answer[RESPONSE_AT] & RESPONSE_BIT) != 0 &&
             memcmp(answer, &socket->id, ID_SIZE) == 0)
        op_finish(&socket->probe->op, OP_OK);
}

/* The name servers of the root, RD set. A resolver that is not there, or a full table of descriptors, is found out by
 * the deadline. */
static void send_question(struct dns_probe *probe, struct worker *worker,
                          const struct sockaddr *address, socklen_t address_len)
{
    unsigned char query[QUERY_SIZE] = { [2] = 1, [5] = 1, [14] = 2, [16] = 1 };
    struct dns_probe_socket *target = &probe->sockets[probe->count];
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    random_bytes(&target->id, sizeof target->id);
    memcpy(query, &target->id, ID_SIZE);
    if (connect(fd, address, address_len) != 0 ||
        send(fd, query, sizeof query, 0) != (ssize_t)sizeof query) {
        close(fd);
        return;
    }
    target->probe = probe;
    target->fd = fd;
    event_assign(&target->event, worker_base(worker), fd, EV_READ | EV_PERSIST, readable, target);
    event_add(&target->event, NULL);
    probe->count++;
}

static void probe_ended(struct op *op, enum op_result result)
{
    struct dns_probe *probe = (struct dns_probe *)op;

    sockets_close(probe);
    probe->done(probe, result == OP_OK);
}

void dns_probe_start(struct dns_probe *probe, struct worker *worker,
                     const struct dns_servers *servers, uint64_t timeout_ms)
{
    op_start(&probe->op, worker, timeout_ms, probe_ended);
    for (size_t i = 0; i < servers->count; i++)
        send_question(probe, worker, (const void *)&servers->addresses[i], servers->lengths[i]);
}

void dns_probe_abandon(struct dns_probe *probe)
{
    op_abandon(&probe->op);
    sockets_close(probe);
}
