/* contentd/quarantine/kept_finding.h - what a scanner said, written down about a kept message. */
#ifndef GATEHOUSE_CONTENTD_KEPT_FINDING_H
#define GATEHOUSE_CONTENTD_KEPT_FINDING_H

#include "common/quarantine/kept.h"
#include "contentd/finding.h"

/* Adds it to kept->findings, texts in `arena`. False: out of memory. */
bool kept_add_finding(struct arena *arena, struct kept *kept, struct slice scanner,
                      const struct finding *finding);

#endif
