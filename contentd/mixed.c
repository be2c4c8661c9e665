/* contentd/mixed.c - see mixed.h. Recipients whose copy of the message looks the same are a group; all there is to decide is
 * which group the message itself goes to. */
#include "contentd/mixed.h"

#include "contentd/mixed_envelope.h"
#include "contentd/mixed_groups.h"

const char *const mixed_words[] = { "quarantine", "split", "strictest", NULL };
const char *const fate_words[FATES + 1] = {
    "delivered", "refused", "deferred", "discarded", "quarantined", "spooled", NULL,
};

typedef const struct recipient_verdict *verdict_ref;

/* A plan being made. */
struct planning {
    const struct mixed_settings *settings;
    const struct message *message;
    verdict_ref const *own; /* of each recipient */
    verdict_ref *verdicts; /* what counts: the same, or with `strictest` one for all */
    struct arena *arena;
    struct plan *plan;
    size_t kinds[VERDICT_KINDS]; /* how many of each */
    bool *is_unwanted; /* by recipient: a scanner of its chain does not want it in the envelope */
    struct envelope envelope; /* of the message itself */
    struct slice_set fields; /* names of those that the message itself gets */
};

bool mixed_may_join(enum mixed_mode mode, const struct chain *first, const struct chain *chain,
                    bool is_smtp)
{
    return mode != MIXED_SPLIT || !is_smtp || first == chain;
}

/* ---- what counts ---- */

static bool is_severer(verdict_ref a, verdict_ref b)
{
    if (a->kind != b->kind)
        return a->kind > b->kind;
    if (a->is_tagged != b->is_tagged)
        return a->is_tagged;
    return a->score > b->score;
}

static void count_kinds(struct planning *p)
{
    size_t count = p->message->recipient_count;
    verdict_ref severest = count > 0 ? p->own[0] : NULL;

    for (size_t i = 1; p->settings->mode == MIXED_STRICTEST && i < count; i++)
        if (is_severer(p->own[i], severest))
            severest = p->own[i];
    for (size_t i = 0; i < count; i++) {
        p->verdicts[i] = p->settings->mode == MIXED_STRICTEST ? severest : p->own[i];
        p->kinds[p->verdicts[i]->kind]++;
    }
}

static verdict_ref first_of(const struct planning *p, enum verdict_kind kind)
{
    for (size_t i = 0; i < p->message->recipient_count; i++)
        if (p->verdicts[i]->kind == kind)
            return p->verdicts[i];
    return NULL;
}

static bool same_for_all(struct planning *p, enum plan_reply action, enum fate fate,
                         enum verdict_kind kind)
{
    p->plan->action = action;
    p->plan->spoken = first_of(p, kind);
    for (size_t i = 0; i < p->message->recipient_count; i++)
        p->plan->fates[i] = fate;
    return true;
}

/* ---- envelope ---- */

/* The verdict of the n-th member; NULL when it is that of the one before. */
static verdict_ref next_verdict(const struct planning *p, const struct group *group, size_t n)
{
    verdict_ref own = p->own[group->members[n]];

    return n > 0 && own == p->own[group->members[n - 1]] ? NULL : own;
}

/* Those that scanners add for this group. */
static bool add_recipients_of(struct planning *p, const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        verdict_ref own = next_verdict(p, group, i);
        for (const struct edit *edit = own == NULL ? NULL : own->edits.first; edit != NULL;
             edit = edit->next)
            if (edit->kind == EDIT_ADD_RECIPIENT && !envelope_add(&p->envelope, edit->text))
                return false;
    }
    return true;
}

/* ---- the message itself ---- */

