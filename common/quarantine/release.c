/* common/quarantine/release.c - see release.h. */
#include "common/quarantine/release.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/quarantine/smtp.h"

struct release {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
        struct sockaddr_un local;
    } address;
    socklen_t address_len;
    struct ip_address ip; /* of an inet place */
    uint64_t port; /* 0: a unix socket */
    char ehlo[300]; /* the command */
};

/* ---- the place ---- */

static bool set_unix(struct release *release, struct slice path)
{
    struct sockaddr_un *address = &release->address.local;

    if (path.len == 0 || path.len >= sizeof address->sun_path)
        return false;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path.ptr, path.len);
    release->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return true;
}

static bool set_inet(struct release *release, struct slice place)
{
    size_t colon = slice_rfind(place, ':');
    struct slice host = slice_part(place, 0, colon), port = slice_skip(place, colon + 1);

    if (colon == SIZE_MAX || !slice_to_u64(port, &release->port) || release->port == 0 ||
        release->port > UINT16_MAX)
        return false;
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = slice_part(host, 1, host.len - 2);
    if (!ip_address_parse(host, &release->ip))
        return false;
    if (ip_address_is_ipv4(&release->ip)) {
        release->address.ipv4 = (struct sockaddr_in){ .sin_family = AF_INET,
                                                      .sin_port = htons((uint16_t)release->port) };
        memcpy(&release->address.ipv4.sin_addr, release->ip.bytes + 12, 4);
        release->address_len = sizeof release->address.ipv4;
    } else {
        release->address.ipv6 =
            (struct sockaddr_in6){ .sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)release->port) };
        memcpy(&release->address.ipv6.sin6_addr, release->ip.bytes, 16);
        release->address_len = sizeof release->address.ipv6;
    }
    return true;
}

static void set_name(struct release *release, struct slice myhostname)
{
    char own[256] = "localhost";

    if (myhostname.len == 0 && gethostname(own, sizeof own - 1) == 0)
        myhostname = slice_of(own);
    snprintf(release->ehlo, sizeof release->ehlo, "EHLO %.*s\r\n",
             SLICE_ARG(slice_part(myhostname, 0, 255)));
}

struct release *release_new(struct slice place, struct slice myhostname, struct buf *error)
{
    struct release *release = calloc(1, sizeof *release);

    if (release == NULL) {
        buf_put(error, "out of memory");
        return NULL;
    }
    set_name(release, myhostname);
    if (slice_starts_with(place, SLICE("unix:"))   ? set_unix(release, slice_skip(place, 5))
        : slice_starts_with(place, SLICE("inet:")) ? set_inet(release, slice_skip(place, 5))
                                                   : false)
        return release;
    buf_printf(error, "\"%.*s\" is no place: inet:ADDRESS:PORT or unix:PATH",
               SLICE_ARG(slice_part(place, 0, 200)));
    free(release);
    return NULL;
}

void release_free(struct release **release)
{
    free(*release);
    *release = NULL;
}

bool release_is_own(const struct release *release, const struct message_client *client)
{
    struct ip_address address;
    uint64_t port;

    return release != NULL && release->port != 0 &&
           ip_address_parse(client->daemon_address, &address) &&
           slice_to_u64(client->daemon_port, &port) && port == release->port &&
           ip_address_equal(&address, &release->ip);
}

/* ---- a transaction ---- */

struct sending {
    struct smtp smtp;
    const struct kept *kept;
    const struct source *source;
    struct release_recipient *recipients;
    size_t count;
    unsigned offers;
};

static void set_state(struct release_recipient *recipient, enum release_state state,
                      struct slice reply)
{
    size_t len = 0;

    recipient->state = state;
    for (size_t i = 0; i < reply.len && len < RELEASE_REPLY_MAX - 1; i++)
        recipient->reply[len++] = ascii_is_print(reply.ptr[i]) ? reply.ptr[i] : '?';
    recipient->reply[len] = '\0';
}

/* Those in state `from` go to `to`; while a transaction is under way RELEASE_TAKEN means that RCPT was accepted. */
static void set_states(struct sending *sending, enum release_state from, enum release_state to,
                       struct slice reply)
{
    for (size_t i = 0; i < sending->count; i++)
        if (sending->recipients[i].state == from)
            set_state(&sending->recipients[i], to, reply);
}

static struct slice reply_line(const struct smtp_reply *reply)
{
    struct slice rest = reply->lines, line = { NULL, 0 }, last = { NULL, 0 };

    while (slice_cut(&rest, '\n', &line))
        last = slice_trim(line);
    return last;
}

static enum release_state state_of(const struct smtp_reply *reply)
{
    return reply->code >= 500 ? RELEASE_REFUSED : RELEASE_LATER;
}

/* A command, and its reply. False: the reply does not begin with the digit `wanted` (RFC 5321 section 4.3.2); those in state
 * `whose` are told. */
static bool say(struct sending *sending, enum release_state whose, struct slice command,
                unsigned wanted, struct smtp_reply *reply)
{
    enum release_state state;
    struct slice why;

    if ((command.len > 0 && smtp_write(&sending->smtp, command) != 0) ||
        smtp_read_reply(&sending->smtp, reply) != 0) {
        state = RELEASE_LATER;
        why = slice_of(sending->smtp.error);
    } else if (reply->code / 100 == wanted) {
        return true;
    } else {
        state = state_of(reply);
        why = reply_line(reply);
    }
    set_states(sending, whose, state, why);
    return false;
}

