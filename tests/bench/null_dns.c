/* tests/bench/null_dns.c - as little as can be called a name server, for what the daemons ask of the DNS.
 *
 *     null_dns PORT [RECORDS]      serves 127.0.0.1:PORT (UDP) until it is killed
 *
 * RECORDS is a file: a name, a blank and what its TXT record says on each line; of all other names:
 * Every name is 192.0.2.1; the SPF record of example.com has ten terms that need lookups, that of any other name one: its
 * own address. None matches. A name with a label `slowN` is in a block list that takes N milliseconds for each answer and
 * lists nobody but the test entry (RFC 5782); one with a label `silent` gets no answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/net/dns_packet.h"
#include "tests/bench/measure/measure.h"

enum {
    HEADER = 12,
    BATCH = 64,
    PACKET = 1500,
    RECORD_MAX = 700,
    RECORDS_MAX = 1 << 20,
    LABEL_MAX = 63,
    LATER_MAX = 8192
};

static const char one_lookup[] = "v=spf1 a -all";
static const char ten_lookups[] =
    "v=spf1 a:a.net a:b.net a:c.net a:d.net a:e.net a:f.net a:g.net a:h.net "
    "a:i.net a:j.net -all";
static const unsigned char address[] = { 192, 0, 2, 1 }, listed[] = { 127, 0, 0, 2 };

static struct buf records = BUF_INIT(RECORDS_MAX);

/* Answers that are not to be sent yet, in no order. */
static struct later {
    uint64_t due_us;
    struct sockaddr_in to;
    size_t len;
    unsigned char packet[512];
} later[LATER_MAX];
static size_t later_count;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* What the labels of a name ask for. */
struct wish {
    size_t end; /* of the name, where type and class stand; 0: it is none */
    bool is_silent, is_list, is_listed;
    struct slice record; /* of the file; absent: none */
    uint64_t delay_ms;
};

/* What the file says of a name as a packet has it, up to its end. */
static struct slice record_of(const unsigned char *name, const unsigned char *end)
{
    struct slice rest = buf_slice(&records), line, owner;
    char text[UINT8_MAX + 1];
    size_t len = 0;

    while (name < end && *name != 0) {
        memcpy(text + len, name + 1, *name);
        len += *name;
        text[len++] = '.';
        name += 1 + *name;
    }
    const struct slice wanted = { text, len == 0 ? 0 : len - 1 };
    while (slice_cut(&rest, '\n', &line))
        if (slice_cut(&line, ' ', &owner) && slice_equal_nocase(owner, wanted))
            return line;
    return (struct slice){ NULL, 0 };
}

static struct wish read_name(const unsigned char *packet, size_t len)
{
    static const unsigned char test_entry[] = { 1, '2', 1, '0', 1, '0', 3, '1', '2', '7' };
    struct wish wish = { 0 };
    size_t at = HEADER;

    while (at < len && packet[at] != 0) {
        struct slice label = { (const char *)packet + at + 1, packet[at] };
        at += 1 + label.len;
        if (label.len > LABEL_MAX || at >= len)
            return wish;
        wish.is_silent |= slice_equal(label, SLICE("silent"));
        if (slice_starts_with(label, SLICE("slow")))
            wish.is_list = slice_to_u64(slice_skip(label, 4), &wish.delay_ms);
    }
    wish.is_listed = at > HEADER + sizeof test_entry &&
                     memcmp(packet + HEADER, test_entry, sizeof test_entry) == 0;
    wish.end = at + 1 + 4 <= len ? at + 1 : 0;
    if (wish.end != 0 && wish.end - HEADER <= UINT8_MAX)
        wish.record = record_of(packet + HEADER, packet + wish.end);
    return wish;
}

/* Adds the one record of an answer: of the question's name and type, an hour old at most. The length of all. */
static size_t add_record(unsigned char packet[PACKET], size_t end, const void *data, size_t len)
{
    const unsigned char record[] = { 0xc0,
                                     HEADER,
                                     0,
                                     packet[end - 3],
                                     0,
                                     1,
                                     0,
                                     0,
                                     14,
                                     16,
                                     (unsigned char)(len >> 8),
                                     (unsigned char)len };

    packet[7] = 1;
    memcpy(packet + end, record, sizeof record);
    memcpy(packet + end + sizeof record, data, len);
    return end + sizeof record + len;
}

