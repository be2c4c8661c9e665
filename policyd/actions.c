/* policyd/actions.c - see actions.h. */
#include "policyd/actions.h"

#include "common/mail/reply.h"

/* clang-format off */
const struct action_type policyd_actions[POLICYD_ACTIONS] = {
    [ACTION_ACCEPT] = { .name = "accept", .id = ACTION_ACCEPT, .kind = ACTION_FINAL, .argument = ARG_NONE,
      .default_stages = STAGE_ALL, .doc = "No objection: Postfix goes on with its own checks (DUNNO, never OK)." },
    [ACTION_REJECT] = { .name = "reject", .id = ACTION_REJECT, .kind = ACTION_FINAL, .argument = ARG_REPLY, .refuses = true, .uses_reply = true,
      .default_stages = STAGE_ALL, .reply_class = "5", .default_text = "Access denied",
      .doc = "Refused for good: 554, or the code given. At end-of-message sent as 521." },
    [ACTION_DEFER] = { .name = "defer", .id = ACTION_DEFER, .kind = ACTION_FINAL, .argument = ARG_REPLY, .refuses = true, .uses_reply = true,
      .default_stages = STAGE_ALL, .reply_class = "4", .default_text = "Service temporarily unavailable",
      .doc = "Refused for now: DEFER_IF_PERMIT, or the code given. At end-of-message sent as 421." },
    [ACTION_HOLD] = { .name = "hold", .id = ACTION_HOLD, .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "Accepted into Postfix's hold queue." },
    [ACTION_DISCARD] = { .name = "discard", .id = ACTION_DISCARD, .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "Accepted and thrown away." },
    [ACTION_REDIRECT] = { .name = "redirect", .id = ACTION_REDIRECT, .kind = ACTION_FINAL, .argument = ARG_MAILBOX, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "The whole message goes to this mailbox instead." },
    [ACTION_FILTER] = { .name = "filter", .id = ACTION_FILTER, .kind = ACTION_FINAL, .argument = ARG_WORD, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "The message goes through this content filter, transport:destination." },
    [ACTION_RESTRICT] = { .name = "restrict", .id = ACTION_RESTRICT, .kind = ACTION_FINAL, .argument = ARG_WORD, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "Postfix goes on with this restriction class of main.cf." },
    [ACTION_LIMIT] = { .name = "limit", .id = ACTION_LIMIT, .kind = ACTION_CONTINUES, .argument = ARG_LIMITS,
      .default_stages = 0, .doc = "These limits apply; they are charged when nothing refuses the request." },
    [ACTION_GREYLIST] = { .name = "greylist", .id = ACTION_GREYLIST, .kind = ACTION_CONTINUES, .argument = ARG_DURATION,
      .default_stages = STAGE_RCPT,
      .doc = "When nothing refuses the request: a network, sender and recipient seen for the first time is deferred until "
             "it comes again after this time (RFC 6647)." },
    [ACTION_SCORE] = { .name = "score", .id = ACTION_SCORE, .kind = ACTION_CONTINUES, .argument = ARG_NUMBER,
      .default_stages = STAGE_ALL, .doc = "Adds to the fact score, which a later rule can ask." },
    [ACTION_PREPEND] = { .name = "prepend", .id = ACTION_PREPEND, .kind = ACTION_CONTINUES, .argument = ARG_HEADER, .uses_reply = true,
      .default_stages = STAGES_DATA, .doc = "Adds a header field at the top of the message." },
    [ACTION_BCC] = { .name = "bcc", .id = ACTION_BCC, .kind = ACTION_CONTINUES, .argument = ARG_MAILBOX, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "One more recipient gets a copy (Postfix 3.0 and later)." },
    [ACTION_WARN] = { .name = "warn", .id = ACTION_WARN, .kind = ACTION_CONTINUES, .argument = ARG_TEXT, .uses_reply = true,
      .default_stages = STAGE_ALL, .doc = "A line in Postfix's log." },
};
/* clang-format on */

bool verdict_refuses(const struct verdict *verdict)
{
    return verdict->final != NULL && (verdict->is_trouble || verdict->final->type->refuses);
}

static bool is_spoken(const struct action *action)
{
    return action->type->id == ACTION_PREPEND || action->type->id == ACTION_BCC ||
           action->type->id == ACTION_WARN;
}

