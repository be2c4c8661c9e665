/* policyd/spf/received_spf.c - see received_spf.h. */
#include "policyd/spf/received_spf.h"

enum {
    SHOWN_DOMAIN_MAX = 80, /* in the comment; of a longer one the end */
    SHORTENED_MIN = 20, /* a text that would be shorter is left out */
};

/* Adds `c`, after a backslash if it is one of `special`; what is not printable as `?`. */
static int put_quoted(struct buf *out, char c, struct slice special)
{
    if (!ascii_is_print(c))
        c = '?';
    if (slice_find(special, c) != SIZE_MAX && buf_put_char(out, '\\'))
        return -1;
    return buf_put_char(out, c);
}

static int put_all_quoted(struct buf *out, struct slice text, struct slice special)
{
    for (size_t i = 0; i < text.len; i++) {
        if (put_quoted(out, text.ptr[i], special))
            return -1;
    }
    return 0;
}

static int put_domain(struct buf *out, struct slice domain)
{
    if (domain.len > SHOWN_DOMAIN_MAX) {
        domain = slice_skip(domain, domain.len - SHOWN_DOMAIN_MAX);
        if (buf_put(out, "..."))
            return -1;
    }
    return put_all_quoted(out, domain, SLICE("()\\"));
}

/* What comes before the domain in the comment, between it and the client, and last. */
static const struct {
    const char *before, *after;
    bool has_client;
} comments[SPF_RESULTS] = {
    [SPF_NONE] = { "", " does not designate permitted sender hosts", false },
    [SPF_NEUTRAL] = { "domain of ", " neither permits nor denies ", true },
    [SPF_PASS] = { "domain of ", " designates ", true },
    [SPF_FAIL] = { "domain of ", " does not designate ", true },
    [SPF_SOFTFAIL] = { "transitioning domain of ", " does not designate ", true },
    [SPF_TEMPERROR] = { "temporary error in processing domain of ", "", false },
    [SPF_PERMERROR] = { "permanent error in processing domain of ", "", false },
};

static int put_comment(struct buf *out, const char *client, const struct spf_outcome *outcome)
{
    bool is_verdict = outcome->result == SPF_PASS || outcome->result == SPF_FAIL ||
                      outcome->result == SPF_SOFTFAIL;

    if (outcome->domain.len == 0)
        return buf_put(out, "no domain that could have a record");
    if (buf_put(out, comments[outcome->result].before) || put_domain(out, outcome->domain) ||
        buf_put(out, comments[outcome->result].after))
        return -1;
    if (comments[outcome->result].has_client && buf_put(out, client))
        return -1;
    return is_verdict ? buf_put(out, " as permitted sender") : 0;
}

/* dot-atom-text of RFC 5322 3.2.3 */
static bool is_dot_atom(struct slice text)
{
    bool was_dot = true;

    for (size_t i = 0; i < text.len; i++) {
        bool is_dot = text.ptr[i] == '.';
        if (is_dot ? was_dot
                   : !ascii_is_alnum(text.ptr[i]) &&
                         slice_find(SLICE("!#$%&'*+-/=?^_`{|}~"), text.ptr[i]) == SIZE_MAX)
            return false;
        was_dot = is_dot;
    }
    return !was_dot;
}

/* Between the comment and the first pair, or between two pairs: these end in `"` or a character of an atom. */
static const char *separator(const struct buf *out)
{
    return out->data[out->len - 1] == ')' ? " " : "; ";
}

/* Adds a pair as a whole, or nothing. */
static void put_pair(struct buf *out, const char *key, struct slice value)
{
    size_t start = out->len;

    if (value.len == 0)
        return;
    if (buf_printf(out, "%s%s=", separator(out), key) == 0) {
        if (is_dot_atom(value)) {
            if (buf_add(out, value) == 0)
                return;
        } else if (buf_put_char(out, '"') == 0 && put_all_quoted(out, value, SLICE("\"\\")) == 0 &&
                   buf_put_char(out, '"') == 0) {
            return;
        }
    }
    out->len = start;
}

/* The same, always quoted and shortened to what fits. */
static void put_text_pair(struct buf *out, const char *key, struct slice value)
{
    size_t start = out->len;

    if (value.len == 0)
        return;
    if (out->max - out->len < strlen(key) + SHORTENED_MIN ||
        buf_printf(out, "%s%s=\"", separator(out), key)) {
        out->len = start;
        return;
    }
    for (size_t i = 0; i < value.len && out->max - out->len > 2; i++) {
        if (put_quoted(out, value.ptr[i], SLICE("\"\\")))
            break;
    }
    if (buf_put_char(out, '"')) /* out of memory */
        out->len = start;
}

int spf_received_print(struct buf *out, const struct spf_query *query,
                       const struct spf_outcome *outcome)
{
    char client[IP_ADDRESS_TEXT_MAX];
    size_t start = out->len, len = ip_address_print(&query->client, client);
    bool is_helo = query->identity == SPF_HELO;

    if (buf_printf(out, "%s (", spf_result_word(outcome->result)) ||
        put_comment(out, client, outcome) || buf_put_char(out, ')')) {
        out->len = start;
        return -1;
    }
    put_pair(out, "client-ip", (struct slice){ client, len });
    put_pair(out, "identity", is_helo ? SLICE("helo") : SLICE("mailfrom"));
    if (!is_helo)
        put_pair(out, "envelope-from", outcome->sender);
    put_pair(out, "helo", query->helo_name);
    if (outcome->result == SPF_FAIL)
        put_text_pair(out, "x-exp", outcome->explanation);
    put_text_pair(out, "problem", outcome->reason);
    put_pair(out, "mechanism", outcome->mechanism);
    put_pair(out, "receiver", query->receiver);
    return 0;
}
