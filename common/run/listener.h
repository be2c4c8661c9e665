/* common/run/listener.h - sockets that listen: made here or inherited from systemd. */
#ifndef GATEHOUSE_RUN_LISTENER_H
#define GATEHOUSE_RUN_LISTENER_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "common/base/buf.h"

#define LISTENER_NO_GROUP ((gid_t)-1)
struct listener_options {
    mode_t mode; /* of a unix socket */
    gid_t group; /* of a unix socket; LISTENER_NO_GROUP: the process's own */
    int backlog; /* 0: 4096 */
};

struct listener {
    int fd; /* non-blocking, close-on-exec; owned */
    struct sockaddr_storage address; /* as bound: a port 0 is filled in */
    socklen_t address_len;
    bool is_inherited; /* made by systemd: its path is not ours to remove */
    dev_t device; /* these three: the unix socket's file, to remove no other */
    ino_t inode;
    struct timespec changed;
};

/* A unix socket that nobody serves any more is replaced; one that answers, or a file that is no socket, is an error.
 * Changes the umask for a moment: call it before other threads make files. 0, or -1 with one line in *error. */
int listener_open(const struct sockaddr *address, socklen_t len,
                  const struct listener_options *options, struct listener *out, struct buf *error);
/* A listening socket that somebody else made. -1 when it is none. */
int listener_adopt(int fd, struct listener *out);
bool listener_is_at(const struct listener *listener, const struct sockaddr *address, socklen_t len);
/* `unix:PATH`, `inet:ADDRESS:PORT`, as in the configuration. 0, or -1 when the buffer is full. */
int listener_print(const struct listener *listener, struct buf *out);
void listener_close(struct listener *listener); /* removes its own socket file; fd is -1 then */

#endif
