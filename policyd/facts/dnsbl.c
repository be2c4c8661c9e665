/* policyd/facts/dnsbl.c - see dnsbl.h. One check for each list and request:
 *
 *     not begun --> nothing to ask (no such name), or the list is off: done
 *              '--> asked, with the list's test entries when a test is due --> judged: done
 *
 * A list that has an entry for the client is believed when it has none for 127.0.0.1 (or the domain invalid), which no
 * list may have: that is asked, and comes from the cache most of the time, before the entry counts.
 *
 * A request that is only explained judges the lists in the same way, by the same health, but changes nothing of it. */
#include "policyd/facts/dnsbl.h"

#include "common/net/dns.h"
#include "policyd/facts/dns_facts.h"

enum check_state {
    CHECK_NEW,
    CHECK_ASKED,
    CHECK_NOTHING, /* done: there was nothing to ask */
    CHECK_CLEAN, /* done */
    CHECK_LISTED, /* done */
    CHECK_FAILED, /* done: no answer, or the list is off */
};

struct dnsbl_check {
    enum check_state state;
    bool is_test; /* the list is tested as well */
    bool is_waiting; /* for the answer, which was not in the cache */
    struct slice name; /* what is asked for */
    double weight; /* CHECK_LISTED */
};

/* Entries that a list has (or must not have) for testing it. */
struct test_names {
    char present[DNS_NAME_MAX + 1], absent[DNS_NAME_MAX + 1];
};

/* ---- what is asked ---- */

static struct slice name_in_zone(struct slice domain, struct slice zone, struct arena *arena)
{
    if (domain.len == 0 || slice_find(domain, '.') == SIZE_MAX || !dns_name_is_valid(domain))
        return SLICE("");
    if (slice_ends_with(domain, SLICE(".")))
        domain.len--;
    struct slice name = arena_printf(arena, "%.*s.%.*s", SLICE_ARG(domain), SLICE_ARG(zone));
    return name.len <= DNS_NAME_MAX ? name : SLICE("");
}

static struct slice name_of_client(const struct fact_request *request, struct slice zone)
{
    char name[DNS_NAME_MAX + 1];
    struct ip_address client;

    if (!ip_address_parse(request->req->attr[ATTR_CLIENT_ADDRESS], &client))
        return SLICE("");
    size_t len = dns_reverse_name(&client, zone, name);
    return arena_copy(request->arena, (struct slice){ name, len });
}

static struct slice name_of_domain(const struct fact_request *request, const struct dnsbl *list)
{
    static const int facts[] = {
        [DNSBL_SENDER_DOMAIN] = FACT_SENDER_DOMAIN,
        [DNSBL_HELO] = ATTR_HELO_NAME,
        [DNSBL_REVERSE_NAME] = ATTR_REVERSE_CLIENT_NAME,
    };
    struct mailbox_settings settings = policy_attributes(request->policy);
    struct ip_address address;
    struct value domain;

    if (!attribute_fact(request->req, &settings, request->wall_ms, facts[list->kind],
                        request->arena, &domain) ||
        ip_address_parse_literal(domain.text, &address) || ip_address_parse(domain.text, &address))
        return SLICE("");
    return name_in_zone(domain.text, list->zone, request->arena);
}

static void test_names(const struct dnsbl *list, struct test_names *out)
{
    struct ip_address present = { { [10] = 0xff, 0xff, 127, 0, 0, 2 } }, absent = present;

    if (list->kind == DNSBL_ADDRESS) {
        absent.bytes[15] = 1;
        dns_reverse_name(&present, list->zone, out->present);
        dns_reverse_name(&absent, list->zone, out->absent);
        return;
    }
    snprintf(out->present, sizeof out->present, "test.%.*s", SLICE_ARG(list->zone));
    snprintf(out->absent, sizeof out->absent, "invalid.%.*s", SLICE_ARG(list->zone));
}

/* ---- one list ---- */

static uint64_t retry_ms(const struct fact_request *request)
{
    return request->policy->parts.config->dnsbl_retry;
}

