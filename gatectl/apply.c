/* gatectl/apply.c - gatectl apply: which recipients have which chain of contentd, live. */
#include "gatectl/command.h"
#include "gatectl/live.h"

const struct gatectl_daemon contentd_daemon = { "contentd", GATECTL_CONTENTD_CONFIG,
                                                GATECTL_CONTENTD_SOCKET, GATECTL_STORE };

int cmd_apply_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    ctl->daemon = &contentd_daemon;
    return live_list(ctl, "apply", "recipients", "WHO", "CHAIN");
}

int cmd_apply_set(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    ctl->daemon = &contentd_daemon;
    return live_set(ctl, "apply", args[0], args[1]);
}

int cmd_apply_unset(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    ctl->daemon = &contentd_daemon;
    return live_unset(ctl, "apply", args[0]);
}
