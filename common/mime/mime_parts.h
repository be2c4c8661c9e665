/* common/mime/mime_parts.h - the parts of a message and what is attached to it; for mime.c alone. */
#ifndef GATEHOUSE_MIME_MIME_PARTS_H
#define GATEHOUSE_MIME_MIME_PARTS_H

#include "common/mime/mime.h"

/* Sets the members of *out that are about structure; what is_broken and the like say already stays. False: memory is out, or the
 * body cannot be read. */
bool mime_parts_read(const struct message *message, struct arena *arena, struct mime_facts *out);

#endif
