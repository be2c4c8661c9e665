/* common/live/check.c - see check.h. */
#include "common/live/check.h"

#include <stdarg.h>

#include "common/base/suggest.h"
#include "common/dkim/rotation.h"
#include "common/limits/classes.h"
#include "common/limits/limit.h"
#include "common/lists/list.h"
#include "common/lists/map.h"
#include "common/live/entry.h"
#include "common/live/rule_text.h"
#include "common/live/tail.h"
#include "common/mail/address.h"

static enum live_result bad(struct live_error *error, const char *where, size_t offset,
                            const char *format, ...) PRINTF_LIKE(4, 5);
static enum live_result bad(struct live_error *error, const char *where, size_t offset,
                            const char *format, ...)
{
    va_list args;

    error->where = where;
    error->offset = offset;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return LIVE_BAD;
}

static enum live_result no_memory(struct live_error *error)
{
    return bad(error, "text", 0, "out of memory");
}

/* ---- fields ---- */

typedef enum live_result field_check(struct slice field, struct arena *arena, struct slice *stored,
                                     struct live_error *error);

/* Puts `prefix` before the normal form of what follows it. */
static enum live_result stored_with(const char *prefix, struct slice rest, struct arena *arena,
                                    struct slice *stored, struct live_error *error)
{
    *stored = arena_printf(arena, "%s%.*s", prefix, SLICE_ARG(rest));
    return stored->ptr == NULL ? no_memory(error) : LIVE_OK;
}

static enum live_result entry_error(struct live_error *error, size_t before,
                                    const struct live_entry_error *wrong)
{
    return bad(error, "field", before + wrong->offset, "%s", wrong->text);
}

static enum live_result limit_field(struct slice field, struct arena *arena, struct slice *stored,
                                    struct live_error *error)
{
    struct slice rest = field, prefix, value;
    struct live_entry_error wrong = { 0 };

    if (slice_equal(field, SLICE("default"))) {
        *stored = field;
        return LIVE_OK;
    }
    if (!slice_cut(&rest, ':', &prefix))
        return bad(error, "field", 0,
                   "default, user:VALUE, domain:DOMAIN or class:CLASS is expected");
    if (rest.len == 0)
        return bad(error, "field", field.len, "a value is missing after the colon");
    if (slice_equal(prefix, SLICE("class"))) {
        if (!class_name_is_valid(rest))
            return bad(error, "field", prefix.len + 1,
                       "a class is letters, digits, - _ . and at most 64 of them");
        *stored = field;
        return LIVE_OK;
    }
    if (slice_equal(prefix, SLICE("user"))) {
        if (!live_key_value(rest, arena, &value, &wrong))
            return entry_error(error, prefix.len + 1, &wrong);
        return stored_with("user:", value, arena, stored, error);
    }
    if (slice_equal(prefix, SLICE("domain"))) {
        if (!live_domain(rest, arena, &value, &wrong))
            return entry_error(error, prefix.len + 1, &wrong);
        return stored_with("domain:", value, arena, stored, error);
    }
    return bad(error, "field", 0, "default, user:, domain: or class: is expected before the value");
}

static enum live_result class_field(struct slice field, struct arena *arena, struct slice *stored,
                                    struct live_error *error)
{
    struct live_entry_error wrong = { 0 };

    return live_class_member(field, arena, stored, &wrong) ? LIVE_OK
                                                           : entry_error(error, 0, &wrong);
}

typedef struct slice normalise(struct slice field, struct arena *arena, const char **error);

static enum live_result normal_field(normalise *spell, struct slice field, struct arena *arena,
                                     struct slice *stored, struct live_error *error)
{
    const char *wrong = NULL;
    struct slice normal = spell(field, arena, &wrong);

    if (normal.ptr == NULL)
        return bad(error, "field", 0, "%s", wrong);
    *stored = normal;
    return LIVE_OK;
}

static enum live_result list_field(struct slice field, struct arena *arena, struct slice *stored,
                                   struct live_error *error)
{
    return normal_field(list_entry_normalise, field, arena, stored, error);
}

static enum live_result map_field(struct slice field, struct arena *arena, struct slice *stored,
                                  struct live_error *error)
{
    return normal_field(map_key_normalise, field, arena, stored, error);
}

