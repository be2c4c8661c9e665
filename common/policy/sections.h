/* common/policy/sections.h - the sections that every daemon with rules has: [rule NAME], [list NAME], [map NAME]. A
 * daemon's struct has a member `struct policy_sections sections`, and its tables embed the rows once:
 *
 *     #define CONF_STRUCT struct rule_section
 *     static const struct conf_param rule_params[] = {
 *         RULE_PARAMS("country in (KP, RU)", "reject 5.7.1 No", "The action. Final ones ...", "rcpt",
 *                     "At which stages ..."),
 *     };
 *     #undef CONF_STRUCT
 *     #define CONF_STRUCT struct policyd_config
 *     static const struct conf_kind kinds[] = {
 *         RULE_KIND(rule_params), LIST_KIND, MAP_KIND, { "limit", ... },
 *     }; */
#ifndef GATEHOUSE_POLICY_SECTIONS_H
#define GATEHOUSE_POLICY_SECTIONS_H

#include "common/config/param.h"

struct rule_section {
    const struct conf_section *conf;
    struct slice when, then, order, mode, trouble, stage; /* absent: not given */
};

struct list_section {
    const struct conf_section *conf;
    struct conf_list entries;
    struct slice file;
};

struct map_section {
    const struct conf_section *conf;
    struct conf_pairs entry;
    struct slice file;
};

struct policy_sections { /* in the order of the file */
    const struct rule_section *rules;
    size_t rule_count;
    const struct list_section *lists;
    size_t list_count;
    const struct map_section *maps;
    size_t map_count;
};

enum { LIST_PARAM_COUNT = 2, MAP_PARAM_COUNT = 2 };
extern const struct conf_param list_params[LIST_PARAM_COUNT];
extern const struct conf_param map_params[MAP_PARAM_COUNT];

/* What a rule's action may be and at which stages rules run is each daemon's: examples and sentences are given. */
/* clang-format off */
#define RULE_PARAMS(when_example, then_example, then_doc, stage_example, stage_doc)                \
    { PARAM(when), CONF_TEXT, "", 0, 0, .live = true, .example = when_example,                     \
      .doc = "The condition. Without one the rule always applies." },                              \
    { PARAM(then), CONF_TEXT, NULL, 1, 0, .live = true, .example = then_example,                   \
      .doc = then_doc },                                                                           \
    { PARAM(order), CONF_TEXT, "", 0, 0, .live = true, .example = "300",                           \
      .doc = "Rules run in ascending order. Without one: that of the rule before it plus 100; the first gets 100." }, \
    { PARAM(mode), CONF_TEXT, "", 0, 0, .live = true, .example = "shadow",                         \
      .doc = "enforce (default), or shadow: the rule only logs and counts what it would have done." }, \
    { PARAM(trouble), CONF_TEXT, "", 0, 0, .live = true, .example = "defer",                       \
      .doc = "What happens when the condition cannot be decided because a lookup failed: skip (default), match (the " \
             "action runs) or defer (451 4.3.0 Temporary lookup problem)." },                      \
    { PARAM(stage), CONF_TEXT, "", 0, 0, .live = true, .example = stage_example,                   \
      .doc = stage_doc }

/* The rows of the program's struct. */
#define RULE_KIND(params)                                                                          \
    { "rule", true, PARAMS(params), SECTIONS(struct rule_section, sections.rules, sections.rule_count), \
      "A rule: when its condition holds, its action is taken. Rules run in order, the first final action ends.", \
      "[rule blocked]\nwhen = client_address in list:blocked\nthen = reject 5.7.1 Access denied\n" }
#define LIST_KIND                                                                                  \
    { "list", true, list_params, LIST_PARAM_COUNT,                                                 \
      SECTIONS(struct list_section, sections.lists, sections.list_count),                          \
      "A list; conditions ask it (client_address in list:NAME). Entries in the store's live list of the same name, " \
      "gh:list:NAME, come on top.",                                                                \
      "[list blocked]\nentries = 192.0.2.0/24\n" }
#define MAP_KIND                                                                                   \
    { "map", true, map_params, MAP_PARAM_COUNT,                                                    \
      SECTIONS(struct map_section, sections.maps, sections.map_count),                             \
      "A map from one mailbox or domain to several values (sasl_username in map:NAME/{sender}). Entries in gh:map:NAME " \
      "come on top.",                                                                              \
      "[map owners]\nfile = /etc/postfix/sender_login_maps\n" }
/* clang-format on */

#endif
