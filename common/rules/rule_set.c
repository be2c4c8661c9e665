/* common/rules/rule_set.c - compiles rules into a set: each by itself, then their order and what one rule means for the
 * next; see rules.h. */
#include <limits.h>

#include "common/rules/builder.h"

enum {
    SET_BYTES_MAX = 512 * 1024 * 1024,
    SCRATCH_BYTES_MAX = 16 * 1024 * 1024,
    ORDER_STEP = 100,
    ORDER_MOST = 1000000000,
};

/* ---- one rule ---- */

/* What may stand in `mode` and `trouble`, in the order of their enums; `all` is for the error. */
struct choice {
    enum rule_field field;
    const char *all;
    const char *words[4];
};

static const struct choice mode_choice = { RULE_MODE,
                                           "mode is enforce or shadow",
                                           { "enforce", "shadow", NULL } };
static const struct choice trouble_choice = { RULE_TROUBLE_FIELD,
                                              "trouble is skip, match or defer",
                                              { "skip", "match", "defer", NULL } };

/* Which of the words it is; the first, too, when there is none (`text` absent) or it is wrong, which is reported. */
static unsigned read_choice(struct builder *builder, struct slice text, const struct choice *choice)
{
    struct suggest suggest = suggest_for(text);

    if (text.ptr == NULL)
        return 0;
    for (unsigned i = 0; choice->words[i] != NULL; i++) {
        if (slice_equal(text, slice_of(choice->words[i])))
            return i;
        suggest_offer(&suggest, slice_of(choice->words[i]));
    }
    builder->report.field = choice->field;
    report_error(&builder->report, 0, "%s, not \"%.*s\"%s", choice->all,
                 SLICE_ARG(slice_part(text, 0, 60)), hint_of(&suggest).text);
    return 0;
}

static void read_order(struct builder *builder, const struct rule_source *source, long previous,
                       long *order)
{
    uint64_t number = 0;

    *order = previous > LONG_MAX - ORDER_STEP ? LONG_MAX : previous + ORDER_STEP;
    builder->report.field = RULE_ORDER;
    if (source->order.ptr == NULL) {
        if (source->is_live)
            report_error(&builder->report, 0, "a live rule needs an order");
        return;
    }
    if (slice_to_u64(slice_trim(source->order), &number) && number <= ORDER_MOST)
        *order = (long)number;
    else
        report_error(&builder->report, 0, "the order is a number from 0 to %d", (int)ORDER_MOST);
}

static void read_stage(struct builder *builder, struct slice text, unsigned *stages)
{
    static const char *const words[] = { "connect", "helo",           "mail",  "rcpt",
                                         "data",    "end-of-message", "other", "any" };
    size_t offset = 0, end;

    if (text.ptr == NULL || stages_parse(text, stages, &offset))
        return;
    for (end = offset; end < text.len && !ascii_is_space(text.ptr[end]) && text.ptr[end] != ',';)
        end++;
    struct slice word = slice_part(text, offset, end - offset);
    struct suggest suggest = suggest_for(word);
    for (size_t i = 0; i < COUNT(words); i++)
        suggest_offer(&suggest, slice_of(words[i]));
    builder->report.field = RULE_STAGE;
    if (word.len == 0)
        report_error(&builder->report, offset,
                     "the stage is missing: any, or some of connect helo "
                     "mail rcpt data end-of-message");
    else
        report_error(&builder->report, offset, "there is no stage \"%.*s\"%s",
                     SLICE_ARG(slice_part(word, 0, 60)), hint_of(&suggest).text);
}

/* The daemon's action that refuses for now, whatever it calls it. */
static const struct action_type *find_defer(const struct rules_schema *schema)
{
    for (size_t i = 0; i < schema->action_count; i++)
        if (schema->actions[i].refuses && schema->actions[i].reply_class != NULL &&
            strcmp(schema->actions[i].reply_class, "4") == 0)
            return &schema->actions[i];
    return NULL;
}

static void read_settings(struct builder *builder, const struct rule_source *source,
                          struct rule *rule)
{
    rule->info.mode = (enum rule_mode)read_choice(builder, source->mode, &mode_choice);
    rule->info.trouble = (enum rule_trouble)read_choice(builder, source->trouble, &trouble_choice);
    if (rule->info.trouble != TROUBLE_DEFER)
        return;
    builder->set->defer = find_defer(builder->set->schema);
    builder->report.field = RULE_TROUBLE_FIELD;
    if (builder->set->defer == NULL)
        report_error(&builder->report, 0, "there is no action \"defer\" here");
}

