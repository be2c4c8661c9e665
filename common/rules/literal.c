/* common/rules/literal.c - constants in conditions: read once, when the rule is compiled, into the normal form of the fact
 * they are compared with; see builder.h. */
#include "common/mail/address.h"
#include "common/rules/builder.h"

const char *value_type_name(enum value_type type)
{
    static const char *const names[] = {
        [VALUE_TEXT] = "a text",       [VALUE_WORD] = "a word",        [VALUE_NUMBER] = "a number",
        [VALUE_BOOLEAN] = "yes or no", [VALUE_ADDRESS] = "an address", [VALUE_DOMAIN] = "a domain",
        [VALUE_MAILBOX] = "a mailbox",
    };

    return names[type];
}

bool literal_is_word(const struct fact_type *type, struct slice text)
{
    if (type->words == NULL)
        return type->accepts != NULL && type->accepts(text);
    for (size_t i = 0; type->words[i] != NULL; i++)
        if (slice_equal_nocase(slice_of(type->words[i]), text))
            return true;
    return false;
}

/* A bare word may have been meant as a fact: then that is the better suggestion. */
static struct hint fact_hint(struct builder *builder, const struct operand *operand)
{
    struct suggest suggest = suggest_for(operand->text);

    if (!operand->is_quoted)
        fact_suggest(builder->set->schema, &suggest);
    return hint_of(&suggest);
}

static bool read_word(struct builder *builder, const struct fact_type *type, struct slice name,
                      const struct operand *operand, struct value *out)
{
    struct suggest suggest = suggest_for(operand->text);

    out->text = operand->text;
    if ((type->words == NULL && type->accepts == NULL) || literal_is_word(type, operand->text))
        return true;
    for (size_t i = 0; type->words != NULL && type->words[i] != NULL; i++)
        suggest_offer(&suggest, slice_of(type->words[i]));
    if (suggest.name.ptr == NULL && !operand->is_quoted)
        fact_suggest(builder->set->schema, &suggest);
    report_error(&builder->report, operand->offset, "%.*s has no value \"%.*s\"%s", SLICE_ARG(name),
                 SLICE_ARG(slice_part(operand->text, 0, 60)), hint_of(&suggest).text);
    return false;
}

/* 10, -1.5, 10M */
static bool read_number(struct slice text, double *out)
{
    static const char units[] = "kmg";
    const char *unit = NULL;
    double scale = 1;

    if (text.len > 1 && ascii_is_alpha(text.ptr[text.len - 1])) {
        unit = strchr(units, ascii_lower(text.ptr[text.len - 1]));
        if (unit == NULL)
            return false;
        text.len--;
        for (const char *u = units; u <= unit; u++)
            scale *= 1024;
    }
    if (!slice_to_double(text, out))
        return false;
    *out *= scale;
    return true;
}

static bool read_boolean(struct slice text, bool *out)
{
    *out = slice_equal(text, SLICE("yes")) || slice_equal(text, SLICE("true"));
    return *out || slice_equal(text, SLICE("no")) || slice_equal(text, SLICE("false"));
}

/* A domain in normal form; the `lead` bytes before it ("@", ".", "@.") are kept. */
static bool read_domain(struct builder *builder, struct slice text, size_t lead, struct slice *out)
{
    struct slice domain;

    if (address_normalise_domain(slice_skip(text, lead), builder->scratch, &domain) !=
            ADDRESS_NORMAL ||
        !address_is_valid_domain(domain))
        return false;
    *out = domain;
    if (lead > 0)
        *out = arena_printf(builder->scratch, "%.*s%.*s", SLICE_ARG(slice_part(text, 0, lead)),
                            SLICE_ARG(domain));
    return true;
}

/* user@example.com, a login without a domain, @example.com (every mailbox there), @.example.com (and below) */
static bool read_mailbox(struct builder *builder, struct slice text, struct slice *out)
{
    if (slice_starts_with(text, SLICE("@")))
        return read_domain(builder, text, slice_starts_with(text, SLICE("@.")) ? 2 : 1, out);
    if (address_normalise_mailbox(text, builder->scratch, out) != ADDRESS_NORMAL)
        return false;
    return address_is_valid_mailbox(*out) ||
           (address_domain(*out).ptr == NULL && out->len > 0 && out->len <= ADDRESS_LOCAL_MAX);
}

/* A bare word without any sign of being an address, yet near the name of a fact: most likely that was meant. */
static void warn_of_fact(struct builder *builder, const struct operand *operand)
{
    struct hint hint = fact_hint(builder, operand);

    if (hint.text[0] != '\0' && slice_find(operand->text, '@') == SIZE_MAX &&
        slice_find(operand->text, '.') == SIZE_MAX)
        report_warning(&builder->report, operand->offset, "\"%.*s\" is compared as a text%s",
                       SLICE_ARG(slice_part(operand->text, 0, 60)), hint.text);
}

static bool read_plain(struct builder *builder, const struct operand *operand, struct value *out)
{
    struct slice text = operand->text;

    switch (out->type) {
    case VALUE_NUMBER:
        return read_number(text, &out->number);
    case VALUE_BOOLEAN:
        return read_boolean(text, &out->boolean);
    case VALUE_ADDRESS:
        return ipnet_parse(text, &out->net, NULL);
    case VALUE_DOMAIN:
        return read_domain(builder, text, slice_starts_with(text, SLICE(".")) ? 1 : 0, &out->text);
    case VALUE_MAILBOX:
        return read_mailbox(builder, text, &out->text);
    case VALUE_TEXT:
    case VALUE_WORD:
        break;
    }
    out->text = text;
    return true;
}

static void report_literal(struct builder *builder, enum value_type type, struct slice name,
                           const struct operand *operand)
{
    char why[IPNET_ERROR_MAX];
    struct ipnet net;
    const char *form = type == VALUE_NUMBER    ? " (digits, then K, M or G)"
                       : type == VALUE_BOOLEAN ? " (yes, no)"
                                               : "";

    if (type == VALUE_ADDRESS && slice_find(operand->text, '/') != SIZE_MAX &&
        !ipnet_parse(operand->text, &net, why))
        report_error(&builder->report, operand->offset, "%.*s: %s",
                     SLICE_ARG(slice_part(operand->text, 0, 60)), why);
    else
        report_error(&builder->report, operand->offset, "%.*s is %s, \"%.*s\" is not%s%s",
                     SLICE_ARG(name), value_type_name(type),
                     SLICE_ARG(slice_part(operand->text, 0, 60)), form,
                     fact_hint(builder, operand).text);
}

bool literal_read(struct builder *builder, const struct fact_type *type, struct slice name,
                  const struct operand *operand, struct value *out)
{
    struct value value = { .type = type->type };

    if (operand->text.len == 0) {
        report_error(&builder->report, operand->offset,
                     "nothing is equal to \"\"; say \"%.*s is empty\"", SLICE_ARG(name));
        return false;
    }
    if (type->type == VALUE_WORD || type->words != NULL || type->accepts != NULL) {
        if (!read_word(builder, type, name, operand, &value))
            return false;
    }
    if (!read_plain(builder, operand, &value)) {
        report_literal(builder, type->type, name, operand);
        return false;
    }
    if (!operand->is_quoted &&
        (type->type == VALUE_TEXT || type->type == VALUE_MAILBOX || (type->type == VALUE_DOMAIN)))
        warn_of_fact(builder, operand);
    if (value.text.ptr != NULL) {
        value.text = arena_copy(builder->set->arena, value.text);
        if (value.text.ptr == NULL) {
            report_no_memory(&builder->report);
            return false;
        }
    }
    *out = value;
    return true;
}
