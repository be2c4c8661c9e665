/* common/milter/admission.h - how many messages are dealt with at the same time: a cap that newcomers wait at for a moment,
 * and the gate that closes when the daemon ends. Any thread. */
#ifndef GATEHOUSE_MILTER_ADMISSION_H
#define GATEHOUSE_MILTER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admission; /* opaque */

struct admission *admission_new(void); /* NULL: out of memory */
void admission_free(struct admission **admission); /* nobody is in; NULL-safe; clears */

enum admission_result {
    ADMITTED, /* admission_leave() must follow */
    ADMISSION_FULL, /* nobody left in time */
    ADMISSION_CLOSED,
};
/* Waits at most `wait_ms` when `most` are in already. */
enum admission_result admission_enter(struct admission *admission, size_t most, uint64_t wait_ms);
void admission_leave(struct admission *admission);

void admission_close(struct admission *admission); /* who is in may stay, nobody else enters */
size_t admission_count(struct admission *admission); /* who is in */

#endif
