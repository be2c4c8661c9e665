/* tests/unit/run/test_daemon.c - the frame of a daemon, around a small one in a process of its own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "tests/fakes/echo_daemon.h"

enum { PATH_LEN = 100, TEXT_MAX = 1 << 20, WAIT_MS = 5000, ARGS_MAX = 16 };

static char directory[] = "/tmp/gatehouse-daemon-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[8][PATH_LEN];
    static size_t next;
    char *path = paths[next++ % COUNT(paths)];

    snprintf(path, PATH_LEN, "%s/%s", directory, name);
    return path;
}

static uint64_t now_ms(void)
{
    return clock_system.now_ms(&clock_system);
}

static void read_all(const char *name, struct buf *out)
{
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t n;

    buf_clear(out);
    assert_int_equal(0, buf_reserve(out, TEXT_MAX));
    while (fd >= 0 && (n = read(fd, out->data + out->len, TEXT_MAX - out->len)) > 0)
        out->len += (size_t)n;
    close(fd);
}

/* ---- the daemon's process ---- */

struct process {
    pid_t pid;
    int listen_fd; /* handed over as systemd does; -1: none */
    const char *notify; /* NOTIFY_SOCKET: a name in the directory; NULL: none */
};

static pid_t running; /* ended with the test, however it ends */

static void write_config(const char *more)
{
    FILE *file = fopen(path_of("echo.conf"), "we");

    assert_non_null(file);
    fprintf(file, "listen = unix:%s, unix:%s\nhttp = unix:%s\nlog = file:%s\nworkers = 2\n%s\n",
            path_of("echo"), path_of("echo2"), path_of("http"), path_of("log"), more);
    fclose(file);
}

static void redirect(const char *name, int to)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    dup2(fd, to);
}

static void become_service(const struct process *process)
{
    char pid[16];

    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (process->listen_fd >= 0) {
        if (process->listen_fd == 3)
            fcntl(3, F_SETFD, 0);
        else
            dup2(process->listen_fd, 3);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDNAMES", "policy", 1);
    }
    if (process->notify != NULL) {
        setenv("NOTIFY_SOCKET", path_of(process->notify), 1);
        setenv("WATCHDOG_USEC", "400000", 1);
        setenv("WATCHDOG_PID", pid, 1);
    }
}

/* `options`: separated by one blank. */
static void spawn(struct process *process, const char *options)
{
    process->pid = running = fork();
    if (process->pid != 0)
        return;
    char line[512], *words = line, *argv[ARGS_MAX];
    int argc = 0;

    snprintf(line, sizeof line, "gatehouse-echo -c %s%s%s", path_of("echo.conf"),
             *options == '\0' ? "" : " ", options);
    while (argc < ARGS_MAX - 1 && (argv[argc] = strsep(&words, " ")) != NULL)
        argc++;
    argv[argc] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect("stdout", STDOUT_FILENO);
    redirect("stderr", STDERR_FILENO);
    become_service(process);
    exit(daemon_main(&echo_spec, argc, argv));
}

static int wait_for_exit(struct process *process)
{
    uint64_t end = now_ms() + 2 * WAIT_MS;
    int status = 0;

    while (waitpid(process->pid, &status, WNOHANG) == 0) {
        if (now_ms() > end) {
            kill(process->pid, SIGKILL);
            waitpid(process->pid, &status, 0);
            fail_msg("it does not end");
        }
        usleep(2000);
    }
    if (running == process->pid)
        running = 0;
    if (!WIFEXITED(status)) {
        AUTO_BUF text = BUF_INIT(TEXT_MAX);
        read_all("stderr", &text);
        fail_msg("it was killed by signal %d: %s", WTERMSIG(status), buf_text(&text));
    }
    return WEXITSTATUS(status);
}

static int run(const char *options)
{
    struct process process = { .listen_fd = -1 };

    spawn(&process, options);
    return wait_for_exit(&process);
}

/* ---- its clients ---- */

