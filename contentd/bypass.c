/* contentd/bypass.c - see bypass.h. */
#include "contentd/bypass.h"

/* The rule's section; NULL: it is live. */
static const struct rule_section *section_of(const struct setup *setup,
                                             const struct rule_info *rule)
{
    const struct policy_sections *sections = setup->parts.core.sections;

    for (size_t i = 0; !rule->is_live && i < sections->rule_count; i++)
        if (slice_equal(sections->rules[i].conf->name, rule->name))
            return &sections->rules[i];
    return NULL;
}

/* The chains name it, and it looks for malware. */
static bool is_wanted(const struct scan_set *scan, size_t scanner)
{
    if (scanner == SCANNER_NONE || !scan->scanners[scanner].is_antivirus)
        return false;
    for (size_t i = 0; i < scan->chains.count; i++)
        if ((scan->chains.chains[i].set & SCANNER_BIT(scanner)) != 0)
            return true;
    return false;
}

static void check_skip(const struct setup *setup, const struct rule_section *rule,
                       struct conf_errors *errors)
{
    const struct scan_set *scan = setup_scan(setup);
    struct slice then = slice_trim(rule->then);
    size_t blank = then.len;

    while (blank > 0 && !ascii_is_space(then.ptr[blank - 1]))
        blank--;
    struct slice name = slice_skip(then, blank);
    if (is_wanted(scan, scan_set_find(scan, name)))
        conf_warning(errors, conf_where(setup->parts.core.conf, name.ptr),
                     "%.*s looks for malware: mail that this rule applies to gets past it",
                     SLICE_ARG(name));
}

static void check_quarantine(const struct setup *setup, const struct rule_info *rule,
                             const struct rule_section *section, struct conf_errors *errors)
{
    const struct scan_set *scan = setup_scan(setup);

    if ((rule->stages & STAGES_DATA) == 0)
        return;
    for (size_t n = 0; n < scan->scanner_count; n++)
        if (is_wanted(scan, n)) {
            conf_warning(errors, conf_where(setup->parts.core.conf, section->then.ptr),
                         "at data no scanner has been asked: mail that is kept so has not been "
                         "scanned for malware, nor is it when it is released; `stage = "
                         "end-of-message` has it scanned");
            return;
        }
}

void bypass_warn(const struct setup *setup, struct conf_errors *errors)
{
    const struct rule_set *rules = setup->book.rules;

    for (size_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule_info rule = rule_set_info(rules, i);
        bool skips = rule.action->id == ACTION_SKIP, keeps = rule.action->id == ACTION_QUARANTINE;
        const struct rule_section *section = skips || keeps ? section_of(setup, &rule) : NULL;
        /* With `mode = shadow` for all of them they will act one day. */
        if (section == NULL || slice_equal_nocase(slice_trim(section->mode), SLICE("shadow")))
            continue;
        if (skips)
            check_skip(setup, section, errors);
        else
            check_quarantine(setup, &rule, section, errors);
    }
}
