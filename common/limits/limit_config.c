/* common/limits/limit_config.c - texts of a configuration to limits; see limit_config.h. */
#include "common/limits/limit_config.h"

#include "common/base/suggest.h"
#include "common/limits/classes.h"
#include "common/limits/limit_impl.h"

#include <stdarg.h>

#define SET_BYTES_MAX ((size_t)256 << 20)
#define OVER_DEFAULT "defer 4.7.1 Limit reached, try again later"

struct limit_set {
    struct arena *arena; /* owns all */
    const struct limit **limits; /* in the file's order */
    const struct limit **by_name;
    size_t count;
    struct slice *names; /* of all texts, with or without mistakes */
    size_t name_count;
};

/* One limit in the making. */
struct maker {
    struct limit_set *set;
    const struct fact_type *facts;
    size_t fact_count;
    const struct limit_text *text;
    const struct limit_errors *errors;
    size_t index; /* of the text */
    size_t override; /* which one is being read */
    size_t mistakes;
    bool is_out_of_memory;
    struct limit *limit;
};

static void PRINTF_LIKE(4, 5)
    mistake(struct maker *maker, enum limit_field field, size_t offset, const char *format, ...)
{
    struct limit_error error = { field, maker->index, maker->override, offset, "" };
    va_list args;

    maker->mistakes++;
    va_start(args, format);
    vsnprintf(error.text, sizeof error.text, format, args);
    va_end(args);
    if (maker->errors != NULL)
        maker->errors->add(maker->errors->arg, &error);
}

static struct slice keep(struct maker *maker, struct slice text)
{
    struct slice copy = arena_copy(maker->set->arena, text);

    if (text.ptr != NULL && copy.ptr == NULL)
        maker->is_out_of_memory = true;
    return copy;
}

/* ---- name ---- */

static bool name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_')
            return false;
    return name.len > 0 && name.len <= LIMIT_NAME_MAX;
}

static void make_name(struct maker *maker)
{
    struct slice name = maker->text->name;

    if (!name_is_valid(name))
        mistake(maker, LIMIT_FIELD_NAME, 0,
                "the name of a limit is letters, digits, - and _, at most %d bytes",
                LIMIT_NAME_MAX);
    else if (limit_set_knows(maker->set, name))
        mistake(maker, LIMIT_FIELD_NAME, 0, "limit %.*s is there twice", SLICE_ARG(name));
    maker->limit->name = keep(maker, name);
    maker->set->names[maker->set->name_count++] = maker->limit->name;
}

/* ---- key ---- */

static const struct fact_type *fact_find(const struct maker *maker, struct slice name)
{
    for (size_t i = 0; i < maker->fact_count; i++)
        if (slice_equal(slice_of(maker->facts[i].name), name))
            return &maker->facts[i];
    return NULL;
}

static bool can_be_key(const struct fact_type *fact)
{
    return strchr(fact->name, '*') == NULL && !fact->has_side_effect;
}

static void unknown_fact(struct maker *maker, struct slice name, size_t offset)
{
    struct suggest best = suggest_for(name);

    for (size_t i = 0; i < maker->fact_count; i++)
        if (can_be_key(&maker->facts[i]))
            suggest_offer(&best, slice_of(maker->facts[i].name));
    if (best.name.ptr == NULL)
        mistake(maker, LIMIT_FIELD_KEY, offset, "there is no fact %.*s", SLICE_ARG(name));
    else
        mistake(maker, LIMIT_FIELD_KEY, offset, "there is no fact %.*s; did you mean %.*s?",
                SLICE_ARG(name), SLICE_ARG(best.name));
}

static void add_key(struct maker *maker, struct slice name, size_t offset)
{
    const struct fact_type *fact = fact_find(maker, name);
    struct limit *limit = maker->limit;

    if (name.len == 0) {
        mistake(maker, LIMIT_FIELD_KEY, offset, "the name of a fact is missing here");
        return;
    }
    if (fact == NULL) {
        unknown_fact(maker, name, offset);
        return;
    }
    if (!can_be_key(fact)) {
        mistake(maker, LIMIT_FIELD_KEY, offset, "%s cannot be the key of a limit", fact->name);
        return;
    }
    for (size_t n = 0; n < limit->key_count; n++)
        if (limit->key[n] == fact) {
            mistake(maker, LIMIT_FIELD_KEY, offset, "%s is there twice", fact->name);
            return;
        }
    if (limit->key_count == LIMIT_KEY_FACTS_MAX)
        mistake(maker, LIMIT_FIELD_KEY, offset, "a key has at most %d facts", LIMIT_KEY_FACTS_MAX);
    else
        limit->key[limit->key_count++] = fact;
}

