/* common/policy/values.h - values of facts made of what Postfix says, in the one normal form. Texts borrow from what is
 * given or live in `arena`. Those that return bool are false when memory is out. Pure. */
#ifndef GATEHOUSE_POLICY_VALUES_H
#define GATEHOUSE_POLICY_VALUES_H

#include "common/base/arena.h"
#include "common/rules/value.h"

/* How mailboxes are read, as the configuration says: a daemon's struct has a member `struct mailbox_settings mailboxes`, and its
 * table embeds the rows MAILBOX_PARAMS. */
struct mailbox_settings {
    bool strip_extension;
    struct slice delimiters; /* recipient_delimiter */
};
/* clang-format off */
#define MAILBOX_PARAMS                                                                             \
    { PARAM_AS("strip_extension", mailboxes.strip_extension), CONF_BOOLEAN, "no", 0, 0, .live = true, \
      .doc = "Whether user+extension@example.com counts as user@example.com in facts and limits." }, \
    { PARAM_AS("recipient_delimiter", mailboxes.delimiters), CONF_TEXT, "+", 1, 8, .live = true,   \
      .doc = "What separates a mailbox from its extension, as in main.cf: one of these characters." }
/* clang-format on */

void value_of_text(struct value *out, enum value_type type, struct slice text); /* as it is */
void value_of_boolean(struct value *out, bool is_true);
void value_of_number(struct value *out, double number);
/* Empty unless it is a decimal number. */
void value_of_digits(struct value *out, struct slice text);

/* "192.0.2.7", "2001:db8::1"; empty for what is no address ("unknown"). One text for each address. */
bool value_of_address(struct value *out, struct slice text, struct arena *arena);
/* Its /24 or /64. */
bool value_of_net(struct value *out, struct slice address, struct arena *arena);

bool value_of_domain(struct value *out, struct slice text, struct arena *arena);
bool value_of_mailbox(struct value *out, struct slice text, const struct mailbox_settings *settings,
                      struct arena *arena);
/* The domain of a mailbox. */
bool value_of_mailbox_domain(struct value *out, struct slice text,
                             const struct mailbox_settings *settings, struct arena *arena);

void value_of_hour(struct value *out, uint64_t wall_ms); /* 0 to 23, local time */
void value_of_weekday(struct value *out, uint64_t wall_ms); /* mon to sun, local time */
extern const char *const weekday_words[];

#endif
