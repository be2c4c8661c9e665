/* gatectl/dkim_state.h - what the commands of dkim have in common: key records as they are shown, and the states of keys, which
 * are live and shared by all hosts. */
#ifndef GATEHOUSE_GATECTL_DKIM_STATE_H
#define GATEHOUSE_GATECTL_DKIM_STATE_H

#include "common/dkim/key.h"
#include "common/dkim/rotation.h"
#include "gatectl/command.h"

extern const struct gatectl_daemon dkim_daemon; /* whom they ask: signd */

/* The record in the three forms in which people have to give it to somebody. */
void dkim_print_record(struct gatectl *ctl, struct slice domain, struct slice selector,
                       const struct dkim_key *key);
/* The same as {"domain", "selector", "name", "record", "state"}. */
json_t *dkim_record_json(struct slice domain, struct slice selector, const struct dkim_key *key,
                         const char *state);

/* The live states as live_rows() gives them; NULL when nobody can be asked (then said on err). Caller owns it. */
json_t *dkim_read_states(struct gatectl *ctl);
/* Of one key among them; a key that nobody says anything about is active. */
struct dkim_life dkim_state_of(const json_t *rows, struct slice domain, struct slice selector);
/* An exit code. */
int dkim_set_state(struct gatectl *ctl, struct slice domain, struct slice selector,
                   enum dkim_state state);

#endif