/* What of `given` is gone from `left`; a stage that lost only its half with several recipients is not. */
static unsigned stages_lost(unsigned given, unsigned left)
{
    unsigned lost = given & ~left;

    if (left & STAGES_DATA)
        lost &= ~STAGES_DATA;
    if (left & STAGES_END)
        lost &= ~STAGES_END;
    return lost;
}

static void warn_of_lost_stages(struct builder *builder, const struct rule *rule, unsigned given)
{
    char words[STAGES_TEXT_MAX + 1];
    unsigned lost = stages_lost(given, rule->info.stages);

    if (given == STAGE_ALL || lost == 0)
        return;
    for (size_t i = 0; i < builder->use_count; i++) {
        const struct fact_ref *ref = &builder->set->refs[builder->uses[i].slot];
        if ((lost & ~ref->type->stages) == 0)
            continue;
        stages_print(lost & ~ref->type->stages, words);
        builder->report.field = RULE_STAGE;
        report_warning(&builder->report, 0,
                       "the rule does not run at %s, where %.*s does not exist", words,
                       SLICE_ARG(ref->name));
        return;
    }
}

/* Cuts them down to where the action can act. */
static bool cut_to_action(struct builder *builder, const struct action_type *type, unsigned given,
                          unsigned *left)
{
    char words[STAGES_TEXT_MAX + 1];
    unsigned lost = type->stages == 0 ? 0 : *left & ~type->stages;

    if (lost == 0)
        return true;
    builder->report.field = RULE_STAGE;
    stages_print(type->stages, words);
    if (lost == *left)
        report_error(&builder->report, 0, "%s acts at %s only", type->name, words);
    else if (given != 0 && given != STAGE_ALL)
        report_warning(&builder->report, 0, "%s acts at %s only", type->name, words);
    *left &= type->stages;
    return *left != 0;
}

/* Cuts the rule's stages down to those at which every fact that it names exists. */
static bool cut_stages(struct builder *builder, struct rule *rule)
{
    const struct action_type *type = rule->info.action;
    unsigned given = rule->info.stages;
    unsigned left = given != 0                     ? given
                    : type->default_stages != 0    ? type->default_stages
                    : type->argument == ARG_LIMITS ? rule->limit_stages
                                                   : STAGE_ALL;
    char exists[STAGES_TEXT_MAX + 1], bound[STAGES_TEXT_MAX + 1];

    if (!cut_to_action(builder, type, given, &left))
        return false;
    given = given == STAGE_ALL || type->stages == 0 ? given : given & type->stages;
    for (size_t i = 0; i < builder->use_count; i++) {
        const struct fact_use *use = &builder->uses[i];
        const struct fact_ref *ref = &builder->set->refs[use->slot];
        if ((left & ref->type->stages) == 0) {
            builder->report.field = use->field;
            stages_print(ref->type->stages, exists);
            stages_print(left, bound);
            report_error(
                &builder->report, use->offset,
                "the rule can never run: %.*s exists at %s, but what else it names leaves %s",
                SLICE_ARG(slice_part(ref->name, 0, 40)), exists, bound);
            return false;
        }
        left &= ref->type->stages;
    }
    rule->info.stages = left;
    warn_of_lost_stages(builder, rule, given);
    return true;
}

/* A list of slots without doubles, in scratch memory. */
struct slot_list {
    uint32_t *slots;
    size_t count;
};

static void slot_add(const struct rule_set *set, struct slot_list *list, uint32_t slot)
{
    if (slot == SLOT_NONE || slot == set->score_slot || slot_has_side_effect(set, slot))
        return;
    for (size_t i = 0; i < list->count; i++)
        if (list->slots[i] == slot)
            return;
    list->slots[list->count++] = slot;
}

static void slot_add_deep(const struct rule_set *set, struct slot_list *list, uint32_t slot)
{
    if (slot != SLOT_NONE && set->refs[slot].kind != FACT_PLAIN) {
        slot_add(set, list, (uint32_t)set->refs[slot].subject);
        if (set->refs[slot].key != FACT_NONE)
            slot_add(set, list, (uint32_t)set->refs[slot].key);
    }
    slot_add(set, list, slot);
}

