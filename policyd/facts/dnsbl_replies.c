/* policyd/facts/dnsbl_replies.c - see dnsbl_replies.h. */
#include "policyd/facts/dnsbl_replies.h"

struct cursor {
    struct slice text;
    size_t at;
    struct conf_complaint *error; /* NULL: nobody asks */
};

static bool wrong(const struct cursor *cursor, size_t at, const char *text)
{
    if (cursor->error != NULL)
        conf_complain(cursor->error, at, "%s", text);
    return false;
}

static bool take(struct cursor *cursor, const char *word)
{
    if (!slice_starts_with(slice_skip(cursor->text, cursor->at), slice_of(word)))
        return false;
    cursor->at += strlen(word);
    return true;
}

static bool take_number(struct cursor *cursor, unsigned *out)
{
    size_t begin = cursor->at;
    uint64_t number;

    while (cursor->at < cursor->text.len && ascii_is_digit(cursor->text.ptr[cursor->at]))
        cursor->at++;
    struct slice digits = slice_part(cursor->text, begin, cursor->at - begin);
    if (digits.len == 0)
        return wrong(cursor, begin,
                     "a number from 0 to 255 is expected here, or a set, [2;4;6..8]");
    if (!slice_to_u64(digits, &number) || number > 255)
        return wrong(cursor, begin, "a part of an address is at most 255");
    *out = (unsigned)number;
    return true;
}

