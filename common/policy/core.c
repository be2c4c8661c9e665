/* common/policy/core.c - see core.h. */
#include "common/policy/core.h"

bool policy_core_load(struct policy_core *core, const struct daemon_load *load,
                      const struct policy_sections *sections, enum conf_run_mode mode)
{
    const struct policy_core *previous = load->previous;

    *core = (struct policy_core){
        .sections = sections,
        .conf = load->conf,
        .is_shadow = mode == CONF_SHADOW,
        .live_rules = previous == NULL ? NULL : shared_ref(previous->live_rules),
    };
    return sets_load(&core->sets, sections, load->conf, load->errors,
                     previous == NULL ? NULL : &previous->sets);
}

bool policy_core_copy(const struct policy_core *from, struct policy_core *to)
{
    *to = *from;
    if (!sets_copy(&from->sets, &to->sets))
        return false;
    shared_ref(to->live_rules);
    return true;
}

void policy_core_free(struct policy_core *core)
{
    sets_free(&core->sets);
    shared_unref(&core->live_rules);
}

static bool list_exists(const void *context, struct slice name)
{
    const struct policy_core *core = context;

    return sets_list(&core->sets, name) != NULL;
}

static bool map_exists(const void *context, struct slice name)
{
    const struct policy_core *core = context;

    return sets_map(&core->sets, name) != NULL;
}

static struct slice name_at(const void *context, const char *kind, size_t n)
{
    const struct policy_core *core = context;

    return sets_name_at(&core->sets, kind, n);
}

void policy_core_schema(struct rules_schema *schema, const void *context)
{
    schema->list_exists = list_exists;
    schema->map_exists = map_exists;
    schema->name_at = name_at;
    schema->context = context;
}
