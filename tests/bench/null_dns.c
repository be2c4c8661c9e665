/* tests/bench/null_dns.c - as little as can be called a name server, for SPF through policyd. Every name is 192.0.2.1; the
 * SPF record of example.com has ten terms that need lookups, that of any other name one: its own address. None matches.
 *
 *     null_dns PORT      serves 127.0.0.1:PORT (UDP) until it is killed */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/dns_packet.h"

enum { HEADER = 12, BATCH = 64, PACKET = 1500, RECORD_MAX = 300 };

static const char one_lookup[] = "v=spf1 a -all";
static const char ten_lookups[] =
    "v=spf1 a:a.net a:b.net a:c.net a:d.net a:e.net a:f.net a:g.net a:h.net "
    "a:i.net a:j.net -all";
static const unsigned char address[] = { 192, 0, 2, 1 };

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Makes the question (no records but EDNS) an answer. Its length; 0: it is none. */
static size_t make_answer(unsigned char packet[PACKET], size_t len)
{
    static const unsigned char flags[] = { 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0 };
    size_t at = HEADER;

    while (at < len && packet[at] != 0)
        at += 1u + packet[at];
    size_t end = at + 5; /* root label, type, class */
    if (end > len || end + RECORD_MAX > PACKET)
        return 0;
    bool is_txt = packet[at + 2] == RR_TXT;
    const char *text = packet[HEADER] == 7 && packet[HEADER + 8] == 3 && packet[HEADER + 12] == 0
                           ? ten_lookups
                           : one_lookup;
    size_t data_len = is_txt ? 1 + strlen(text) : sizeof address;
    const unsigned char record[] = { 0xc0, HEADER, 0, packet[at + 2],         0, 1, 0, 0,
                                     14,   16,     0, (unsigned char)data_len };
    memcpy(packet + 2, flags, sizeof flags);
    memcpy(packet + end, record, sizeof record);
    unsigned char *data = packet + end + sizeof record;
    if (is_txt) {
        data[0] = (unsigned char)strlen(text);
        memcpy(data + 1, text, data[0]);
    } else {
        memcpy(data, address, sizeof address);
    }
    return end + sizeof record + data_len;
}

static void serve(int fd)
{
    static unsigned char packets[BATCH][PACKET];
    struct sockaddr_in from[BATCH];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH] = { 0 };

    for (size_t i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){ packets[i], PACKET };
        messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
                                               .msg_namelen = sizeof from[i],
                                               .msg_iov = &pieces[i],
                                               .msg_iovlen = 1 };
    }
    int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count <= 0)
        fail("recvmmsg");
    for (int i = 0; i < count; i++)
        pieces[i].iov_len = make_answer(packets[i], messages[i].msg_len);
    for (int sent = 0; sent < count;) {
        int n = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0);
        sent += n > 0 ? n : 1; /* a port that is closed again */
    }
}

int main(int argc, char **argv)
{
    enum { ROOM = 4 << 20 };
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int room = ROOM;
    uint64_t port;

    if (argc != 2 || !slice_to_u64(slice_of(argv[1]), &port) || port > UINT16_MAX)
        return 2;
    here.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&here, sizeof here) != 0)
        fail("bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    for (;;)
        serve(fd);
}
