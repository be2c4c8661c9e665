/* gatectl/check.c - gatectl check: the daemon judges a configuration; this program becomes it, so its messages and its
 * exit status are the daemon's. No shell is involved. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "gatectl/command.h"

/* `NAME.conf` is judged by gatehouse-NAME, a file of any other name by the first. */
static const char *const daemons[] = { "gatehouse-policyd", "gatehouse-contentd",
                                       "gatehouse-signd" };

static const char *daemon_of(struct slice path)
{
    size_t slash = slice_rfind(path, '/');
    struct slice name = slash == SIZE_MAX ? path : slice_skip(path, slash + 1);

    for (size_t i = 0; i < COUNT(daemons); i++) {
        struct slice daemon = slice_skip(slice_of(daemons[i]), strlen("gatehouse-"));
        if (name.len == daemon.len + strlen(".conf") && slice_starts_with(name, daemon) &&
            slice_ends_with(name, SLICE(".conf")))
            return daemons[i];
    }
    return daemons[0];
}

/* Beside this program, where make puts all; false when the path is too long or unknown. */
static bool path_beside(const char *daemon, char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    size_t slash, size = strlen(daemon) + 1;

    if (len <= 0)
        return false;
    slash = slice_rfind((struct slice){ out, (size_t)len }, '/');
    if (slash == SIZE_MAX || slash + 1 + size > PATH_MAX)
        return false;
    memcpy(out + slash + 1, daemon, size);
    return true;
}

int cmd_check(struct gatectl *ctl, char **args, size_t count)
{
    char name[32], test[] = "-t", config[] = "-c";
    char standard[] = GATECTL_CONFIG, path[PATH_MAX];
    char *argv[] = { name, test, config, count > 0 ? args[0] : standard, NULL };
    bool is_option = count == 0 && ctl->options.is_config_given;
    AUTO_BUF given = BUF_INIT(PATH_MAX);

    if (is_option && buf_put(&given, ctl->options.config) == 0 && buf_text(&given)[0] != '\0')
        argv[3] = given.data;
    snprintf(name, sizeof name, "%s", daemon_of(slice_of(argv[3])));
    fflush(ctl->out);
    if (path_beside(name, path))
        execv(path, argv);
    if (errno == ENOENT)
        execvp(name, argv);
    gatectl_error(ctl, "%s: %s", name, strerror(errno));
    return EXIT_FAILED;
}