/* Who has a chain: keys as in a map, and `*`. */
static enum live_result apply_field(struct slice field, struct arena *arena, struct slice *stored,
                                    struct live_error *error)
{
    if (!slice_equal(field, SLICE("*")))
        return map_field(field, arena, stored, error);
    *stored = field;
    return LIVE_OK;
}

/* DOMAIN/SELECTOR */
static enum live_result dkim_field(struct slice field, struct arena *arena, struct slice *stored,
                                   struct live_error *error)
{
    struct slice domain, selector;
    char *text = arena_alloc(arena, field.len + 1);

    if (!dkim_life_name(field, &domain, &selector))
        return bad(error, "field", 0, "DOMAIN/SELECTOR is expected");
    if (text == NULL)
        return bad(error, "field", 0, "out of memory");
    for (size_t i = 0; i < field.len; i++)
        text[i] = ascii_lower(field.ptr[i]);
    *stored = (struct slice){ text, field.len };
    return LIVE_OK;
}

static enum live_result rule_field(struct slice field, UNUSED struct arena *arena,
                                   struct slice *stored, struct live_error *error)
{
    if (!live_name_is_valid(field))
        return bad(error, "field", 0, "a rule's name is letters, digits, - _ . and at most %d",
                   LIVE_RULE_NAME_MAX);
    *stored = field;
    return LIVE_OK;
}

/* ---- texts ---- */

typedef enum live_result text_check(struct slice field, struct slice text,
                                    const struct live_names *names, struct arena *arena,
                                    struct live_error *error);

static enum live_result read_tail(struct slice text, struct live_tail *tail,
                                  struct live_error *error)
{
    const char *wrong = NULL;

    if (live_tail_parse(text, tail, &wrong))
        return LIVE_OK;
    return bad(error, "text", 0, "%s", wrong);
}

static enum live_result limit_text(UNUSED struct slice field, struct slice text,
                                   UNUSED const struct live_names *names,
                                   UNUSED struct arena *arena, struct live_error *error)
{
    struct override override;
    const char *wrong = NULL;

    if (override_parse(text, &override, &wrong))
        return LIVE_OK;
    return bad(error, "text", 0, "%s", wrong);
}

static enum live_result class_text(UNUSED struct slice field, struct slice text,
                                   UNUSED const struct live_names *names,
                                   UNUSED struct arena *arena, struct live_error *error)
{
    struct live_tail tail;

    if (read_tail(text, &tail, error) != LIVE_OK)
        return LIVE_BAD;
    if (!class_name_is_valid(tail.head))
        return bad(error, "text", 0, "a class is letters, digits, - _ . and at most 64 of them");
    return LIVE_OK;
}

static enum live_result list_text(UNUSED struct slice field, struct slice text,
                                  UNUSED const struct live_names *names, UNUSED struct arena *arena,
                                  struct live_error *error)
{
    struct live_tail tail;

    if (read_tail(text, &tail, error) != LIVE_OK)
        return LIVE_BAD;
    if (tail.head.len > 0)
        return bad(error, "text", 0, "only until=, by= and note= belong to a list's entry");
    return LIVE_OK;
}

static enum live_result map_text(UNUSED struct slice field, struct slice text,
                                 UNUSED const struct live_names *names, UNUSED struct arena *arena,
                                 struct live_error *error)
{
    struct live_tail tail;

    if (read_tail(text, &tail, error) != LIVE_OK)
        return LIVE_BAD;
    if (tail.head.len == 0)
        return bad(error, "text", 0, "a value is missing");
    if (tail.head.len > MAP_VALUES_MAX)
        return bad(error, "text", MAP_VALUES_MAX, "a key has at most %d bytes of values",
                   MAP_VALUES_MAX);
    return LIVE_OK;
}

/* One chain; where the running configuration has chains, one of them. */
static enum live_result apply_text(UNUSED struct slice field, struct slice text,
                                   const struct live_names *names, UNUSED struct arena *arena,
                                   struct live_error *error)
{
    struct live_tail tail;

