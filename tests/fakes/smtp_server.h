/* tests/fakes/smtp_server.h - an SMTP server on loopback that answers as told and remembers what it was sent. */
#ifndef GATEHOUSE_TESTS_SMTP_SERVER_H
#define GATEHOUSE_TESTS_SMTP_SERVER_H

#include "common/base/buf.h"

struct smtp_server; /* opaque; a thread for each connection: `reply` may be called by several */

struct smtp_script {
    const char *ehlo; /* the whole reply; NULL: 250-mx 250-SIZE 250-8BITMIME 250-SMTPUTF8 250 DSN */
    /* What to answer to this line ("" on connect, "." after the data), without its line end: a whole reply, NULL: the usual one, "":
     * closes the connection, "hang": nothing. */
    const char *(*reply)(void *arg, const char *line);
    void *arg;
};

struct smtp_server *smtp_server_start(const struct smtp_script *script);
void smtp_server_stop(struct smtp_server **server);
/* Another script from now on; NULL: the usual answers. */
void smtp_server_set(struct smtp_server *server, const struct smtp_script *script);
struct slice smtp_server_place(const struct smtp_server *server); /* "inet:127.0.0.1:12345" */

/* All lines that were sent so far, with "\n" after each, the data too. The caller frees. */
struct buf smtp_server_lines(struct smtp_server *server);
/* The data of the n-th message that was taken (from 0), dots unstuffed. The caller frees. */
struct buf smtp_server_message(struct smtp_server *server, size_t n);
size_t smtp_server_count(struct smtp_server *server); /* messages that were taken */

#endif
