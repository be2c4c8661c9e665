/* common/config/param.c - see param.h. */
#include "common/config/param.h"

#include "common/base/suggest.h"
#include "common/config/param_value.h"

struct loader {
    const struct conf_schema *schema;
    const struct conf *conf;
    struct arena *arena;
    struct conf_errors *errors;
};

/* Long names are cut in messages. */
static struct slice shown(struct slice text)
{
    return slice_part(text, 0, 60);
}

/* ---- names and rows ---- */

static bool has_star(struct slice row_name)
{
    return slice_ends_with(row_name, SLICE("*"));
}

/* The row's name without its star. */
static struct slice row_prefix(const struct conf_param *row)
{
    struct slice name = slice_of(row->name);

    return has_star(name) ? slice_part(name, 0, name.len - 1) : name;
}

const struct conf_param *conf_param_find(const struct conf_param *params, size_t count,
                                         struct slice name)
{
    const struct conf_param *best = NULL;

    for (size_t i = 0; i < count; i++) {
        struct slice prefix = row_prefix(&params[i]);
        if (slice_equal(slice_of(params[i].name), name) && !has_star(name))
            return &params[i];
        if (has_star(slice_of(params[i].name)) && name.len > prefix.len &&
            slice_starts_with(name, prefix) && (best == NULL || prefix.len > row_prefix(best).len))
            best = &params[i];
    }
    return best;
}

/* As much of a name as a prefix has dots: `rate.usr.` of `rate.usr.a@example.com` for `rate.user.`. */
static struct slice same_dots(struct slice name, struct slice prefix)
{
    size_t dots = 0;

    for (size_t i = 0; i < prefix.len; i++)
        dots += prefix.ptr[i] == '.';
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '.' && --dots == 0)
            return slice_part(name, 0, i + 1);
    return name;
}

static const char *nearest_name(const struct conf_param *params, size_t count, struct slice name)
{
    const char *nearest = NULL;
    size_t distance = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        struct slice prefix = row_prefix(&params[i]);
        bool is_prefix = has_star(slice_of(params[i].name)) && slice_find(prefix, '.') != SIZE_MAX;
        struct suggest best = suggest_for(is_prefix ? same_dots(name, prefix) : name);
        suggest_offer(&best, prefix);
        if (best.name.ptr != NULL && best.distance < distance) {
            nearest = params[i].name;
            distance = best.distance;
        }
    }
    return nearest;
}

static bool is_section_zero(const struct loader *loader, const struct conf_section *section)
{
    return section == &loader->conf->sections[0];
}

/* A kind of section that has this parameter; NULL: none. */
static const struct conf_kind *kind_with(const struct conf_schema *schema, struct slice name)
{
    for (size_t i = 0; i < schema->kind_count; i++) {
        const struct conf_kind *kind = &schema->kinds[i];
        const struct conf_param *row = conf_param_find(kind->params, kind->param_count, name);
        if (row != NULL && row_prefix(row).len > 0) /* `*` alone says nothing */
            return kind;
    }
    return NULL;
}

static void report_unknown(const struct loader *loader, const struct conf_section *section,
                           const struct conf_param *params, size_t count, struct slice name)
{
    const struct conf_schema *schema = loader->schema;
    struct conf_pos pos = conf_where(loader->conf, name.ptr);
    const char *near = nearest_name(params, count, name);
    const struct conf_kind *kind = kind_with(schema, name);

    if (near != NULL)
        conf_error(loader->errors, pos, "unknown parameter %.*s; did you mean %s?",
                   SLICE_ARG(shown(name)), near);
    else if (!is_section_zero(loader, section) &&
             conf_param_find(schema->params, schema->param_count, name) != NULL)
        conf_error(loader->errors, pos, "%.*s belongs before the first [heading]",
                   SLICE_ARG(shown(name)));
    else if (is_section_zero(loader, section) && kind != NULL)
        conf_error(loader->errors, pos, "%.*s belongs under a heading [%s%s]",
                   SLICE_ARG(shown(name)), kind->kind, kind->is_named ? " NAME" : "");
    else if (is_section_zero(loader, section))
        conf_error(loader->errors, pos, "unknown parameter %.*s", SLICE_ARG(shown(name)));
    else
        conf_error(loader->errors, pos, "unknown parameter %.*s in a [%.*s] section",
                   SLICE_ARG(shown(name)), SLICE_ARG(section->kind));
}

/* ---- the parameters of one section ---- */

static void *field_of(void *out, const struct conf_param *row)
{
    return (char *)out + row->offset;
}