/* The group's recipients stay, or other addresses come in their places. */
static bool group_stays(struct planning *p, const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        size_t n = group->members[i];
        struct slice redirect = p->own[n]->redirect;
        p->plan->fates[n] = p->is_unwanted[n] ? FATE_DISCARDED : FATE_DELIVERED;
        if (p->plan->fates[n] == FATE_DELIVERED && redirect.len == 0)
            continue;
        envelope_remove(&p->envelope, n);
        if (p->plan->fates[n] == FATE_DELIVERED && !envelope_add(&p->envelope, redirect))
            return false;
    }
    return add_recipients_of(p, group);
}

static bool adds_field(const struct edit *edit)
{
    return edit->kind == EDIT_ADD_HEADER || edit->kind == EDIT_INSERT_HEADER;
}

static bool take_edit(struct planning *p, const struct edit *edit)
{
    return edits_add(&p->plan->edits, p->arena, edit) &&
           (!adds_field(edit) || slice_set_add(&p->fields, edit->name, NULL));
}

static bool take_edits(struct planning *p, const struct group *group)
{
    for (const struct edit *edit = group->verdict->edits.first; edit != NULL; edit = edit->next)
        if (edit->kind != EDIT_ADD_RECIPIENT && edit->kind != EDIT_REMOVE_RECIPIENT &&
            !take_edit(p, edit))
            return false;
    return true;
}

/* What only tells, and makes nobody's software act. */
static bool is_informational(const struct edit *edit)
{
    return adds_field(edit) && !slice_equal_nocase(edit->name, SLICE("X-Spam-Flag")) &&
           !slice_equal_nocase(edit->name, SLICE("Subject"));
}

/* Of a group that stays but should have other edits: the fields that the message does not have otherwise. */
static bool inform(struct planning *p, const struct group *group)
{
    for (const struct edit *edit = group->verdict->edits.first; edit != NULL; edit = edit->next)
        if (is_informational(edit) && !slice_set_has(&p->fields, edit->name) && !take_edit(p, edit))
            return false;
    p->plan->unedited += group->count;
    return true;
}

/* ---- copies ---- */

static bool copy_new(const struct planning *p, const struct group *group, struct plan_copy *copy,
                     size_t **recipients)
{
    *copy = (struct plan_copy){ .verdict = group->verdict };
    *recipients = arena_alloc_array(p->arena, group->count + 1, sizeof **recipients);
    copy->recipients = *recipients;
    return *recipients != NULL;
}

static size_t edits_of_kind(const struct edits *edits, enum edit_kind kind)
{
    size_t count = 0;

    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        count += edit->kind == kind;
    return count;
}

static bool is_same_address(struct slice a, struct slice b)
{
    return slice_equal_nocase(a, b);
}

static bool is_among(const struct slice *addresses, size_t count, struct slice address)
{
    while (count > 0)
        if (is_same_address(addresses[--count], address))
            return true;
    return false;
}

/* Whom scanners add for members of the group, unless the message itself goes to them. */
static void copy_add_recipients(const struct planning *p, const struct group *group,
                                struct plan_copy *copy, struct slice *added)
{
    size_t first = copy->added_count;

    for (size_t i = 0; i < group->count; i++) {
        verdict_ref own = next_verdict(p, group, i);
        for (const struct edit *edit = own == NULL ? NULL : own->edits.first; edit != NULL;
             edit = edit->next)
            if (edit->kind == EDIT_ADD_RECIPIENT && !envelope_adds(&p->envelope, edit->text) &&
                !is_among(added + first, copy->added_count - first, edit->text))
                added[copy->added_count++] = edit->text;
    }
}

/* Most addresses that can be added: redirections, and what scanners want. */
static size_t added_most(const struct planning *p, const struct group *group)
{
    size_t most = group->count;

    for (size_t i = 0; i < group->count; i++) {
        verdict_ref own = next_verdict(p, group, i);
        most += own == NULL ? 0 : edits_of_kind(&own->edits, EDIT_ADD_RECIPIENT);
    }
    return most;
}

