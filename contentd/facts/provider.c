/* contentd/facts/provider.c - see provider.h. */
#include "contentd/facts/provider.h"

/* ---- scanners ---- */

static bool scanner_fact(const struct fact_subject *subject, const struct fact_ref *ref,
                         struct value *out)
{
    static const struct finding nothing;
    const struct scan_set *set = shared_get(subject->setup->parts.scan);
    size_t n = scan_set_find(set, ref->arg);
    const struct finding *finding = &nothing;

    if (n != SCANNER_NONE && subject->findings != NULL && subject->chain != NULL &&
        (subject->chain->set & ~subject->skipped & SCANNER_BIT(n)) != 0)
        finding = &subject->findings[n];
    switch (ref->type->id) {
    case FACT_SCANNER_RESULT:
        value_of_text(out, VALUE_WORD, slice_of(finding_words[finding->result]));
        return true;
    case FACT_SCANNER_SCORE:
        value_of_number(out, finding->score);
        out->is_empty = !finding->has_score;
        return true;
    case FACT_SCANNER_VIRUS:
        value_of_text(out, VALUE_TEXT, finding->virus);
        return true;
    default: /* FACT_SCANNER_SYMBOLS */
        return value_of_items(out, finding->symbols, subject->of.arena);
    }
}

/* ---- all together ---- */

struct connection_counts connection_counts_copy(const struct connection_counts *counts,
                                                struct arena *arena)
{
    struct connection_counts copy = *counts;
    struct connection_list *lists = arena_alloc_array(arena, counts->list_count + 1, sizeof *lists);

    copy.lists = lists;
    copy.list_count = 0;
    for (size_t i = 0; lists != NULL && i < counts->list_count; i++) {
        lists[i] = counts->lists[i];
        lists[i].name = arena_copy(arena, counts->lists[i].name);
        if (lists[i].name.ptr != NULL)
            copy.list_count = i + 1;
    }
    return copy;
}

static bool connections_of_list(const struct connection_counts *counts, struct slice list,
                                struct value *out)
{
    for (size_t i = 0; i < counts->list_count; i++)
        if (slice_equal(counts->lists[i].name, list)) {
            value_of_number(out, (double)counts->lists[i].count);
            return counts->is_known && counts->lists[i].is_known;
        }
    return false;
}

static bool connections_fact(const struct connection_counts *counts, int id, struct value *out)
{
    uint64_t count = id == FACT_CONNECTIONS       ? counts->address
                     : id == FACT_CONNECTIONS_NET ? counts->net
                                                  : counts->all;

    value_of_number(out, (double)count);
    return counts->is_known && count > 0;
}

static bool recipient_fact(const struct fact_subject *subject, int id, struct value *out)
{
    const struct mailbox_settings *mailboxes = &subject->of.mailboxes;
    const struct message_recipient *of = subject->recipient;
    struct slice recipient = of == NULL ? SLICE("") : of->address;

    if (slice_find(recipient, '@') == SIZE_MAX && of != NULL)
        recipient = of->normal; /* the MTA completes it: with its myorigin */
    if (id == FACT_RECIPIENT)
        return value_of_mailbox(out, recipient, mailboxes, subject->of.arena);
    if (id == FACT_RECIPIENT_DOMAIN)
        return value_of_mailbox_domain(out, recipient, mailboxes, subject->of.arena);
    value_of_text(out, VALUE_WORD, subject->chain == NULL ? SLICE("") : subject->chain->name);
    return true;
}

static bool plain_fact(const struct fact_subject *subject, const struct fact_ref *ref,
                       struct value *out)
{
    int id = ref->type->id;

    if (id < MESSAGE_FACTS)
        return message_fact(&subject->of, ref, out);
    if (id <= FACT_CONNECTIONS_ALL)
        return connections_fact(&subject->connections, id, out);
    if (id == FACT_CONNECTIONS_LIST)
        return connections_of_list(&subject->connections, ref->arg, out);
    if (id <= FACT_CHAIN)
        return recipient_fact(subject, id, out);
    return scanner_fact(subject, ref, out);
}

enum fetch_result content_fact(struct evaluation *evaluation, size_t slot,
                               const struct fact_ref *ref, struct value *out)
{
    const struct fact_subject *subject = evaluation->request;

    if (ref->kind != FACT_PLAIN)
        return membership_fact(&subject->membership, evaluation, slot, ref, out);
    return plain_fact(subject, ref, out) ? FETCH_KNOWN : FETCH_UNKNOWN;
}
