/* common/mime/mime_decode.h - single header fields, decoded: the only user of GMime. Thread-safe. Input is cut at
 * MIME_VALUE_MAX, texts at MIME_NAME_MAX; they are UTF-8 without control characters, in `arena`. Absent: nothing was there, or
 * memory is out (which arena_has_failed() knows). */
#ifndef GATEHOUSE_MIME_MIME_DECODE_H
#define GATEHOUSE_MIME_MIME_DECODE_H

#include "common/mime/mime_walk.h"

void mime_decode_init(void); /* once */

/* Unstructured text: encoded words (RFC 2047), 8-bit text, folds. */
struct slice mime_decode_text(struct arena *arena, struct slice raw);
uint64_t mime_decode_date(struct slice raw); /* Unix seconds; 0: none */

/* The mailboxes of a field, those in groups too, at most MIME_ADDRESSES_MAX: how many. `see` (may be NULL) is given each: the
 * address as it is written, and the display name, decoded; for want of one its group's. */
typedef void mime_see_mailbox(void *arg, struct slice address, struct slice name);
size_t mime_decode_mailboxes(struct arena *arena, struct slice raw, mime_see_mailbox *see,
                             void *arg);

/* Content-Type: `type` in lower case, the parameter `boundary`, decoded (RFC 2231). False: memory is out. */
struct mime_type {
    struct slice type, boundary;
};
bool mime_decode_type(struct arena *arena, struct slice raw, struct mime_type *out);
/* Content-Disposition, and the names in a Content-Type: the parameters `filename` and `name`, decoded, of a long one the end. False:
 * memory is out. */
struct mime_disposition {
    bool is_attachment;
    struct slice names[2];
};
bool mime_decode_disposition(struct arena *arena, struct slice raw, struct mime_disposition *out);

#endif
