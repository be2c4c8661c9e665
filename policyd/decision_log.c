/* policyd/decision_log.c - see decision_log.h. */
#include "policyd/decision_log.h"

#include "common/observe/log.h"
#include "policyd/greylist.h"

enum { EXTRA_FIELDS_MAX = 8, EXTRA_TEXT_MAX = 1024 };

struct extras {
    struct log_field fields[EXTRA_FIELDS_MAX];
    size_t count;
};

static void extra_add(struct extras *extras, const char *name, struct slice value)
{
    if (value.len > 0)
        extras->fields[extras->count++] = (struct log_field){ name, value };
}

/* `shadow=country:reject,quota:limit`: what shadow rules would have done. */
static void shadow_print(struct buf *out, const struct decided *decided)
{
    for (size_t i = 0; i < decided->verdict->shadow_count; i++) {
        const struct action *action = &decided->verdict->shadow[i];
        struct slice rule = rule_set_info(decided->policy->book.rules, action->rule).name;
        if (buf_printf(out, "%s%.*s:%s", i > 0 ? "," : "", SLICE_ARG(rule), action->type->name))
            return;
    }
}

/* `trouble=country,spf`: rules that could not be decided. */
static void trouble_print(struct buf *out, const struct decided *decided)
{
    for (size_t i = 0; i < decided->verdict->troubled_count; i++) {
        struct slice rule =
            rule_set_info(decided->policy->book.rules, decided->verdict->troubled[i]).name;
        if (buf_printf(out, "%s%.*s", i > 0 ? "," : "", SLICE_ARG(rule)))
            return;
    }
}

static struct slice reason_of(const struct decided *decided)
{
    if (decided->verdict->is_trouble && decided->spoken == decided->verdict->final)
        return SLICE("Temporary lookup problem");
    if (decided->reason.len > 0)
        return decided->reason;
    return decided->spoken == NULL ? SLICE("") : decided->spoken->text;
}

void decision_record(const struct decided *decided, struct store *store)
{
    AUTO_BUF shadow = BUF_INIT(EXTRA_TEXT_MAX);
    AUTO_BUF trouble = BUF_INIT(EXTRA_TEXT_MAX);
    AUTO_BUF score = BUF_INIT(32);
    AUTO_BUF line = BUF_INIT(LOG_LINE_MAX);
    const struct slice *attr = decided->req->attr;
    struct extras extras = { .count = 0 };

    shadow_print(&shadow, decided);
    trouble_print(&trouble, decided);
    if (decided->verdict->score < 0 || decided->verdict->score > 0)
        buf_printf(&score, "%.10g", decided->verdict->score);
    if (decided->policy->parts.config->common.mode == CONF_SHADOW)
        extra_add(&extras, "mode", SLICE("shadow"));
    extra_add(&extras, "shadow", buf_slice(&shadow));
    if (decided->exceeded != NULL)
        extra_add(&extras, "limit", limit_name(decided->exceeded->limit));
    if (decided->greylist != NULL)
        extra_add(&extras, "greylist", slice_of(greylist_word(decided->greylist->state)));
    extra_add(&extras, "trouble", buf_slice(&trouble));
    extra_add(&extras, "score", buf_slice(&score));
    if (decided->is_degraded)
        extra_add(&extras, "store", SLICE("degraded"));
    if (decided->is_late)
        extra_add(&extras, "budget", SLICE("over"));
    struct decision decision = {
        .queue_id = attr[ATTR_QUEUE_ID],
        .client_address = attr[ATTR_CLIENT_ADDRESS],
        .sasl_username = attr[ATTR_SASL_USERNAME],
        .sender = attr[ATTR_SENDER],
        .recipient = attr[ATTR_RECIPIENT],
        .rule = decided->rule,
        .verdict = slice_of(action_word(decided->spoken)),
        .ref = decided->reference,
        .reason = reason_of(decided),
        .ms = decided->duration_ms,
        .extra = extras.fields,
        .extra_count = extras.count,
    };
    log_decision(&decision, &line);
    store_log(store, buf_slice(&line));
}
