/* tests/fakes/redis_server.h - real redis-server processes for tests: each in a directory of its own, on a unix socket and
 * a free port of loopback, ended with the test (also when the test dies). */
#ifndef GATEHOUSE_TESTS_REDIS_SERVER_H
#define GATEHOUSE_TESTS_REDIS_SERVER_H

#include <sys/types.h>

#include "common/base/slice.h"
#include "tests/fakes/free_port.h"

struct redis_server {
    pid_t pid; /* 0: not running */
    uint16_t port;
    char directory[64];
    char socket[96];
    char password[32]; /* for redis_server_ask(); empty: none */
    char answer[4096]; /* of the last redis_server_ask() */
};

/* A directory and a port; nothing runs yet. */
void redis_server_init(struct redis_server *server);
/* Starts it, with further options (`--requirepass`, `x`, ..., NULL), and waits until it answers. Again after
 * redis_server_kill(): the same addresses, and empty. Ends the process on failure. */
void redis_server_start(struct redis_server *server, const char *const *options);
/* The same without waiting, as a Sentinel with this configuration file's text. */
void redis_server_start_sentinel(struct redis_server *server, const char *config);
void redis_server_stop(struct redis_server *server); /* SIGSTOP */
void redis_server_continue(struct redis_server *server);
void redis_server_kill(struct redis_server *server); /* SIGKILL, and waits; may be stopped before */
void redis_server_end(struct redis_server *server); /* kills it and removes its directory */

/* How long the servers of this process were ready to run and had to wait for a processor, those that have ended too. */
uint64_t redis_servers_waited_ms(void);

/* One command, words separated by blanks; its answer as text, lists separated by blanks, errors after a minus. "?" when
 * there is none within two seconds. */
const char *redis_server_ask(struct redis_server *server, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* Commands separated by `;`, their words by blanks; the answer to the last one. */
const char *redis_server_ask_words(struct redis_server *server, const char *commands);

#endif
