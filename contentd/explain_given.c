/* contentd/explain_given.c - what is given of scanners and connections; see explain.h. */
#include "contentd/explain_impl.h"

static const char *take_result(struct finding *finding, struct slice value)
{
    for (int i = 0; finding_words[i] != NULL; i++)
        if (i != FINDING_NONE && i != FINDING_CANCELLED &&
            slice_equal(value, slice_of(finding_words[i]))) {
            finding->result = (enum finding_result)i;
            return NULL;
        }
    return "clean, virus, spam, reject, tempfail, discard, oversize or trouble";
}

static const char *take_score(struct finding *finding, struct slice value)
{
    finding->has_score = slice_to_double(value, &finding->score);
    if (finding->result == FINDING_NONE)
        finding->result = FINDING_CLEAN;
    return finding->has_score ? NULL : "no number";
}

static const char *take_virus(struct finding *finding, struct slice value)
{
    finding->result = FINDING_VIRUS;
    finding->virus = value;
    return NULL;
}

static const char *take_finding(struct explanation *explanation, size_t scanner, struct slice fact,
                                struct slice value, bool *is_known)
{
    struct finding *finding = &explanation->found[scanner];

    if (slice_equal(fact, SLICE("result")))
        return take_result(finding, value);
    if (slice_equal(fact, SLICE("score")))
        return take_score(finding, value);
    if (slice_equal(fact, SLICE("virus")))
        return take_virus(finding, value);
    *is_known = false;
    return NULL;
}

static const char *take_connections(struct explanation *explanation, struct slice name,
                                    struct slice value, bool *is_known)
{
    struct connection_counts *counts = &explanation->connections;
    const struct {
        const char *name;
        uint64_t *count;
    } names[] = {
        { "connections", &counts->address },
        { "connections.net", &counts->net },
        { "connections.all", &counts->all },
    };

    for (size_t i = 0; i < COUNT(names); i++)
        if (slice_equal(name, slice_of(names[i].name))) {
            counts->is_known = slice_to_u64(value, names[i].count);
            return counts->is_known ? NULL : "no number";
        }
    *is_known = false;
    return NULL;
}

const char *explain_take_own(void *arg, struct slice name, struct slice value, bool *is_known)
{
    struct explanation *explanation = arg;
    const struct scan_set *scan = setup_scan(explanation->setup);
    struct slice fact = name, first;
    size_t n = slice_cut(&fact, '.', &first) ? scan_set_find(scan, first) : SCANNER_NONE;

    return n != SCANNER_NONE ? take_finding(explanation, n, fact, value, is_known)
                             : take_connections(explanation, name, value, is_known);
}
