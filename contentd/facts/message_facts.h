/* contentd/facts/message_facts.h - facts that follow from a message's header fields and structure. Pure. */
#ifndef GATEHOUSE_CONTENTD_MESSAGE_FACTS_H
#define GATEHOUSE_CONTENTD_MESSAGE_FACTS_H

#include "common/base/arena.h"
#include "contentd/facts/facts.h"
#include "common/mime/mime.h"

enum { HEADER_VALUES_MAX = 20 }; /* fields of one name */

/* FACT_FROM to FACT_MIME_LIMITED. `mime` NULL: it could not be read. False: not known, or out of memory. */
bool message_fact(const struct message *message, const struct mime_facts *mime,
                  const struct fact_ref *ref, uint64_t wall_ms, struct arena *arena,
                  struct value *out);

/* Several values from a text with commas between them: "A(1.5), B". False: out of memory. */
bool value_of_items(struct value *out, struct slice text, struct arena *arena);

#endif