static bool collect_wanted(struct builder *builder, struct rule *rule)
{
    struct rule_set *set = builder->set;
    size_t most = 4 * (size_t)rule->condition_count + rule->text.count;
    struct slot_list list = { .slots =
                                  arena_alloc_array(builder->scratch, most, sizeof(uint32_t)) };

    if (list.slots == NULL && most > 0)
        return false;
    for (uint32_t i = 0; i < rule->condition_count; i++) {
        slot_add_deep(set, &list, rule->conditions[i].slot);
        slot_add_deep(set, &list, rule->conditions[i].other);
    }
    for (size_t i = 0; i < rule->text.count; i++)
        slot_add_deep(set, &list, rule->text.pieces[i].slot);
    uint32_t *wanted = arena_alloc_array(set->arena, list.count, sizeof *wanted);
    if (wanted == NULL)
        return false;
    if (list.count > 0)
        memcpy(wanted, list.slots, list.count * sizeof *wanted);
    rule->wanted = wanted;
    rule->wanted_count = list.count;
    return true;
}

static bool copy_texts(struct builder *builder, const struct rule_source *source, struct rule *rule)
{
    struct arena *arena = builder->set->arena;

    rule->info.name = arena_copy(arena, source->name);
    rule->info.when = arena_copy(arena, source->when);
    rule->info.then = arena_copy(arena, source->then);
    return (source->name.ptr == NULL) == (rule->info.name.ptr == NULL) &&
           (source->when.ptr == NULL) == (rule->info.when.ptr == NULL) &&
           (source->then.ptr == NULL) == (rule->info.then.ptr == NULL);
}

static void check_name(struct builder *builder, struct slice name)
{
    const struct rule_set *set = builder->set;

    builder->report.field = RULE_NAME;
    if (name.len == 0)
        report_error(&builder->report, 0, "the rule has no name");
    for (size_t i = 0; i < set->count; i++)
        if (slice_equal(set->rules[i].info.name, name)) {
            report_error(&builder->report, 0, "there is another rule \"%.*s\"%s",
                         SLICE_ARG(slice_part(name, 0, 60)),
                         set->rules[i].info.is_live ? ", a live one" : "");
            return;
        }
}

/* All checks of one rule, also after the first mistake. */
static void rule_compile(struct builder *builder, const struct rule_source *source, long previous,
                         struct rule *rule)
{
    if (!copy_texts(builder, source, rule)) {
        report_no_memory(&builder->report);
        return;
    }
    check_name(builder, source->name);
    read_order(builder, source, previous, &rule->info.order);
    read_settings(builder, source, rule);
    read_stage(builder, source->stage, &rule->info.stages);
    builder->report.field = RULE_WHEN;
    if (rule->info.when.ptr != NULL)
        condition_compile(builder, rule);
    builder->report.field = RULE_THEN;
    action_compile(builder, rule);
    if (builder->report.failed || !cut_stages(builder, rule))
        return;
    if (!collect_wanted(builder, rule))
        report_no_memory(&builder->report);
}

/* ---- the set ---- */

static int compare_rules(const void *a, const void *b)
{
    const struct rule *x = a, *y = b;

    if (x->info.order != y->info.order)
        return x->info.order < y->info.order ? -1 : 1;
    return x->source < y->source ? -1 : x->source > y->source;
}

static bool always_ends(const struct rule *rule)
{
    return rule->root == NODE_NONE && rule->info.mode == RULE_ENFORCE &&
           rule->info.action->kind == ACTION_FINAL;
}

/* Warns of rules that others before them keep from ever running. */
static void warn_of_unreachable(struct builder *builder)
{
    const struct rule_set *set = builder->set;
    const struct rule *last = NULL; /* the one that closed the last of the stages */
    unsigned ended = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct rule *rule = &set->rules[i];
        if ((rule->info.stages & ~ended) == 0 && last != NULL) {
            builder->report.rule = rule->source;
            builder->report.field = RULE_NAME;
            report_warning(
                &builder->report, 0,
                "the rule is never reached: rule \"%.*s\" before it always ends the evaluation",
                SLICE_ARG(slice_part(last->info.name, 0, 60)));
        }
        if (always_ends(rule)) {
            ended |= rule->info.stages;
            last = rule;
        }
    }
}

/* Warns of actions that find no room in the reply, because an earlier one can have taken it or a final one takes it. */
static void warn_of_dropped(struct builder *builder)
{
    const struct rule_set *set = builder->set;
    const struct rule *first = NULL;

    for (size_t i = 0; i < set->count; i++) {
        const struct rule *rule = &set->rules[i];
        const struct action_type *type = rule->info.action;
        if (!type->uses_reply || type->refuses || rule->info.mode == RULE_SHADOW)
            continue;
        builder->report.rule = rule->source;
        builder->report.field = RULE_THEN;
        if (first != NULL && (first->info.stages & rule->info.stages) != 0)
            report_warning(
                &builder->report, 0,
                type->kind == ACTION_FINAL
                    ? "where rule \"%.*s\" acts too, its %s is dropped: a reply carries one action"
                    : "where rule \"%.*s\" acts too, only its %s is sent: a reply carries one action",
                SLICE_ARG(slice_part(first->info.name, 0, 60)), first->info.action->name);
        if (first == NULL && type->kind == ACTION_CONTINUES)
            first = rule;
    }
}