static void set_value(const struct loader *loader, const struct conf_param *row, struct slice value,
                      void *out)
{
    struct conf_complaint complaint;

    if (!param_value_parse(row, value, loader->arena, field_of(out, row), &complaint))
        conf_error(loader->errors, conf_where(loader->conf, value.ptr + complaint.offset), "%s: %s",
                   row->name, complaint.text);
}

/* "$NAME": of the program's parameter, where a mistake in it is reported. */
static void set_from_program(const struct loader *loader, const struct conf_param *row, void *out)
{
    const struct conf_schema *schema = loader->schema;
    struct slice name = slice_of(row->initial + 1);
    const struct conf_entry *entry = conf_find(&loader->conf->sections[0], name);
    const struct conf_param *from = conf_param_find(schema->params, schema->param_count, name);
    struct conf_complaint complaint;

    if (from != NULL)
        (void)param_value_parse(row, entry == NULL ? slice_of(from->initial) : entry->value,
                                loader->arena, field_of(out, row), &complaint);
}

/* A parameter without a default value keeps its zeroed field: an absent text, an empty list. */
static void set_default(const struct loader *loader, const struct conf_param *row, void *out)
{
    if (row->type != CONF_PAIRS && row->initial != NULL && row->initial[0] == '$')
        set_from_program(loader, row, out);
    else if (row->type != CONF_PAIRS && row->initial != NULL && row->initial[0] != '\0')
        set_value(loader, row, slice_of(row->initial), out);
}

static bool pair_is_good(const struct loader *loader, const struct conf_param *row,
                         const struct conf_pair *pair)
{
    struct conf_complaint complaint;
    struct slice wrong = pair->name;
    bool ok = row->check_name == NULL || row->check_name(pair->name, &complaint);

    if (ok && row->check != NULL) {
        wrong = pair->value;
        ok = row->check(pair->value, &complaint);
    }
    if (!ok)
        conf_error(loader->errors, conf_where(loader->conf, wrong.ptr + complaint.offset), "%s: %s",
                   row->name, complaint.text);
    return ok;
}

static void set_pairs(const struct loader *loader, const struct conf_param *params, size_t count,
                      const struct conf_section *section, const struct conf_param *row, void *out)
{
    struct conf_pairs *field = field_of(out, row);
    struct conf_pair *items;
    size_t kept = 0, prefix = row_prefix(row).len;

    for (size_t i = 0; i < section->count; i++)
        kept += conf_param_find(params, count, section->entries[i].name) == row;
    items = arena_alloc_array(loader->arena, kept, sizeof(*items));
    if (items == NULL) {
        conf_error(loader->errors, conf_section_where(loader->conf, section), "memory is out");
        return;
    }
    kept = 0;
    for (size_t i = 0; i < section->count; i++) {
        const struct conf_entry *entry = &section->entries[i];
        struct conf_pair pair = { slice_skip(entry->name, prefix), entry->value };
        if (conf_param_find(params, count, entry->name) == row && pair_is_good(loader, row, &pair))
            items[kept++] = pair;
    }
    *field = (struct conf_pairs){ items, kept };
}

static void load_params(const struct loader *loader, const struct conf_param *params, size_t count,
                        const struct conf_section *section, void *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct conf_param *row = &params[i];
        if (row->type == CONF_PAIRS)
            set_pairs(loader, params, count, section, row, out);
        else if (row->initial == NULL && conf_find(section, slice_of(row->name)) == NULL)
            conf_error(loader->errors, conf_section_where(loader->conf, section),
                       "%s is missing: it has no default", row->name);
        else
            set_default(loader, row, out);
    }
    for (size_t i = 0; i < section->count; i++) {
        const struct conf_entry *entry = &section->entries[i];
        const struct conf_param *row = conf_param_find(params, count, entry->name);
        if (row == NULL)
            report_unknown(loader, section, params, count, entry->name);
        else if (row->type != CONF_PAIRS)
            set_value(loader, row, entry->value, out);
    }
}

/* ---- sections ---- */

static bool section_is(const struct conf_section *section, const struct conf_kind *kind)
{
    return !section->is_broken && slice_equal(section->kind, slice_of(kind->kind));
}

static void check_heading(const struct loader *loader, const struct conf_kind *kind,
                          const struct conf_section *section)
{
    if (kind->is_named && section->name.ptr == NULL)
        conf_error(loader->errors, conf_section_where(loader->conf, section),
                   "[%s] needs a name: [%s NAME]", kind->kind, kind->kind);
    if (!kind->is_named && section->name.ptr != NULL)
        conf_error(loader->errors, conf_where(loader->conf, section->name.ptr),
                   "[%s] has no name and is there once at most", kind->kind);
}

