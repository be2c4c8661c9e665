/* common/rules/facts.c - names of facts, lists and maps to slots of the set; see builder.h and set.h. */
#include "common/rules/builder.h"

#include <assert.h>

static const struct fact_type score_type = {
    .name = "score",
    .type = VALUE_NUMBER,
    .stages = STAGE_ALL,
    .doc = "The sum of the scores that the rules before this one have given.",
};

bool grow(void *array, size_t count, size_t *room, size_t size)
{
    void *old, *larger;

    if (count < *room)
        return true;
    size_t more = *room == 0 ? 16 : *room * 2;
    memcpy(&old, array, sizeof old); /* whatever it points to */
    larger = reallocarray(old, more, size);
    if (larger == NULL)
        return false;
    memcpy(array, &larger, sizeof larger);
    *room = more;
    return true;
}

bool value_is_empty(const struct value *value)
{
    if (value->is_empty)
        return true;
    if (value->type == VALUE_ADDRESS)
        return !value->net.is_set;
    return value->type != VALUE_NUMBER && value->type != VALUE_BOOLEAN && value->text.len == 0;
}

/* Does `name` fit the row's name, whose one `*` takes what is written in its place? */
static bool name_fits(struct slice pattern, struct slice name, struct slice *arg)
{
    size_t star = slice_find(pattern, '*');
    struct slice before = slice_part(pattern, 0, star);

    *arg = (struct slice){ NULL, 0 };
    if (star == SIZE_MAX)
        return slice_equal(pattern, name);
    struct slice after = slice_skip(pattern, star + 1);
    if (name.len <= before.len + after.len || !slice_starts_with(name, before) ||
        !slice_ends_with(name, after))
        return false;
    *arg = slice_part(name, before.len, name.len - before.len - after.len);
    return true;
}

const struct fact_type *fact_find(const struct rules_schema *schema, struct slice name,
                                  struct slice *arg)
{
    for (size_t i = 0; i < schema->fact_count; i++)
        if (name_fits(slice_of(schema->facts[i].name), name, arg))
            return &schema->facts[i];
    return slice_equal(name, SLICE("score")) ? &score_type : NULL;
}

void fact_suggest(const struct rules_schema *schema, struct suggest *suggest)
{
    for (size_t i = 0; i < schema->fact_count; i++)
        suggest_offer(suggest, slice_of(schema->facts[i].name));
    suggest_offer(suggest, SLICE("score"));
}

struct hint declared_hint(const struct rules_schema *schema, const char *kind, struct slice name)
{
    struct suggest suggest = suggest_for(name);
    struct slice candidate;

    for (size_t n = 0; schema->name_at != NULL; n++) {
        candidate = schema->name_at(schema->context, kind, n);
        if (candidate.ptr == NULL)
            break;
        suggest_offer(&suggest, candidate);
    }
    return hint_of(&suggest);
}

bool name_used(struct builder *builder, enum rule_name_kind kind, struct slice name)
{
    struct rule_set *set = builder->set;

    if (rule_set_uses(set, kind, name))
        return true;
    struct slice copy = arena_copy(set->arena, name);
    if (copy.ptr == NULL ||
        !grow(&set->names, set->name_count, &set->name_room, sizeof *set->names)) {
        report_no_memory(&builder->report);
        return false;
    }
    set->names[set->name_count++] = (struct used_name){ kind, copy };
    return true;
}

bool rule_set_uses(const struct rule_set *set, enum rule_name_kind kind, struct slice name)
{
    for (size_t i = 0; i < set->name_count; i++)
        if (set->names[i].kind == kind && slice_equal(set->names[i].name, name))
            return true;
    return false;
}

static bool ref_equal(const struct fact_ref *a, const struct fact_ref *b)
{
    return a->kind == b->kind && a->subject == b->subject && a->key == b->key &&
           slice_equal(a->name, b->name);
}

/* The slot of `ref`, a new one if no rule has named it yet. */
static uint32_t slot_of(struct builder *builder, struct fact_ref ref, size_t offset)
{
    struct rule_set *set = builder->set;

    for (size_t i = 0; i < set->ref_count; i++)
        if (ref_equal(&set->refs[i], &ref))
            return (uint32_t)i;
    if (set->ref_count == RULE_SLOTS_MAX) {
        report_error(&builder->report, offset, "the rules name more than %d different facts",
                     (int)RULE_SLOTS_MAX);
        return SLOT_NONE;
    }
    struct slice name = arena_copy(set->arena, ref.name);
    if (name.ptr == NULL || !grow(&set->refs, set->ref_count, &set->ref_room, sizeof *set->refs)) {
        report_no_memory(&builder->report);
        return SLOT_NONE;
    }
    if (ref.arg.ptr != NULL) /* a part of the name: of our copy, too */
        ref.arg = slice_part(name, (size_t)(ref.arg.ptr - ref.name.ptr), ref.arg.len);
    ref.name = name;
    set->refs[set->ref_count] = ref;
    return (uint32_t)set->ref_count++;
}

static uint32_t slot_used(struct builder *builder, uint32_t slot, size_t offset)
{
    if (slot == SLOT_NONE)
        return slot;
    if (!grow(&builder->uses, builder->use_count, &builder->use_room, sizeof *builder->uses)) {
        report_no_memory(&builder->report);
        return SLOT_NONE;
    }
    builder->uses[builder->use_count++] = (struct fact_use){ slot, builder->report.field, offset };
    return slot;
}

