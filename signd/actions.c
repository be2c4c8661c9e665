/* signd/actions.c - see actions.h. */
#include "signd/actions.h"

#define LOOKING (STAGES_DATA | STAGES_END)

const char *const task_words[] = { "none", "sign", "verify", NULL };
const char *const fate_words[] = { "accept", "reject", "tempfail", "discard", "hold", NULL };

/* clang-format off */
const struct action_type signd_actions[SIGND_ACTIONS] = {
    [ACTION_ACCEPT] = { .name = "accept", .id = ACTION_ACCEPT, .kind = ACTION_FINAL, .argument = ARG_NONE,
      .default_stages = LOOKING, .stages = LOOKING,
      .doc = "No further rule of this stage. It is signed or verified all the same: see none." },
    [ACTION_REJECT] = { .name = "reject", .id = ACTION_REJECT, .kind = ACTION_FINAL, .argument = ARG_REPLY, .refuses = true,
      .default_stages = LOOKING, .stages = LOOKING, .reply_class = "5", .default_text = "Message refused",
      .doc = "Refused for good: 550, or the code given." },
    [ACTION_TEMPFAIL] = { .name = "tempfail", .id = ACTION_TEMPFAIL, .kind = ACTION_FINAL, .argument = ARG_REPLY, .refuses = true,
      .default_stages = LOOKING, .stages = LOOKING, .reply_class = "4", .default_text = "Message deferred, try again later",
      .doc = "Refused for now: 451, or the code given." },
    [ACTION_DISCARD] = { .name = "discard", .id = ACTION_DISCARD, .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT,
      .default_stages = LOOKING, .stages = LOOKING, .doc = "Accepted and thrown away." },
    [ACTION_HOLD] = { .name = "hold", .id = ACTION_HOLD, .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT,
      .default_stages = LOOKING, .stages = LOOKING,
      .doc = "Accepted into Postfix's hold queue, with all that is done to it otherwise (postsuper -H releases it)." },
    [ACTION_SIGN] = { .name = "sign", .id = ACTION_SIGN, .kind = ACTION_CONTINUES, .argument = ARG_NONE,
      .default_stages = STAGES_DATA, .stages = STAGES_DATA,
      .doc = "It is signed, as outbound mail is by default. Of sign, verify and none the first one counts." },
    [ACTION_VERIFY] = { .name = "verify", .id = ACTION_VERIFY, .kind = ACTION_CONTINUES, .argument = ARG_NONE,
      .default_stages = STAGES_DATA, .stages = STAGES_DATA,
      .doc = "It is verified and gets Authentication-Results, as all other mail does by default." },
    [ACTION_NONE] = { .name = "none", .id = ACTION_NONE, .kind = ACTION_CONTINUES, .argument = ARG_NONE,
      .default_stages = STAGES_DATA, .stages = STAGES_DATA, .doc = "It is neither signed nor verified." },
    [ACTION_ADD_HEADER] = { .name = "add_header", .id = ACTION_ADD_HEADER, .kind = ACTION_CONTINUES, .argument = ARG_HEADER,
      .default_stages = STAGES_END, .stages = LOOKING, .doc = "Adds a header field; signatures are made with it." },
    [ACTION_WARN] = { .name = "warn", .id = ACTION_WARN, .kind = ACTION_CONTINUES, .argument = ARG_TEXT,
      .default_stages = STAGES_END, .stages = LOOKING, .doc = "The field warn of the decision line." },
};
/* clang-format on */

void rule_outcome_init(struct rule_outcome *outcome)
{
    *outcome = (struct rule_outcome){ .fate = FATE_ACCEPT };
    edits_init(&outcome->edits);
}

static void take_task(enum task task, struct rule_outcome *outcome)
{
    if (outcome->has_task)
        return;
    outcome->has_task = true;
    outcome->task = task;
}

static bool take_header(const struct action *action, struct arena *arena,
                        struct rule_outcome *outcome)
{
    struct slice value = header_value_make(arena, action->text);

    return value.ptr != NULL &&
           edits_add(
               &outcome->edits, arena,
               &(struct edit){ .kind = EDIT_ADD_HEADER, .name = action->header, .text = value });
}

static bool take_continuing(const struct action *action, struct arena *arena,
                            struct rule_outcome *outcome)
{
    switch ((enum signd_action)action->type->id) {
    case ACTION_SIGN:
        take_task(TASK_SIGN, outcome);
        break;
    case ACTION_VERIFY:
        take_task(TASK_VERIFY, outcome);
        break;
    case ACTION_NONE:
        take_task(TASK_NONE, outcome);
        break;
    case ACTION_ADD_HEADER:
        return take_header(action, arena, outcome);
    case ACTION_WARN:
        outcome->warning = action->text;
        break;
    case ACTION_ACCEPT:
    case ACTION_REJECT:
    case ACTION_TEMPFAIL:
    case ACTION_DISCARD:
    case ACTION_HOLD:
    case SIGND_ACTIONS:
        break;
    }
    return true;
}

static enum fate fate_of(const struct action *action)
{
    static const enum fate fates[SIGND_ACTIONS] = {
        [ACTION_REJECT] = FATE_REJECT,
        [ACTION_TEMPFAIL] = FATE_TEMPFAIL,
        [ACTION_DISCARD] = FATE_DISCARD,
        [ACTION_HOLD] = FATE_HOLD,
    };

    return fates[action->type->id];
}

static void take_final(const struct rule_set *rules, const struct action *action,
                       struct rule_outcome *outcome)
{
    outcome->has_final = true;
    outcome->fate = fate_of(action);
    outcome->rule = rule_set_info(rules, action->rule).name;
    outcome->reason = action->text;
    if (outcome->fate == FATE_REJECT)
        outcome->reply = action_reply(action, 550, "5.7.1");
    else if (outcome->fate == FATE_TEMPFAIL)
        outcome->reply = action_reply(action, 451, "4.7.1");
}

bool actions_take(const struct rule_set *rules, const struct verdict *verdict, struct arena *arena,
                  struct rule_outcome *outcome)
{
    for (size_t i = 0; i < verdict->continuing_count; i++)
        if (!take_continuing(&verdict->continuing[i], arena, outcome))
            return false;
    if (verdict->final != NULL && outcome->fate == FATE_ACCEPT)
        take_final(rules, verdict->final, outcome);
    return true;
}