const struct action *verdict_spoken(const struct verdict *verdict, size_t *dropped)
{
    bool is_final = verdict->final != NULL &&
                    (verdict->is_trouble || verdict->final->type->id != ACTION_ACCEPT);
    const struct action *spoken = is_final ? verdict->final : NULL;

    *dropped = 0;
    for (size_t i = 0; i < verdict->continuing_count; i++) {
        const struct action *action = &verdict->continuing[i];
        if (!is_spoken(action))
            continue;
        if (spoken == NULL)
            spoken = action;
        else
            (*dropped)++;
    }
    return spoken;
}

/* "554 5.7.1 Text, ref=abc" of at most REPLY_MAX bytes: the text gives way, the reference never does. */
static int refusal_print(struct buf *out, const char *word, unsigned code, struct slice enhanced,
                         struct slice text, struct slice reference)
{
    struct buf line = BUF_INIT(REPLY_MAX);
    struct buf tail = BUF_INIT(32);
    int rc = -1;

    if (word != NULL ? buf_printf(&line, "%s ", word) : buf_printf(&line, "%u ", code))
        goto out;
    if (buf_printf(&line, "%.*s ", SLICE_ARG(enhanced)) ||
        buf_printf(&tail, ", ref=%.*s", SLICE_ARG(reference)))
        goto out;
    line.max -= tail.len;
    (void)reply_escape(&line, text); /* -1: cut */
    line.max += tail.len;
    rc = buf_add(&line, buf_slice(&tail)) || buf_add(out, buf_slice(&line)) ? -1 : 0;
out:
    buf_free(&line);
    buf_free(&tail);
    return rc;
}

static int reject_print(struct buf *out, const struct action *action, bool at_end,
                        struct slice reference)
{
    unsigned code = at_end ? 521 : action->code != 0 ? action->code : 554;
    struct slice enhanced = action->enhanced.len > 0 ? action->enhanced : SLICE("5.7.1");

    return refusal_print(out, NULL, code, enhanced, action->text, reference);
}

static int defer_print(struct buf *out, const struct action *action, bool at_end,
                       struct slice reference)
{
    unsigned code = at_end ? 421 : action->code;
    struct slice enhanced = action->enhanced.len > 0 ? action->enhanced : SLICE("4.7.1");

    return refusal_print(out, code == 0 ? "DEFER_IF_PERMIT" : NULL, code, enhanced, action->text,
                         reference);
}

/* "HOLD text, ref=abc": a word, and a text for Postfix's log. */
static int word_print(struct buf *out, const char *word, struct slice text, struct slice reference)
{
    if (text.len == 0)
        return buf_printf(out, "%s ref=%.*s", word, SLICE_ARG(reference));
    return buf_printf(out, "%s %.*s, ref=%.*s", word, SLICE_ARG(text), SLICE_ARG(reference));
}

int action_print(struct buf *out, const struct action *action, enum stage stage, bool is_trouble,
                 struct slice reference)
{
    bool at_end = ((unsigned)stage & STAGES_END) != 0;

    if (is_trouble)
        return refusal_print(out, NULL, at_end ? 421 : 451, SLICE("4.3.0"),
                             SLICE("Temporary lookup problem"), reference);
    switch ((enum policyd_action)action->type->id) {
    case ACTION_REJECT:
        return reject_print(out, action, at_end, reference);
    case ACTION_DEFER:
        return defer_print(out, action, at_end, reference);
    case ACTION_HOLD:
        return word_print(out, "HOLD", action->text, reference);
    case ACTION_DISCARD:
        return word_print(out, "DISCARD", action->text, reference);
    case ACTION_WARN:
        return word_print(out, "WARN", action->text, reference);
    case ACTION_REDIRECT:
        return buf_printf(out, "REDIRECT %.*s", SLICE_ARG(action->text));
    case ACTION_BCC:
        return buf_printf(out, "BCC %.*s", SLICE_ARG(action->text));
    case ACTION_FILTER:
        return buf_printf(out, "FILTER %.*s", SLICE_ARG(action->text));
    case ACTION_RESTRICT:
        return buf_add(out, action->text);
    case ACTION_PREPEND:
        return buf_printf(out, "PREPEND %.*s: %.*s", SLICE_ARG(action->header),
                          SLICE_ARG(action->text));
    case ACTION_ACCEPT:
    case ACTION_LIMIT:
    case ACTION_GREYLIST:
    case ACTION_SCORE:
    case POLICYD_ACTIONS:
        break;
    }
    return buf_put(out, "DUNNO");
}

const char *action_word(const struct action *action)
{
    return action == NULL || action->type->id == ACTION_ACCEPT ? "dunno" : action->type->name;
}
