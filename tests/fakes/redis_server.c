/* tests/fakes/redis_server.c - see redis_server.h. */
#include "tests/fakes/redis_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MOST = 64, WAIT_STEPS = 6000, WAIT_STEP_MS = 10, SERVERS_MOST = 8 };

static void give_up(const char *what)
{
    fprintf(stderr, "redis_server: %s: %s\n", what, strerror(errno));
    abort();
}

static void pause_ms(unsigned ms)
{
    const struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&time, NULL);
}

void redis_server_init(struct redis_server *server)
{
    *server = (struct redis_server){ .port = free_port() };
    snprintf(server->directory, sizeof(server->directory), "/tmp/gatehouse-redis-XXXXXX");
    if (mkdtemp(server->directory) == NULL)
        give_up("mkdtemp");
    snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
}

/* ---- what the machine makes servers wait (proc(5), schedstat) ---- */

static pid_t started[SERVERS_MOST]; /* 0: a free place */
static uint64_t ended_waited_ms; /* those that are not there any more */

static uint64_t waited_ms(pid_t pid)
{
    unsigned long long on_cpu, waited_ns = 0;
    char path[40];

    snprintf(path, sizeof(path), "/proc/%ld/schedstat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu %llu", &on_cpu, &waited_ns) != 2)
        waited_ns = 0;
    fclose(file);
    return waited_ns / 1000000;
}

static void note_start(pid_t pid)
{
    for (size_t i = 0; i < SERVERS_MOST; i++)
        if (started[i] == 0) {
            started[i] = pid;
            return;
        }
    give_up("too many servers");
}

static void note_end(pid_t pid)
{
    for (size_t i = 0; i < SERVERS_MOST; i++)
        if (started[i] == pid) {
            ended_waited_ms += waited_ms(pid);
            started[i] = 0;
        }
}

uint64_t redis_servers_waited_ms(void)
{
    uint64_t all = ended_waited_ms;

    for (size_t i = 0; i < SERVERS_MOST; i++)
        if (started[i] != 0)
            all += waited_ms(started[i]);
    return all;
}

static void run(struct redis_server *server, const char **arguments)
{
    pid_t parent = getpid();

    server->pid = fork();
    if (server->pid < 0)
        give_up("fork");
    if (server->pid > 0) {
        note_start(server->pid);
        return;
    }
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
        getppid() != parent)
        _exit(127);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static void wait_until_it_answers(struct redis_server *server)
{
    for (int i = 0; i < WAIT_STEPS; i++) {
        const char *answer = redis_server_ask(server, "PING");
        if (strcmp(answer, "PONG") == 0 || answer[0] == '-')
            return;
        pause_ms(WAIT_STEP_MS);
    }
    give_up("redis-server does not answer");
}

void redis_server_start(struct redis_server *server, const char *const *options)
{
    const char *arguments[ARGUMENTS_MOST] = { "redis-server",
                                              "--port",
                                              NULL,
                                              "--bind",
                                              "127.0.0.1",
                                              "--unixsocket",
                                              server->socket,
                                              "--dir",
                                              server->directory,
                                              "--save",
                                              "",
                                              "--appendonly",
                                              "no",
                                              "--repl-diskless-sync-delay",
                                              "0" };
    char port[8];
    size_t count = 15;

    snprintf(port, sizeof(port), "%u", server->port);
    arguments[2] = port;
    for (; options != NULL && *options != NULL && count + 1 < ARGUMENTS_MOST; options++)
        arguments[count++] = *options;
    run(server, arguments);
    wait_until_it_answers(server);
}

void redis_server_start_sentinel(struct redis_server *server, const char *config)
{
    char path[128], port[8];
    const char *arguments[] = { "redis-server", path, "--sentinel", NULL };
    FILE *file;

    snprintf(path, sizeof(path), "%s/sentinel.conf", server->directory);
    snprintf(port, sizeof(port), "%u", server->port);
    file = fopen(path, "we");
    if (file == NULL)
        give_up(path);
    fprintf(file, "port %s\nbind 127.0.0.1\nunixsocket %s\ndir %s\n%s\n", port, server->socket,
            server->directory, config);
    fclose(file);
    run(server, arguments);
    wait_until_it_answers(server);
}

void redis_server_stop(struct redis_server *server)
{
    kill(server->pid, SIGSTOP);
}

void redis_server_continue(struct redis_server *server)
{
    kill(server->pid, SIGCONT);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    note_end(server->pid);
    kill(server->pid, SIGKILL);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
}

void redis_server_end(struct redis_server *server)
{
    DIR *directory = opendir(server->directory);
    struct dirent *entry;

    redis_server_kill(server);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(server->directory);
}

static void print_reply(const redisReply *reply, char *out, size_t size)
{
    size_t used;

    out[0] = '\0';
    if (reply->type == REDIS_REPLY_INTEGER) {
        snprintf(out, size, "%lld", reply->integer);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(out, size, "-%s", reply->str);
    } else if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) {
        snprintf(out, size, "%s", reply->str);
    } else if (reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; i < reply->elements; i++) {
            used = strlen(out);
            if (i > 0 && used + 1 < size)
                out[used++] = ' ';
            print_reply(reply->element[i], out + used, size - used);
        }
    }
}

static redisContext *context_open(struct redis_server *server)
{
    const struct timeval timeout = { 2, 0 };
    redisContext *context = redisConnectUnixWithTimeout(server->socket, timeout);

    snprintf(server->answer, sizeof(server->answer), "?");
    if (context == NULL)
        give_up("out of memory");
    if (context->err == 0) {
        redisSetTimeout(context, timeout);
        if (server->password[0] != '\0')
            freeReplyObject(redisCommand(context, "AUTH %s", server->password));
        return context;
    }
    redisFree(context);
    return NULL;
}

static const char *context_end(struct redis_server *server, redisContext *context,
                               redisReply *reply)
{
    if (reply != NULL)
        print_reply(reply, server->answer, sizeof(server->answer));
    freeReplyObject(reply);
    redisFree(context);
    return server->answer;
}

const char *redis_server_ask(struct redis_server *server, const char *format, ...)
{
    redisContext *context = context_open(server);
    va_list list;

    if (context == NULL)
        return server->answer;
    va_start(list, format);
    redisReply *reply = redisvCommand(context, format, list);
    va_end(list);
    return context_end(server, context, reply);
}

static void ask_one(struct redis_server *server, struct slice command)
{
    redisContext *context = context_open(server);
    const char *words[16];
    size_t lengths[COUNT(words)];
    int count = 0;
    struct slice word;

    while (count < (int)COUNT(words) && slice_next(&command, ' ', &word)) {
        words[count] = word.ptr;
        lengths[count++] = word.len;
    }
    if (context != NULL)
        context_end(server, context, redisCommandArgv(context, count, words, lengths));
}

const char *redis_server_ask_words(struct redis_server *server, const char *commands)
{
    struct slice rest = slice_of(commands), command;

    while (slice_next(&rest, ';', &command))
        ask_one(server, command);
    return server->answer;
}
