/* common/milter/wire.h - the milter protocol on the wire, as the MTA speaks it (versions 2 to 6, as libmilter 8.17
 * and Postfix 3 have it): packets, numbers, texts. Strict and bounded; pure. */
#ifndef GATEHOUSE_MILTER_WIRE_H
#define GATEHOUSE_MILTER_WIRE_H

#include "common/base/buf.h"
#include "common/base/wire.h"

enum {
    MILTER_VERSION_LEAST = 2,
    MILTER_VERSION_MOST = 6,
    MILTER_DATA_MAX =
        65535, /* bytes after the command of a packet to a milter; also of a chunk of the body */
    MILTER_PACKET_MAX =
        1 << 20, /* command and data of any packet; larger ones end the connection */
    MILTER_PACKET_HEAD = 5, /* length (of command and data) and command */
};

enum milter_command {
    MILTER_CONNECT = 'C',
    MILTER_HELO = 'H',
    MILTER_MAIL = 'M',
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T', /* from version 4 */
    MILTER_HEADER = 'L',
    MILTER_END_HEADERS = 'N',
    MILTER_BODY = 'B',
    MILTER_END = 'E',
    MILTER_MACRO = 'D',
    MILTER_NEGOTIATE = 'O', /* also the answer to it */
    MILTER_QUIT = 'Q',
    MILTER_QUIT_NEW = 'K', /* the connection goes on with another client */
    MILTER_ABORT = 'A', /* the message under way is over */
    MILTER_UNKNOWN = 'U', /* an SMTP command that the MTA does not know */
};

enum milter_answer {
    MILTER_SAYS_CONTINUE = 'c',
    MILTER_SAYS_ACCEPT = 'a',
    MILTER_SAYS_REJECT = 'r',
    MILTER_SAYS_TEMPFAIL = 't',
    MILTER_SAYS_DISCARD = 'd',
    MILTER_SAYS_REPLY = 'y', /* text of the reply */
    MILTER_SAYS_SHUTDOWN = '4', /* 421, and the connection is to be closed */
    MILTER_SAYS_CONN_FAIL = 'f',
    MILTER_SAYS_SKIP = 's', /* no more of this kind */
    MILTER_SAYS_PROGRESS = 'p',
    MILTER_SAYS_ADD_HEADER = 'h',
    MILTER_SAYS_INSERT_HEADER = 'i',
    MILTER_SAYS_CHANGE_HEADER = 'm',
    MILTER_SAYS_CHANGE_SENDER = 'e',
    MILTER_SAYS_ADD_RCPT = '+',
    MILTER_SAYS_ADD_RCPT_ARGS = '2',
    MILTER_SAYS_REMOVE_RCPT = '-',
    MILTER_SAYS_BODY = 'b',
    MILTER_SAYS_QUARANTINE = 'q',
};

/* What a milter may ask for at the end of a message (SMFIF_). */
enum milter_may {
    MILTER_MAY_ADD_HEADERS = 0x01, /* and insert */
    MILTER_MAY_CHANGE_BODY = 0x02,
    MILTER_MAY_ADD_RCPT = 0x04,
    MILTER_MAY_REMOVE_RCPT = 0x08,
    MILTER_MAY_CHANGE_HEADERS = 0x10,
    MILTER_MAY_QUARANTINE = 0x20,
    MILTER_MAY_CHANGE_SENDER = 0x40,
    MILTER_MAY_ADD_RCPT_ARGS = 0x80,
    MILTER_MAY_LIST_MACROS = 0x100,
};

/* What it does not want to be told, to what it does not answer, how it wants header fields (SMFIP_). */
enum milter_protocol {
    MILTER_NO_CONNECT = 0x01,
    MILTER_NO_HELO = 0x02,
    MILTER_NO_MAIL = 0x04,
    MILTER_NO_RCPT = 0x08,
    MILTER_NO_BODY = 0x10,
    MILTER_NO_HEADER = 0x20,
    MILTER_NO_END_HEADERS = 0x40,
    MILTER_SILENT_HEADER = 0x80,
    MILTER_NO_UNKNOWN = 0x100,
    MILTER_NO_DATA = 0x200,
    MILTER_SKIPS = 0x400,
    MILTER_SILENT_CONNECT = 0x1000,
    MILTER_SILENT_HELO = 0x2000,
    MILTER_SILENT_MAIL = 0x4000,
    MILTER_SILENT_RCPT = 0x8000,
    MILTER_SILENT_DATA = 0x10000,
    MILTER_SILENT_UNKNOWN = 0x20000,
    MILTER_SILENT_END_HEADERS = 0x40000,
    MILTER_SILENT_BODY = 0x80000,
    MILTER_LEADING_SPACE = 0x100000,
};

/* Places at which macros are told, as a milter numbers them when it lists those that it wants (SMFIM_). */
enum milter_place {
    MILTER_AT_CONNECT,
    MILTER_AT_HELO,
    MILTER_AT_MAIL,
    MILTER_AT_RCPT,
    MILTER_AT_DATA,
    MILTER_AT_END,
    MILTER_AT_END_HEADERS,
    MILTER_PLACES
};

struct milter_packet {
    char command;
    struct slice data;
};

/* The packet at the start of `in`. DONE: *packet borrows from `in`, *used bytes were it. BAD: no command, or longer than
 * MILTER_PACKET_MAX. */
enum wire_state milter_packet_read(struct slice in, struct milter_packet *packet, size_t *used);

/* Takes a number, or a text with its NUL, off the start of *data; false: it is not there. */
bool milter_take_number(struct slice *data, uint32_t *out);
bool milter_take_text(struct slice *data, struct slice *out);

/* ---- writing: 0, or -1 when the buffer is full ---- */
int milter_put_number(struct buf *out, uint32_t number);
int milter_put_text(struct buf *out, struct slice text); /* -1 also when it has a NUL */
/* Only the head of a packet, whose `length` bytes of data the caller sends after it. */
int milter_put_head(struct buf *out, char command, size_t length);
int milter_put_packet(struct buf *out, char command, struct slice data);

#endif
