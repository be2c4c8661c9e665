/* tests/unit/run/test_acceptor.c - listening sockets, and connections handed to the worker with the fewest. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/run/acceptor.h"
#include "common/run/listener.h"
#include "tests/fakes/shown_metric.h"

#define ACCEPTED "gatehouse_connections_accepted_total"
#define REFUSED(for_what) "gatehouse_connections_refused_total{for=\"" for_what "\"}"

enum { WORKERS = 3, CLIENTS = 30, ERROR_MAX = 512, WAIT_TURNS = 2000 };

static char directory[] = "/tmp/gatehouse-test-XXXXXX";

/* ---- listeners ---- */

static struct sockaddr_un unix_address(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", directory, name);
    return address;
}

static int open_unix(const char *name, mode_t mode, struct listener *out, struct buf *error)
{
    struct sockaddr_un address = unix_address(name);
    struct listener_options options = { .mode = mode, .group = LISTENER_NO_GROUP };

    return listener_open((struct sockaddr *)&address, sizeof address, &options, out, error);
}

static int open_inet(int family, struct listener *out)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct listener_options options = { .group = LISTENER_NO_GROUP };
    AUTO_BUF error = BUF_INIT(ERROR_MAX);

    if (family == AF_INET6)
        return listener_open((struct sockaddr *)&v6, sizeof v6, &options, out, &error);
    return listener_open((struct sockaddr *)&v4, sizeof v4, &options, out, &error);
}

static int connect_to(const struct listener *listener)
{
    int fd = socket(listener->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        0, connect(fd, (const struct sockaddr *)&listener->address, listener->address_len));
    return fd;
}

static void makes_a_unix_socket_with_its_mode(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct sockaddr_un address = unix_address("mode");
    struct listener listener;
    struct stat info;
    mode_t before = umask(022);

    assert_int_equal(0, open_unix("mode", 0666, &listener, &error));
    assert_int_equal(022, umask(before)); /* put back */
    assert_int_equal(0, stat(address.sun_path, &info));
    assert_int_equal(0666, info.st_mode & 0777);
    close(connect_to(&listener));
    listener_close(&listener);
    assert_int_equal(-1, listener.fd);
    assert_int_equal(-1, stat(address.sun_path, &info));
}

static void replaces_a_socket_that_nobody_serves(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct listener dead, alive;

    assert_int_equal(0, open_unix("stale", 0600, &dead, &error));
    close(dead.fd); /* as a crash leaves it: the file stays */
    usleep(20000); /* file times have the grain of a clock tick */
    assert_int_equal(0, open_unix("stale", 0600, &alive, &error));
    dead.fd = dup(alive.fd);
    listener_close(&dead); /* must not remove the new one's file */
    close(connect_to(&alive));
    listener_close(&alive);
}

