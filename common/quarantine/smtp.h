/* common/quarantine/smtp.h - a connection to an SMTP server, as a thread that may wait uses it: every function waits until it is
 * done, the deadline has passed, or `cancel_fd` is readable. After smtp_commit() the other side may have taken what was sent:
 * then `cancel_fd` does not break off at once, but leaves SMTP_LAST_WORD_MS for its answer. */
#ifndef GATEHOUSE_QUARANTINE_SMTP_H
#define GATEHOUSE_QUARANTINE_SMTP_H

#include <sys/socket.h>

#include "common/quarantine/smtp_reply.h"

#define SMTP_LAST_WORD_MS 5000

struct smtp {
    int fd; /* -1: not connected */
    int cancel_fd; /* -1: none */
    uint64_t deadline_ms; /* on clock_system's now_ms */
    bool is_committed;
    struct buf in;
    size_t used; /* bytes of `in` that the last reply took */
    char error[200]; /* why the last function failed */
};

/* 0 or -1 with smtp->error, as all of them. */
int smtp_connect(struct smtp *smtp, const struct sockaddr *address, socklen_t len,
                 uint64_t timeout_ms, int cancel_fd);
int smtp_write(struct smtp *smtp, struct slice bytes);
int smtp_read_reply(struct smtp *smtp, struct smtp_reply *out); /* valid until the next one */
void smtp_commit(struct smtp *smtp); /* the end of a message goes out now */
void smtp_close(struct smtp *smtp);

#endif
