/* contentd/rewrite.h - edits carried out on a copy of a message, as the MTA would do it. Pure. */
#ifndef GATEHOUSE_CONTENTD_REWRITE_H
#define GATEHOUSE_CONTENTD_REWRITE_H

#include "common/milter/edits.h"
#include "common/milter/source.h"

/* The header section with the edits carried out, in their order, with CRLF line ends and the blank line; fields that no edit
 * touches stay byte for byte as they are. Changing a field that is not there adds it. In `arena`; absent: out of memory, or
 * more than MESSAGE_HEADER_BYTES_MAX. The envelope's edits (recipients, sender) and EDIT_HOLD are the caller's. */
struct slice rewrite_head(struct arena *arena, const struct message *message,
                          const struct edits *edits);

/* The copy: that head, and the body as received or as EDIT_REPLACE_BODY has it. False: out of memory. */
bool rewrite(struct arena *arena, const struct message *message, const struct edits *edits,
             struct source *out);

#endif