static int try_connect(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of(name));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_to(const char *name)
{
    uint64_t end = now_ms() + WAIT_MS;
    int fd;

    while ((fd = try_connect(name)) < 0) {
        assert_true(now_ms() < end);
        usleep(1000);
    }
    return fd;
}

static void say(int fd, const char *line)
{
    assert_int_equal((ssize_t)strlen(line), send(fd, line, strlen(line), MSG_NOSIGNAL));
}

/* What comes next within WAIT_MS; "" at the end of the connection. */
static const char *hear(int fd)
{
    static char answer[512];
    struct pollfd readable = { .fd = fd, .events = POLLIN };

    if (poll(&readable, 1, WAIT_MS) <= 0)
        return "(silence)";
    ssize_t n = recv(fd, answer, sizeof answer - 1, 0);
    answer[n < 0 ? 0 : n] = '\0';
    return answer;
}

static void expect(int fd, const char *line, const char *answer)
{
    say(fd, line);
    assert_string_equal(answer, hear(fd));
}

/* The whole answer of the control socket. */
static const char *ask_http(const char *method, const char *path, struct buf *out)
{
    char request[256];
    int fd = connect_to("http");
    ssize_t n;

    snprintf(request, sizeof request, "%s %s HTTP/1.0\r\n\r\n", method, path);
    say(fd, request);
    buf_clear(out);
    assert_int_equal(0, buf_reserve(out, TEXT_MAX));
    while ((n = recv(fd, out->data + out->len, TEXT_MAX - out->len, 0)) > 0)
        out->len += (size_t)n;
    close(fd);
    return buf_text(out);
}

static void wait_for_answer(int fd, const char *line, const char *answer)
{
    uint64_t end = now_ms() + WAIT_MS;

    for (;;) {
        say(fd, line);
        if (strcmp(hear(fd), answer) == 0)
            return;
        if (now_ms() > end)
            fail_msg("\"%s\" is never answered \"%s\"", line, answer);
        usleep(5000);
    }
}

/* The log's writer may be a few milliseconds behind. */
static void wait_for_log(const char *line)
{
    AUTO_BUF text = BUF_INIT(TEXT_MAX);
    uint64_t end = now_ms() + WAIT_MS;

    do {
        usleep(2000);
        read_all("log", &text);
        if (now_ms() > end)
            fail_msg("\"%s\" is never logged: %s", line, buf_text(&text));
    } while (strstr(buf_text(&text), line) == NULL);
}

static void end_daemon(struct process *process)
{
    kill(process->pid, SIGTERM);
    assert_int_equal(0, wait_for_exit(process));
}

/* ---- serving ---- */

static void signals_do_no_harm_while_it_ends(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGUSR1 };
    siginfo_t end = { .si_pid = 0 };

    write_config("");
    spawn(&process, "");
    int fd = connect_to("echo");
    expect(fd, "world\n", "hello world\n");
    close(fd);
    kill(process.pid, SIGTERM);
    for (size_t i = 0; end.si_pid == 0; i++) {
        kill(process.pid, signals[i % COUNT(signals)]);
        waitid(P_PID, (id_t)process.pid, &end, WEXITED | WNOHANG | WNOWAIT);
    }
    assert_int_equal(0, wait_for_exit(&process));
}

/* Whoever asks for a reload then means what the file says now. */
static void a_reload_waits_for_the_start(UNUSED void **state)
{
    static const int signals[] = { SIGHUP, SIGUSR1 };

    write_config("");
    for (size_t i = 0; i < COUNT(signals); i++) {
        struct process process = { .listen_fd = -1 };
        echo_start_signal = signals[i];
        spawn(&process, "");
        echo_start_signal = 0;
        int fd = connect_to("echo");
        wait_for_answer(fd, "config\n", "2\n");
        close(fd);
        end_daemon(&process);
    }
}

static void serves_and_ends_clean(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    struct stat info;

    write_config("");
    spawn(&process, "");
    int fd = connect_to("echo");
    expect(fd, "world\n", "hello world\n");
    int second = connect_to("echo2");
    expect(second, "world\n", "hello world\n");
    close(second);
    close(fd);
    end_daemon(&process); /* leaks would show in its exit status under ASan */
    assert_int_equal(-1, stat(path_of("echo"), &info));
    assert_int_equal(-1, stat(path_of("http"), &info));
}

