/* tests/fakes/smtp_server.c - see smtp_server.h. */
#include "tests/fakes/smtp_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINES_MAX = 64 << 20, MESSAGES_MAX = 1000, LINE_ROOM = 5000 };

struct smtp_server {
    int listen_fd, stop_pipe[2];
    char place[40];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t gone;
    size_t callers; /* connections that are served */
    struct smtp_script script;
    struct buf lines, messages[MESSAGES_MAX];
    size_t count;
};

static const char usual_ehlo[] =
    "250-mx\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n";

/* ---- a connection ---- */

struct talk {
    struct smtp_server *server;
    int fd;
    struct buf in, data;
    char line[LINE_ROOM];
};

/* False: it is closed, or the server ends. */
static bool read_line(struct talk *talk)
{
    struct pollfd fds[2] = { { .fd = talk->fd, .events = POLLIN },
                             { .fd = talk->server->stop_pipe[0], .events = POLLIN } };
    size_t end;

    while ((end = slice_find(buf_slice(&talk->in), '\n')) == SIZE_MAX) {
        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0 || buf_reserve(&talk->in, 65536) != 0)
            return false;
        ssize_t got = recv(talk->fd, talk->in.data + talk->in.len, 65536, 0);
        if (got <= 0)
            return false;
        talk->in.len += (size_t)got;
    }
    if (end >= sizeof talk->line)
        return false;
    memcpy(talk->line, talk->in.data, end + 1);
    talk->line[end + 1] = '\0';
    buf_consume(&talk->in, end + 1);
    return true;
}

static void note(struct talk *talk, const char *line)
{
    struct smtp_server *server = talk->server;

    pthread_mutex_lock(&server->lock);
    buf_add(&server->lines, slice_trim(slice_of(line)));
    buf_put(&server->lines, "\n");
    pthread_mutex_unlock(&server->lock);
}

/* What is to be said to a line. */
static const char *reply_to(struct talk *talk, const char *line, const char *usual)
{
    struct smtp_server *server = talk->server;
    char command[LINE_ROOM];

    snprintf(command, sizeof command, "%.*s", SLICE_ARG(slice_trim(slice_of(line))));
    pthread_mutex_lock(&server->lock);
    struct smtp_script script = server->script;
    pthread_mutex_unlock(&server->lock);
    const char *reply = script.reply == NULL ? NULL : script.reply(script.arg, command);
    if (reply == NULL)
        reply = strncmp(command, "EHLO", 4) == 0 && script.ehlo != NULL ? script.ehlo : usual;
    return reply;
}

/* False: the connection is over. */
static bool say(struct talk *talk, const char *reply)
{
    if (strcmp(reply, "hang") == 0)
        return read_line(talk); /* until the other side closes */
    return reply[0] != '\0' && send(talk->fd, reply, strlen(reply), MSG_NOSIGNAL) > 0;
}

static void keep_message(struct talk *talk)
{
    struct smtp_server *server = talk->server;

    pthread_mutex_lock(&server->lock);
    if (server->count < MESSAGES_MAX) {
        server->messages[server->count] = (struct buf)BUF_INIT(LINES_MAX);
        buf_add(&server->messages[server->count++], buf_slice(&talk->data));
    }
    pthread_mutex_unlock(&server->lock);
}

static bool take_data(struct talk *talk)
{
    buf_clear(&talk->data);
    for (;;) {
        if (!read_line(talk))
            return false;
        if (strcmp(talk->line, ".\r\n") == 0 || strcmp(talk->line, ".\n") == 0)
            break;
        buf_put(&talk->data, talk->line + (talk->line[0] == '.'));
    }
    const char *reply = reply_to(talk, ".", "250 2.0.0 queued as ABC\r\n");
    if (reply[0] == '2')
        keep_message(talk);
    return say(talk, reply);
}

static const char *usual_reply(const char *line)
{
    if (strncmp(line, "DATA", 4) == 0)
        return "354 go on\r\n";
    if (strncmp(line, "QUIT", 4) == 0)
        return "221 bye\r\n";
    return strncmp(line, "EHLO", 4) == 0 ? usual_ehlo : "250 2.1.0 ok\r\n";
}

