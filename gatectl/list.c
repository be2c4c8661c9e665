/* gatectl/list.c - gatectl list: live entries of allow and block lists. */
#include "gatectl/command.h"
#include "gatectl/live.h"

int cmd_list_show(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_show(ctl, "list", args[0], "ENTRY", NULL);
}

/* All entries are tried; the first that fails gives the exit code. */
int cmd_list_add(struct gatectl *ctl, char **args, size_t count)
{
    const char *key = live_key(ctl, "list", args[0]);
    int code = key == NULL ? EXIT_USAGE : EXIT_DONE;

    for (size_t i = 1; key != NULL && i < count; i++) {
        int one = live_set(ctl, key, args[i], "");
        code = code == EXIT_DONE ? one : code;
    }
    return code;
}

int cmd_list_remove(struct gatectl *ctl, char **args, size_t count)
{
    const char *key = live_key(ctl, "list", args[0]);
    int code = key == NULL ? EXIT_USAGE : EXIT_DONE;

    for (size_t i = 1; key != NULL && i < count; i++) {
        int one = live_unset(ctl, key, args[i]);
        code = code == EXIT_DONE ? one : code;
    }
    return code;
}
