/* common/policy/values.c - see values.h. */
#include "common/policy/values.h"

#include "common/base/clock.h"
#include "common/mail/address.h"

#include <time.h>

const char *const weekday_words[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL };

void value_of_text(struct value *out, enum value_type type, struct slice text)
{
    *out = (struct value){ .type = type,
                           .is_empty = text.len == 0,
                           .text = text.ptr == NULL ? SLICE("") : text };
}

void value_of_boolean(struct value *out, bool is_true)
{
    *out = (struct value){ .type = VALUE_BOOLEAN, .boolean = is_true };
}

void value_of_number(struct value *out, double number)
{
    *out = (struct value){ .type = VALUE_NUMBER, .number = number };
}

void value_of_digits(struct value *out, struct slice text)
{
    uint64_t number = 0;

    value_of_text(out, VALUE_NUMBER, text);
    if (slice_to_u64(text, &number))
        out->number = (double)number;
    else
        out->is_empty = true;
}

/* An IPv6 address can be spelt in many ways, an IPv4 one as `::ffff:192.0.2.7`: the text is the one normal spelling. */
bool value_of_address(struct value *out, struct slice text, struct arena *arena)
{
    char normal[IPNET_TEXT_MAX];
    struct ip_address address;

    value_of_text(out, VALUE_ADDRESS, text);
    if (!ip_address_parse(text, &address)) {
        out->is_empty = true; /* "unknown", or a socket that is no IP */
        return true;
    }
    out->net = ipnet_of(&address);
    if (slice_find(text, ':') == SIZE_MAX)
        return true;
    size_t len = ipnet_print(&out->net, normal);
    if (!slice_equal(text, (struct slice){ normal, len }))
        out->text = arena_copy(arena, (struct slice){ normal, len });
    return out->text.ptr != NULL;
}

bool value_of_net(struct value *out, struct slice text, struct arena *arena)
{
    char spelling[IPNET_TEXT_MAX];
    struct value address;

    if (!value_of_address(&address, text, arena))
        return false;
    struct ipnet net = ipnet_mask(&address.net, 24, 64);
    size_t len = ipnet_print(&net, spelling);
    *out = (struct value){ .type = VALUE_ADDRESS, .is_empty = address.is_empty, .net = net };
    out->text = arena_copy(arena, (struct slice){ spelling, len });
    return out->text.ptr != NULL;
}

bool value_of_domain(struct value *out, struct slice text, struct arena *arena)
{
    struct slice domain;

    if (address_normalise_domain(text, arena, &domain) == ADDRESS_NO_MEMORY)
        return false;
    value_of_text(out, VALUE_DOMAIN, domain);
    return true;
}

bool value_of_mailbox(struct value *out, struct slice text, const struct mailbox_settings *settings,
                      struct arena *arena)
{
    struct slice mailbox;

    if (address_normalise_mailbox(text, arena, &mailbox) == ADDRESS_NO_MEMORY)
        return false;
    if (settings->strip_extension)
        mailbox = address_strip_extension(mailbox, settings->delimiters, arena);
    if (mailbox.ptr == NULL && text.ptr != NULL)
        return false;
    value_of_text(out, VALUE_MAILBOX, mailbox);
    return true;
}

bool value_of_mailbox_domain(struct value *out, struct slice text,
                             const struct mailbox_settings *settings, struct arena *arena)
{
    struct value mailbox;

    if (!value_of_mailbox(&mailbox, text, settings, arena))
        return false;
    value_of_text(out, VALUE_DOMAIN, address_domain(mailbox.text));
    return true;
}

static struct tm local_time(uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / SECOND);
    struct tm now = { .tm_wday = 0 };

    localtime_r(&seconds, &now);
    return now;
}

void value_of_hour(struct value *out, uint64_t wall_ms)
{
    value_of_number(out, local_time(wall_ms).tm_hour);
}

void value_of_weekday(struct value *out, uint64_t wall_ms)
{
    value_of_text(out, VALUE_WORD, slice_of(weekday_words[(local_time(wall_ms).tm_wday + 6) % 7]));
}
