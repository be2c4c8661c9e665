/* tests/fakes/fake_rules.c - see fake_rules.h. */
#include "tests/fakes/fake_rules.h"

#define FROM_MAIL (STAGE_ALL & ~(unsigned)(STAGE_CONNECT | STAGE_HELO | STAGE_OTHER))
#define ONE_RECIPIENT ((unsigned)(STAGE_RCPT | STAGE_DATA | STAGE_END))

static bool is_country(struct slice text)
{
    return slice_equal(text, SLICE("none")) || slice_equal(text, SLICE("unlisted")) ||
           (text.len == 2 && ascii_is_alpha(text.ptr[0]) && ascii_is_alpha(text.ptr[1]));
}

static const char *const spf_words[] = { "none",     "neutral",   "pass",      "fail",
                                         "softfail", "temperror", "permerror", NULL };

static const struct fact_type facts[] = {
    { .name = "client_address", .type = VALUE_ADDRESS, .stages = STAGE_ALL },
    { .name = "server_address", .type = VALUE_ADDRESS, .stages = STAGE_ALL },
    { .name = "client_name", .type = VALUE_DOMAIN, .stages = STAGE_ALL },
    { .name = "helo_name", .type = VALUE_TEXT, .stages = STAGE_ALL & ~(unsigned)STAGE_CONNECT },
    { .name = "sasl_username", .type = VALUE_MAILBOX, .stages = STAGE_ALL },
    { .name = "sasl_domain", .type = VALUE_DOMAIN, .stages = STAGE_ALL },
    { .name = "sender", .type = VALUE_MAILBOX, .stages = FROM_MAIL },
    { .name = "sender_domain", .type = VALUE_DOMAIN, .stages = FROM_MAIL },
    { .name = "recipient", .type = VALUE_MAILBOX, .stages = ONE_RECIPIENT },
    { .name = "recipient_count", .type = VALUE_NUMBER, .stages = STAGES_DATA | STAGES_END },
    { .name = "size", .type = VALUE_NUMBER, .stages = FROM_MAIL },
    { .name = "queue_id", .type = VALUE_TEXT, .stages = FROM_MAIL },
    { .name = "authenticated", .type = VALUE_BOOLEAN, .stages = STAGE_ALL },
    { .name = "encrypted", .type = VALUE_BOOLEAN, .stages = STAGE_ALL },
    { .name = "country", .type = VALUE_WORD, .stages = STAGE_ALL, .accepts = is_country },
    { .name = "spf", .type = VALUE_WORD, .stages = FROM_MAIL, .words = spf_words },
    { .name = "greylisted", .type = VALUE_BOOLEAN, .stages = STAGE_RCPT, .has_side_effect = true },
    { .name = "dnsbl.score", .type = VALUE_NUMBER, .stages = STAGE_ALL },
    { .name = "limit.*.used", .type = VALUE_NUMBER, .stages = STAGE_ALL },
};

static const struct action_type actions[] = {
    { .name = "accept", .kind = ACTION_FINAL, .argument = ARG_NONE },
    { .name = "reject",
      .kind = ACTION_FINAL,
      .argument = ARG_REPLY,
      .refuses = true,
      .uses_reply = true,
      .reply_class = "45",
      .default_text = "Access denied" },
    { .name = "defer",
      .kind = ACTION_FINAL,
      .argument = ARG_REPLY,
      .refuses = true,
      .uses_reply = true,
      .reply_class = "4",
      .default_text = "Try again later" },
    { .name = "hold", .kind = ACTION_FINAL, .argument = ARG_OPT_TEXT, .uses_reply = true },
    { .name = "redirect", .kind = ACTION_FINAL, .argument = ARG_MAILBOX, .uses_reply = true },
    { .name = "restrict", .kind = ACTION_FINAL, .argument = ARG_WORD, .uses_reply = true },
    { .name = "limit", .kind = ACTION_CONTINUES, .argument = ARG_LIMITS },
    { .name = "greylist",
      .kind = ACTION_CONTINUES,
      .argument = ARG_DURATION,
      .default_stages = STAGE_RCPT },
    { .name = "score", .kind = ACTION_CONTINUES, .argument = ARG_NUMBER },
    { .name = "keep",
      .kind = ACTION_FINAL,
      .argument = ARG_OPT_TEXT,
      .stages = STAGES_DATA | STAGES_END },
    { .name = "prepend",
      .kind = ACTION_CONTINUES,
      .argument = ARG_HEADER,
      .uses_reply = true,
      .default_stages = STAGES_DATA },
    { .name = "bcc", .kind = ACTION_CONTINUES, .argument = ARG_MAILBOX, .uses_reply = true },
    { .name = "warn", .kind = ACTION_CONTINUES, .argument = ARG_TEXT, .uses_reply = true },
};

static struct slice name_at(UNUSED const void *context, const char *kind, size_t n)
{
    static const char *const names[][3] = { { "list", "block", "allow" },
                                            { "map", "owners", NULL },
                                            { "limit", "hourly", "bytes" } };

    for (size_t i = 0; i < COUNT(names); i++)
        if (n < 2 && strcmp(names[i][0], kind) == 0)
            return slice_of(names[i][n + 1]);
    return (struct slice){ NULL, 0 };
}

static bool is_declared(const char *kind, struct slice name)
{
    return slice_equal(name, name_at(NULL, kind, 0)) || slice_equal(name, name_at(NULL, kind, 1));
}

static bool list_exists(UNUSED const void *context, struct slice name)
{
    return is_declared("list", name);
}

static bool map_exists(UNUSED const void *context, struct slice name)
{
    return is_declared("map", name);
}

