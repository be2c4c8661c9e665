/* gatectl/class.c - gatectl class: who belongs to which class, live. */
#include "gatectl/command.h"
#include "gatectl/live.h"

int cmd_class_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    return live_list(ctl, "class", "members", "MEMBER", "CLASS");
}

int cmd_class_set(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_set(ctl, "class", args[0], args[1]);
}

int cmd_class_unset(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_unset(ctl, "class", args[0]);
}