static void set_add(uint64_t set[4], unsigned from, unsigned to)
{
    for (unsigned i = from; i <= to; i++)
        set[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool set_has(const uint64_t set[4], unsigned char octet)
{
    return (set[octet / 64] >> (octet % 64) & 1) != 0;
}

static bool take_range(struct cursor *cursor, uint64_t set[4])
{
    size_t begin = cursor->at;
    unsigned from, to;

    if (!take_number(cursor, &from))
        return false;
    to = from;
    if (take(cursor, "-"))
        return wrong(cursor, cursor->at - 1, "a range is written with two dots, [2..11]");
    if (take(cursor, "..") && !take_number(cursor, &to))
        return false;
    if (to < from)
        return wrong(cursor, begin, "the range ends before it begins");
    set_add(set, from, to);
    return true;
}

static bool take_part(struct cursor *cursor, uint64_t set[4])
{
    unsigned number;

    if (!take(cursor, "[")) {
        if (!take_number(cursor, &number))
            return false;
        set_add(set, number, number);
        return true;
    }
    do {
        if (!take_range(cursor, set))
            return false;
    } while (take(cursor, ";"));
    return take(cursor, "]") ||
           wrong(cursor, cursor->at,
                 "a ] is missing; numbers in a set are separated by semicolons, [2;4;6..8]");
}

static bool take_weight(struct cursor *cursor, double *out)
{
    struct slice rest;

    if (!take(cursor, "*"))
        return wrong(cursor, cursor->at,
                     "after the address comes nothing or *WEIGHT, as in 127.0.0.2*3");
    rest = slice_skip(cursor->text, cursor->at);
    if (!slice_to_double(rest, out) || *out < -DNSBL_WEIGHT_MAX || *out > DNSBL_WEIGHT_MAX)
        return wrong(cursor, cursor->at, "a weight is a number from -1000 to 1000");
    if (!(*out < 0 || *out > 0))
        return wrong(cursor, cursor->at, "the weight 0 counts for nothing");
    return true;
}

/* Are 127.0.0.1 and 127.255.255.0/24 all that it fits? */
static bool fits_errors_only(const struct dnsbl_reply *reply)
{
    static const struct dnsbl_reply refused = { { { 0, UINT64_C(1) << 63, 0, 0 },
                                                  { 0, 0, 0, UINT64_C(1) << 63 },
                                                  { 0, 0, 0, UINT64_C(1) << 63 } },
                                                0 };
    static const struct dnsbl_reply nobody = {
        { { 0, UINT64_C(1) << 63, 0, 0 }, { 1, 0, 0, 0 }, { 1, 0, 0, 0 }, { 2, 0, 0, 0 } }, 0
    };

    return memcmp(reply->octets, refused.octets, 3 * sizeof reply->octets[0]) == 0 ||
           memcmp(reply->octets, nobody.octets, sizeof nobody.octets) == 0;
}

bool dnsbl_reply_parse(struct slice text, struct dnsbl_reply *out, struct conf_complaint *error)
{
    struct cursor cursor = { text, 0, error };
    struct dnsbl_reply reply = { .weight = 1 };

    if (!take(&cursor, "127."))
        return wrong(&cursor, 0,
                     "an answer of a DNS list begins with 127, as in 127.0.0.[2..11]*3");
    set_add(reply.octets[0], 127, 127);
    for (size_t i = 1; i < COUNT(reply.octets); i++) {
        if (i > 1 && !take(&cursor, "."))
            return wrong(&cursor, cursor.at, "four parts with dots between them are expected");
        if (!take_part(&cursor, reply.octets[i]))
            return false;
    }
    if (cursor.at < text.len && !take_weight(&cursor, &reply.weight))
        return false;
    if (fits_errors_only(&reply))
        return wrong(&cursor, 0,
                     "127.0.0.1 and 127.255.255.0/24 tell of an error and never mean listed");
    *out = reply;
    return true;
}

bool dnsbl_reply_fits(const struct dnsbl_reply *reply, const struct ip_address *address)
{
    if (!ip_address_is_ipv4(address))
        return false;
    for (size_t i = 0; i < COUNT(reply->octets); i++)
        if (!set_has(reply->octets[i], address->bytes[12 + i]))
            return false;
    return true;
}

bool dnsbl_check_reply(struct slice text, struct conf_complaint *out)
{
    struct dnsbl_reply unused;

    return dnsbl_reply_parse(text, &unused, out);
}

bool dnsbl_check_zone(struct slice text, struct conf_complaint *out)
{
    struct ip_address address;

    if (slice_starts_with(text, SLICE(".")))
        return conf_complain(out, 0, "a zone is written without a dot before it");
    if (!dns_name_is_valid(text) || slice_find(text, '.') == SIZE_MAX ||
        ip_address_parse(text, &address))
        return conf_complain(out, 0, "this is no domain; a zone is one, as in zen.spamhaus.org");
    return true;
}

static bool is_error(const struct ip_address *address)
{
    const unsigned char *octets = address->bytes + 12;

    if (!ip_address_is_ipv4(address) || octets[0] != 127)
        return true;
    if (octets[1] == 255 && octets[2] == 255)
        return true;
    return octets[1] == 0 && octets[2] == 0 && octets[3] == 1;
}

static size_t reply_of(const struct dnsbl_reply *replies, size_t count,
                       const struct ip_address *address)
{
    size_t i = 0;

    while (i < count && !dnsbl_reply_fits(&replies[i], address))
        i++;
    return i;
}

enum dnsbl_meaning dnsbl_judge(const struct dnsbl_reply *replies, size_t count,
                               const struct dns_answer *answer, double *weight,
                               const struct ip_address **culprit)
{
    bool counted[DNSBL_REPLIES_MAX] = { false };
    enum dnsbl_meaning meaning = DNSBL_CLEAN;

    *weight = 0;
    if (answer->status == DNS_FAILED)
        return DNSBL_NO_ANSWER;
    for (size_t i = 0; i < answer->count; i++) {
        const struct ip_address *address = &answer->records[i].address;
        if (is_error(address)) {
            *culprit = address;
            return DNSBL_ERROR;
        }
        size_t reply = reply_of(replies, count, address);
        if (reply == count || reply >= DNSBL_REPLIES_MAX || counted[reply])
            continue;
        counted[reply] = true;
        *weight += replies[reply].weight;
        meaning = DNSBL_LISTED;
    }
    return meaning;
}