static void serve(struct smtp_server *server, int fd)
{
    struct talk talk = {
        .server = server, .fd = fd, .in = BUF_INIT(LINES_MAX), .data = BUF_INIT(LINES_MAX)
    };
    bool goes_on = say(&talk, reply_to(&talk, "", "220 mx ESMTP\r\n"));

    while (goes_on && read_line(&talk)) {
        note(&talk, talk.line);
        bool is_data = strncmp(talk.line, "DATA", 4) == 0;
        bool is_quit = strncmp(talk.line, "QUIT", 4) == 0;
        const char *reply = reply_to(&talk, talk.line, usual_reply(talk.line));
        goes_on = say(&talk, reply) && !is_quit;
        if (goes_on && is_data && reply[0] == '3')
            goes_on = take_data(&talk);
    }
    buf_free(&talk.in);
    buf_free(&talk.data);
}

struct caller {
    struct smtp_server *server;
    int fd;
};

static void *serve_caller(void *arg)
{
    struct caller *caller = arg;

    serve(caller->server, caller->fd);
    close(caller->fd);
    pthread_mutex_lock(&caller->server->lock);
    caller->server->callers--;
    pthread_cond_signal(&caller->server->gone);
    pthread_mutex_unlock(&caller->server->lock);
    free(caller);
    return NULL;
}

static void *run(void *arg)
{
    struct smtp_server *server = arg;
    struct pollfd fds[2] = { { .fd = server->listen_fd, .events = POLLIN },
                             { .fd = server->stop_pipe[0], .events = POLLIN } };
    pthread_t thread;

    while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
        struct caller *caller = malloc(sizeof *caller);
        if (caller == NULL)
            abort();
        *caller = (struct caller){ server, accept(server->listen_fd, NULL, NULL) };
        pthread_mutex_lock(&server->lock);
        server->callers++;
        pthread_mutex_unlock(&server->lock);
        if (caller->fd < 0 || pthread_create(&thread, NULL, serve_caller, caller) != 0)
            abort();
        pthread_detach(thread);
    }
    pthread_mutex_lock(&server->lock);
    while (server->callers > 0)
        pthread_cond_wait(&server->gone, &server->lock);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- the server ---- */

struct smtp_server *smtp_server_start(const struct smtp_script *script)
{
    struct smtp_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;

    if (server == NULL)
        abort();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->lines = (struct buf)BUF_INIT(LINES_MAX);
    if (script != NULL)
        server->script = *script;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->gone, NULL);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pipe(server->stop_pipe) != 0 ||
        bind(server->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listen_fd, 16) != 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&address, &len) != 0 ||
        pthread_create(&server->thread, NULL, run, server) != 0)
        abort();
    snprintf(server->place, sizeof server->place, "inet:127.0.0.1:%u", ntohs(address.sin_port));
    return server;
}

void smtp_server_set(struct smtp_server *server, const struct smtp_script *script)
{
    pthread_mutex_lock(&server->lock);
    server->script = script == NULL ? (struct smtp_script){ NULL, NULL, NULL } : *script;
    pthread_mutex_unlock(&server->lock);
}

void smtp_server_stop(struct smtp_server **server)
{
    struct smtp_server *gone = *server;

    *server = NULL;
    if (write(gone->stop_pipe[1], "x", 1) != 1)
        abort();
    pthread_join(gone->thread, NULL);
    close(gone->listen_fd);
    close(gone->stop_pipe[0]);
    close(gone->stop_pipe[1]);
    buf_free(&gone->lines);
    for (size_t i = 0; i < gone->count; i++)
        buf_free(&gone->messages[i]);
    pthread_cond_destroy(&gone->gone);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}

struct slice smtp_server_place(const struct smtp_server *server)
{
    return slice_of(server->place);
}

static struct buf copy_of(struct smtp_server *server, const struct buf *from)
{
    struct buf copy = BUF_INIT(LINES_MAX);

    pthread_mutex_lock(&server->lock);
    buf_add(&copy, buf_slice(from));
    pthread_mutex_unlock(&server->lock);
    return copy;
}

struct buf smtp_server_lines(struct smtp_server *server)
{
    return copy_of(server, &server->lines);
}

struct buf smtp_server_message(struct smtp_server *server, size_t n)
{
    return copy_of(server, &server->messages[n]);
}

size_t smtp_server_count(struct smtp_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}