static void check_end(const struct fact_request *request, struct dnsbl_check *check,
                      const struct dnsbl *list, enum check_state state)
{
    check->state = state;
    if (request->is_explained)
        return;
    if (state == CHECK_LISTED)
        metric_add(list->series.listed, 1);
    else if (state == CHECK_FAILED)
        metric_add(dnsbl_is_off(list) ? list->series.skipped : list->series.failed, 1);
}

static void check_broken(const struct fact_request *request, struct dnsbl_check *check,
                         const struct dnsbl *list, const char *why)
{
    if (!request->is_explained)
        dnsbl_switch_off(list, request->now_ms, retry_ms(request), why);
    check_end(request, check, list, CHECK_FAILED);
}

static void check_begin(const struct fact_request *request, struct dnsbl_check *check,
                        const struct dnsbl *list)
{
    check->name = list->kind == DNSBL_ADDRESS ? name_of_client(request, list->zone)
                                              : name_of_domain(request, list);
    if (check->name.len == 0) {
        check->state = CHECK_NOTHING;
        return;
    }
    check->is_test =
        !request->is_explained && dnsbl_claim_test(list, request->now_ms, retry_ms(request));
    check->state = CHECK_ASKED;
    if (dnsbl_is_off(list) && !check->is_test)
        check_end(request, check, list, CHECK_FAILED);
}

static bool is_error(const struct dnsbl *list, const struct dns_answer *answer)
{
    const struct ip_address *culprit;
    double weight;

    return dnsbl_judge(list->replies, list->reply_count, answer, &weight, &culprit) == DNSBL_ERROR;
}

/* NULL, or why the list does not work. A test that failed for want of an answer says nothing. */
static const char *test_verdict(const struct dnsbl *list, const struct dns_answer *present,
                                const struct dns_answer *absent)
{
    if (absent->status == DNS_DATA)
        return list->kind == DNSBL_ADDRESS ? "it has an entry for 127.0.0.1, so for everybody"
                                           : "it has an entry for invalid, so for everybody";
    if (!list->has_test_entry)
        return NULL;
    if (is_error(list, present))
        return "it answers its test entry with an error";
    if (present->status == DNS_NO_DATA || present->status == DNS_NO_DOMAIN)
        return list->kind == DNSBL_ADDRESS
                   ? "it has no test entry, 127.0.0.2 (self_test = no, if it never had one)"
                   : "it has no test entry, test (self_test = no, if it never had one)";
    return NULL;
}

/* True: the test has ended, well or not. A list that answers the request itself with an error does not pass. */
static bool check_test(struct fact_request *request, struct dnsbl_check *check,
                       const struct dnsbl *list, const struct dns_answer *answer)
{
    struct test_names names;

    test_names(list, &names);
    const struct dns_answer *absent = dns_fact_ask(request, slice_of(names.absent), RR_A);
    const struct dns_answer *present =
        list->has_test_entry ? dns_fact_ask(request, slice_of(names.present), RR_A) : absent;
    if (present == NULL || absent == NULL || answer == NULL)
        return false;
    check->is_test = false;
    const char *why = test_verdict(list, present, absent);
    if (why != NULL)
        check_broken(request, check, list, why);
    else if (present->status != DNS_FAILED && absent->status != DNS_FAILED &&
             answer->status != DNS_FAILED && !is_error(list, answer))
        dnsbl_passed_test(list, request->now_ms);
    else if (dnsbl_is_off(list))
        check_end(request, check, list, CHECK_FAILED);
    return true;
}

static void check_error(const struct fact_request *request, struct dnsbl_check *check,
                        const struct dnsbl *list, const struct ip_address *culprit)
{
    char why[80], address[IP_ADDRESS_TEXT_MAX];

    ip_address_print(culprit, address);
    snprintf(why, sizeof why, "it answered %s, which is an error", address);
    check_broken(request, check, list, why);
}

