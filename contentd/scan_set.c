/* contentd/scan_set.c - see scan_set.h. */
#include "contentd/scan_set.h"

#include <math.h>
#include <unistd.h>

#include "common/base/suggest.h"
#include "contentd/scan_values.h"

enum { SCAN_SET_MEMORY_MAX = 64 << 20, APPLY_MAX = 1000000, PASSWORD_MAX = 1024 };

struct loader {
    const struct scan_sections *sections;
    const struct daemon_load *load;
    struct scan_set *set;
    struct scanner *scanners; /* set->scanners */
    struct chain *chains; /* set->chains.chains */
};

static struct conf_pos place(const struct loader *loader, struct slice text, size_t offset)
{
    return conf_where(loader->load->conf, text.ptr + offset);
}

static struct conf_pos section_place(const struct loader *loader,
                                     const struct conf_section *section)
{
    return conf_section_where(loader->load->conf, section);
}

static struct slice keep(const struct loader *loader, struct slice text)
{
    return arena_copy(loader->set->arena, text);
}

size_t scan_set_find(const struct scan_set *set, struct slice scanner)
{
    for (size_t i = 0; i < set->scanner_count; i++)
        if (slice_equal(set->scanners[i].name, scanner))
            return i;
    return SCANNER_NONE;
}

/* ---- scanners ---- */

/* The first line of the file, in the document's arena. */
static struct slice read_password(const struct loader *loader, struct slice path)
{
    struct slice text, line = { NULL, 0 };

    if (path.len == 0)
        return line;
    if (access(path.ptr, R_OK) != 0) {
        conf_error(loader->load->errors, place(loader, path, 0), "password_file: %.*s: %s",
                   SLICE_ARG(path), strerror(errno));
        return line;
    }
    text = conf_read(path.ptr, loader->load->arena, loader->load->errors);
    if (!slice_cut(&text, '\n', &line))
        line = text;
    if (text.ptr != NULL && (line.len == 0 || line.len > PASSWORD_MAX))
        conf_error(loader->load->errors, place(loader, path, 0),
                   "password_file: the first line of the file is no password: 1 to %d bytes",
                   (int)PASSWORD_MAX);
    return line;
}

static void load_scanner(const struct loader *loader, const struct scanner_section *section,
                         struct scanner *out, struct backend **backend)
{
    struct slice addresses = { NULL, 0 };
    struct conf_complaint ignored; /* said when the file was read */
    const char *error = NULL;

    *out = (struct scanner){
        .name = keep(loader, section->conf->name),
        .kind = &clamd_kind,
        .connect_timeout_ms = section->connect_timeout,
        .scan_timeout_ms = section->scan_timeout,
        .size_max = section->size_max,
        .trouble = section->trouble,
        .oversize = section->oversize,
        .weight = 1,
        .path = keep(loader, section->path),
        .user = keep(loader, section->user),
        .password = keep(loader, read_password(loader, section->password_file)),
    };
    scan_parse_number(section->weight, &out->weight, &ignored);
    bool is_known = section->kind.ptr != NULL &&
                    scan_parse_kind(section->kind, &out->kind, &addresses, &ignored);
    out->is_antivirus = section->antivirus == ANTIVIRUS_YES ||
                        (section->antivirus == ANTIVIRUS_BY_KIND && out->kind->is_antivirus);
    if (!is_known)
        return;
    *backend = backend_new(out->name, addresses,
                           section->spread ? BACKEND_SPREAD : BACKEND_IN_ORDER, &error);
    out->backend = *backend;
    if (*backend == NULL)
        conf_error(loader->load->errors, place(loader, addresses, 0), "%s",
                   error == NULL ? "out of memory" : error);
}

static bool load_scanners(struct loader *loader)
{
    const struct scan_sections *sections = loader->sections;
    struct scan_set *set = loader->set;
    size_t count = sections->scanner_count;

    if (count > SCANNERS_MAX) {
        conf_error(loader->load->errors,
                   section_place(loader, sections->scanners[SCANNERS_MAX].conf),
                   "more than %d scanners", (int)SCANNERS_MAX);
        count = SCANNERS_MAX;
    }
    loader->scanners = arena_alloc_array(set->arena, count + 1, sizeof *loader->scanners);
    set->backends = calloc(count + 1, sizeof *set->backends);
    if (loader->scanners == NULL || set->backends == NULL)
        return false;
    set->scanners = loader->scanners;
    for (; set->scanner_count < count; set->scanner_count++)
        load_scanner(loader, &sections->scanners[set->scanner_count],
                     &loader->scanners[set->scanner_count], &set->backends[set->scanner_count]);
    return true;
}

/* ---- chains ---- */