/* All sections of a kind, as an array of its struct. Repeated ones come last and are left out of the count. */
static void load_kind(const struct loader *loader, const struct conf_kind *kind, void *out)
{
    const struct conf *conf = loader->conf;
    size_t total = 0, kept = 0;
    char *items;

    for (size_t i = 1; i < conf->count; i++)
        total += section_is(&conf->sections[i], kind);
    items = arena_alloc_array(loader->arena, total, kind->size);
    if (items == NULL) {
        conf_error(loader->errors, (struct conf_pos){ .file = conf->file }, "memory is out");
        return;
    }
    for (size_t i = 1; i < conf->count; i++) {
        const struct conf_section *section = &conf->sections[i];
        if (!section_is(section, kind))
            continue;
        char *item = items + kept * kind->size;
        memset(item, 0, kind->size);
        memcpy(item, &section, sizeof(section));
        check_heading(loader, kind, section);
        load_params(loader, kind->params, kind->param_count, section, item);
        kept += !section->is_repeated;
    }
    memcpy((char *)out + kind->items_offset, &items, sizeof(items));
    memcpy((char *)out + kind->count_offset, &kept, sizeof(kept));
}

static void report_unknown_kinds(const struct loader *loader)
{
    const struct conf_schema *schema = loader->schema;

    for (size_t i = 1; i < loader->conf->count; i++) {
        const struct conf_section *section = &loader->conf->sections[i];
        struct suggest best = suggest_for(section->kind);
        bool known = section->is_broken;
        for (size_t k = 0; k < schema->kind_count; k++) {
            known = known || section_is(section, &schema->kinds[k]);
            suggest_offer(&best, slice_of(schema->kinds[k].kind));
        }
        struct conf_pos pos = conf_section_where(loader->conf, section);
        if (!known && best.name.ptr != NULL)
            conf_error(loader->errors, pos, "unknown kind of section [%.*s]; did you mean [%.*s]?",
                       SLICE_ARG(section->kind), SLICE_ARG(best.name));
        else if (!known)
            conf_error(loader->errors, pos, "unknown kind of section [%.*s]",
                       SLICE_ARG(section->kind));
    }
}

bool conf_load(const struct conf_schema *schema, const struct conf *conf, struct arena *arena,
               void *out, struct conf_errors *errors)
{
    struct loader loader = { schema, conf, arena, errors };
    size_t before = conf_errors_count(errors);

    memset(out, 0, schema->size);
    load_params(&loader, schema->params, schema->param_count, &conf->sections[0], out);
    report_unknown_kinds(&loader);
    for (size_t i = 0; i < schema->kind_count; i++)
        load_kind(&loader, &schema->kinds[i], out);
    return conf_errors_count(errors) == before;
}

struct conf_pos conf_param_where(const struct conf *conf, const struct conf_section *section,
                                 const char *name)
{
    const struct conf_entry *entry = conf_find(section, slice_of(name));

    return entry == NULL ? conf_section_where(conf, section) : conf_where(conf, entry->value.ptr);
}

/* ---- reload ---- */

static struct slice value_in_force(const struct conf *conf, const struct conf_param *row)
{
    const struct conf_entry *entry = conf_find(&conf->sections[0], slice_of(row->name));

    return entry == NULL ? slice_of(row->initial) : entry->value;
}

void conf_warn_restart(const struct conf_schema *schema, const struct conf *before,
                       const struct conf *after, struct conf_errors *errors)
{
    for (size_t i = 0; i < schema->param_count; i++) {
        const struct conf_param *row = &schema->params[i];
        if (row->live || row->type == CONF_PAIRS ||
            param_value_equal(row, value_in_force(before, row), value_in_force(after, row)))
            continue;
        conf_warning(errors, conf_param_where(after, &after->sections[0], row->name),
                     "%s changes at the next restart, not by a reload", row->name);
    }
}

/* ---- self-check of tables ---- */

static bool text_is_sound(const struct conf_param *row, struct slice text, struct arena *arena,
                          struct conf_complaint *out)
{
    struct conf_listens room; /* the largest of all fields */
    struct conf_complaint why;

    if (row->type == CONF_PAIRS) {
        if (row->check == NULL || row->check(text, &why))
            return true;
    } else if (param_value_parse(row, text, arena, &room, &why)) {
        return true;
    }
    return conf_complain(out, 0, "%s: \"%.*s\": %.200s", row->name, SLICE_ARG(shown(text)),
                         why.text);
}

static bool row_is_sound(const struct conf_param *params, size_t at, struct arena *arena,
                         struct conf_complaint *out)
{
    const struct conf_param *row = &params[at];
    struct slice doc = slice_of(row->doc);