static bool spool_copy(struct planning *p, const struct group *group)
{
    struct plan_copy *copy = &p->plan->spool[p->plan->spool_count];
    struct slice *added = arena_alloc_array(p->arena, added_most(p, group) + 1, sizeof *added);
    size_t *recipients;

    if (added == NULL || !copy_new(p, group, copy, &recipients))
        return false;
    copy->added = added;
    for (size_t i = 0; i < group->count; i++) {
        size_t n = group->members[i];
        struct slice redirect = p->own[n]->redirect;
        envelope_remove(&p->envelope, n);
        p->plan->fates[n] = p->is_unwanted[n] ? FATE_DISCARDED : FATE_SPOOLED;
        if (p->plan->fates[n] == FATE_DISCARDED)
            continue;
        if (redirect.len == 0)
            recipients[copy->count++] = n;
        else if (copy->added_count == 0 || !is_same_address(added[copy->added_count - 1], redirect))
            added[copy->added_count++] = redirect;
    }
    copy_add_recipients(p, group, copy, added);
    p->plan->spool_count += copy->count + copy->added_count > 0;
    return true;
}

static bool keep_copy(struct planning *p, const struct group *group)
{
    size_t *recipients;
    struct plan_copy *copy = &p->plan->quarantine[p->plan->quarantine_count++];

    if (!copy_new(p, group, copy, &recipients))
        return false;
    for (size_t i = 0; i < group->count; i++) {
        recipients[copy->count++] = group->members[i];
        p->plan->fates[group->members[i]] = FATE_QUARANTINED;
    }
    return true;
}

/* ---- those who get it, those for whom it is kept, those who never see it ---- */

static bool is_delivered(const struct recipient_verdict *verdict)
{
    return verdict->kind == VERDICT_DELIVER;
}

static bool is_kept(const struct recipient_verdict *verdict)
{
    return verdict->kind == VERDICT_QUARANTINE || verdict->kind == VERDICT_REJECT;
}

/* The mildest: not tagged, then the larger, then the first. */
static const struct group *group_to_stay(const struct groups *groups)
{
    const struct group *best = &groups->groups[0];

    for (size_t i = 1; i < groups->count; i++) {
        const struct group *group = &groups->groups[i];
        if (group->verdict->is_tagged != best->verdict->is_tagged ? best->verdict->is_tagged
                                                                  : group->count > best->count)
            best = group;
    }
    return best;
}

static bool deliver(struct planning *p)
{
    struct groups groups;

    if (!groups_make(&groups, p->verdicts, p->message->recipient_count, is_delivered, false,
                     p->arena))
        return false;
    p->plan->spool = arena_alloc_array(p->arena, groups.count + 1, sizeof *p->plan->spool);
    if (p->plan->spool == NULL)
        return false;
    const struct group *stays = group_to_stay(&groups);
    p->plan->spoken = stays->verdict;
    if (!take_edits(p, stays) || !group_stays(p, stays))
        return false;
    for (size_t i = 0; i < groups.count; i++) {
        const struct group *group = &groups.groups[i];
        bool can_copy = p->settings->can_release && p->plan->spool_count < p->settings->copies_max;
        if (group == stays)
            continue;
        if (can_copy ? !spool_copy(p, group) : !inform(p, group) || !group_stays(p, group))
            return false;
    }
    return true;
}

static bool keep(struct planning *p)
{
    struct groups groups;

    if (!groups_make(&groups, p->verdicts, p->message->recipient_count, is_kept, true, p->arena))
        return false;
    p->plan->quarantine =
        arena_alloc_array(p->arena, groups.count + 1, sizeof *p->plan->quarantine);
    if (p->plan->quarantine == NULL)
        return false;
    for (size_t i = 0; i < groups.count; i++)
        if (!keep_copy(p, &groups.groups[i]))
            return false;
    return true;
}

/* Removes from the envelope whom neither deliver() has left nor removed. */
static void remove_the_others(struct planning *p)
{
    for (size_t i = 0; i < p->message->recipient_count; i++)
        if (!is_delivered(p->verdicts[i]))
            envelope_remove(&p->envelope, i);
}

