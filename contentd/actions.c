/* contentd/actions.c - see actions.h. */
#include "contentd/actions.h"

#include "contentd/headers.h"

#define LOOKING (STAGES_DATA | STAGES_END)

/* clang-format off */
const struct action_type contentd_actions[CONTENTD_ACTIONS] = {
    [ACTION_ACCEPT] = { .name = "accept", .id = ACTION_ACCEPT, .kind = ACTION_FINAL, .argument = ARG_NONE,
      .default_stages = LOOKING,
      .doc = "No further rule, and no score counts. Malware and scanners in trouble do all the same: see skip." },
    [ACTION_REJECT] = { .name = "reject", .id = ACTION_REJECT, .kind = ACTION_FINAL, .argument = ARG_REPLY, .refuses = true,
      .default_stages = LOOKING, .reply_class = "5", .default_text = "Message refused",
      .doc = "Refused for good: 554, or the code given." },
    [ACTION_TEMPFAIL] = { .name = "tempfail", .id = ACTION_TEMPFAIL, .kind = ACTION_FINAL, .argument = ARG_REPLY, .refuses = true,
      .default_stages = LOOKING, .reply_class = "4", .default_text = "Message deferred, try again later",
      .doc = "Refused for now: 451, or the code given." },
    [ACTION_DISCARD] = { .name = "discard", .id = ACTION_DISCARD, .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT,
      .default_stages = LOOKING, .stages = LOOKING, .doc = "Accepted and thrown away." },
    [ACTION_QUARANTINE] = { .name = "quarantine", .id = ACTION_QUARANTINE, .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT,
      .default_stages = LOOKING, .stages = LOOKING, .doc = "Accepted and kept in the quarantine, for somebody to release or delete." },
    [ACTION_REDIRECT] = { .name = "redirect", .id = ACTION_REDIRECT, .kind = ACTION_FINAL, .argument = ARG_MAILBOX,
      .default_stages = LOOKING, .stages = LOOKING, .doc = "As accept, but it goes to this mailbox instead of the recipient." },
    [ACTION_TAG] = { .name = "tag", .id = ACTION_TAG, .kind = ACTION_CONTINUES, .argument = ARG_OPT_TEXT,
      .default_stages = STAGES_END, .stages = LOOKING,
      .doc = "Delivered as spam: X-Spam-Flag, and before the subject this text, or the chain's subject_prefix." },
    [ACTION_ADD_HEADER] = { .name = "add_header", .id = ACTION_ADD_HEADER, .kind = ACTION_CONTINUES, .argument = ARG_HEADER,
      .default_stages = STAGES_END, .stages = LOOKING, .doc = "Adds a header field." },
    [ACTION_REMOVE_HEADER] = { .name = "remove_header", .id = ACTION_REMOVE_HEADER, .kind = ACTION_CONTINUES, .argument = ARG_HEADER_NAME,
      .default_stages = STAGES_END, .stages = LOOKING, .doc = "Removes all header fields of this name." },
    [ACTION_SKIP] = { .name = "skip", .id = ACTION_SKIP, .kind = ACTION_CONTINUES, .argument = ARG_WORD, .word_kind = "scanner",
      .default_stages = LOOKING, .stages = LOOKING,
      .doc = "The recipient does without this scanner: at data it is not asked, at end-of-message what it found does not count." },
    [ACTION_SCORE] = { .name = "score", .id = ACTION_SCORE, .kind = ACTION_CONTINUES, .argument = ARG_NUMBER,
      .default_stages = STAGES_END, .stages = LOOKING, .doc = "Adds to the message's score." },
    [ACTION_WARN] = { .name = "warn", .id = ACTION_WARN, .kind = ACTION_CONTINUES, .argument = ARG_TEXT,
      .default_stages = STAGES_END, .stages = LOOKING, .doc = "The field warn of the decision line." },
};
/* clang-format on */

static bool take_edit(const struct action_context *context, const struct action *action,
                      struct rule_outcome *outcome)
{
    if (action->type->id == ACTION_REMOVE_HEADER)
        return headers_remove(context->message, action->text, context->arena, &outcome->edits);
    struct slice value = header_value_make(context->arena, action->text);
    return value.ptr != NULL &&
           edits_add(
               &outcome->edits, context->arena,
               &(struct edit){ .kind = EDIT_ADD_HEADER, .name = action->header, .text = value });
}

static bool take_continuing(const struct action_context *context, const struct action *action,
                            struct rule_outcome *outcome)
{
    size_t scanner;

    switch ((enum contentd_action)action->type->id) {
    case ACTION_TAG:
        outcome->is_tagged = true;
        if (action->text.len > 0)
            outcome->subject_prefix = action->text;
        return true;
    case ACTION_SKIP:
        scanner = context->scanner_number(context->scanners, action->text);
        if (scanner < SCANNERS_MAX)
            outcome->skipped |= SCANNER_BIT(scanner);
        return true;
    case ACTION_WARN:
        outcome->warning = action->text;
        return true;
    case ACTION_ADD_HEADER:
    case ACTION_REMOVE_HEADER:
        return take_edit(context, action, outcome);
    case ACTION_ACCEPT:
    case ACTION_REJECT:
    case ACTION_TEMPFAIL:
    case ACTION_DISCARD:
    case ACTION_QUARANTINE:
    case ACTION_REDIRECT:
    case ACTION_SCORE: /* summed up by the evaluation */
    case CONTENTD_ACTIONS:
        break;
    }
    return true;
}

static void take_final(const struct action_context *context, const struct verdict *verdict,
                       struct rule_outcome *outcome)
{
    const struct action *action = verdict->final;

    outcome->rule = rule_set_info(context->rules, action->rule).name;
    outcome->reason = action->text;
    switch ((enum contentd_action)action->type->id) {
    case ACTION_REJECT:
        outcome->final = RULES_REJECT;
        outcome->reply = action_reply(action, 554, "5.7.1");
        break;
    case ACTION_TEMPFAIL:
        outcome->final = RULES_TEMPFAIL;
        outcome->reply = action_reply(action, 451, "4.7.1");
        break;
    case ACTION_DISCARD:
        outcome->final = RULES_DISCARD;
        break;
    case ACTION_QUARANTINE:
        outcome->final = RULES_QUARANTINE;
        break;
    case ACTION_REDIRECT:
        outcome->final = RULES_ACCEPT;
        outcome->redirect = action->text;
        break;
    case ACTION_ACCEPT:
    case ACTION_TAG:
    case ACTION_ADD_HEADER:
    case ACTION_REMOVE_HEADER:
    case ACTION_SKIP:
    case ACTION_SCORE:
    case ACTION_WARN:
    case CONTENTD_ACTIONS:
        outcome->final = RULES_ACCEPT;
        break;
    }
}

bool actions_take(const struct action_context *context, const struct verdict *verdict, double base,
                  struct rule_outcome *outcome)
{
    for (size_t i = 0; i < verdict->continuing_count; i++)
        if (!take_continuing(context, &verdict->continuing[i], outcome))
            return false;
    outcome->score += verdict->score - base;
    if (verdict->final != NULL &&
        (outcome->final == RULES_SILENT || outcome->final == RULES_ACCEPT))
        take_final(context, verdict, outcome);
    return true;
}
