/* policyd/seen.h - which SMTP connections and messages have been charged already, for 10 minutes: `connections` counts
 * a connection once, `messages` charged at RCPT a message once. Shared by the workers; thread-safe. */
#ifndef GATEHOUSE_POLICYD_SEEN_H
#define GATEHOUSE_POLICYD_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen; /* opaque */

/* Remembers at most `max`, the oldest are forgotten. NULL: out of memory. */
struct seen *seen_new(size_t max);
void seen_free(struct seen **seen);
bool seen_before(struct seen *seen, uint64_t key, uint64_t now_ms);
void seen_remember(struct seen *seen, uint64_t key, uint64_t now_ms);

#endif
