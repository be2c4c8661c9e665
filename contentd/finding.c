/* contentd/finding.c - see finding.h. */
#include "contentd/finding.h"

const char *const finding_words[FINDING_RESULTS + 1] = {
    [FINDING_NONE] = "none",       [FINDING_CLEAN] = "clean",
    [FINDING_VIRUS] = "virus",     [FINDING_SPAM] = "spam",
    [FINDING_REJECT] = "reject",   [FINDING_TEMPFAIL] = "tempfail",
    [FINDING_DISCARD] = "discard", [FINDING_OVERSIZE] = "oversize",
    [FINDING_TROUBLE] = "trouble", [FINDING_CANCELLED] = "cancelled",
};