static void make_key(struct maker *maker)
{
    struct slice rest = maker->text->key, name;

    if (rest.ptr == NULL)
        return;
    if (slice_trim(rest).len == 0) {
        mistake(maker, LIMIT_FIELD_KEY, 0,
                "key names no fact; leave the line out to count everything together");
        return;
    }
    while (slice_next(&rest, ',', &name))
        add_key(maker, name, (size_t)(name.ptr - maker->text->key.ptr));
}

/* ---- count, rate, over ---- */

static const char *const count_words[] = {
    [COUNT_MESSAGES] = "messages",       [COUNT_RECIPIENTS] = "recipients", [COUNT_BYTES] = "bytes",
    [COUNT_CONNECTIONS] = "connections", [COUNT_REFUSED] = "refused",
};

static void make_count(struct maker *maker)
{
    struct slice text = maker->text->count;
    struct suggest best = suggest_for(text);

    if (text.ptr == NULL) {
        mistake(maker, LIMIT_FIELD_NAME, 0,
                "count is missing: messages, recipients, bytes, connections or refused");
        return;
    }
    for (size_t i = 0; i < COUNT(count_words); i++) {
        if (slice_equal(text, slice_of(count_words[i]))) {
            maker->limit->count = (enum limit_count)i;
            return;
        }
        suggest_offer(&best, slice_of(count_words[i]));
    }
    mistake(maker, LIMIT_FIELD_COUNT, 0,
            "count is messages, recipients, bytes, connections or refused%s%.*s%s",
            best.name.ptr == NULL ? "" : "; did you mean ",
            best.name.ptr == NULL ? 0 : (int)best.name.len,
            best.name.ptr == NULL ? "" : best.name.ptr, best.name.ptr == NULL ? "" : "?");
}

static void make_rate(struct maker *maker)
{
    const char *why;

    if (maker->text->rate.ptr == NULL)
        mistake(maker, LIMIT_FIELD_NAME, 0, "rate is missing, as in rate = 200/1h");
    else if (!rate_parse(maker->text->rate, &maker->limit->rate, &why))
        mistake(maker, LIMIT_FIELD_RATE, 0, "%s", why);
}

static void make_over(struct maker *maker)
{
    struct slice over = maker->text->over;

    if (over.ptr != NULL && over.len == 0)
        mistake(maker, LIMIT_FIELD_OVER, 0, "over is empty; leave the line out for: %s",
                OVER_DEFAULT);
    maker->limit->over = over.ptr == NULL ? SLICE(OVER_DEFAULT) : keep(maker, over);
}

/* ---- charge ---- */

/* Stages at which the count can be known. */
static unsigned countable_stages(enum limit_count count)
{
    switch (count) {
    case COUNT_RECIPIENTS:
        return STAGE_RCPT | STAGES_DATA | STAGES_END;
    case COUNT_MESSAGES:
    case COUNT_BYTES:
        return STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END;
    case COUNT_CONNECTIONS:
    case COUNT_REFUSED:
        break;
    }
    return STAGE_ALL;
}

static unsigned default_stages(enum limit_count count)
{
    switch (count) {
    case COUNT_MESSAGES:
    case COUNT_RECIPIENTS:
        return STAGES_DATA;
    case COUNT_BYTES:
        return STAGES_END;
    case COUNT_CONNECTIONS:
    case COUNT_REFUSED:
        break;
    }
    return STAGE_ALL;
}

static bool is_one_stage(unsigned stages)
{
    return stages == STAGES_DATA || stages == STAGES_END || (stages & (stages - 1)) == 0;
}

static void read_charge(struct maker *maker)
{
    struct slice text = maker->text->charge;
    enum limit_count count = maker->limit->count;
    unsigned stages;
    size_t offset;

    if (!stages_parse(text, &stages, &offset))
        mistake(maker, LIMIT_FIELD_CHARGE, offset,
                "charge is a stage: connect helo mail rcpt data end-of-message, or any");
    else if ((stages & countable_stages(count)) == 0)
        mistake(maker, LIMIT_FIELD_CHARGE, 0, "%s are not known at that stage yet",
                count_words[count]);
    else if (count != COUNT_CONNECTIONS && count != COUNT_REFUSED && !is_one_stage(stages))
        mistake(maker, LIMIT_FIELD_CHARGE, 0,
                "%s are charged at one stage, or they would be counted several times",
                count_words[count]);
    else
        maker->limit->stages = stages & countable_stages(count);
}