/* Of the names that `*` stands for. */
static void kind_of_star(const struct rules_schema *schema, const struct fact_type *type,
                         char kind[32])
{
    const char *own = schema->star_kind == NULL ? NULL : schema->star_kind(type);
    size_t len = strcspn(type->name, ".*");

    if (own != NULL)
        snprintf(kind, 32, "%s", own);
    else
        snprintf(kind, 32, "%.*s", (int)(len < 32 ? len : 0), type->name);
}

/* Is the argument of a fact like limit.*.used one that is declared, and fits? */
static bool check_argument(struct builder *builder, const struct fact_type *type, struct slice name,
                           struct slice arg, size_t offset)
{
    const struct rules_schema *schema = builder->set->schema;
    const char *unfit = NULL;
    char kind[32];

    if (arg.ptr == NULL || schema->fact_arg_known == NULL)
        return true;
    bool is_known = schema->fact_arg_known(schema->context, type, arg);
    if (is_known && schema->fact_arg_unfit != NULL)
        unfit = schema->fact_arg_unfit(schema->context, type, arg);
    if (is_known && unfit == NULL)
        return true;
    kind_of_star(schema, type, kind);
    offset += (size_t)(arg.ptr - name.ptr);
    if (is_known)
        report_error(&builder->report, offset, "the %s \"%.*s\" %s", kind, SLICE_ARG(arg), unfit);
    else
        report_error(&builder->report, offset, "there is no %s \"%.*s\"%s", kind, SLICE_ARG(arg),
                     declared_hint(schema, kind, arg).text);
    return false;
}

uint32_t fact_slot(struct builder *builder, struct slice name, size_t offset)
{
    const struct rules_schema *schema = builder->set->schema;
    struct fact_ref ref = {
        .kind = FACT_PLAIN, .name = name, .subject = FACT_NONE, .key = FACT_NONE
    };

    ref.type = fact_find(schema, name, &ref.arg);
    if (ref.type == NULL) {
        struct suggest suggest = suggest_for(name);
        fact_suggest(schema, &suggest);
        report_error(&builder->report, offset, "there is no fact \"%.*s\"%s",
                     SLICE_ARG(slice_part(name, 0, 60)), hint_of(&suggest).text);
        return SLOT_NONE;
    }
    if (!check_argument(builder, ref.type, name, ref.arg, offset) ||
        !name_used(builder, RULE_NAMES_FACT, slice_of(ref.type->name)))
        return SLOT_NONE;
    uint32_t slot = slot_of(builder, ref, offset);
    if (slot != SLOT_NONE && slice_equal(name, SLICE("score")))
        builder->set->score_slot = slot;
    return slot_used(builder, slot, offset);
}

bool extra_facts_add(struct builder *builder)
{
    const struct rules_schema *schema = builder->set->schema;

    for (size_t i = 0; i < schema->extra_fact_count; i++) {
        struct fact_ref ref = { .kind = FACT_PLAIN,
                                .name = slice_of(schema->extra_facts[i]),
                                .subject = FACT_NONE,
                                .key = FACT_NONE };
        ref.type = fact_find(schema, ref.name, &ref.arg);
        assert(ref.type != NULL); /* the daemon's own table */
        if (slot_of(builder, ref, 0) == SLOT_NONE)
            return false;
    }
    return true;
}

uint32_t set_slot(struct builder *builder, enum fact_kind kind, const struct operand *name,
                  uint32_t subject, uint32_t key)
{
    const struct rules_schema *schema = builder->set->schema;
    const char *word = kind == FACT_IN_LIST ? "list" : "map";
    bool (*exists)(const void *, struct slice) =
        kind == FACT_IN_LIST ? schema->list_exists : schema->map_exists;

    if (!name_used(builder, kind == FACT_IN_LIST ? RULE_NAMES_LIST : RULE_NAMES_MAP, name->text))
        return SLOT_NONE;
    if (exists != NULL && !exists(schema->context, name->text)) {
        report_error(&builder->report, name->offset, "there is no %s \"%.*s\"%s", word,
                     SLICE_ARG(slice_part(name->text, 0, 60)),
                     declared_hint(schema, word, name->text).text);
        return SLOT_NONE;
    }
    struct slice full = arena_printf(builder->scratch, "%s:%.*s", word, SLICE_ARG(name->text));
    if (full.ptr == NULL) {
        report_no_memory(&builder->report);
        return SLOT_NONE;
    }
    struct fact_ref ref = { .kind = kind,
                            .name = full,
                            .arg = slice_skip(full, strlen(word) + 1),
                            .subject = subject,
                            .key = key == SLOT_NONE ? FACT_NONE : key };
    return slot_of(builder, ref, name->offset);
}

bool slot_has_side_effect(const struct rule_set *set, uint32_t slot)
{
    const struct fact_ref *ref = &set->refs[slot];

    if (ref->kind == FACT_PLAIN)
        return ref->type->has_side_effect;
    return set->refs[ref->subject].type->has_side_effect ||
           (ref->key != FACT_NONE && set->refs[ref->key].type->has_side_effect);
}