static bool limit_exists(UNUSED const void *context, struct slice name, unsigned *charging_stages)
{
    *charging_stages = slice_equal(name, SLICE("hourly")) ? STAGES_DATA : STAGES_END;
    return is_declared("limit", name);
}

static bool fact_arg_known(UNUSED const void *context, UNUSED const struct fact_type *type,
                           struct slice arg)
{
    return is_declared("limit", arg);
}

const struct rules_schema fake_schema = {
    .facts = facts,
    .fact_count = COUNT(facts),
    .actions = actions,
    .action_count = COUNT(actions),
    .list_exists = list_exists,
    .map_exists = map_exists,
    .limit_exists = limit_exists,
    .name_at = name_at,
    .fact_arg_known = fact_arg_known,
};

/* ---- facts ---- */

struct fake_fact *fake_facts_find(struct fake_facts *facts_set, struct slice name)
{
    for (size_t i = 0; i < facts_set->count; i++)
        if (slice_equal(facts_set->facts[i].name, name))
            return &facts_set->facts[i];
    return NULL;
}

void fake_facts_set_slices(struct fake_facts *facts_set, struct slice name, struct slice text)
{
    struct fake_fact *fact = fake_facts_find(facts_set, name);

    if (fact == NULL && facts_set->count < FAKE_FACTS_MAX)
        fact = &facts_set->facts[facts_set->count++];
    if (fact != NULL)
        *fact = (struct fake_fact){ .name = name, .text = text };
}

void fake_facts_set(struct fake_facts *facts_set, const char *name, const char *text)
{
    fake_facts_set_slices(facts_set, slice_of(name), slice_of(text));
}

static struct value value_of(enum value_type type, struct slice text)
{
    struct value value = { .type = type, .is_empty = text.len == 0, .text = text };

    if (type == VALUE_BOOLEAN)
        value = (struct value){ .type = type, .boolean = slice_equal(text, SLICE("yes")) };
    if (type == VALUE_NUMBER)
        slice_to_double(text, &value.number);
    if (type == VALUE_ADDRESS)
        ipnet_parse(text, &value.net, NULL);
    return value;
}

/* A value for each part of the fact's text. */
static struct value values_of(enum value_type type, struct fake_fact *fact)
{
    struct slice rest = fact->text, part;
    size_t count = 0;

    while (count < FAKE_VALUES_MAX && slice_next(&rest, '|', &part)) {
        fact->values[count] = value_of(type, part);
        if (count > 0)
            fact->values[count - 1].next = &fact->values[count];
        count++;
    }
    return count == 0 ? value_of(type, SLICE("")) : fact->values[0];
}

static struct slice text_of(struct fake_facts *facts_set, size_t slot)
{
    struct fake_fact *fact = fake_facts_find(facts_set, rule_set_ref(facts_set->set, slot)->name);

    return fact == NULL ? SLICE("") : fact->text;
}

static bool has_entry(struct slice entries, struct slice subject)
{
    struct slice entry = { NULL, 0 };

    while (slice_next(&entries, ',', &entry))
        if (slice_equal(entry, subject))
            return true;
    return false;
}

/* `list:allow/VALUE OF THE KEY` */
static struct fake_fact *find_set(struct fake_facts *facts_set, const struct fact_ref *ref)
{
    char name[300];

    if (ref->key == FACT_NONE)
        return fake_facts_find(facts_set, ref->name);
    snprintf(name, sizeof name, "%.*s/%.*s", SLICE_ARG(ref->name),
             SLICE_ARG(text_of(facts_set, ref->key)));
    return fake_facts_find(facts_set, slice_of(name));
}

static enum fact_state fake_get(struct fact_source *source, size_t slot, bool ask,
                                struct value *out)
{
    struct fake_facts *facts_set = (struct fake_facts *)(void *)source;
    const struct fact_ref *ref = rule_set_ref(facts_set->set, slot);
    struct fake_fact *fact =
        ref->kind == FACT_PLAIN ? fake_facts_find(facts_set, ref->name) : find_set(facts_set, ref);

    if (fact != NULL && fact->is_late) {
        facts_set->asked += ask;
        fact->is_asked |= ask;
        return FACT_MISSING;
    }
    if (fact != NULL && slice_equal(fact->text, SLICE("?")))
        return FACT_UNKNOWN;
    struct slice text = fact == NULL ? SLICE("") : fact->text;
    if (ref->kind == FACT_PLAIN)
        *out = fact == NULL || slice_find(text, '|') == SIZE_MAX ? value_of(ref->type->type, text)
                                                                 : values_of(ref->type->type, fact);
    else
        *out = (struct value){ .type = VALUE_BOOLEAN,
                               .boolean = has_entry(text, text_of(facts_set, ref->subject)) };
    return FACT_KNOWN;
}

void fake_facts_init(struct fake_facts *facts_set, const struct rule_set *set)
{
    *facts_set = (struct fake_facts){ .source.get = fake_get, .set = set };
}

/* ---- errors ---- */

static void keep_error(void *arg, const struct rule_error *error)
{
    struct fake_errors *errors = arg;

    if (error->is_warning) {
        if (errors->warnings++ == 0)
            errors->first_warning = *error;
        return;
    }
    if (errors->count++ == 0)
        errors->first = *error;
    errors->last = *error;
}

void fake_errors_init(struct fake_errors *errors)
{
    *errors = (struct fake_errors){ .errors.add = keep_error };
    errors->errors.arg = errors;
}

struct rule_set *fake_rule(const char *when, const char *then, struct fake_errors *errors)
{
    struct rule_source source = { .name = SLICE("r"),
                                  .when = slice_of(when),
                                  .then = slice_of(then) };

    fake_errors_init(errors);
    return rule_set_new(&fake_schema, &source, 1, &errors->errors);
}