/* Whether the list answers: after a wait for it. */
static void check_silence(const struct fact_request *request, const struct dnsbl *list,
                          const struct dns_answer *answer)
{
    struct dns_status_report resolver;

    if (request->is_explained || dnsbl_is_off(list))
        return;
    if (answer->status != DNS_FAILED) {
        dnsbl_has_answered(list);
    } else if (answer->failure == DNS_FAILURE_TIMEOUT) {
        dns_report(request->dns, &resolver);
        dnsbl_was_silent(list,
                         &(struct dnsbl_silence){ .begun_ms = request->now_ms,
                                                  .now_ms = request->clock->now_ms(request->clock),
                                                  .resolver_ms = resolver.answered_ms },
                         retry_ms(request));
    }
}

static void check_answer(struct fact_request *request, struct dnsbl_check *check,
                         const struct dnsbl *list, const struct dns_answer *answer)
{
    const struct ip_address *culprit;
    struct test_names names;

    switch (dnsbl_judge(list->replies, list->reply_count, answer, &check->weight, &culprit)) {
    case DNSBL_CLEAN:
        check_end(request, check, list, CHECK_CLEAN);
        return;
    case DNSBL_NO_ANSWER:
        check_end(request, check, list, CHECK_FAILED);
        return;
    case DNSBL_ERROR:
        check_error(request, check, list, culprit);
        return;
    case DNSBL_LISTED:
        break;
    }
    test_names(list, &names);
    const struct dns_answer *absent = dns_fact_ask(request, slice_of(names.absent), RR_A);
    if (absent == NULL)
        return;
    if (absent->status == DNS_DATA)
        check_broken(request, check, list, test_verdict(list, absent, absent));
    else
        check_end(request, check, list, absent->status == DNS_FAILED ? CHECK_FAILED : CHECK_LISTED);
}

/* Goes on as far as the answers allow. True: it is done. */
static bool check_step(struct fact_request *request, struct dnsbl_check *check,
                       const struct dnsbl *list)
{
    if (check->state == CHECK_NEW)
        check_begin(request, check, list);
    if (check->state != CHECK_ASKED)
        return true;
    const struct dns_answer *answer = dns_fact_ask(request, check->name, RR_A);
    if (check->is_waiting && answer != NULL)
        check_silence(request, list, answer);
    check->is_waiting = answer == NULL;
    bool is_tested = !check->is_test || check_test(request, check, list, answer);
    if (check->state == CHECK_ASKED && is_tested && answer != NULL)
        check_answer(request, check, list, answer);
    return check->state != CHECK_ASKED;
}

/* ---- several lists ---- */

/* What the lists of one group say together. */
struct listed {
    size_t answered, failed;
    bool allow_failed; /* one that could have lowered the score */
    double score;
    const struct dnsbl_check *heaviest; /* NULL: none lists */
};

static bool is_in_group(const struct dnsbl *list, int fact)
{
    bool of_addresses = list->kind == DNSBL_ADDRESS;

    if (fact == FACT_DNSBL_TEXT)
        return true;
    return of_addresses == (fact == FACT_DNSBL_SCORE || fact == FACT_DNSBL_ZONES);
}

/* False: some are still on their way; all of them have been asked. */
static bool group_step(struct fact_request *request, const struct dnsbl_set *set, int fact)
{
    bool is_done = true;

    for (size_t i = 0; i < set->count; i++)
        if (is_in_group(&set->lists[i], fact))
            is_done &= check_step(request, &request->dnsbl_checks[i], &set->lists[i]);
    return is_done;
}

static struct listed group_sum(const struct fact_request *request, const struct dnsbl_set *set,
                               int fact)
{
    struct listed sum = { .answered = 0 };

    for (size_t i = 0; i < set->count; i++) {
        const struct dnsbl_check *check = &request->dnsbl_checks[i];
        if (!is_in_group(&set->lists[i], fact))
            continue;
        sum.answered += check->state == CHECK_CLEAN || check->state == CHECK_LISTED;
        if (check->state == CHECK_FAILED) {
            sum.failed++;
            sum.allow_failed |= set->lists[i].can_lower;
        }
        if (check->state != CHECK_LISTED)
            continue;
        sum.score += check->weight;
        if (sum.heaviest == NULL || check->weight > sum.heaviest->weight)
            sum.heaviest = check;
    }
    return sum;
}