static const struct {
    const char *path, *status, *has;
} pages[] = {
    { "/health", " 200 ", "\r\n\r\nok\n" },
    { "/ready", " 200 ", "\r\n\r\nok\n" },
    { "/metrics", " 200 ", "gatehouse_connections_accepted_total 1\n" },
    { "/metrics", " 200 ", "gatehouse_connections 1\n" },
    { "/metrics", " 200 ", "gatehouse_configuration_generation 1\n" },
    { "/metrics", " 200 ", "text/plain; version=0.0.4" },
    { "/nothing", " 404 ", "error" },
};

static void tells_how_it_is(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    AUTO_BUF out = BUF_INIT(TEXT_MAX);

    write_config("");
    spawn(&process, "");
    int fd = connect_to("echo");
    expect(fd, "a\n", "hello a\n");
    for (size_t i = 0; i < COUNT(pages); i++) {
        const char *answer = ask_http("GET", pages[i].path, &out);
        if (strstr(answer, pages[i].status) == NULL || strstr(answer, pages[i].has) == NULL)
            fail_msg("%s: %s", pages[i].path, answer);
    }
    ask_http("POST", "/v1/publish/tired", &out);
    wait_for_answer(fd, "a\n", "tired a\n");
    const char *answer = ask_http("GET", "/ready", &out);
    assert_non_null(strstr(answer, " 200 "));
    assert_non_null(strstr(answer, "degraded: it is late\n"));
    close(fd);
    end_daemon(&process);
}

/* ---- reload ---- */

static void reloads_and_keeps_the_old_when_the_new_is_bad(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    AUTO_BUF text = BUF_INIT(TEXT_MAX);

    write_config("");
    spawn(&process, "-o log_level=debug");
    int fd = connect_to("echo");
    expect(fd, "a\n", "hello a\n");
    expect(fd, "config\n", "1\n");
    write_config("greeting = welcome");
    kill(process.pid, SIGHUP);
    wait_for_answer(fd, "a\n", "welcome a\n"); /* on the connection that was there before */

    write_config("greeting = bad");
    assert_non_null(strstr(ask_http("POST", "/v1/reload", &text), " 422 "));
    assert_non_null(strstr(buf_text(&text), "a bad greeting is not allowed"));
    expect(fd, "a\n", "welcome a\n");
    write_config("greetin = x");
    kill(process.pid, SIGUSR1);
    wait_for_log("error: the configuration in force stays");
    wait_for_log("echo.conf:5:1: ");
    expect(fd, "config\n", "2\n");

    write_config("greeting = third\nmax_connections = 7");
    kill(process.pid, SIGHUP);
    wait_for_answer(fd, "a\n", "third a\n");
    wait_for_log("max_connections"); /* which needs a restart */
    close(fd);
    end_daemon(&process);
}

/* Milters take what is in force from there: who has read the line, operator or test, is answered by the new file. */
static void a_reload_is_logged_when_the_main_thread_has_it(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    AUTO_BUF text = BUF_INIT(TEXT_MAX);

    unlink(path_of("log")); /* with the lines of the tests before */
    write_config("");
    spawn(&process, "");
    close(connect_to("echo"));
    write_config("greeting = welcome");
    kill(process.pid, SIGHUP);
    wait_for_log("configuration read again: generation 2");
    read_all("log", &text);
    const char *applied = strstr(buf_text(&text), "in force on the main thread: welcome");
    assert_non_null(applied);
    assert_true(applied < strstr(buf_text(&text), "configuration read again"));
    end_daemon(&process);
}

static void publishes_data_without_reading_the_file(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    AUTO_BUF out = BUF_INIT(TEXT_MAX);

    write_config("");
    spawn(&process, "");
    int fd = connect_to("echo");
    expect(fd, "a\n", "hello a\n");
    ask_http("POST", "/v1/publish/live", &out);
    wait_for_answer(fd, "a\n", "live a\n");
    ask_http("POST", "/v1/publish/again", &out);
    wait_for_answer(fd, "a\n", "again a\n");
    kill(process.pid, SIGHUP);
    wait_for_answer(fd, "a\n", "hello a\n");
    close(fd);
    end_daemon(&process);
}

