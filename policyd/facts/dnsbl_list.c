/* policyd/facts/dnsbl_list.c - see dnsbl_list.h. */
#include "policyd/facts/dnsbl_list.h"

#include "common/observe/log.h"

#define TEST_INTERVAL_MS HOUR

struct dnsbl_health {
    bool is_off; /* atomic */
    uint64_t test_ms; /* atomic: when the next test is due; 0: it has not been tested */
    unsigned silent; /* atomic: look-ups in vain, in a row */
    uint64_t silent_ms; /* atomic: when the last of them ended */
    metric_id off; /* the gauge that has been changed when it is off */
};

/* ---- what is counted ---- */

enum { LISTED, SKIPPED, FAILED, OFF };

static struct metric metrics[] = {
    [LISTED] = METRIC_BY("gatehouse_dnsbl_listed_total", METRIC_COUNTER,
                         "Requests that a DNS list had an entry for.", "list"),
    [SKIPPED] =
        METRIC_BY("gatehouse_dnsbl_skipped_total", METRIC_COUNTER,
                  "Requests decided without a DNS list because it is switched off.", "list"),
    [FAILED] = METRIC_BY("gatehouse_dnsbl_failures_total", METRIC_COUNTER,
                         "Requests decided without a DNS list because it gave no answer.", "list"),
    [OFF] = METRIC_BY("gatehouse_dnsbl_off", METRIC_GAUGE,
                      "Whether a DNS list is switched off because it does not work.", "list"),
};

static struct dnsbl_series series_of(struct slice name)
{
    return (struct dnsbl_series){
        .listed = metric_series(&metrics[LISTED], &name),
        .skipped = metric_series(&metrics[SKIPPED], &name),
        .failed = metric_series(&metrics[FAILED], &name),
        .off = metric_series(&metrics[OFF], &name),
    };
}

/* ---- the set ---- */

/* Of a list that no configuration has any more. */
static void health_free(void *object)
{
    struct dnsbl_health *health = object;

    if (health->is_off)
        metric_change(health->off, -1);
    free(health);
}

static bool is_same(const struct dnsbl *a, const struct dnsbl *b)
{
    return a->kind == b->kind && slice_equal(a->name, b->name) &&
           slice_equal_nocase(a->zone, b->zone);
}

static struct shared *health_of(const struct dnsbl *list, const struct dnsbl_set *before)
{
    for (size_t i = 0; before != NULL && i < before->count; i++)
        if (is_same(list, &before->lists[i]))
            return shared_ref(before->lists[i].health);
    struct dnsbl_health *health = calloc(1, sizeof *health);
    if (health != NULL)
        health->off = list->series.off;
    return shared_new(health, health_free);
}

static bool list_init(struct dnsbl *list, const struct dnsbl_section *section,
                      const struct dnsbl_set *before)
{
    list->name = section->conf->name;
    list->zone = section->zone.ptr == NULL ? SLICE("") : section->zone;
    if (slice_ends_with(list->zone, SLICE(".")))
        list->zone.len--;
    list->kind = section->kind;
    list->has_test_entry = section->self_test;
    list->series = series_of(list->name);
    list->replies = calloc(section->replies.count + 1, sizeof *list->replies);
    list->health = health_of(list, before);
    if (list->replies == NULL || list->health == NULL)
        return false;
    for (size_t i = 0; i < section->replies.count; i++) {
        struct dnsbl_reply *reply = &list->replies[list->reply_count];
        if (!dnsbl_reply_parse(section->replies.items[i], reply, NULL))
            continue;
        list->can_lower |= reply->weight < 0;
        list->reply_count++;
    }
    return true;
}