    if (read_tail(text, &tail, error) != LIVE_OK)
        return LIVE_BAD;
    if (!live_name_is_valid(tail.head))
        return bad(error, "text", 0, "the name of one chain is expected");
    struct suggest best = suggest_for(tail.head);
    for (size_t n = 0; names->name_at != NULL; n++) {
        struct slice chain = names->name_at(names->context, "chain", n);
        if (chain.ptr == NULL && n == 0)
            return LIVE_OK; /* another daemon's matter */
        if (chain.ptr == NULL)
            break;
        if (slice_equal_nocase(chain, tail.head))
            return LIVE_OK;
        suggest_offer(&best, chain);
    }
    if (names->name_at == NULL)
        return LIVE_OK;
    if (best.name.ptr == NULL)
        return bad(error, "text", 0, "no chain \"%.*s\" in the configuration",
                   SLICE_ARG(tail.head));
    return bad(error, "text", 0, "no chain \"%.*s\" in the configuration; did you mean \"%.*s\"?",
               SLICE_ARG(tail.head), SLICE_ARG(best.name));
}

static enum live_result rule_text(struct slice field, struct slice text,
                                  const struct live_names *names, struct arena *arena,
                                  struct live_error *error)
{
    struct live_rule rule;
    struct live_rule_error wrong = { 0, NULL };

    if (!live_rule_parse(field, text, arena, &rule, &wrong))
        return bad(error, "text", wrong.offset, "%s", wrong.text);
    if (names->rule_compiles == NULL ||
        names->rule_compiles(names->context, field, text, &error->where, &error->offset,
                             error->text))
        return LIVE_OK;
    return LIVE_BAD;
}

/* What a key's state is. */
static enum live_result dkim_text(UNUSED struct slice field, struct slice text,
                                  UNUSED const struct live_names *names, UNUSED struct arena *arena,
                                  struct live_error *error)
{
    struct dkim_life life;
    const char *wrong = NULL;

    return dkim_life_parse(text, &life, &wrong) ? LIVE_OK : bad(error, "text", 0, "%s", wrong);
}

/* ---- the key table ---- */

static const struct kind {
    const char *name;
    bool is_named; /* `limit:NAME` */
    bool has_recipient; /* `list:NAME/RECIPIENT` */
    bool is_declared; /* the configuration declares these names */
    field_check *field;
    text_check *text;
} kinds[] = {
    { "limit", true, false, true, limit_field, limit_text },
    { "class", false, false, false, class_field, class_text },
    { "list", true, true, true, list_field, list_text },
    { "map", true, false, true, map_field, map_text },
    { "rule", false, false, false, rule_field, rule_text },
    { "apply", false, false, false, apply_field, apply_text },
    { "dkim", false, false, false, dkim_field, dkim_text },
};

static const struct kind *find_kind(struct slice key, struct slice *name, struct slice *recipient)
{
    struct slice rest = key, head = key;
    bool is_named = slice_cut(&rest, ':', &head);

    *recipient = (struct slice){ NULL, 0 };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!slice_equal(head, slice_of(kinds[i].name)) || kinds[i].is_named != is_named)
            continue;
        *name = is_named ? rest : (struct slice){ NULL, 0 };
        if (kinds[i].has_recipient && slice_cut(&rest, '/', name))
            *recipient = rest;
        return &kinds[i];
    }
    return NULL;
}

static enum live_result undeclared(const struct kind *kind, struct slice name,
                                   const struct live_names *names, struct live_error *error)
{
    struct suggest best = suggest_for(name);
    struct slice candidate;

    if (names->is_declared == NULL || names->is_declared(names->context, kind->name, name))
        return LIVE_OK;
    for (size_t n = 0; names->name_at != NULL; n++) {
        candidate = names->name_at(names->context, kind->name, n);
        if (candidate.ptr == NULL)
            break;
        suggest_offer(&best, candidate);
    }
    bad(error, "key", strlen(kind->name) + 1, "no %s \"%.*s\" in the configuration", kind->name,
        SLICE_ARG(name));
    if (best.name.ptr != NULL)
        bad(error, "key", strlen(kind->name) + 1,
            "no %s \"%.*s\" in the configuration; did you mean \"%.*s\"?", kind->name,
            SLICE_ARG(name), SLICE_ARG(best.name));
    return LIVE_UNDECLARED;
}