static void unknown_name(const struct loader *loader, struct slice name, const char *what,
                         const struct suggest *best)
{
    if (best->name.ptr != NULL)
        conf_error(loader->load->errors, place(loader, name, 0),
                   "there is no %s \"%.*s\"; did you mean %.*s?", what,
                   SLICE_ARG(slice_part(name, 0, 60)), SLICE_ARG(best->name));
    else
        conf_error(loader->load->errors, place(loader, name, 0), "there is no %s \"%.*s\"", what,
                   SLICE_ARG(slice_part(name, 0, 60)));
}

static void chain_add(const struct loader *loader, struct chain *chain, unsigned char *order,
                      struct slice name)
{
    const struct scan_set *set = loader->set;
    size_t n = scan_set_find(set, name);
    struct suggest best = suggest_for(name);

    if (n == SCANNER_NONE) {
        for (size_t i = 0; i < set->scanner_count; i++)
            suggest_offer(&best, set->scanners[i].name);
        unknown_name(loader, name, "scanner", &best);
        return;
    }
    if ((chain->set & SCANNER_BIT(n)) != 0) {
        conf_error(loader->load->errors, place(loader, name, 0), "scanner %.*s is named twice",
                   SLICE_ARG(name));
        return;
    }
    chain->set |= SCANNER_BIT(n);
    order[chain->count++] = (unsigned char)n;
}

static double threshold(struct slice text)
{
    struct conf_complaint ignored;
    double number = HUGE_VAL;

    return text.len > 0 && scan_parse_number(text, &number, &ignored) ? number : HUGE_VAL;
}

static void check_order(const struct loader *loader, struct slice text, const char *name,
                        double value, struct slice lower_text, const char *lower_name, double lower)
{
    if (text.len > 0 && lower_text.len > 0 && value < lower)
        conf_error(loader->load->errors, place(loader, text, 0),
                   "%s = %.*s lies below %s = %.*s, which would never come to pass", name,
                   SLICE_ARG(text), lower_name, SLICE_ARG(lower_text));
}

/* A scanner that gives scores, in a chain that does nothing for them. */
static void check_scores(const struct loader *loader, const struct chain_section *section,
                         const struct chain *chain)
{
    if (isfinite(chain->tag) || isfinite(chain->quarantine) || isfinite(chain->reject) ||
        chain->obeys_scanners)
        return;
    for (size_t i = 0; i < chain->count; i++) {
        const struct scanner *scanner = &loader->set->scanners[chain->order[i]];
        if (scanner->kind != &rspamd_kind && scanner->kind != &spamd_kind)
            continue;
        conf_warning(loader->load->errors, section_place(loader, section->conf),
                     "what %.*s finds changes nothing here but header fields: set tag, quarantine, "
                     "reject, or spam = scanner",
                     SLICE_ARG(scanner->name));
        return;
    }
}

static struct reply keep_reply(const struct loader *loader, const struct reply *reply)
{
    return (struct reply){ reply->code, keep(loader, reply->enhanced), keep(loader, reply->text) };
}

static bool load_chain(const struct loader *loader, const struct chain_section *section,
                       struct chain *out)
{
    unsigned char *order = arena_alloc(loader->set->arena, section->scanners.count + 1);
    struct conf_complaint ignored;
    struct reply reply = { 0 };

    if (order == NULL)
        return false;
    *out = (struct chain){
        .name = keep(loader, section->conf->name),
        .order = order,
        .virus = VERDICT_REJECT,
        .tag = threshold(section->tag),
        .quarantine = threshold(section->quarantine),
        .reject = threshold(section->reject),
        .subject_prefix = keep(loader, section->subject_prefix),
        .obeys_scanners = section->spam == CHAIN_SPAM_BY_SCANNER,
    };
    for (size_t i = 0; i < section->scanners.count; i++)
        chain_add(loader, out, order, section->scanners.items[i]);
    if (scan_parse_virus(section->virus, &out->virus, &reply, &ignored))
        out->virus_reply = keep_reply(loader, &reply);
    if (scan_parse_reply(section->reject_reply, &reply, &ignored))
        out->reject_reply = keep_reply(loader, &reply);
    for (size_t i = 0; i < section->headers.count; i++) {
        unsigned bit = 0;
        if (scan_parse_headers(section->headers.items[i], &bit, &ignored))
            out->headers |= bit;
    }
    check_order(loader, section->quarantine, "quarantine", out->quarantine, section->tag, "tag",
                out->tag);
    check_order(loader, section->reject, "reject", out->reject, section->tag, "tag", out->tag);
    check_order(loader, section->reject, "reject", out->reject, section->quarantine, "quarantine",
                out->quarantine);
    check_scores(loader, section, out);
    return true;
}