struct dnsbl_set *dnsbl_set_new(const struct dnsbl_section *sections, size_t count,
                                const struct dnsbl_set *before)
{
    struct dnsbl_set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return NULL;
    metrics_register(metrics, COUNT(metrics)); /* again changes nothing */
    set->lists = calloc(count + 1, sizeof *set->lists);
    for (size_t i = 0; set->lists != NULL && i < count; i++) {
        set->count++;
        if (!list_init(&set->lists[i], &sections[i], before)) {
            dnsbl_set_free(set);
            return NULL;
        }
    }
    if (set->lists != NULL)
        return set;
    free(set);
    return NULL;
}

void dnsbl_set_free(void *object)
{
    struct dnsbl_set *set = object;

    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->lists[i].replies);
        shared_unref(&set->lists[i].health);
    }
    free(set->lists);
    free(set);
}

const struct dnsbl *dnsbl_find(const struct dnsbl_set *set, struct slice name)
{
    for (size_t i = 0; set != NULL && i < set->count; i++)
        if (slice_equal(set->lists[i].name, name))
            return &set->lists[i];
    return NULL;
}

bool dnsbl_name_is_taken(struct slice name)
{
    return slice_equal(name, SLICE("score")) || slice_equal(name, SLICE("zones")) ||
           slice_equal(name, SLICE("text"));
}

/* ---- health ---- */

bool dnsbl_is_off(const struct dnsbl *list)
{
    const struct dnsbl_health *health = shared_get(list->health);

    return __atomic_load_n(&health->is_off, __ATOMIC_RELAXED);
}

bool dnsbl_claim_test(const struct dnsbl *list, uint64_t now_ms, uint64_t retry_ms)
{
    struct dnsbl_health *health = shared_get(list->health);
    uint64_t due = __atomic_load_n(&health->test_ms, __ATOMIC_RELAXED);

    return now_ms >= due && __atomic_compare_exchange_n(&health->test_ms, &due, now_ms + retry_ms,
                                                        false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void dnsbl_passed_test(const struct dnsbl *list, uint64_t now_ms)
{
    struct dnsbl_health *health = shared_get(list->health);

    __atomic_store_n(&health->test_ms, now_ms + TEST_INTERVAL_MS, __ATOMIC_RELAXED);
    if (!__atomic_exchange_n(&health->is_off, false, __ATOMIC_RELAXED))
        return;
    metric_change(health->off, -1);
    log_info("the DNS list %.*s works again", SLICE_ARG(list->name));
}

void dnsbl_switch_off(const struct dnsbl *list, uint64_t now_ms, uint64_t retry_ms, const char *why)
{
    struct dnsbl_health *health = shared_get(list->health);

    __atomic_store_n(&health->test_ms, now_ms + retry_ms, __ATOMIC_RELAXED);
    if (__atomic_exchange_n(&health->is_off, true, __ATOMIC_RELAXED))
        return;
    metric_change(health->off, 1);
    log_warning("the DNS list %.*s is switched off until it works: %s", SLICE_ARG(list->name), why);
}

/* Of requests that end at the same time on several workers one counts. */
void dnsbl_was_silent(const struct dnsbl *list, const struct dnsbl_silence *silence,
                      uint64_t retry_ms)
{
    struct dnsbl_health *health = shared_get(list->health);
    uint64_t last_ms = __atomic_load_n(&health->silent_ms, __ATOMIC_RELAXED);
    bool is_first = __atomic_load_n(&health->silent, __ATOMIC_RELAXED) == 0;

    if (!is_first && (silence->begun_ms < last_ms || silence->resolver_ms < last_ms))
        return;
    if (!__atomic_compare_exchange_n(&health->silent_ms, &last_ms, silence->now_ms, false,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return;
    if (__atomic_add_fetch(&health->silent, 1, __ATOMIC_RELAXED) < DNSBL_SILENT_MAX)
        return;
    dnsbl_has_answered(list); /* another row */
    dnsbl_switch_off(list, silence->now_ms, retry_ms, "it does not answer");
}

void dnsbl_has_answered(const struct dnsbl *list)
{
    struct dnsbl_health *health = shared_get(list->health);

    if (__atomic_load_n(&health->silent, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(&health->silent, 0, __ATOMIC_RELAXED);
}