/* Cuts the stages down to where all facts of the key exist. A default that does not fit completely is a mistake: part
 * of the mail (messages with several recipients) would silently not be counted. */
static void cut_stages(struct maker *maker)
{
    struct limit *limit = maker->limit;
    bool is_default = maker->text->charge.ptr == NULL;
    bool may_be_partial = limit->count == COUNT_CONNECTIONS || limit->count == COUNT_REFUSED;

    for (size_t n = 0; n < limit->key_count; n++) {
        unsigned stages = limit->stages & limit->key[n]->stages;
        if (stages == 0) {
            mistake(
                maker, LIMIT_FIELD_KEY, 0,
                "%s is not known where this limit is charged; set charge to a stage where it is",
                limit->key[n]->name);
            return;
        }
        if (is_default && !may_be_partial && stages != limit->stages) {
            mistake(maker, LIMIT_FIELD_KEY, 0,
                    "%s is not known there for messages with several recipients; set charge = rcpt",
                    limit->key[n]->name);
            return;
        }
        limit->stages = stages;
    }
}

static void make_charge(struct maker *maker)
{
    size_t mistakes = maker->mistakes;

    if (mistakes > 0)
        return; /* what it depends on is not known */
    maker->limit->stages = default_stages(maker->limit->count);
    if (maker->text->charge.ptr != NULL)
        read_charge(maker);
    if (maker->mistakes == mistakes)
        cut_stages(maker);
}

/* ---- overrides ---- */

/* `rate.user.X` as a field `user:X`, with X in its normal form; absent after a mistake. */
static struct slice override_field(struct maker *maker, struct slice name)
{
    static const struct {
        struct slice prefix, field;
    } kinds[] = {
        { SLICE_INIT("rate.user."), SLICE_INIT("user:") },
        { SLICE_INIT("rate.domain."), SLICE_INIT("domain:") },
        { SLICE_INIT("rate.class."), SLICE_INIT("class:") },
    };
    static const struct fact_type domain = { .name = "domain", .type = VALUE_DOMAIN };
    const struct limit as_domain = { .key = { &domain }, .key_count = 1 };
    struct slice none = { NULL, 0 };
    struct arena *arena = maker->set->arena;

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct slice value = slice_skip(name, kinds[i].prefix.len);
        if (!slice_starts_with(name, kinds[i].prefix))
            continue;
        if (value.len == 0 || (i == 2 && !class_name_is_valid(value))) {
            mistake(maker, LIMIT_FIELD_OVERRIDE, kinds[i].prefix.len,
                    i == 2 ? "the name of a class is letters, digits, - _ and ."
                           : "whose rate it is is missing");
            return none;
        }
        if (i == 0)
            value = limit_key_typed(maker->limit, value, arena);
        else if (i == 1)
            value = limit_key_typed(&as_domain, value, arena);
        value = value.ptr == NULL ? value : limit_concat(arena, kinds[i].field, value);
        maker->is_out_of_memory |= value.ptr == NULL;
        return value;
    }
    mistake(maker, LIMIT_FIELD_OVERRIDE, 0,
            "an override is rate.user.WHO, rate.domain.DOMAIN or rate.class.CLASS");
    return none;
}

static int compare_rates(const void *a, const void *b)
{
    const struct limit_rate *x = a, *y = b;
    int order = slice_compare(x->field, y->field);

    return order != 0 ? order : (x->text > y->text) - (x->text < y->text);
}

static void read_overrides(struct maker *maker, struct limit_rate *rates, size_t *kept)
{
    const char *why;

    for (size_t i = 0; i < maker->text->override_count && !maker->is_out_of_memory; i++) {
        const struct limit_override *text = &maker->text->overrides[i];
        maker->override = i;
        rates[*kept] = (struct limit_rate){ .field = override_field(maker, text->name), .text = i };
        if (!rate_parse(text->rate, &rates[*kept].rate, &why))
            mistake(maker, LIMIT_FIELD_OVERRIDE_RATE, 0, "%s", why);
        else if (rates[*kept].field.ptr != NULL)
            ++*kept;
    }
}