/* False: the transaction is over. */
static bool begin(struct sending *sending, const struct release *release)
{
    AUTO_BUF command = BUF_INIT(SMTP_COMMAND_MAX);
    struct smtp_reply reply;

    if (!say(sending, RELEASE_LATER, SLICE(""), 2, &reply) ||
        !say(sending, RELEASE_LATER, slice_of(release->ehlo), 2, &reply))
        return false;
    sending->offers = smtp_offers(&reply);
    if (sending->kept->is_smtputf8 && (sending->offers & SMTP_OFFERS_SMTPUTF8) == 0) {
        set_states(sending, RELEASE_LATER, RELEASE_LATER,
                   SLICE("the release listener does not offer SMTPUTF8"));
        return false;
    }
    if (!smtp_put_mail(&command, sending->kept, sending->source->size, sending->offers)) {
        set_states(sending, RELEASE_LATER, RELEASE_REFUSED, SLICE("no sender for SMTP"));
        return false;
    }
    return say(sending, RELEASE_LATER, buf_slice(&command), 2, &reply);
}

/* 0, or -1: the connection is of no use any more. */
static int name_recipient(struct sending *sending, struct release_recipient *recipient)
{
    AUTO_BUF command = BUF_INIT(SMTP_COMMAND_MAX);
    struct smtp_reply reply;

    if (!smtp_put_rcpt(&command, &recipient->to, sending->offers)) {
        set_state(recipient, RELEASE_REFUSED, SLICE("no recipient for SMTP"));
        return 0;
    }
    if (smtp_write(&sending->smtp, buf_slice(&command)) != 0 ||
        smtp_read_reply(&sending->smtp, &reply) != 0)
        return -1;
    set_state(recipient, reply.code < 300 ? RELEASE_TAKEN : state_of(&reply), reply_line(&reply));
    return 0;
}

static int send_text(struct sending *sending)
{
    AUTO_BUF out = BUF_INIT(3 * SOURCE_CHUNK);
    char *space = malloc(SOURCE_CHUNK);
    const struct source *source = sending->source;
    struct smtp_data data;
    uint64_t offset = 0;
    int rc = space == NULL ? -1 : 0;

    smtp_data_init(&data);
    while (rc == 0 && offset < source->size) {
        struct slice part = { NULL, 0 };
        buf_clear(&out);
        rc = source->read(source, offset, SOURCE_CHUNK, space, &part);
        if (rc != 0 ||
            part.len == 0) { /* never ended with a dot: a part of it is not the message */
            snprintf(sending->smtp.error, sizeof sending->smtp.error, "the message cannot be read");
            rc = -1;
        } else if (smtp_data_put(&data, part, &out) != 0 ||
                   smtp_write(&sending->smtp, buf_slice(&out)) != 0) {
            rc = -1;
        }
        offset += part.len;
    }
    buf_clear(&out);
    smtp_commit(&sending->smtp);
    if (rc == 0 &&
        (smtp_data_end(&data, &out) != 0 || smtp_write(&sending->smtp, buf_slice(&out)) != 0))
        rc = -1;
    free(space);
    return rc;
}

/* Recipients that were accepted at RCPT get the message, or are told what became of it. */
static size_t transfer(struct sending *sending)
{
    size_t taken = 0;
    struct smtp_reply reply;

    for (size_t i = 0; i < sending->count; i++)
        taken += sending->recipients[i].state == RELEASE_TAKEN;
    if (taken == 0 || !say(sending, RELEASE_TAKEN, SLICE("DATA\r\n"), 3, &reply))
        return 0;
    if (send_text(sending) != 0 || smtp_read_reply(&sending->smtp, &reply) != 0) {
        set_states(sending, RELEASE_TAKEN, RELEASE_LATER, slice_of(sending->smtp.error));
        return 0;
    }
    if (reply.code >= 300) {
        set_states(sending, RELEASE_TAKEN, state_of(&reply), reply_line(&reply));
        return 0;
    }
    set_states(sending, RELEASE_TAKEN, RELEASE_TAKEN, reply_line(&reply));
    return taken;
}

static size_t transact(struct sending *sending, const struct release *release)
{
    if (!begin(sending, release))
        return 0;
    for (size_t i = 0; i < sending->count; i++)
        if (name_recipient(sending, &sending->recipients[i]) != 0) {
            struct slice why = slice_of(sending->smtp.error);
            set_states(sending, RELEASE_TAKEN, RELEASE_LATER, why);
            for (size_t late = i; late < sending->count; late++)
                set_state(&sending->recipients[late], RELEASE_LATER, why);
            return 0;
        }
    return transfer(sending);
}

size_t release_send(const struct release *release, const struct kept *kept,
                    const struct source *source, struct release_recipient *recipients, size_t count,
                    uint64_t timeout_ms, int cancel_fd)
{
    struct sending sending = {
        .kept = kept, .source = source, .recipients = recipients, .count = count
    };
    size_t taken = 0;

    for (size_t i = 0; i < count; i++)
        set_state(&recipients[i], RELEASE_LATER, SLICE(""));
    if (smtp_connect(&sending.smtp, &release->address.any, release->address_len, timeout_ms,
                     cancel_fd) != 0) {
        set_states(&sending, RELEASE_LATER, RELEASE_LATER, slice_of(sending.smtp.error));
    } else {
        taken = transact(&sending, release);
        smtp_write(&sending.smtp,
                   SLICE("QUIT\r\n")); /* out of politeness: nobody waits for an answer */
    }
    smtp_close(&sending.smtp);
    return taken;
}
