/* gatectl/live.h - live hashes, as the nouns limit, class, list, map, rule and apply change and show them. */
#ifndef GATEHOUSE_GATECTL_LIVE_H
#define GATEHOUSE_GATECTL_LIVE_H

#include "gatectl/gatectl.h"

/* "limit:user-hourly" in the run's arena; NULL after a message. */
const char *live_key(struct gatectl *ctl, const char *kind, const char *name);

/* Writes one field: `value` and what the options say of until, by and note. */
int live_set(struct gatectl *ctl, const char *key, const char *field, const char *value);
int live_set_text(struct gatectl *ctl, const char *key, const char *field, struct slice text);
/* Removes one field; EXIT_NOTHING when it was not there. */
int live_unset(struct gatectl *ctl, const char *key, const char *field);

/* The fields of a hash, taken apart: [{"name", "value", "until" (Unix seconds or null), "by", "note", "expired",
 * "error" (text or null)}], in the order of their names. Caller owns *rows. */
int live_rows(struct gatectl *ctl, const char *key, json_t **rows);

/* These rows as a table; `name` and `value` (NULL: not shown) are headings. Tells on err which rows do not count. */
int live_print(struct gatectl *ctl, const json_t *rows, const char *name, const char *value);

/* A hash without a name shown: as a table, or as {"JSON_NAME": rows}. */
int live_list(struct gatectl *ctl, const char *key, const char *json_name, const char *name,
              const char *value);
/* The hash of a list or map; in JSON {"list": NAME, "entries": rows}. `title` and `value` are headings, as above. */
int live_show(struct gatectl *ctl, const char *noun, const char *name, const char *title,
              const char *value);

#endif