/* ---- ending ---- */

static void finishes_what_is_under_way(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    AUTO_BUF out = BUF_INIT(TEXT_MAX);

    write_config("");
    spawn(&process, "");
    int busy = connect_to("echo"), idle = connect_to("echo");
    expect(idle, "a\n", "hello a\n");
    expect(busy, "a\n", "hello a\n");
    expect(busy, "slow\n", "wait\n");
    kill(process.pid, SIGTERM);
    assert_string_equal("", hear(idle));
    assert_non_null(strstr(ask_http("GET", "/ready", &out), " 503 "));
    assert_string_equal("hello slow\n", hear(busy));
    assert_string_equal("", hear(busy));
    assert_int_equal(0, wait_for_exit(&process));
    close(busy);
    close(idle);
}

static void waits_no_longer_than_it_promises(UNUSED void **state)
{
    struct process process = { .listen_fd = -1 };
    uint64_t start;

    write_config("");
    spawn(&process, "");
    int busy = connect_to("echo"), idle = connect_to("echo");
    expect(idle, "a\n", "hello a\n");
    expect(busy, "never\n", "wait\n");
    start = now_ms();
    kill(process.pid, SIGINT);
    assert_string_equal("", hear(idle)); /* at once: */
    assert_true(now_ms() - start < DRAIN_MS);
    assert_int_equal(0, wait_for_exit(&process));
    assert_true(now_ms() - start >= DRAIN_MS - 100);
    assert_string_equal("", hear(busy));
    close(busy);
    close(idle);
}

/* ---- the command line ---- */

static const struct {
    const char *options, *config;
    int status;
    const char *out, *err;
} commands[] = {
    { "-t", "", 0, "echo.conf is correct\n", "" },
    { "-t", "greeting = bad", EX_CONFIG, "", "echo.conf:5:12: a bad greeting is not allowed" },
    { "-t", "greetin = x\nworkerz = 2", EX_CONFIG, "", "echo.conf:6:" }, /* both of them */
    { "-t", "store = redis://127.0.0.1:1/0\nstore_password_file = /nonexistent/x", 0,
      "echo.conf is correct\n",
      "echo.conf:6:23: warning: store_password_file: /nonexistent/x: No such file or directory; without it" },
    { "-t", "listen_group = nobody-of-this-name", EX_CONFIG, "",
      "echo.conf:5:16: listen_group: there is no group \"nobody-of-this-name\"" },
    { "-t -o greeting=bad", "", EX_CONFIG, "", "a bad greeting" },
    { "", "greeting = bad", EX_CONFIG, "", "a bad greeting" },
    { "-c /nonexistent/x", "", EX_CONFIG, "", "/nonexistent/x" },
    { "-n", "greeting = hi", 0, "greeting = hi", "" },
    { "-d", "", 0, "What is said first.", "" },
    { "-h", "", 0, "usage: gatehouse-echo", "" },
    { "-V", "", 0, "gatehouse-echo ", "" },
    { "-x", "", EX_USAGE, "", "usage:" },
    { "more", "", EX_USAGE, "", "what is \"more\"?" },
    { "-t -n", "", EX_USAGE, "", "usage:" },
    { "-o nothing", "", EX_USAGE, "", "-o nothing: NAME=VALUE is expected" },
};

static void does_what_the_command_line_says(UNUSED void **state)
{
    for (size_t i = 0; i < COUNT(commands); i++) {
        AUTO_BUF out = BUF_INIT(TEXT_MAX);
        AUTO_BUF err = BUF_INIT(TEXT_MAX);
        write_config(commands[i].config);
        int status = run(commands[i].options);
        read_all("stdout", &out);
        read_all("stderr", &err);
        if (status != commands[i].status || strstr(buf_text(&out), commands[i].out) == NULL ||
            strstr(buf_text(&err), commands[i].err) == NULL)
            fail_msg("\"%s\" with \"%s\": %d\n%s\n%s", commands[i].options, commands[i].config,
                     status, buf_text(&out), buf_text(&err));
    }
}

