/* common/policy/sections.c - see sections.h. */
#include "common/policy/sections.h"

#define CONF_STRUCT struct list_section
/* clang-format off */
const struct conf_param list_params[LIST_PARAM_COUNT] = {
    { PARAM(entries), CONF_LIST, "", 0, 0, .live = true, .example = "192.0.2.0/24, .example.com, !good.example.com",
      .doc = "Addresses and networks, domains (.example.com: it and all below), mailboxes, or words. The most "
             "specific entry counts; one that begins with ! is an exception." },
    { PARAM(file), CONF_PATH, "", 0, 0, .live = true, .example = "/etc/gatehouse/lists/blocked",
      .doc = "More entries, one a line; read again when the file changes." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct map_section
/* clang-format off */
const struct conf_param map_params[MAP_PARAM_COUNT] = {
    { PARAM_AS("entry.*", entry), CONF_PAIRS, .live = true, .star = "sales@example.com", .example = "alice@example.com, bob@example.com",
      .doc = "The values of one key." },
    { PARAM(file), CONF_PATH, "", 0, 0, .live = true, .example = "/etc/postfix/sender_login_maps",
      .doc = "More entries in Postfix's form, `key value, value`; read again when the file changes." },
};
/* clang-format on */
#undef CONF_STRUCT
