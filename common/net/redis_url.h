/* common/net/redis_url.h - where Redis is, as an operator writes it, and the secrets kept out of that text. Pure.
 *
 *     redis://[user@]host:port[/db]               redis://10.1.2.3:6379/2   redis://[::1]
 *     redis+unix:///path[?db=N]                   redis+unix:///run/redis/redis.sock?db=1
 *     redis+sentinel://[user@]h1:p,h2:p/NAME[?db=N]
 *
 * A password never stands in the URL (it would show in `-n`, in logs and in /proc): it is read from a file, see
 * redis_secrets_read(). */
#ifndef GATEHOUSE_NET_REDIS_URL_H
#define GATEHOUSE_NET_REDIS_URL_H

#include "common/base/slice.h"

enum {
    REDIS_HOSTS_MAX = 8,
    REDIS_PORT = 6379,
    REDIS_SENTINEL_PORT = 26379,
};

enum redis_url_kind { REDIS_URL_TCP, REDIS_URL_UNIX, REDIS_URL_SENTINEL };

struct redis_host {
    char name[254]; /* a name or a numeric address, without brackets */
    uint16_t port;
};

struct redis_url {
    enum redis_url_kind kind;
    char user[65]; /* empty: the default user */
    char path[108]; /* UNIX */
    char master[65]; /* SENTINEL: NAME */
    struct redis_host hosts[REDIS_HOSTS_MAX]; /* TCP: one */
    size_t host_count;
    unsigned db; /* 0 to 65535 */
};

/* On failure *error is a constant text that says what is wrong. */
bool redis_url_parse(struct slice text, struct redis_url *out, const char **error);

struct redis_secrets {
    char password[129]; /* empty: no AUTH is sent */
    char sentinel_user[65];
    char sentinel_password[129];
};

/* The contents of the password file: the first line is the password of Redis (it may be empty); Sentinels that have
 * one of their own are given in further lines, `sentinel_user = NAME` and `sentinel_password = TEXT`. */
bool redis_secrets_parse(struct slice text, struct redis_secrets *out, const char **error);
/* Reads that file, of at most 4096 bytes; nothing of it stays in memory but in *out. *error lives until the thread's next error. */
bool redis_secrets_read(const char *path, struct redis_secrets *out, const char **error);

#endif