    if (row->size != param_value_size(row->type))
        return conf_complain(out, 0, "%s: the field does not have the type's size", row->name);
    if (!slice_ends_with(doc, SLICE(".")))
        return conf_complain(out, 0, "%s: no documentation that ends with a full stop", row->name);
    if (row->most > 0 && row->least > row->most)
        return conf_complain(out, 0, "%s: least is more than most", row->name);
    if ((row->words != NULL) != (row->type == CONF_WORD) ||
        has_star(slice_of(row->name)) != (row->type == CONF_PAIRS))
        return conf_complain(out, 0, "%s: words or * do not go with the type", row->name);
    for (size_t i = 0; i < at; i++)
        if (slice_equal(slice_of(params[i].name), slice_of(row->name)))
            return conf_complain(out, 0, "%s: there twice", row->name);
    if ((row->star != NULL) != (row->type == CONF_PAIRS && row->example != NULL))
        return conf_complain(out, 0, "%s: star goes with the example of a *", row->name);
    if (row->star != NULL && row->check_name != NULL && !row->check_name(slice_of(row->star), out))
        return false;
    if (row->type != CONF_PAIRS && row->initial == NULL && row->example == NULL)
        return conf_complain(out, 0, "%s: neither default nor example", row->name);
    if (row->type != CONF_PAIRS && row->initial != NULL && row->initial[0] != '$' &&
        !text_is_sound(row, slice_of(row->initial), arena, out))
        return false;
    return row->example == NULL || text_is_sound(row, slice_of(row->example), arena, out);
}

/* "$NAME": of a section alone, and there is such a parameter of the same type. */
static bool inherited_is_sound(const struct conf_schema *schema, const struct conf_param *row,
                               struct conf_complaint *out)
{
    if (row->type == CONF_PAIRS || row->initial == NULL || row->initial[0] != '$')
        return true;
    const struct conf_param *from =
        conf_param_find(schema->params, schema->param_count, slice_of(row->initial + 1));
    bool is_own = row >= schema->params && row < schema->params + schema->param_count;
    return (!is_own && from != NULL && from->type == row->type && from->words == row->words &&
            from->initial != NULL) ||
           conf_complain(out, 0, "%s: %s is no parameter that it could be taken from", row->name,
                         row->initial);
}

static bool params_are_sound(const struct conf_schema *schema, const struct conf_param *params,
                             size_t count, struct arena *arena, struct conf_complaint *out)
{
    for (size_t i = 0; i < count; i++)
        if (!row_is_sound(params, i, arena, out) || !inherited_is_sound(schema, &params[i], out))
            return false;
    return true;
}

/* A kind's example, loaded as a file of its own. */
static bool example_is_sound(const struct conf_schema *schema, const struct conf_kind *kind,
                             struct arena *arena, struct conf_complaint *out)
{
    struct conf_schema alone = *schema;
    struct conf_errors *errors = conf_errors_new();
    void *loaded = arena_alloc(arena, schema->size);
    AUTO_BUF lines = BUF_INIT(65536);
    bool ok = false;

    alone.param_count = 0;
    if (errors != NULL && loaded != NULL) {
        struct conf *conf =
            conf_parse(slice_of(kind->kind), slice_of(kind->example), NULL, 0, arena, errors);
        ok = conf != NULL && conf_load(&alone, conf, arena, loaded, errors) &&
             conf_errors_count(errors) == 0;
        conf_errors_print(errors, &lines);
    }
    conf_errors_free(&errors);
    return ok || conf_complain(out, 0, "%s", buf_text(&lines));
}

static bool kind_is_sound(const struct conf_schema *schema, size_t at, struct arena *arena,
                          struct conf_complaint *out)
{
    const struct conf_kind *kind = &schema->kinds[at];

    if (kind->size < sizeof(struct conf_section *))
        return conf_complain(out, 0, "[%s]: no room for the section", kind->kind);
    if (!slice_ends_with(slice_of(kind->doc), SLICE(".")))
        return conf_complain(out, 0, "[%s]: no documentation that ends with a full stop",
                             kind->kind);
    for (size_t i = 0; i < at; i++)
        if (slice_equal(slice_of(schema->kinds[i].kind), slice_of(kind->kind)))
            return conf_complain(out, 0, "[%s]: there twice", kind->kind);
    return params_are_sound(schema, kind->params, kind->param_count, arena, out) &&
           (kind->example == NULL || example_is_sound(schema, kind, arena, out));
}

bool conf_schema_is_sound(const struct conf_schema *schema, struct conf_complaint *out)
{
    struct arena *arena = arena_new(16u << 20);
    bool ok =
        arena != NULL && params_are_sound(schema, schema->params, schema->param_count, arena, out);

    for (size_t i = 0; ok && i < schema->kind_count; i++)
        ok = kind_is_sound(schema, i, arena, out);
    if (arena == NULL)
        conf_complain(out, 0, "memory is out");
    arena_free(&arena);
    return ok;
}
