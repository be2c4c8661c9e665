/* common/limits/limit_key.c - the value of a limit's key and its subject in the store; see limit.h. */
#include "common/base/hash.h"
#include "common/limits/limit_impl.h"
#include "common/mail/address.h"

enum { IPV6_KEY_BITS = 64 };

struct slice limit_concat(struct arena *arena, struct slice a, struct slice b)
{
    char *text = arena_alloc(arena, a.len + b.len + 1);

    if (text == NULL)
        return (struct slice){ NULL, 0 };
    memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, b.ptr, b.len);
    return (struct slice){ text, a.len + b.len };
}

/* `client_address` alone: who has one IPv6 address usually has the whole /64. */
static bool counts_as_network(const struct fact_type *type)
{
    return type->type == VALUE_ADDRESS && strcmp(type->name, "client_address") == 0;
}

static struct slice net_text(struct ipnet net, bool as_network, struct arena *arena)
{
    char text[IPNET_TEXT_MAX];

    if (as_network)
        net = ipnet_mask(&net, 128, IPV6_KEY_BITS);
    size_t len = ipnet_print(&net, text);
    return arena_copy(arena, (struct slice){ text, len });
}

/* One part as text; absent when the arena is full, empty when there is nothing to count by. */
static struct slice part_text(const struct fact_type *type, const struct value *part,
                              struct arena *arena)
{
    if (part->is_empty)
        return SLICE("");
    switch (part->type) {
    case VALUE_ADDRESS:
        return net_text(part->net, counts_as_network(type), arena);
    case VALUE_BOOLEAN:
        return part->boolean ? SLICE("yes") : SLICE("no");
    case VALUE_NUMBER:
        return arena_printf(arena, "%.15g", part->number);
    case VALUE_TEXT:
    case VALUE_WORD:
    case VALUE_DOMAIN:
    case VALUE_MAILBOX:
        break;
    }
    return part->text.ptr == NULL ? SLICE("") : part->text;
}

static struct slice join(const struct slice *parts, size_t count, struct arena *arena)
{
    size_t len = count - 1, at = 0;

    for (size_t n = 0; n < count; n++)
        len += parts[n].len;
    char *text = arena_alloc(arena, len + 1);
    if (text == NULL)
        return (struct slice){ NULL, 0 };
    for (size_t n = 0; n < count; n++) {
        if (n > 0)
            text[at++] = ',';
        memcpy(text + at, parts[n].ptr, parts[n].len);
        at += parts[n].len;
    }
    return (struct slice){ text, len };
}

enum limit_key_result limit_key(const struct limit *limit, const struct value *parts,
                                struct arena *arena, struct slice *value, struct slice *subject)
{
    struct slice texts[LIMIT_KEY_FACTS_MAX], whole = SLICE(""), name;

    for (size_t n = 0; n < limit->key_count; n++) {
        texts[n] = part_text(limit->key[n], &parts[n], arena);
        if (texts[n].ptr == NULL)
            return LIMIT_KEY_NO_MEMORY;
        if (texts[n].len == 0)
            return LIMIT_KEY_EMPTY;
    }
    if (limit->key_count == 1)
        whole = texts[0];
    else if (limit->key_count > 1)
        whole = join(texts, limit->key_count, arena);
    if (whole.ptr == NULL)
        return LIMIT_KEY_NO_MEMORY;
    name = limit_key_subject(limit, whole, arena);
    if (name.ptr == NULL)
        return LIMIT_KEY_NO_MEMORY;
    *value = whole;
    *subject = name;
    return LIMIT_KEY_OK;
}

struct slice limit_key_part(const struct limit *limit, struct slice value, size_t n)
{
    struct slice rest = value, part = value;
    size_t commas = 0;

    if (limit->key_count < 2)
        return value;
    for (size_t i = 0; i < value.len; i++)
        commas += value.ptr[i] == ',';
    if (commas != limit->key_count - 1)
        return value;
    for (size_t i = 0; i <= n; i++)
        if (!slice_cut(&rest, ',', &part))
            part = rest;
    return part;
}

static struct slice typed_part(const struct fact_type *type, struct slice typed,
                               struct arena *arena)
{
    struct slice out = typed;
    struct ipnet net;
    enum address_form form = ADDRESS_NORMAL;

    if (type->type == VALUE_ADDRESS)
        return ipnet_parse(typed, &net, NULL) ? net_text(net, counts_as_network(type), arena)
                                              : typed;
    if (type->type == VALUE_DOMAIN)
        form = address_normalise_domain(typed, arena, &out);
    else if (type->type == VALUE_MAILBOX)
        form = address_normalise_mailbox(typed, arena, &out);
    return form == ADDRESS_NO_MEMORY ? (struct slice){ NULL, 0 } : out;
}

struct slice limit_key_typed(const struct limit *limit, struct slice typed, struct arena *arena)
{
    struct slice parts[LIMIT_KEY_FACTS_MAX];

    if (limit->key_count == 0)
        return SLICE("");
    if (limit->key_count > 1 && slice_equal(limit_key_part(limit, typed, 0), typed))
        return typed; /* not as many parts as facts: nothing is known about it */
    for (size_t n = 0; n < limit->key_count; n++) {
        struct slice part = slice_trim(limit_key_part(limit, typed, n));
        parts[n] = typed_part(limit->key[n], part, arena);
        if (parts[n].ptr == NULL)
            return parts[n];
    }
    return limit->key_count == 1 ? parts[0] : join(parts, limit->key_count, arena);
}

struct slice limit_key_subject(const struct limit *limit, struct slice value, struct arena *arena)
{
    if (limit->key_count == 0)
        return limit_subject(LIMIT_ALL, value, arena);
    if (limit->key_count > 1)
        return limit_subject(LIMIT_COMBINED, value, arena);
    switch (limit->key[0]->type) {
    case VALUE_ADDRESS:
        return limit_subject(slice_find(value, '/') == SIZE_MAX ? LIMIT_ADDRESS : LIMIT_NETWORK,
                             value, arena);
    case VALUE_DOMAIN:
        return limit_subject(LIMIT_DOMAIN, value, arena);
    case VALUE_MAILBOX:
        return limit_subject(LIMIT_MAILBOX, value, arena);
    case VALUE_TEXT:
    case VALUE_WORD:
    case VALUE_NUMBER:
    case VALUE_BOOLEAN:
        break;
    }
    return limit_subject(LIMIT_TEXT, value, arena);
}

/* What a person can type after `redis-cli hgetall`, and what is no pattern and no hash tag to Redis. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_print(text.ptr[i]) || strchr(" \"'\\{}*?[]", text.ptr[i]) != NULL)
            return false;
    return true;
}

/* Such a value is hashed, however plain, so that nobody can name himself like the hash of somebody else's. */
static bool looks_hashed(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_digit(text.ptr[i]) && (text.ptr[i] < 'a' || text.ptr[i] > 'f'))
            return false;
    return text.len == HASH_HEX_LEN;
}

struct slice limit_subject(enum limit_letter letter, struct slice value, struct arena *arena)
{
    const char prefix[2] = { (char)letter, ':' };
    char hex[HASH_HEX_LEN + 1];

    if (letter == LIMIT_ALL)
        return SLICE("*");
    if (value.len > LIMIT_SUBJECT_MAX || !is_plain(value) || looks_hashed(value)) {
        hash_hex128(value, hex);
        value = (struct slice){ hex, HASH_HEX_LEN };
    }
    return limit_concat(arena, (struct slice){ prefix, sizeof prefix }, value);
}