static void set_finish(struct builder *builder)
{
    struct rule_set *set = builder->set;

    qsort(set->rules, set->count, sizeof *set->rules, compare_rules);
    for (size_t i = 0; i < set->count; i++) {
        struct rule *rule = &set->rules[i];
        rule->action.rule = i;
        rule->first_condition = set->condition_count;
        set->condition_count += rule->condition_count;
        if (rule->info.mode == RULE_SHADOW)
            set->shadow_most++;
        else if (rule->info.action->kind == ACTION_CONTINUES)
            set->continuing_most++;
    }
    warn_of_unreachable(builder);
    warn_of_dropped(builder);
}

static bool set_compile(struct builder *builder, const struct rule_source *sources, size_t count)
{
    struct rule_set *set = builder->set;
    long order = 0;

    if (!extra_facts_add(builder))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct rule *rule = &set->rules[set->count];
        builder->report.rule = i;
        builder->report.failed = false;
        builder->use_count = 0;
        if (i == RULES_MAX) {
            builder->report.field = RULE_NAME;
            report_error(&builder->report, 0, "there are more than %d rules", (int)RULES_MAX);
            return true;
        }
        *rule = (struct rule){ .source = i, .root = NODE_NONE };
        rule->info.is_live = sources[i].is_live;
        rule_compile(builder, &sources[i], order, rule);
        if (builder->report.no_memory)
            return false;
        order = rule->info.order;
        if (!builder->report.failed)
            set->count++;
        arena_reset(builder->scratch);
    }
    return true;
}

struct rule_set *rule_set_new(const struct rules_schema *schema, const struct rule_source *sources,
                              size_t count, const struct rule_errors *errors)
{
    struct rule_set *set = calloc(1, sizeof *set);
    struct builder builder = { .set = set,
                               .scratch = arena_new(SCRATCH_BYTES_MAX),
                               .report.errors = errors };
    size_t room = count < RULES_MAX ? count : RULES_MAX;
    bool ok = set != NULL && builder.scratch != NULL;

    if (ok) {
        set->schema = schema;
        set->score_slot = SLOT_NONE;
        set->arena = arena_new(SET_BYTES_MAX);
        set->rules = calloc(room + 1, sizeof *set->rules);
        ok = set->arena != NULL && set->rules != NULL && set_compile(&builder, sources, count);
    }
    if (ok)
        set_finish(&builder);
    else
        rule_set_free(&set);
    free(builder.uses);
    arena_free(&builder.scratch);
    return set;
}

void rule_set_free(struct rule_set **set)
{
    struct rule_set *old = *set;

    if (old == NULL)
        return;
    for (size_t i = 0; i < old->pattern_count; i++)
        pattern_free(&old->patterns[i]);
    free(old->patterns);
    free(old->refs);
    free(old->names);
    free(old->rules);
    arena_free(&old->arena);
    free(old);
    *set = NULL;
}

size_t rule_set_count(const struct rule_set *set)
{
    return set->count;
}

size_t rule_set_slot(const struct rule_set *set, struct slice name)
{
    for (size_t i = 0; i < set->ref_count; i++)
        if (set->refs[i].kind == FACT_PLAIN && slice_equal(set->refs[i].name, name))
            return i;
    return FACT_NONE;
}

size_t rule_set_slots(const struct rule_set *set)
{
    return set->ref_count;
}

const struct fact_ref *rule_set_ref(const struct rule_set *set, size_t slot)
{
    return &set->refs[slot];
}

struct rule_info rule_set_info(const struct rule_set *set, size_t rule)
{
    return set->rules[rule].info;
}

void rules_wanted(const struct rule_set *set, enum stage stage, size_t from_rule,
                  void (*want)(void *arg, size_t slot), void *arg)
{
    unsigned char seen[RULE_SLOTS_MAX / 8] = { 0 };

    for (size_t i = from_rule; i < set->count; i++) {
        const struct rule *rule = &set->rules[i];
        if ((rule->info.stages & stage) == 0)
            continue;
        for (size_t n = 0; n < rule->wanted_count; n++) {
            uint32_t slot = rule->wanted[n];
            if (seen[slot / 8] & (1u << (slot % 8)))
                continue;
            seen[slot / 8] |= (unsigned char)(1u << (slot % 8));
            want(arg, slot);
        }
        if (always_ends(rule))
            break;
    }
}
