/* policyd/inquiry_greylist.c - the phases that ask about a triplet; see inquiry_impl.h and greylist.h. */
#include "policyd/inquiry_impl.h"

static void greylist_done(struct store_call *call)
{
    inquiry_step((struct inquiry *)(void *)((char *)call - offsetof(struct inquiry, greylist)));
}

static bool greylist_wait(struct inquiry *inquiry)
{
    inquiry->greylist_refusal =
        greylist_refusal(&inquiry->greylist, inquiry->greylist_action, inquiry->arena);
    inquiry->reason = greylist_reason(&inquiry->greylist, inquiry->arena);
    inquiry->verdict.final = &inquiry->greylist_refusal;
    inquiry->phase = PHASE_DONE;
    return true;
}

/* The rule says what then; with `match` it is the first time. */
static bool greylist_failed(struct inquiry *inquiry)
{
    size_t rule = inquiry->greylist_action->rule;

    inquiry_count(inquiry, inquiry->server->policyd->metrics.greylist[GREYLIST_FAILED], 1);
    inquiry_count(inquiry, inquiry->server->policyd->metrics.trouble, 1);
    switch (rule_set_info(inquiry->policy->book.rules, rule).trouble) {
    case TROUBLE_MATCH:
        inquiry->greylist.state = GREYLIST_NEW;
        inquiry->greylist.left_ms = inquiry->greylist.delay_ms;
        return greylist_wait(inquiry);
    case TROUBLE_DEFER:
        return inquiry_refuse_for_trouble(inquiry, rule);
    case TROUBLE_SKIP:
        break;
    }
    inquiry->phase = PHASE_CHARGE;
    return true;
}

/* The domain that stands in place of the network when SPF passes, so that a large sender may come back from another of
 * its hosts; absent: none. False: it is still being looked up. */
static bool greylist_domain(struct inquiry *inquiry, struct slice *domain)
{
    const struct policy *policy = inquiry->policy;
    struct value value;

    *domain = (struct slice){ NULL, 0 };
    if (!policy->parts.config->greylist_by_spf)
        return true;
    enum fact_state state = evaluation_get(&inquiry->evaluation, policy->spf_slot, &value);
    if (state == FACT_KNOWN && slice_equal(value.text, SLICE("pass"))) {
        state = evaluation_get(&inquiry->evaluation, policy->spf_domain_slot, &value);
        if (state == FACT_KNOWN)
            *domain = value.text;
    }
    return state != FACT_MISSING;
}

bool inquiry_greylist_phase(struct inquiry *inquiry)
{
    struct store_greylist *greylist = &inquiry->greylist;
    struct slice domain = { NULL, 0 };

    inquiry->greylist_action = greylist_action(&inquiry->verdict);
    if (inquiry->greylist_action != NULL && !greylist_domain(inquiry, &domain))
        return false;
    inquiry->phase = PHASE_CHARGE;
    if (inquiry->greylist_action == NULL)
        return true;
    switch (greylist_ask(&inquiry->facts, inquiry->greylist_action, domain, greylist)) {
    case GREYLIST_NO_ORIGIN:
        return true;
    case GREYLIST_NO_MEMORY:
        return greylist_failed(inquiry);
    case GREYLIST_ASKS:
        break;
    }
    greylist->call.done = greylist_done;
    greylist->peek = inquiry->is_explained;
    inquiry->phase = PHASE_GREYLISTED;
    return store_greylist(inquiry->server->store, greylist);
}

bool inquiry_greylisted_phase(struct inquiry *inquiry)
{
    const struct policy_metrics *metrics = &inquiry->server->policyd->metrics;
    const struct store_greylist *greylist = &inquiry->greylist;

    if (greylist->call.result != STORE_OK)
        return greylist_failed(inquiry);
    bool degraded = greylist->call.is_degraded;
    inquiry->is_greylisted = true;
    inquiry->is_degraded |= degraded;
    inquiry_count(inquiry,
                  metrics->greylist[degraded ? (size_t)GREYLIST_DEGRADED : greylist->state], 1);
    inquiry_count(inquiry, metrics->greylist_crowded, greylist->is_crowded ? 1 : 0);
    if (greylist_defers(greylist))
        return greylist_wait(inquiry);
    inquiry->phase = PHASE_CHARGE;
    return true;
}
