/* gatectl/check.c - gatectl check: the daemon judges a configuration; this program becomes it, so its messages and its
 * exit status are the daemon's. No shell is involved. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "gatectl/command.h"

#define DAEMON "gatehouse-policyd"

/* Beside this program, where make puts both; false when the path is too long or unknown. */
static bool path_beside(char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    size_t slash;

    if (len <= 0)
        return false;
    slash = slice_rfind((struct slice){ out, (size_t)len }, '/');
    if (slash == SIZE_MAX || slash + 1 + sizeof(DAEMON) > PATH_MAX)
        return false;
    memcpy(out + slash + 1, DAEMON, sizeof(DAEMON));
    return true;
}

int cmd_check(struct gatectl *ctl, char **args, size_t count)
{
    char name[] = DAEMON, test[] = "-t", config[] = "-c";
    char standard[] = GATECTL_CONFIG, path[PATH_MAX];
    char *argv[] = { name, test, config, count > 0 ? args[0] : standard, NULL };
    bool is_option = count == 0 && ctl->options.is_config_given;
    AUTO_BUF given = BUF_INIT(PATH_MAX);

    if (is_option && buf_put(&given, ctl->options.config) == 0 && buf_text(&given)[0] != '\0')
        argv[3] = given.data;
    fflush(ctl->out);
    if (path_beside(path))
        execv(path, argv);
    if (errno == ENOENT)
        execvp(name, argv);
    gatectl_error(ctl, DAEMON ": %s", strerror(errno));
    return EXIT_FAILED;
}