static void make_overrides(struct maker *maker)
{
    struct limit_rate *rates =
        arena_alloc_array(maker->set->arena, maker->text->override_count, sizeof *rates);
    size_t kept = 0;

    maker->is_out_of_memory |= rates == NULL;
    if (maker->text->override_count == 0 || rates == NULL)
        return;
    read_overrides(maker, rates, &kept);
    qsort(rates, kept, sizeof *rates, compare_rates);
    for (size_t i = 1; i < kept; i++) {
        if (!slice_equal(rates[i - 1].field, rates[i].field))
            continue;
        maker->override = rates[i].text;
        mistake(maker, LIMIT_FIELD_OVERRIDE, 0, "%.*s has two rates", SLICE_ARG(rates[i].field));
    }
    maker->override = 0;
    maker->limit->overrides = rates;
    maker->limit->override_count = kept;
}

/* ---- the set ---- */

static int compare_limits(const void *a, const void *b)
{
    const struct limit *const *x = a, *const *y = b;

    return slice_compare((*x)->name, (*y)->name);
}

/* False when memory is out. */
static bool make_limit(struct maker *maker)
{
    struct limit_set *set = maker->set;

    maker->limit = arena_alloc(set->arena, sizeof *maker->limit);
    if (maker->limit == NULL)
        return false;
    maker->mistakes = 0;
    make_name(maker);
    make_key(maker);
    make_count(maker);
    make_rate(maker);
    make_over(maker);
    make_charge(maker);
    make_overrides(maker);
    if (maker->mistakes == 0)
        set->limits[set->count++] = maker->limit;
    return !maker->is_out_of_memory;
}

static struct limit_set *set_alloc(size_t count)
{
    struct limit_set *set = calloc(1, sizeof *set);

    if (set == NULL)
        return NULL;
    set->arena = arena_new(SET_BYTES_MAX);
    if (set->arena != NULL) {
        set->limits = arena_alloc_array(set->arena, count, sizeof(struct limit *));
        set->by_name = arena_alloc_array(set->arena, count, sizeof(struct limit *));
        set->names = arena_alloc_array(set->arena, count, sizeof *set->names);
    }
    if (set->arena == NULL || set->limits == NULL || set->by_name == NULL || set->names == NULL)
        limit_set_free(&set);
    return set;
}

struct limit_set *limit_set_new(const struct fact_type *facts, size_t fact_count,
                                const struct limit_text *texts, size_t count,
                                const struct limit_errors *errors)
{
    size_t taken = count < LIMITS_MAX ? count : LIMITS_MAX;
    struct limit_set *set = set_alloc(taken);
    struct maker maker = { .set = set, .facts = facts, .fact_count = fact_count, .errors = errors };

    for (size_t i = 0; set != NULL && i < taken; i++) {
        maker.index = i;
        maker.text = &texts[i];
        if (!make_limit(&maker))
            limit_set_free(&set);
    }
    if (set == NULL)
        return NULL;
    if (count > taken) {
        maker.index = taken;
        mistake(&maker, LIMIT_FIELD_NAME, 0, "there are more than %d limits", LIMITS_MAX);
    }
    if (set->count > 0)
        memcpy(set->by_name, set->limits, set->count * sizeof *set->limits);
    qsort(set->by_name, set->count, sizeof *set->by_name, compare_limits);
    return set;
}

void limit_set_free(struct limit_set **set)
{
    if (*set == NULL)
        return;
    arena_free(&(*set)->arena);
    free(*set);
    *set = NULL;
}

size_t limit_set_count(const struct limit_set *set)
{
    return set->count;
}

const struct limit *limit_set_at(const struct limit_set *set, size_t n)
{
    return n < set->count ? set->limits[n] : NULL;
}

const struct limit *limit_set_find(const struct limit_set *set, struct slice name)
{
    const struct limit wanted = { .name = name }, *key = &wanted;
    const struct limit **found =
        bsearch(&key, set->by_name, set->count, sizeof *set->by_name, compare_limits);

    return found == NULL ? NULL : *found;
}

bool limit_set_knows(const struct limit_set *set, struct slice name)
{
    for (size_t i = 0; i < set->name_count; i++)
        if (slice_equal(set->names[i], name))
            return true;
    return false;
}