/* A recipient's mailbox or domain, as `list:NAME/{recipient}` asks for it. */
static enum live_result recipient_key(struct slice key, struct slice recipient, struct arena *arena,
                                      struct slice *stored, struct live_error *error)
{
    size_t before = (size_t)(recipient.ptr - key.ptr);
    struct slice normal = { NULL, 0 };
    bool is_mailbox = slice_find(recipient, '@') != SIZE_MAX;

    if (is_mailbox ? address_normalise_mailbox(recipient, arena, &normal) != ADDRESS_NORMAL ||
                         !address_is_valid_mailbox(normal)
                   : address_normalise_domain(recipient, arena, &normal) != ADDRESS_NORMAL ||
                         !address_is_valid_domain(normal))
        return bad(error, "key", before, "a mailbox or domain is expected after the slash");
    *stored = arena_printf(arena, "%.*s%.*s", (int)before, key.ptr, SLICE_ARG(normal));
    return stored->ptr == NULL ? no_memory(error) : LIVE_OK;
}

enum live_result live_check_key(struct slice key, const struct live_names *names,
                                struct arena *arena, struct slice *stored, struct live_error *error)
{
    struct slice name, recipient;
    const struct kind *kind = find_kind(key, &name, &recipient);

    if (kind == NULL) {
        bad(error, "key", 0,
            "limit:NAME, class, list:NAME, map:NAME, rule, apply or dkim is expected");
        return LIVE_NO_SUCH_KEY;
    }
    *stored = key;
    if (!kind->is_named)
        return LIVE_OK;
    if (!live_name_is_valid(name))
        return bad(error, "key", strlen(kind->name) + 1,
                   "a name is letters, digits, - _ . and at most %d of them", LIVE_RULE_NAME_MAX);
    if (recipient.ptr != NULL && recipient_key(key, recipient, arena, stored, error) != LIVE_OK)
        return LIVE_BAD;
    return undeclared(kind, name, names, error);
}

/* What is stored is read with the same eyes again: `" a"@example.com`, unquoted, would become another mailbox. */
static enum live_result stable_field(const struct kind *kind, struct slice field,
                                     struct arena *arena, struct slice *stored,
                                     struct live_error *error)
{
    struct slice once = { NULL, 0 }, twice = { NULL, 0 };

    if (kind->field(field, arena, &once, error) != LIVE_OK)
        return LIVE_BAD;
    if (kind->field(once, arena, &twice, error) != LIVE_OK || !slice_equal(once, twice))
        return bad(error, "field", 0, "this name cannot be stored so that it is found again");
    *stored = once;
    return LIVE_OK;
}

enum live_result live_check_field(struct slice key, struct slice field, struct arena *arena,
                                  struct slice *stored, struct live_error *error)
{
    struct slice name, recipient;
    const struct kind *kind = find_kind(key, &name, &recipient);

    if (kind == NULL) {
        bad(error, "key", 0,
            "limit:NAME, class, list:NAME, map:NAME, rule, apply or dkim is expected");
        return LIVE_NO_SUCH_KEY;
    }
    if (field.len == 0 || field.len > LIVE_FIELD_MAX)
        return bad(error, "field", 0, "a field has 1 to %d bytes", LIVE_FIELD_MAX);
    for (size_t i = 0; i < field.len; i++)
        if ((unsigned char)field.ptr[i] < 0x20 || field.ptr[i] == 0x7f)
            return bad(error, "field", i, "control bytes are not allowed");
    return stable_field(kind, field, arena, stored, error);
}

enum live_result live_check(struct slice key, struct slice field, struct slice text,
                            const struct live_names *names, struct arena *arena,
                            struct live_place *stored, struct live_error *error)
{
    struct slice name, recipient;
    const struct kind *kind;
    struct live_error later;
    enum live_result declared = live_check_key(key, names, arena, &stored->key, error), result;

    if (declared != LIVE_OK && declared != LIVE_UNDECLARED)
        return declared;
    result = live_check_field(key, field, arena, &stored->field, &later);
    if (result == LIVE_OK && text.len > LIVE_TEXT_MAX)
        result = bad(&later, "text", LIVE_TEXT_MAX, "a text has at most %d bytes", LIVE_TEXT_MAX);
    if (result == LIVE_OK) {
        kind = find_kind(key, &name, &recipient);
        result = kind->text(field, text, names, arena, &later);
    }
    if (result == LIVE_OK)
        return declared;
    *error = later;
    return result;
}