static void says_why_it_cannot_listen(UNUSED void **state)
{
    struct process first = { .listen_fd = -1 };
    AUTO_BUF err = BUF_INIT(TEXT_MAX);

    write_config("");
    spawn(&first, "");
    close(connect_to("echo"));
    assert_int_equal(EX_OSERR, run(""));
    read_all("stderr", &err);
    assert_non_null(strstr(buf_text(&err), "another process serves it"));
    int fd = connect_to("echo"); /* the first one does not notice */
    expect(fd, "a\n", "hello a\n");
    close(fd);
    end_daemon(&first);
}

/* ---- systemd ---- */

static int bind_at(const char *name, int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of(name));
    unlink(address.sun_path);
    assert_int_equal(0, bind(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static void expect_notice(int fd, const char *want)
{
    for (;;) {
        const char *notice = hear(fd);
        if (strstr(notice, want) != NULL)
            return;
        if (strcmp(notice, "(silence)") == 0)
            fail_msg("it never said %s", want);
    }
}

static void works_with_systemd(UNUSED void **state)
{
    int notices = bind_at("notify", SOCK_DGRAM);
    int listening = bind_at("inherited", SOCK_STREAM);
    struct process process = { .listen_fd = listening, .notify = "notify" };
    struct stat info;

    assert_int_equal(0, listen(listening, 10));
    write_config("");
    int early = connect_to("inherited"); /* before it runs: it waits in the socket */
    spawn(&process, "");
    expect_notice(notices, "READY=1");
    expect(early, "a\n", "hello a\n");
    assert_int_equal(-1, try_connect("echo")); /* systemd's socket takes its place */
    expect_notice(notices, "WATCHDOG=1");
    kill(process.pid, SIGHUP);
    expect_notice(notices, "RELOADING=1");
    expect_notice(notices, "READY=1");
    kill(process.pid, SIGTERM);
    expect_notice(notices, "STOPPING=1");
    assert_int_equal(0, wait_for_exit(&process));
    assert_int_equal(0, stat(path_of("inherited"), &info)); /* not ours to remove */
    close(early);
    close(listening);
    close(notices);
    unlink(path_of("inherited"));
    unlink(path_of("notify"));
}

static int end_what_is_left(UNUSED void **state)
{
    if (running > 0) {
        kill(running, SIGKILL);
        waitpid(running, NULL, 0);
    }
    running = 0;
    return 0;
}

static int make_directory(UNUSED void **state)
{
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(UNUSED void **state)
{
    static const char *const files[] = { "echo.conf", "log",  "stdout",    "stderr", "echo",
                                         "echo2",     "http", "inherited", "notify" };

    for (size_t i = 0; i < COUNT(files); i++)
        unlink(path_of(files[i]));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(serves_and_ends_clean, end_what_is_left),
        cmocka_unit_test_teardown(signals_do_no_harm_while_it_ends, end_what_is_left),
        cmocka_unit_test_teardown(a_reload_waits_for_the_start, end_what_is_left),
        cmocka_unit_test_teardown(tells_how_it_is, end_what_is_left),
        cmocka_unit_test_teardown(reloads_and_keeps_the_old_when_the_new_is_bad, end_what_is_left),
        cmocka_unit_test_teardown(a_reload_is_logged_when_the_main_thread_has_it, end_what_is_left),
        cmocka_unit_test_teardown(publishes_data_without_reading_the_file, end_what_is_left),
        cmocka_unit_test_teardown(finishes_what_is_under_way, end_what_is_left),
        cmocka_unit_test_teardown(waits_no_longer_than_it_promises, end_what_is_left),
        cmocka_unit_test_teardown(does_what_the_command_line_says, end_what_is_left),
        cmocka_unit_test_teardown(says_why_it_cannot_listen, end_what_is_left),
        cmocka_unit_test_teardown(works_with_systemd, end_what_is_left),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