static bool load_chains(struct loader *loader)
{
    const struct scan_sections *sections = loader->sections;
    struct chain_set *set = &loader->set->chains;
    size_t count = sections->chain_count < CHAINS_MAX ? sections->chain_count : CHAINS_MAX;

    if (sections->chain_count > CHAINS_MAX)
        conf_error(loader->load->errors, section_place(loader, sections->chains[CHAINS_MAX].conf),
                   "more than %d chains", (int)CHAINS_MAX);
    loader->chains = arena_alloc_array(loader->set->arena, count + 1, sizeof *loader->chains);
    if (loader->chains == NULL)
        return false;
    set->chains = loader->chains;
    for (; set->count < count; set->count++)
        if (!load_chain(loader, &sections->chains[set->count], &loader->chains[set->count]))
            return false;
    loader->chains[count] = (struct chain){ .name = SLICE("none"),
                                            .virus = VERDICT_REJECT,
                                            .tag = HUGE_VAL,
                                            .quarantine = HUGE_VAL,
                                            .reject = HUGE_VAL };
    loader->set->no_chain = &loader->chains[count];
    return true;
}

/* ---- who has which ---- */

static void apply_add(const struct loader *loader, struct map_builder *builder,
                      const struct conf_pair *pair)
{
    const struct chain_set *set = &loader->set->chains;
    struct suggest best = suggest_for(pair->value);
    bool in_value = false;

    if (chain_find(set, pair->value) == NULL) {
        for (size_t i = 0; i < set->count; i++)
            suggest_offer(&best, set->chains[i].name);
        unknown_name(loader, pair->value, "chain", &best);
        return;
    }
    const char *error = map_builder_add(builder, pair->name, pair->value, &in_value);
    if (error != NULL)
        conf_error(loader->load->errors, place(loader, in_value ? pair->value : pair->name, 0),
                   "%s", error);
}

static bool load_apply(const struct loader *loader)
{
    const struct scan_sections *sections = loader->sections;
    struct map_builder *builder = map_builder_new(APPLY_MAX);

    if (builder == NULL)
        return false;
    for (size_t i = 0; sections->apply_count > 0 && i < sections->apply[0].chains.count; i++)
        apply_add(loader, builder, &sections->apply[0].chains.items[i]);
    loader->set->apply = map_builder_finish(&builder);
    return loader->set->apply != NULL;
}

static bool is_applied(const struct loader *loader, const struct chain_section *section)
{
    const struct apply_section *apply = loader->sections->apply;

    for (size_t i = 0; loader->sections->apply_count > 0 && i < apply[0].chains.count; i++)
        if (slice_equal_nocase(apply[0].chains.items[i].value, section->conf->name))
            return true;
    return false;
}

static bool has_all(const struct loader *loader)
{
    const struct apply_section *apply = loader->sections->apply;

    for (size_t i = 0; loader->sections->apply_count > 0 && i < apply[0].chains.count; i++)
        if (slice_equal(apply[0].chains.items[i].name, SLICE("*")))
            return true;
    return false;
}

/* What is declared and does nothing. */
static void check_unused(const struct loader *loader)
{
    const struct scan_sections *sections = loader->sections;
    const struct scan_set *set = loader->set;
    struct conf_errors *errors = loader->load->errors;
    scanner_set used = 0;

    for (size_t i = 0; i < set->chains.count; i++) {
        const struct chain_section *section = &sections->chains[i];
        used |= set->chains.chains[i].set;
        if (!is_applied(loader, section))
            conf_warning(errors, section_place(loader, section->conf),
                         "no line of [apply] names this chain: only gh:apply could");
    }
    for (size_t i = 0; i < set->scanner_count; i++)
        if ((used & SCANNER_BIT(i)) == 0)
            conf_error(errors, section_place(loader, sections->scanners[i].conf),
                       "no chain names this scanner; add it to `scanners` of one");
    if (sections->chain_count == 0 || has_all(loader))
        return;
    conf_error(errors,
               sections->apply_count > 0 ? section_place(loader, sections->apply[0].conf)
                                         : section_place(loader, sections->chains[0].conf),
               "mail to whom no line names would not be scanned: add `* = %.*s` to [apply]",
               SLICE_ARG(sections->chains[0].conf->name));
}

/* ---- all together ---- */

void scan_set_free(void *scan_set)
{
    struct scan_set *set = scan_set;

    if (set == NULL)
        return;
    for (size_t i = 0; set->backends != NULL && i < set->scanner_count; i++)
        backend_free(&set->backends[i]);
    free(set->backends);
    map_free(&set->apply);
    arena_free(&set->arena);
    free(set);
}

struct scan_set *scan_set_new(const struct scan_sections *sections, const struct daemon_load *load)
{
    struct loader loader = { .sections = sections, .load = load };

    loader.set = calloc(1, sizeof *loader.set);
    if (loader.set == NULL)
        return NULL;
    loader.set->arena = arena_new(SCAN_SET_MEMORY_MAX);
    if (loader.set->arena == NULL || !load_scanners(&loader) || !load_chains(&loader) ||
        !load_apply(&loader)) {
        scan_set_free(loader.set);
        return NULL;
    }
    check_unused(&loader);
    return loader.set;
}