static enum fetch_result zones_fact(const struct fact_request *request, const struct dnsbl_set *set,
                                    int fact, struct value *out)
{
    struct slice names = SLICE("");

    for (size_t i = 0; i < set->count; i++) {
        if (!is_in_group(&set->lists[i], fact) || request->dnsbl_checks[i].state != CHECK_LISTED)
            continue;
        names = arena_printf(request->arena, "%.*s%s%.*s", SLICE_ARG(names),
                             names.len > 0 ? ", " : "", SLICE_ARG(set->lists[i].name));
        if (names.ptr == NULL)
            return FETCH_UNKNOWN;
    }
    *out = (struct value){ .type = VALUE_TEXT, .is_empty = names.len == 0, .text = names };
    return FETCH_KNOWN;
}

static enum fetch_result text_fact(struct fact_request *request, const struct dnsbl_check *heaviest,
                                   struct value *out)
{
    *out = (struct value){ .type = VALUE_TEXT, .is_empty = true, .text = SLICE("") };
    if (heaviest == NULL)
        return FETCH_KNOWN;
    const struct dns_answer *answer = dns_fact_ask(request, heaviest->name, RR_TXT);
    if (answer == NULL)
        return FETCH_STARTED;
    if (answer->status == DNS_FAILED)
        return FETCH_UNKNOWN;
    if (answer->count > 0)
        out->text = slice_part(answer->records[0].text, 0, DNSBL_TEXT_MAX);
    out->is_empty = out->text.len == 0;
    return FETCH_KNOWN;
}

static enum fetch_result weight_fact(struct fact_request *request, const struct dnsbl_set *set,
                                     struct slice name, struct value *out)
{
    const struct dnsbl *list = dnsbl_find(set, name);

    if (list == NULL)
        return FETCH_UNKNOWN;
    struct dnsbl_check *check = &request->dnsbl_checks[list - set->lists];
    if (!check_step(request, check, list))
        return FETCH_STARTED;
    if (check->state == CHECK_FAILED)
        return FETCH_UNKNOWN;
    *out = (struct value){ .type = VALUE_NUMBER, .is_empty = check->state == CHECK_NOTHING };
    if (check->state == CHECK_LISTED)
        out->number = check->weight;
    return FETCH_KNOWN;
}

static enum fetch_result group_fact(struct fact_request *request, const struct dnsbl_set *set,
                                    int fact, struct value *out)
{
    if (!group_step(request, set, fact))
        return FETCH_STARTED;
    struct listed sum = group_sum(request, set, fact);
    if ((sum.answered == 0 && sum.failed > 0) || (sum.allow_failed && sum.score > 0))
        return FETCH_UNKNOWN;
    if (fact == FACT_DNSBL_TEXT)
        return text_fact(request, sum.heaviest, out);
    if (fact == FACT_DNSBL_ZONES || fact == FACT_RHSBL_ZONES)
        return zones_fact(request, set, fact, out);
    *out = (struct value){ .type = VALUE_NUMBER, .number = sum.score };
    return FETCH_KNOWN;
}

static enum fetch_result list_fact(struct fact_request *request, const struct fact_ref *ref,
                                   struct value *out)
{
    const struct dnsbl_set *set = shared_get(request->policy->parts.dnsbls);

    if (request->dnsbl_checks == NULL)
        request->dnsbl_checks =
            arena_alloc_array(request->arena, set->count + 1, sizeof *request->dnsbl_checks);
    if (request->dnsbl_checks == NULL)
        return FETCH_UNKNOWN;
    if (ref->type->id == FACT_DNSBL_WEIGHT)
        return weight_fact(request, set, ref->arg, out);
    return group_fact(request, set, ref->type->id, out);
}

enum fetch_result dnsbl_fact(struct evaluation *evaluation, size_t slot, const struct fact_ref *ref,
                             struct value *out)
{
    return dns_fact_get(evaluation, slot, ref, list_fact, out);
}
