/* contentd/effects.c - see effects.h. */
#include "contentd/effects.h"

#include "common/observe/log.h"
#include "common/quarantine/kept_message.h"
#include "contentd/quarantine/kept_finding.h"
#include "contentd/rewrite.h"

enum { ERROR_MAX = 300 };

/* ---- what is written down about a copy ---- */

/* "virus clam Eicar-Test", "rule executables attachment", "score 12.5" */
static struct slice reason_make(const struct recipient_verdict *verdict, struct arena *arena)
{
    if (verdict->source == BY_SCORE)
        return arena_copy(arena, verdict->reason);
    return arena_printf(arena, "%s%s%.*s%s%.*s", verdict_source_words[verdict->source],
                        verdict->by.len > 0 ? " " : "", SLICE_ARG(verdict->by),
                        verdict->reason.len > 0 ? " " : "", SLICE_ARG(verdict->reason));
}

static bool findings_add(struct kept *kept, const struct decided *decided)
{
    const struct scan_set *scan = setup_scan(decided->setup);

    for (size_t n = 0; n < scan->scanner_count; n++)
        if (decided->findings[n].result != FINDING_NONE &&
            !kept_add_finding(decided->arena, kept, scan->scanners[n].name, &decided->findings[n]))
            return false;
    return true;
}

/* Those that the message did not have: from scanners and rules. */
static bool recipients_add(struct kept *kept, const struct plan_copy *copy, struct arena *arena)
{
    struct kept_recipient *all =
        arena_alloc_array(arena, kept->recipient_count + copy->added_count + 1, sizeof *all);

    if (all == NULL)
        return false;
    if (kept->recipient_count > 0)
        memcpy(all, kept->recipients, kept->recipient_count * sizeof *all);
    for (size_t i = 0; i < copy->added_count; i++)
        all[kept->recipient_count++] = (struct kept_recipient){ copy->added[i], SLICE("") };
    kept->recipients = all;
    return true;
}

static void sender_change(struct kept *kept, const struct edits *edits)
{
    for (const struct edit *edit = edits->first; edit != NULL; edit = edit->next)
        if (edit->kind == EDIT_CHANGE_SENDER)
            kept->sender = edit->text;
}

static bool copy_describe(const struct decided *decided, const struct plan_copy *copy,
                          struct kept *kept)
{
    bool *is_wanted =
        arena_alloc_array(decided->arena, decided->message->recipient_count + 1, sizeof *is_wanted);

    if (is_wanted == NULL)
        return false;
    for (size_t i = 0; i < copy->count; i++)
        is_wanted[copy->recipients[i]] = true;
    if (!kept_of_message(decided->arena, decided->message, is_wanted, kept) ||
        !findings_add(kept, decided) ||
        (copy->added_count > 0 && !recipients_add(kept, copy, decided->arena)))
        return false;
    sender_change(kept, &copy->verdict->edits);
    kept->reason = reason_make(copy->verdict, decided->arena);
    kept->reference = slice_of(decided->reference);
    return kept->reason.ptr != NULL;
}

/* ---- on the disk ---- */

static bool copy_keep(const struct decided *decided, const struct plan_copy *copy,
                      const struct effects_places *places, bool is_spooled, char *id)
{
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct kept kept = { .size = 0 };
    struct source source;
    int rc = -1;

    if (!copy_describe(decided, copy, &kept) ||
        !rewrite(decided->arena, decided->message, &copy->verdict->edits, &source))
        buf_put(&error, "out of memory");
    else if (is_spooled && places->outbox != NULL)
        rc = outbox_put(places->outbox, &kept, &source, &error);
    else if (!is_spooled && places->quarantine != NULL)
        rc = quarantine_keep(places->quarantine, &kept, &source, &error);
    else
        buf_put(&error, "its directory cannot be opened");
    if (rc == 0)
        memcpy(id, kept.id, sizeof kept.id);
    else
        log_error("a message that must be put into the %s is deferred: %s",
                  is_spooled ? "outbox" : "quarantine", buf_text(&error));
    return rc == 0;
}

bool effects_has_copies(const struct plan *plan)
{
    return plan->quarantine_count + plan->spool_count > 0;
}

bool effects_are_there(const struct effects *effects)
{
    return effects->kept_count + effects->put_count > 0;
}

bool effects_carry_out(struct effects *effects, const struct decided *decided,
                       const struct effects_places *places)
{
    const struct plan *plan = &decided->plan;
    bool ok = true;

    if (!effects_has_copies(plan))
        return true;
    effects->kept =
        arena_alloc_array(decided->arena, plan->quarantine_count + 1, sizeof *effects->kept);
    effects->put = arena_alloc_array(decided->arena, plan->spool_count + 1, sizeof *effects->put);
    if (effects->kept == NULL || effects->put == NULL)
        return false;
    for (size_t i = 0; ok && i < plan->quarantine_count; i++) {
        ok = copy_keep(decided, &plan->quarantine[i], places, false, effects->kept[i].id);
        effects->kept_count += ok;
    }
    for (size_t i = 0; ok && i < plan->spool_count; i++) {
        ok = copy_keep(decided, &plan->spool[i], places, true, effects->put[i].id);
        effects->put_count += ok;
    }
    if (!ok)
        effects_sent(effects, places, false);
    return ok;
}

void effects_sent(struct effects *effects, const struct effects_places *places, bool ok)
{
    for (size_t i = 0; !ok && i < effects->kept_count; i++)
        quarantine_drop(places->quarantine, effects->kept[i].id);
    for (size_t i = 0; i < effects->put_count; i++)
        (ok ? outbox_send : outbox_drop)(places->outbox, effects->put[i].id);
    *effects = (struct effects){ .kept = NULL };
}
