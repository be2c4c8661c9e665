/* gatectl/map.c - gatectl map: live keys of maps and their values. */
#include "gatectl/command.h"
#include "gatectl/live.h"

enum { VALUES_MAX_BYTES = LIVE_TEXT_MAX };

int cmd_map_show(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    return live_show(ctl, "map", args[0], "KEY", "VALUES");
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
