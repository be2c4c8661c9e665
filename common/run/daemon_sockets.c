/* common/run/daemon_sockets.c - where the daemon listens. Sockets that systemd made take the place of `listen` (or of
 * `http`, when their name begins so): a restart is then invisible to Postfix, and we need no right to make them. */
#include <grp.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "common/run/daemon_private.h"
#include "common/run/listener.h"
#include "common/run/systemd.h"

enum { LINE_MAX_LEN = 512 };

/* The number of the address in the configuration that this listener is at; `wanted->count` when it is none. */
static size_t find_number(const struct conf_listens *wanted, const struct listener *listener)
{
    size_t i = 0;

    while (i < wanted->count &&
           !listener_is_at(listener, (const struct sockaddr *)&wanted->items[i].address,
                           wanted->items[i].address_len))
        i++;
    return i;
}

static void log_listener(const struct listener *listener, const char *what)
{
    AUTO_BUF text = BUF_INIT(LINE_MAX_LEN);

    if (listener_print(listener, &text) == 0)
        log_info("listening on %s%s%s", buf_text(&text), what,
                 listener->is_inherited ? ", a socket from systemd" : "");
}

static void add_service(struct daemon *daemon, const struct listener *listener, size_t number)
{
    daemon->listeners[daemon->listener_count] = *listener;
    daemon->listener_numbers[daemon->listener_count] = (unsigned)number;
    daemon->listener_count++;
    log_listener(listener, "");
}

static void add_http(struct daemon *daemon, const struct listener *listener)
{
    daemon->http_listeners[daemon->http_listener_count++] = *listener;
    log_listener(listener, " (http)");
}

/* Sorts what systemd gave us; what is no listening socket is closed. */
static void take_inherited(struct daemon *daemon, const struct systemd_socket *sockets,
                           size_t count)
{
    const struct common_config *common = daemon_common(daemon);
    size_t extra = common->listen.count;

    for (size_t i = 0; i < count; i++) {
        struct listener listener;
        if (listener_adopt(sockets[i].fd, &listener)) {
            log_warning("the descriptor \"%s\" from systemd is not a listening socket",
                        sockets[i].name);
            close(sockets[i].fd);
            continue;
        }
        size_t number = find_number(&common->listen, &listener);
        bool is_http = strncmp(sockets[i].name, "http", 4) == 0 ||
                       find_number(&common->http, &listener) < common->http.count;
        if (is_http && daemon->http_listener_count < HTTP_SOCKETS_MAX)
            add_http(daemon, &listener);
        else
            add_service(daemon, &listener, number < common->listen.count ? number : extra++);
    }
}

bool listen_group_find(struct slice name, gid_t *out)
{
    char text[LINE_MAX_LEN];

    *out = LISTENER_NO_GROUP;
    if (name.len == 0)
        return true;
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(name));
    const struct group *group = getgrnam(text);
    if (group == NULL)
        return false;
    *out = group->gr_gid;
    return true;
}

static int open_one(const struct conf_listen *listen, unsigned mode, gid_t group,
                    struct listener *out)
{
    struct listener_options options = { .mode = (mode_t)mode, .group = group };
    AUTO_BUF error = BUF_INIT(LINE_MAX_LEN);

    if (listener_open((const struct sockaddr *)&listen->address, listen->address_len, &options, out,
                      &error) == 0)
        return 0;
    log_error("%s", buf_text(&error));
    return -1;
}

static int open_service(struct daemon *daemon)
{
    const struct common_config *common = daemon_common(daemon);
    struct listener listener;
    gid_t group;

    if (!listen_group_find(common->listen_group, &group)) {
        log_error("listen_group: there is no group \"%.*s\"", SLICE_ARG(common->listen_group));
        return -1;
    }
    for (size_t i = 0; i < common->listen.count; i++) {
        if (open_one(&common->listen.items[i], common->listen_mode, group, &listener))
            return -1;
        add_service(daemon, &listener, i);
    }
    return 0;
}

static int open_http(struct daemon *daemon)
{
    const struct common_config *common = daemon_common(daemon);
    struct listener listener;

    for (size_t i = 0; i < common->http.count && i < HTTP_SOCKETS_MAX; i++) {
        if (open_one(&common->http.items[i], common->http_mode, LISTENER_NO_GROUP, &listener))
            return -1;
        add_http(daemon, &listener);
    }
    return 0;
}

/* An operator may wonder why nothing answers there. */
static void warn_of_unused(const struct daemon *daemon)
{
    const struct conf_listens *wanted = &daemon_common(daemon)->listen;

    for (size_t i = 0; i < wanted->count; i++) {
        bool is_used = false;
        for (size_t l = 0; l < daemon->listener_count; l++)
            is_used |= daemon->listener_numbers[l] == i;
        if (!is_used)
            log_warning("not listening on %.*s: systemd's sockets take the place of `listen`",
                        SLICE_ARG(wanted->items[i].text));
    }
}

int daemon_sockets_open(struct daemon *daemon)
{
    struct systemd_socket sockets[SYSTEMD_SOCKETS_MAX];
    size_t count = systemd_sockets(sockets);
    size_t most = daemon_common(daemon)->listen.count + count;

    daemon->listeners = calloc(most, sizeof *daemon->listeners);
    daemon->listener_numbers = calloc(most, sizeof *daemon->listener_numbers);
    if (daemon->listeners == NULL || daemon->listener_numbers == NULL) {
        log_error("out of memory: no socket is opened");
        return -1;
    }
    take_inherited(daemon, sockets, count);
    if (daemon->listener_count > 0)
        warn_of_unused(daemon);
    else if (daemon->spec->accept != NULL && open_service(daemon))
        return -1;
    return daemon->http_listener_count > 0 ? 0 : open_http(daemon);
}

void daemon_sockets_close(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->listener_count; i++)
        listener_close(&daemon->listeners[i]);
    for (size_t i = 0; i < daemon->http_listener_count; i++)
        listener_close(&daemon->http_listeners[i]);
    free(daemon->listeners);
    free(daemon->listener_numbers);
    daemon->listeners = NULL;
    daemon->listener_numbers = NULL;
    daemon->listener_count = daemon->http_listener_count = 0;
}
