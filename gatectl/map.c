/* gatectl/map.c - gatectl map: live keys of maps and their values. */
#include "gatectl/command.h"
#include "gatectl/live.h"
#include "gatectl/output.h"

enum { VALUES_MAX_BYTES = LIVE_TEXT_MAX };

int cmd_map_show(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    const char *key = live_key(ctl, "map", args[0]);
    json_t *rows = NULL;
    int code = key == NULL ? EXIT_USAGE : live_rows(ctl, key, &rows);

    if (code == EXIT_DONE && ctl->options.json) {
        json_t *document = json_pack("{s:s, s:O}", "map", args[0], "entries", rows);
        output_json(ctl->out, document);
        json_decref(document);
    } else if (code == EXIT_DONE) {
        code = live_print(ctl, rows, "KEY", "VALUES");
    }
    json_decref(rows);
    return code;
}

int cmd_map_set(struct gatectl *ctl, char **args, size_t count)
{
    const char *key = live_key(ctl, "map", args[0]);
    AUTO_BUF values = BUF_INIT(VALUES_MAX_BYTES);

    if (key == NULL)
        return EXIT_USAGE;
    for (size_t i = 2; i < count; i++)
        if (buf_printf(&values, "%s%s", i == 2 ? "" : ", ", args[i])) {
            gatectl_error(ctl, "the values are too long");
            return EXIT_REFUSED;
        }
    return live_set(ctl, key, args[1], buf_text(&values));
}

int cmd_map_remove(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    const char *key = live_key(ctl, "map", args[0]);

    return key == NULL ? EXIT_USAGE : live_unset(ctl, key, args[1]);
}
