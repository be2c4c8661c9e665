/* policyd/greylist.c - see greylist.h. */
#include "policyd/greylist.h"

#include "common/base/units.h"
#include "policyd/facts/facts.h"

const struct action *greylist_action(const struct verdict *verdict)
{
    const struct action *longest = NULL;

    for (size_t i = 0; i < verdict->continuing_count; i++) {
        const struct action *action = &verdict->continuing[i];
        if (action->type->id == ACTION_GREYLIST &&
            (longest == NULL || action->duration_ms > longest->duration_ms))
            longest = action;
    }
    return longest;
}

/* A fact's value as part of a key in the store; false: out of memory. */
static bool subject_of(const struct fact_request *request, int fact, enum limit_letter letter,
                       struct slice *out)
{
    struct mailbox_settings settings = policy_attributes(request->policy);
    struct value value;

    if (!attribute_fact(request->req, &settings, request->wall_ms, fact, request->arena, &value))
        return false;
    *out = value.is_empty ? SLICE("") : limit_subject(letter, value.text, request->arena);
    return out->ptr != NULL;
}

enum greylist_asks greylist_ask(const struct fact_request *request, const struct action *action,
                                struct slice spf_domain, struct store_greylist *out)
{
    const struct policyd_config *config = request->policy->parts.config;

    *out = (struct store_greylist){
        .delay_ms = action->duration_ms,
        .window_ms = config->greylist_window,
        .expiry_ms = config->greylist_expiry,
        .allow_expiry_ms = config->greylist_allow_expiry,
        .allow_after = config->greylist_allow_after,
    };
    if (spf_domain.len > 0)
        out->origin = limit_subject(LIMIT_DOMAIN, spf_domain, request->arena);
    else if (!subject_of(request, FACT_CLIENT_NET, LIMIT_NETWORK, &out->origin))
        return GREYLIST_NO_MEMORY;
    if (out->origin.ptr == NULL || !subject_of(request, ATTR_SENDER, LIMIT_MAILBOX, &out->sender) ||
        !subject_of(request, ATTR_RECIPIENT, LIMIT_MAILBOX, &out->recipient))
        return GREYLIST_NO_MEMORY;
    return out->origin.len > 0 ? GREYLIST_ASKS : GREYLIST_NO_ORIGIN;
}

bool greylist_defers(const struct store_greylist *greylist)
{
    return greylist->state == GREYLIST_NEW || greylist->state == GREYLIST_EARLY;
}

static uint64_t seconds_left(const struct store_greylist *greylist)
{
    return (greylist->left_ms + SECOND - 1) / SECOND;
}

struct action greylist_refusal(const struct store_greylist *greylist, const struct action *action,
                               struct arena *arena)
{
    struct slice text = arena_printf(arena, "Greylisted, try again in %llu s",
                                     (unsigned long long)seconds_left(greylist));

    return (struct action){ .type = &policyd_actions[ACTION_DEFER],
                            .rule = action->rule,
                            .text =
                                text.ptr != NULL ? text : SLICE("Greylisted, try again later") };
}

struct slice greylist_reason(const struct store_greylist *greylist, struct arena *arena)
{
    const char *what = greylist->state == GREYLIST_NEW ? "new triplet" : "too early";
    struct slice reason = arena_printf(arena, "%s, %s left", what,
                                       units_print_time(seconds_left(greylist) * SECOND).text);

    return reason.ptr != NULL ? reason : slice_of(what);
}

const char *greylist_word(enum greylist_state state)
{
    static const char *const words[] = { [GREYLIST_NEW] = "new",
                                         [GREYLIST_EARLY] = "early",
                                         [GREYLIST_PASSED] = "passed",
                                         [GREYLIST_KNOWN] = "known" };

    return words[state];
}
