/* policyd/explain_doubts.c - see explain_doubts.h. */
#include "policyd/explain_doubts.h"

#include "common/base/suggest.h"
#include "common/control/control.h"
#include "common/mail/ipnet.h"
#include "policyd/facts/facts.h"
#include "policyd/policy_proto.h"

enum {
    SHOWN_MAX = 60, /* bytes of what was typed */
    DOUBT_MAX = 400
};

static void put_suggestion(const struct suggest *best, struct buf *out)
{
    if (best->name.ptr != NULL)
        buf_printf(out, "; did you mean %.*s?", SLICE_ARG(best->name));
}

static void doubt_name(struct slice name, struct buf *out)
{
    struct suggest best = suggest_for(name);

    for (size_t i = 0; i < POLICY_ATTRIBUTES; i++)
        suggest_offer(&best, slice_of(policy_attribute_name((enum policy_attribute)i)));
    buf_printf(out, "there is no attribute \"%.*s\", it has no effect",
               SLICE_ARG(slice_part(name, 0, SHOWN_MAX)));
    put_suggestion(&best, out);
}

static const char *const *states(void)
{
    for (size_t i = 0; i < policyd_fact_count; i++)
        if (policyd_facts[i].id == ATTR_PROTOCOL_STATE)
            return policyd_facts[i].words;
    return NULL;
}

static void doubt_state(struct slice value, struct buf *out)
{
    struct suggest best = suggest_for(value);

    for (const char *const *word = states(); word != NULL && *word != NULL; word++) {
        if (slice_equal(slice_of(*word), value))
            return;
        suggest_offer(&best, slice_of(*word));
    }
    buf_printf(out,
               "protocol_state \"%.*s\" is none of Postfix's, so it is no stage of the session",
               SLICE_ARG(slice_part(value, 0, SHOWN_MAX)));
    put_suggestion(&best, out);
}

static void doubt_address(struct slice name, struct slice value, struct buf *out)
{
    struct ip_address address;

    if (value.len > 0 && !ip_address_parse(value, &address))
        buf_printf(out, "%.*s \"%.*s\" is no IP address, it counts as empty", SLICE_ARG(name),
                   SLICE_ARG(slice_part(value, 0, SHOWN_MAX)));
}

static void doubt_line(struct slice line, struct buf *out)
{
    struct slice value = line, name;
    enum policy_attribute attr;

    if (!slice_cut(&value, '=', &name))
        return;
    if (!policy_attribute_find(name, &attr))
        doubt_name(name, out);
    else if (attr == ATTR_PROTOCOL_STATE)
        doubt_state(value, out);
    else if (attr == ATTR_CLIENT_ADDRESS || attr == ATTR_SERVER_ADDRESS)
        doubt_address(name, value, out);
}

json_t *explain_doubts(struct slice lines)
{
    json_t *doubts = json_array();
    struct slice line;

    while (doubts != NULL && slice_next(&lines, '\n', &line)) {
        AUTO_BUF text = BUF_INIT(DOUBT_MAX);
        doubt_line(slice_trim(line), &text);
        if (text.len > 0)
            json_array_append_new(doubts, control_text(buf_slice(&text)));
    }
    return doubts;
}