static void leaves_alone_what_is_not_its_own(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct sockaddr_un file = unix_address("file");
    struct listener first, second;
    struct stat info;

    assert_int_equal(0, open_unix("served", 0600, &first, &error));
    assert_int_equal(-1, open_unix("served", 0600, &second, &error));
    assert_non_null(strstr(buf_text(&error), "another process serves it"));
    close(connect_to(&first));
    listener_close(&first);

    buf_clear(&error);
    close(open(file.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(-1, open_unix("file", 0600, &second, &error));
    assert_non_null(strstr(buf_text(&error), "there is a file of that name"));
    assert_int_equal(0, stat(file.sun_path, &info));
    unlink(file.sun_path);
}

static void says_where_it_listens(UNUSED void **state)
{
    AUTO_BUF text = BUF_INIT(ERROR_MAX);
    struct listener listener, adopted;
    struct sockaddr_in other = { .sin_family = AF_INET };

    assert_int_equal(0, open_inet(AF_INET, &listener));
    assert_int_equal(0, listener_print(&listener, &text));
    assert_true(slice_starts_with(buf_slice(&text), SLICE("inet:127.0.0.1:")));
    assert_false(slice_ends_with(buf_slice(&text), SLICE(":0"))); /* a real port */

    assert_int_equal(0, listener_adopt(listener.fd, &adopted));
    assert_true(adopted.is_inherited);
    assert_true(
        listener_is_at(&adopted, (struct sockaddr *)&listener.address, listener.address_len));
    assert_false(listener_is_at(&adopted, (struct sockaddr *)&other, sizeof other));
    assert_int_equal(-1, listener_adopt(STDIN_FILENO, &adopted));
    listener_close(&listener);

    if (open_inet(AF_INET6, &listener) == 0) { /* not on every machine */
        buf_clear(&text);
        listener_print(&listener, &text);
        assert_true(slice_starts_with(buf_slice(&text), SLICE("inet:[::1]:")));
        listener_close(&listener);
    }
}

static int open_at(const struct sockaddr *address, socklen_t len, struct listener *out,
                   struct buf *error)
{
    struct listener_options options = { .group = LISTENER_NO_GROUP };

    return listener_open(address, len, &options, out, error);
}

/* What was closed by us lingers in the kernel: a restart must not wait for it. */
static void has_its_port_again_at_once(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct listener first, second;
    char byte;

    assert_int_equal(0, open_inet(AF_INET, &first));
    int client = connect_to(&first);
    int fd = accept4(first.fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    close(fd); /* first: that end keeps the port */
    assert_int_equal(0, recv(client, &byte, 1, 0));
    close(client);
    struct sockaddr_storage address = first.address;
    socklen_t len = first.address_len;
    listener_close(&first);
    if (open_at((struct sockaddr *)&address, len, &second, &error))
        fail_msg("%s", buf_text(&error));
    listener_close(&second);
}

static void both_families_have_the_same_port(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
    struct listener v4, v6;

    assert_int_equal(0, open_inet(AF_INET, &v4));
    any6.sin6_port = ((struct sockaddr_in *)&v4.address)->sin_port;
    int made = open_at((struct sockaddr *)&any6, sizeof any6, &v6, &error);
    if (made == 0)
        listener_close(&v6);
    else if (strstr(buf_text(&error), "in use") != NULL) /* else there is no IPv6 here */
        fail_msg("%s", buf_text(&error));
    listener_close(&v4);
}

static void gives_the_socket_to_its_group(UNUSED void **state)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct sockaddr_un address = unix_address("group");
    struct listener_options options = { .mode = 0660, .group = 12345 };
    struct listener listener;
    struct stat info;

    if (geteuid() != 0)
        options.group = getegid(); /* no other may be given */
    assert_int_equal(
        0, listener_open((struct sockaddr *)&address, sizeof address, &options, &listener, &error));
    assert_int_equal(0, stat(address.sun_path, &info));
    assert_int_equal(options.group, info.st_gid);
    assert_int_equal(geteuid(), info.st_uid);
    listener_close(&listener);
}

/* ---- the acceptor ---- */

struct bench {
    struct worker *main_worker, *workers[WORKERS];
    struct listener listener;
    struct acceptor *acceptor;
};

static unsigned last_listener;
static bool had_nodelay, had_keepalive;

struct kept {
    struct worker *worker;
    struct event *event;
};

/* Keeps the connection until its client has gone. */
static void client_gone(evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct kept *kept = arg;
    char byte;

    if (read(fd, &byte, 1) < 0 && errno == EAGAIN)
        return;
    event_free(kept->event);
    close(fd);
    worker_connection_closed(kept->worker);
    free(kept);
}

static void keep(struct worker *worker, int fd, unsigned listener)
{
    struct kept *kept = malloc(sizeof *kept);
    socklen_t len = sizeof(int);
    int value = 0;

    last_listener = listener;
    if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0)
        had_nodelay = value != 0;
    if (getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len) == 0)
        had_keepalive = value != 0;
    kept->worker = worker;
    kept->event = event_new(worker_base(worker), fd, EV_READ | EV_PERSIST, client_gone, kept);
    event_add(kept->event, NULL);
}

