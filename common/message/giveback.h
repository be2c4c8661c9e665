/* common/message/giveback.h - a message that a milter defers or refuses without having decided about it: for want of memory or
 * time, or because it is larger than may be. Nothing of it is delivered, so what policyd charged for it is given back as for any
 * other refusal. (Postfix repeats nothing here: when the message comes again it is another one to policyd, and charged anew.) */
#ifndef GATEHOUSE_MESSAGE_GIVEBACK_H
#define GATEHOUSE_MESSAGE_GIVEBACK_H

#include "common/message/record.h"
#include "common/run/worker.h"

/* On the worker: its teller. */
typedef struct record_teller *giveback_teller(struct worker *worker);

/* On a thread of the milter's, before it answers; nobody waits for it. `by` and `words` (what is written into the record, as by
 * record_tell()) are constant texts. Without memory the message stays charged, logged. */
void message_give_back(struct worker *worker, giveback_teller *teller, struct message *message,
                       const char *by, const char *words);

#endif
