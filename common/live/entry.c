/* common/live/entry.c - see entry.h. */
#include "common/live/entry.h"

#include <stdarg.h>

#include "common/mail/address.h"
#include "common/mail/ipnet.h"

static bool refuse(struct live_entry_error *error, size_t offset, const char *format, ...)
    PRINTF_LIKE(3, 4);
static bool refuse(struct live_entry_error *error, size_t offset, const char *format, ...)
{
    va_list args;

    error->offset = offset;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return false;
}

static bool has_blank(struct slice text, size_t *at)
{
    for (*at = 0; *at < text.len; (*at)++)
        if (ascii_is_space(text.ptr[*at]))
            return true;
    return false;
}

static bool is_network_like(struct slice text)
{
    struct slice rest = text, head;
    struct ip_address address;

    return ip_address_parse(text, &address) ||
           (slice_cut(&rest, '/', &head) && ip_address_parse(head, &address));
}

static bool network(struct slice typed, struct arena *arena, struct slice *stored,
                    struct live_entry_error *error)
{
    char why[IPNET_ERROR_MAX], text[IPNET_TEXT_MAX];
    struct ipnet net;

    if (!ipnet_parse(typed, &net, why))
        return refuse(error, 0, "%s", why);
    *stored = arena_copy(arena, (struct slice){ text, ipnet_print(&net, text) });
    return stored->ptr != NULL || refuse(error, 0, "out of memory");
}

bool live_domain(struct slice typed, struct arena *arena, struct slice *stored,
                 struct live_entry_error *error)
{
    struct slice domain = { NULL, 0 };

    if (address_normalise_domain(typed, arena, &domain) != ADDRESS_NORMAL ||
        !address_is_valid_domain(domain))
        return refuse(error, 0, "this is no domain");
    *stored = domain;
    return true;
}

/* What is no address: a login, a host name, any word. */
static bool word(struct slice typed, struct arena *arena, struct slice *stored,
                 struct live_entry_error *error)
{
    size_t at;

    if (typed.len == 0)
        return refuse(error, 0, "a value is missing");
    if (has_blank(typed, &at))
        return refuse(error, at, "a blank is not allowed here");
    if (address_normalise_mailbox(typed, arena, stored) == ADDRESS_NO_MEMORY)
        return refuse(error, 0, "out of memory");
    return true;
}

/* `prefix` and the normal form of the domain that follows it in `typed`. */
static bool prefixed_domain(const char *prefix, struct slice typed, struct arena *arena,
                            struct slice *stored, struct live_entry_error *error)
{
    struct slice domain = { NULL, 0 };

    if (!live_domain(slice_skip(typed, strlen(prefix)), arena, &domain, error)) {
        error->offset += strlen(prefix);
        return false;
    }
    *stored = arena_printf(arena, "%s%.*s", prefix, SLICE_ARG(domain));
    return stored->ptr != NULL || refuse(error, 0, "out of memory");
}

static bool key_part(struct slice typed, struct arena *arena, struct slice *stored,
                     struct live_entry_error *error)
{
    struct ip_address address;
    char text[IPNET_TEXT_MAX];

    if (ip_address_parse(typed, &address) && !ip_address_is_ipv4(&address)) {
        struct ipnet net = ipnet_of(&address);
        net = ipnet_mask(&net, 128 - IPV4_PREFIX_BITS, 64);
        *stored = arena_copy(arena, (struct slice){ text, ipnet_print(&net, text) });
        return stored->ptr != NULL || refuse(error, 0, "out of memory");
    }
    if (is_network_like(typed))
        return network(typed, arena, stored, error);
    return word(typed, arena, stored, error);
}

bool live_key_value(struct slice typed, struct arena *arena, struct slice *stored,
                    struct live_entry_error *error)
{
    struct slice rest = typed, part, normal, all = { NULL, 0 };

    if (typed.len == 0)
        return refuse(error, 0, "a value is missing");
    while (slice_next(&rest, ',', &part)) {
        if (!key_part(part, arena, &normal, error)) {
            error->offset += (size_t)(part.ptr - typed.ptr);
            return false;
        }
        all = all.ptr == NULL ? normal
                              : arena_printf(arena, "%.*s,%.*s", SLICE_ARG(all), SLICE_ARG(normal));
        if (all.ptr == NULL)
            return refuse(error, 0, "out of memory");
    }
    *stored = all;
    return true;
}

bool live_class_member(struct slice typed, struct arena *arena, struct slice *stored,
                       struct live_entry_error *error)
{
    if (slice_starts_with(typed, SLICE("@")))
        return prefixed_domain("@", typed, arena, stored, error);
    return is_network_like(typed) ? network(typed, arena, stored, error)
                                  : word(typed, arena, stored, error);
}