/* The workers' loops run here, one after the other, so that the test sees a still picture. */
static void turn(struct bench *bench)
{
    for (size_t round = 0; round < 20; round++) {
        event_base_loop(worker_base(bench->main_worker), EVLOOP_NONBLOCK);
        for (size_t i = 0; i < WORKERS; i++)
            event_base_loop(worker_base(bench->workers[i]), EVLOOP_NONBLOCK);
        usleep(200);
    }
}

static void setup_bench(struct bench *bench, int family, size_t max_connections)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);

    bench->main_worker = worker_new(0, "main", &clock_system, NULL);
    for (unsigned i = 0; i < WORKERS; i++)
        bench->workers[i] = worker_new(i + 1, "worker", &clock_system, NULL);
    if (family == AF_UNIX)
        assert_int_equal(0, open_unix("accept", 0600, &bench->listener, &error));
    else
        assert_int_equal(0, open_inet(family, &bench->listener));
    bench->acceptor =
        acceptor_new(bench->main_worker, bench->workers, WORKERS, max_connections, keep);
    assert_non_null(bench->acceptor);
    assert_int_equal(0, acceptor_add(bench->acceptor, bench->listener.fd, 5));
}

static void teardown_bench(struct bench *bench)
{
    turn(bench);
    acceptor_free(&bench->acceptor);
    for (size_t i = 0; i < WORKERS; i++)
        worker_free(&bench->workers[i]);
    worker_free(&bench->main_worker);
    listener_close(&bench->listener);
}

static void close_all(struct bench *bench, int *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(clients[i]);
    turn(bench);
}