/* The same, of text: strings of at most 255 bytes. */
static size_t add_text(unsigned char packet[PACKET], size_t end, struct slice text)
{
    unsigned char data[RECORD_MAX];
    size_t len = 0;

    do {
        struct slice part = slice_part(text, 0, UINT8_MAX);
        data[len++] = (unsigned char)part.len;
        memcpy(data + len, part.ptr, part.len);
        len += part.len;
        text = slice_skip(text, part.len);
    } while (text.len > 0);
    return add_record(packet, end, data, len);
}

/* Makes the question (no records but EDNS) an answer. Its length; 0: there is none. */
static size_t make_answer(unsigned char packet[PACKET], const struct wish *wish)
{
    static const unsigned char flags[] = { 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0 };
    size_t end = wish->end + 4;
    bool is_txt = packet[wish->end + 1] == RR_TXT;

    if (wish->end == 0 || wish->is_silent || end + RECORD_MAX > PACKET)
        return 0;
    memcpy(packet + 2, flags, sizeof flags);
    if (wish->record.ptr != NULL && is_txt)
        return add_text(packet, end, slice_part(wish->record, 0, RECORD_MAX - 8));
    if (wish->is_list && (is_txt || !wish->is_listed)) {
        packet[3] |= 3; /* no such name */
        return end;
    }
    if (!is_txt)
        return add_record(packet, end, wish->is_list ? listed : address, sizeof address);
    const char *text = packet[HEADER] == 7 && packet[HEADER + 8] == 3 && packet[HEADER + 12] == 0
                           ? ten_lookups
                           : one_lookup;
    return add_text(packet, end, slice_of(text));
}

/* ---- answers that take their time ---- */

static uint64_t now_us(void)
{
    return bench_now_ns() / 1000;
}

static void send_later(const struct sockaddr_in *to, const unsigned char *packet, size_t len,
                       uint64_t ms)
{
    struct later *entry = &later[later_count];

    if (later_count == LATER_MAX || len > sizeof entry->packet)
        return;
    later_count++;
    *entry = (struct later){ .due_us = now_us() + ms * 1000, .to = *to, .len = len };
    memcpy(entry->packet, packet, len);
}

/* Sends what is due, and waits until more is or something has come. */
static void wait_for_questions(int fd)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    uint64_t now = now_us(), next = UINT64_MAX;

    for (size_t i = 0; i < later_count;) {
        struct later *entry = &later[i];
        if (entry->due_us <= now) {
            sendto(fd, entry->packet, entry->len, 0, (const struct sockaddr *)&entry->to,
                   sizeof entry->to);
            *entry = later[--later_count];
            continue;
        }
        next = entry->due_us < next ? entry->due_us : next;
        i++;
    }
    const struct timespec pause = { (time_t)((next - now) / 1000000),
                                    (long)((next - now) % 1000000 * 1000) };
    ppoll(&readable, 1, later_count == 0 ? NULL : &pause, NULL);
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
    wait_for_questions(fd);
    int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0 && errno != EAGAIN)
        fail("recvmmsg");
    unsigned ready = 0;
    for (int i = 0; i < count; i++) {
        struct wish wish = read_name(packets[i], messages[i].msg_len);
        pieces[i].iov_len = make_answer(packets[i], &wish);
        if (pieces[i].iov_len > 0 && wish.delay_ms > 0)
            send_later(&from[i], packets[i], pieces[i].iov_len, wish.delay_ms);
        else if (pieces[i].iov_len > 0)
            messages[ready++].msg_hdr = messages[i].msg_hdr;
    }
    for (unsigned sent = 0; sent < ready;) {
        int n = sendmmsg(fd, messages + sent, ready - sent, 0);
        sent += n > 0 ? (unsigned)n : 1; /* a port that is closed again */
    }
}

static void read_records(const char *path)
{
    char part[4096];
    FILE *file = fopen(path, "r");
    size_t n;

    if (file == NULL)
        fail(path);
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        if (buf_add(&records, (struct slice){ part, n }) != 0)
            fail("too many records");
    fclose(file);
}

int main(int argc, char **argv)
{
    enum { ROOM = 4 << 20 };
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int room = ROOM;
    uint64_t port;

    if (argc < 2 || argc > 3 || !slice_to_u64(slice_of(argv[1]), &port) || port > UINT16_MAX)
        return 2;
    if (argc == 3)
        read_records(argv[2]);
    here.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)(const void *)&here, sizeof here) != 0)
        fail("bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    for (;;)
        serve(fd);
}
