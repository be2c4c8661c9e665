/* contentd/quarantine/kept_finding.c - see kept_finding.h. */
#include "contentd/quarantine/kept_finding.h"

bool kept_add_finding(struct arena *arena, struct kept *kept, struct slice scanner,
                      const struct finding *finding)
{
    size_t count = kept->finding_count;
    struct kept_finding *larger = arena_alloc_array(arena, count + 1, sizeof *larger);
    struct slice text = finding->virus.ptr != NULL ? finding->virus : finding->error;

    if (larger == NULL)
        return false;
    if (text.ptr == NULL && finding->has_score)
        text = arena_printf(arena, "%.3g/%.3g %.*s", finding->score, finding->required,
                            SLICE_ARG(slice_part(finding->symbols, 0, KEPT_TEXT_MAX)));
    if (count > 0)
        memcpy(larger, kept->findings, count * sizeof *larger);
    larger[count].result = slice_of(finding_words[finding->result]);
    if (!kept_text(arena, scanner, &larger[count].scanner) ||
        !kept_text(arena, text, &larger[count].text))
        return false;
    kept->findings = larger;
    kept->finding_count = count + 1;
    return true;
}