static bool has_recipients_left(const struct planning *p)
{
    for (size_t i = 0; i < p->message->recipient_count; i++)
        if (p->plan->fates[i] == FATE_DELIVERED)
            return true;
    return p->envelope.additions.count > 0;
}

/* Nobody gets the message itself. */
static void discard(struct planning *p)
{
    p->plan->action = PLAN_DISCARD;
    edits_init(&p->plan->edits);
    if (p->plan->spoken != NULL)
        return;
    p->plan->spoken = first_of(p, VERDICT_QUARANTINE);
    if (p->plan->spoken == NULL)
        p->plan->spoken = first_of(p, VERDICT_REJECT);
}

bool mixed_plan(const struct mixed_settings *settings, const struct message *message,
                const struct recipient_verdict *const *verdicts, struct arena *arena,
                struct plan *out)
{
    size_t count = message->recipient_count;
    struct planning p = {
        .settings = settings, .message = message, .own = verdicts, .arena = arena, .plan = out
    };

    *out = (struct plan){ .action = PLAN_ACCEPT };
    edits_init(&out->edits);
    p.verdicts = arena_alloc_array(arena, count + 1, sizeof(verdict_ref));
    out->fates = arena_alloc_array(arena, count + 1, sizeof *out->fates);
    slice_set_init(&p.fields, arena);
    if (p.verdicts == NULL || out->fates == NULL || !envelope_init(&p.envelope, message, arena) ||
        !envelope_find_unwanted(message, verdicts, arena, &p.is_unwanted))
        return false;
    count_kinds(&p);
    if (p.kinds[VERDICT_TEMPFAIL] > 0)
        return same_for_all(&p, PLAN_TEMPFAIL, FATE_DEFERRED, VERDICT_TEMPFAIL);
    if (count > 0 && p.kinds[VERDICT_REJECT] == count)
        return same_for_all(&p, PLAN_REJECT, FATE_REFUSED, VERDICT_REJECT);
    if (count > 0 && p.kinds[VERDICT_DISCARD] == count)
        return same_for_all(&p, PLAN_DISCARD, FATE_DISCARDED, VERDICT_DISCARD);
    for (size_t i = 0; i < count; i++)
        out->fates[i] = FATE_DISCARDED; /* what follows says otherwise of all but those */
    if ((p.kinds[VERDICT_DELIVER] > 0 && !deliver(&p)) || !keep(&p))
        return false;
    if (count == 0)
        return true;
    if (p.kinds[VERDICT_DELIVER] == 0 || !has_recipients_left(&p)) {
        discard(&p);
        return true;
    }
    remove_the_others(&p);
    return envelope_print(&p.envelope, &out->edits);
}

enum verdict_kind plan_verdict(const struct plan *plan)
{
    switch (plan->action) {
    case PLAN_REJECT:
        return VERDICT_REJECT;
    case PLAN_TEMPFAIL:
        return VERDICT_TEMPFAIL;
    case PLAN_DISCARD:
        if (plan->spool_count > 0) /* somebody gets a copy */
            return VERDICT_DELIVER;
        return plan->quarantine_count > 0 ? VERDICT_QUARANTINE : VERDICT_DISCARD;
    case PLAN_ACCEPT:
        break;
    }
    return VERDICT_DELIVER;
}

bool fate_is_loss(enum fate fate, const struct recipient_verdict *verdict)
{
    switch (fate) {
    case FATE_REFUSED:
    case FATE_DEFERRED:
        return true;
    case FATE_DISCARDED:
        return !is_delivered(verdict) || edits_of_kind(&verdict->edits, EDIT_ADD_RECIPIENT) == 0;
    case FATE_DELIVERED:
    case FATE_QUARANTINED:
    case FATE_SPOOLED:
    case FATES:
        break;
    }
    return false;
}
