/* common/milter/edits_wire.h - edits as the packets of the milter protocol that carry them out. Pure. */
#ifndef GATEHOUSE_MILTER_EDITS_WIRE_H
#define GATEHOUSE_MILTER_EDITS_WIRE_H

#include "common/milter/edits.h"
#include "common/milter/negotiation.h"

enum edits_result {
    EDITS_OK,
    EDITS_NOT_ALLOWED, /* the MTA has not offered one that is needed: *lacking */
    EDITS_TOO_LARGE, /* or the buffer is full */
};
/* All, in their order; or none is added to `out`. */
enum edits_result edits_print(const struct edits *edits, const struct negotiation *chosen,
                              struct buf *out, enum edit_kind *lacking);

#endif
