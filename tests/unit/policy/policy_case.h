/* tests/unit/policy/policy_case.h - a program that has nothing but rules, lists and maps, as the tests of common/policy/
 * load it from text. */
#ifndef GATEHOUSE_TESTS_POLICY_CASE_H
#define GATEHOUSE_TESTS_POLICY_CASE_H

#include "common/policy/rule_book.h"
#include "tests/fakes/fake_rules.h"
#include "tests/unit/unit.h"

struct program {
    struct policy_sections sections;
};

#define CONF_STRUCT struct rule_section
/* clang-format off */
static const struct conf_param case_rule_params[] = {
    RULE_PARAMS("sender is set", "accept", "The action.", "rcpt", "At which stages."),
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct program
static const struct conf_kind case_kinds[] = { RULE_KIND(case_rule_params), LIST_KIND, MAP_KIND };
#undef CONF_STRUCT

static const struct conf_schema case_schema = { NULL, 0, PARAMS(case_kinds),
                                                sizeof(struct program) };

/* What a text says: in `text_errors` all mistakes, a line each. */
struct policy_case {
    struct policy_core core; /* first member: the context of the schema */
    struct rules_schema schema;
    struct arena *arena;
    struct program program;
    struct buf errors;
    size_t error_count; /* without warnings */
    bool ok;
};

static inline void case_load_with(struct policy_case *loaded, const char *text,
                                  enum conf_run_mode mode, const struct policy_core *previous,
                                  struct rule_book *book)
{
    struct conf_errors *errors = conf_errors_new();

    *loaded = (struct policy_case){ .arena = arena_new(1 << 22), .errors = BUF_INIT(1 << 16) };
    struct conf *conf = conf_parse(SLICE("t.conf"), slice_of(text), NULL, 0, loaded->arena, errors);
    conf_load(&case_schema, conf, loaded->arena, &loaded->program, errors);
    struct daemon_load load = { conf, &loaded->program, loaded->arena, errors, previous };
    loaded->ok = policy_core_load(&loaded->core, &load, &loaded->program.sections, mode);
    loaded->schema = fake_schema;
    policy_core_schema(&loaded->schema, &loaded->core);
    if (book != NULL)
        loaded->ok = loaded->ok && rule_book_make(book, &loaded->schema, &loaded->core,
                                                  &(struct rule_hearers){ errors, true });
    loaded->error_count = conf_errors_count(errors);
    conf_errors_print(errors, &loaded->errors);
    conf_errors_free(&errors);
    assert_true(loaded->ok);
}

static inline void case_load(struct policy_case *loaded, const char *text)
{
    case_load_with(loaded, text, CONF_ENFORCE, NULL, NULL);
}

static inline void case_unload(struct policy_case *loaded)
{
    policy_core_free(&loaded->core);
    buf_free(&loaded->errors);
    arena_free(&loaded->arena);
}

/* A value of a type that is compared as a whole. */
static inline struct value case_word(const char *text)
{
    return (struct value){ .type = VALUE_WORD, .text = slice_of(text) };
}

static inline struct value case_mailbox(const char *text)
{
    return (struct value){ .type = VALUE_MAILBOX, .text = slice_of(text) };
}

#endif
