/* common/milter/message.h - one message as the MTA gave it to us: who sent it from where, the envelope, the header fields
 * in order, the body. Filled by one thread stage by stage (milter.h); what is there does not change any more, so others
 * may read it: the connection and envelope once the headers have ended, the header fields once they have ended, the body
 * while it grows. */
#ifndef GATEHOUSE_MILTER_MESSAGE_H
#define GATEHOUSE_MILTER_MESSAGE_H

#include "common/base/arena.h"
#include "common/mail/ipnet.h"
#include "common/milter/spool.h"

/* Bounds; a message beyond them is refused (552 5.3.4), nothing is cut. */
enum {
    MESSAGE_RECIPIENTS_MAX = 50000,
    MESSAGE_REFUSED_MAX = 10000,
    MESSAGE_ARGUMENTS_MAX = 100, /* ESMTP parameters of one command */
    MESSAGE_HEADERS_MAX = 50000, /* fields */
    MESSAGE_HEADER_BYTES_MAX = 16 << 20, /* names and values */
    MESSAGE_ENVELOPE_BYTES_MAX = 32 << 20, /* addresses and parameters */
};

/* What the connection says (the milter's connect and helo, and the macros then). Texts are absent when the MTA did not
 * give them. */
struct message_client {
    struct slice name; /* client_name as verified by the MTA; "[192.0.2.1]" or absent without one */
    struct ip_address address;
    bool has_address; /* false: not SMTP (sendmail(1)), or a unix socket */
    unsigned port; /* 0: not known */
    struct slice helo;
    /* {daemon_name}, {daemon_addr}, {daemon_port}. */
    struct slice daemon_name, daemon_address, daemon_port;
    struct slice myhostname; /* j */
    struct slice tls_version, tls_cipher, tls_cipher_bits, tls_cert_subject; /* {tls_version} ... */
};

struct message_recipient {
    struct slice address; /* without <> and route; as the client wrote it */
    /* address_normal form: lower case domain ...; for look-ups and comparison. */
    struct slice normal;
    struct slice *arguments; /* ESMTP parameters, NOTIFY=..., ORCPT=... */
    size_t argument_count;
};

struct message_header {
    struct slice name; /* as received, without blanks at its end */
    /* All between the colon and the end of the field as received, leading blank included where the MTA gives it, folds as
     * "\n" or "\r\n" with the blank after it. Without the last line end. */
    struct slice value;
    size_t blanks; /* that stood between name and colon (RFC 5322 4.5), behind `name` in memory */
};

struct message {
    struct arena *arena; /* owns all texts but the body */
    struct message_client client; /* copied from the connection */
    struct slice queue_id; /* i; absent until the MTA has one */
    struct slice sasl_username, sasl_method; /* {auth_authen}, {auth_type} */
    struct slice sender; /* without <> and route; empty: the null sender */
    struct slice sender_normal;
    struct slice *sender_arguments; /* SIZE=..., BODY=8BITMIME, SMTPUTF8 */
    size_t sender_argument_count;
    bool is_smtputf8;
    struct message_recipient *recipients; /* those accepted so far */
    size_t recipient_count;
    /* Addresses, as above, of those that were refused each for itself, the first MESSAGE_REFUSED_MAX of them. */
    struct slice *refused;
    size_t refused_count;
    struct message_header *headers;
    size_t header_count;
    bool has_leading_space; /* values begin with what stood after the colon (SMFIP_HDR_LEADSPC) */
    /* The header section as it goes over the wire, CRLF line ends, with the blank line; set when the headers have ended. */
    struct slice head;
    struct spool *body; /* as received; NULL until the headers have ended */
    _Atomic bool is_whole; /* nothing more comes: message_is_whole() */

    /* private */
    _Atomic unsigned references;
    size_t recipient_room, refused_room, header_room, header_bytes;
};

/* ---- one thread fills it ---- */

enum message_fill {
    MESSAGE_OK,
    MESSAGE_TOO_MUCH, /* a bound of this file or of the spool's */
    MESSAGE_NO_ROOM, /* memory or disk: it may fit later */
};

struct message *message_new(void); /* with one reference; NULL: out of memory */
struct message *message_ref(struct message *message); /* any thread; returns its argument */
/* Any thread; the last one frees all; NULL-safe; clears. */
void message_unref(struct message **message);

/* All texts are copied. `path` is an address with or without <>, perhaps with a route, which is ignored. */
enum message_fill message_set_client(struct message *message, const struct message_client *client);
enum message_fill message_set_sender(struct message *message, struct slice path,
                                     const struct slice *arguments, size_t count);
enum message_fill message_add_recipient(struct message *message, struct slice path,
                                        const struct slice *arguments, size_t count);
/* What the MTA makes of the sender, or of the last recipient ({mail_addr}, {rcpt_addr}; absent: it does not say): their normal
 * form is that of it, since that is who gets the message. */
enum message_fill message_resolve_sender(struct message *message, struct slice resolved);
enum message_fill message_resolve_recipient(struct message *message, struct slice resolved);
void message_drop_recipient(struct message *message); /* the last one becomes one of `refused` */
enum message_fill message_add_header(struct message *message, struct slice name,
                                     struct slice value);
/* Makes `head` and the spool; `bounds` are copied. */
enum message_fill message_end_headers(struct message *message, const struct spool_bounds *bounds);
enum message_fill message_add_body(struct message *message, struct slice bytes);
void message_end(struct message *message); /* it is whole */

/* ---- any thread, when the headers have ended ---- */

/* The message as bytes: `head`, then the body. message_size() so far; message_read() as spool_read(). */
uint64_t message_size(const struct message *message);
int message_read(const struct message *message, uint64_t offset, size_t max, char *space,
                 struct slice *out);
bool message_is_whole(const struct message *message); /* its size does not change any more */

/* All that stood before the colon: for whoever writes or signs the field as it came. */
struct slice message_header_label(const struct message_header *field);
/* Whether it is a field of this name, in any case. */
bool message_header_is(const struct message_header *field, struct slice name);

/* The n-th field of this name (any case), counted from 1; NULL: there is none. */
const struct message_header *message_header_find(const struct message *message, struct slice name,
                                                 size_t n);

#endif
