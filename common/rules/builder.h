/* common/rules/builder.h - what the steps of compiling one rule share. Private to common/rules.
 *
 * Functions that fail have reported why, in builder.report. */
#ifndef GATEHOUSE_RULES_BUILDER_H
#define GATEHOUSE_RULES_BUILDER_H

#include "common/rules/set.h"

/* A fact that the rule names, and where: so that "exists at no stage" can point at it. */
struct fact_use {
    uint32_t slot;
    enum rule_field field;
    size_t offset;
};

struct builder {
    struct rule_set *set;
    struct arena *scratch; /* emptied after every rule */
    struct report report;
    struct fact_use *uses; /* of this rule, in the order written; owned */
    size_t use_count, use_room;
};

/* Room for one more in an owned array of `count` elements of `size` bytes; false when memory is out. `array` is the
 * address of the pointer to it. */
bool grow(void *array, size_t count, size_t *room, size_t size);

/* ---- facts.c: names to slots ---- */

/* The row of the schema for a name, *arg what stands for its `*`. NULL: there is none. `score` is always there. */
const struct fact_type *fact_find(const struct rules_schema *schema, struct slice name,
                                  struct slice *arg);
/* The slot of the fact named so; SLOT_NONE: no such fact, reported at its offset. */
uint32_t fact_slot(struct builder *builder, struct slice name, size_t offset);
/* Gives the schema's extra facts the first slots. False: reported. */
bool extra_facts_add(struct builder *builder);
/* The slot of `subject in list:NAME` and the like. `key` SLOT_NONE: without. */
uint32_t set_slot(struct builder *builder, enum fact_kind kind, const struct operand *name,
                  uint32_t subject, uint32_t key);
/* Offers all names of facts. */
void fact_suggest(const struct rules_schema *schema, struct suggest *suggest);
/* "did you mean" among the names that the configuration declares of a kind. */
struct hint declared_hint(const struct rules_schema *schema, const char *kind, struct slice name);
/* Remembers it for rule_set_uses(). */
bool name_used(struct builder *builder, enum rule_name_kind kind, struct slice name);

/* ---- types.c: conditions ---- */

/* Reads, checks and compiles rule->info.when. */
bool condition_compile(struct builder *builder, struct rule *rule);

/* ---- literal.c: constants ---- */

/* What `operand` means for a fact of this type, in normal form. `name` is the fact's, for messages. */
bool literal_read(struct builder *builder, const struct fact_type *type, struct slice name,
                  const struct operand *operand, struct value *out);
bool literal_is_word(const struct fact_type *type, struct slice text); /* of its vocabulary */

/* ---- action.c ---- */

/* Reads rule->info.then into rule->action and rule->text. */
bool action_compile(struct builder *builder, struct rule *rule);

/* ---- template.c ---- */

/* `text` begins at `offset` of the field being read. */
bool template_compile(struct builder *builder, struct slice text, size_t offset,
                      struct template *out);

#endif