static bool is_closed_by_peer(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void spreads_connections_evenly(UNUSED void **state)
{
    struct bench bench = { 0 };
    uint64_t accepted = shown_metric(ACCEPTED);
    int clients[CLIENTS];

    setup_bench(&bench, AF_INET, 1000);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(&bench.listener);
    turn(&bench);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(CLIENTS / WORKERS, worker_connections(bench.workers[i]));
    assert_int_equal(5, last_listener);
    assert_true(had_nodelay);
    assert_true(had_keepalive);
    assert_int_equal(accepted + CLIENTS, shown_metric(ACCEPTED));
    close_all(&bench, clients, CLIENTS);
    teardown_bench(&bench);
}

static void refuses_what_is_over_the_cap_at_once(UNUSED void **state)
{
    struct bench bench = { 0 };
    uint64_t refused = shown_metric(REFUSED("max_connections"));
    int clients[4];

    setup_bench(&bench, AF_UNIX, 2);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = connect_to(&bench.listener);
    turn(&bench);
    assert_false(is_closed_by_peer(clients[0]));
    assert_false(is_closed_by_peer(clients[1]));
    assert_true(is_closed_by_peer(clients[2]));
    assert_true(is_closed_by_peer(clients[3]));
    assert_int_equal(refused + 2, shown_metric(REFUSED("max_connections")));
    close_all(&bench, clients, 2);
    assert_int_equal(0, worker_connections(bench.workers[0]));
    close(clients[2]);
    clients[2] = connect_to(&bench.listener); /* room again */
    turn(&bench);
    assert_false(is_closed_by_peer(clients[2]));
    close_all(&bench, clients + 2, 2);
    teardown_bench(&bench);
}

static void refuses_when_no_descriptor_is_left(UNUSED void **state)
{
    struct bench bench = { 0 };
    uint64_t refused = shown_metric(REFUSED("descriptors"));
    struct rlimit before, none;

    setup_bench(&bench, AF_UNIX, 1000);
    int client = connect_to(&bench.listener);
    int next = dup(client); /* the lowest free descriptor */
    close(next);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    turn(&bench);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_true(is_closed_by_peer(client)); /* told at once, not left waiting */
    assert_int_equal(refused + 1, shown_metric(REFUSED("descriptors")));
    close(client);

    client = connect_to(&bench.listener);
    turn(&bench);
    assert_false(is_closed_by_peer(client));
    close_all(&bench, &client, 1);
    teardown_bench(&bench);
}

/* Not even what was kept for this is of use: nobody is told, and who waits is served when there are descriptors again. */
static void goes_on_when_there_are_descriptors_again(UNUSED void **state)
{
    struct bench bench = { 0 };
    uint64_t refused = shown_metric(REFUSED("descriptors"));
    struct rlimit before, none;
    size_t all = 0;

    setup_bench(&bench, AF_UNIX, 1000);
    int client = connect_to(&bench.listener);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    none.rlim_cur = 1;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    turn(&bench);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_int_equal(refused, shown_metric(REFUSED("descriptors")));
    for (size_t i = 0; i < WAIT_TURNS && all == 0; i++) {
        turn(&bench);
        for (size_t w = 0; w < WORKERS; w++)
            all += worker_connections(bench.workers[w]);
    }
    assert_int_equal(1, all);
    assert_false(is_closed_by_peer(client));
    close_all(&bench, &client, 1);
    teardown_bench(&bench);
}

static void keeps_descriptors_for_work(UNUSED void **state)
{
    struct bench bench = { 0 };
    uint64_t refused = shown_metric(REFUSED("descriptors"));
    struct rlimit before, few;
    int clients[4];

    setup_bench(&bench, AF_UNIX, 1000);
    for (size_t i = 0; i < COUNT(clients); i++)
        clients[i] = connect_to(&bench.listener);
    int next = dup(clients[0]); /* the lowest free descriptor, which the first one gets */
    close(next);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    few = before;
    for (few.rlim_cur = 1; few.rlim_cur - few.rlim_cur / 4 < (rlim_t)next + 2; few.rlim_cur++)
        ;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &few));
    turn(&bench);
    assert_false(is_closed_by_peer(clients[0]));
    assert_false(is_closed_by_peer(clients[1]));
    assert_true(is_closed_by_peer(clients[2]));
    assert_true(is_closed_by_peer(clients[3]));
    assert_int_equal(refused + 2, shown_metric(REFUSED("descriptors")));
    close(clients[3]);
    clients[3] = connect_to(&bench.listener);
    close_all(&bench, clients, 2); /* room again */
    turn(&bench);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    close_all(&bench, clients + 2, 2);
    teardown_bench(&bench);
}

static void leaves_the_backlog_when_stopped(UNUSED void **state)
{
    struct bench bench = { 0 };

    setup_bench(&bench, AF_UNIX, 1000);
    acceptor_stop(bench.acceptor);
    int client = connect_to(&bench.listener);
    turn(&bench);
    assert_false(is_closed_by_peer(client)); /* the next process, on the same socket, takes it */
    close(client);
    teardown_bench(&bench);
}

static int make_directory(UNUSED void **state)
{
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(UNUSED void **state)
{
    return rmdir(directory); /* fails when a socket was left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_unix_socket_with_its_mode),
        cmocka_unit_test(replaces_a_socket_that_nobody_serves),
        cmocka_unit_test(leaves_alone_what_is_not_its_own),
        cmocka_unit_test(says_where_it_listens),
        cmocka_unit_test(has_its_port_again_at_once),
        cmocka_unit_test(both_families_have_the_same_port),
        cmocka_unit_test(gives_the_socket_to_its_group),
        cmocka_unit_test(spreads_connections_evenly),
        cmocka_unit_test(refuses_what_is_over_the_cap_at_once),
        cmocka_unit_test(refuses_when_no_descriptor_is_left),
        cmocka_unit_test(goes_on_when_there_are_descriptors_again),
        cmocka_unit_test(keeps_descriptors_for_work),
        cmocka_unit_test(leaves_the_backlog_when_stopped),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
