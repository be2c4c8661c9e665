/* gatectl/class.c - gatectl class: who belongs to which class, live. */
#include "gatectl/command.h"
#include "gatectl/live.h"
#include "gatectl/output.h"

int cmd_class_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    json_t *rows = NULL;
    int code = live_rows(ctl, "class", &rows);

    if (code == EXIT_DONE && ctl->options.json) {
        json_t *document = json_pack("{s:O}", "members", rows);
        output_json(ctl->out, document);
        json_decref(document);
    } else if (code == EXIT_DONE) {
        code = live_print(ctl, rows, "MEMBER", "CLASS");
    }
    json_decref(rows);
    return code;
}

int cmd_class_set(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_set(ctl, "class", args[0], args[1]);
}

int cmd_class_unset(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_unset(ctl, "class", args[0]);
}
