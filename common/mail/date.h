/* common/mail/date.h - dates as header fields have them (RFC 5322 3.3). Pure; whatever the locale is. */
#ifndef GATEHOUSE_MAIL_DATE_H
#define GATEHOUSE_MAIL_DATE_H

#include <stdint.h>

enum { MAIL_DATE_SIZE = 40 }; /* with the NUL */

/* "Sun, 22 Nov 2026 09:17:25 +0000"; `wall_ms` since 1970, UTC, up to the year 9999. */
void mail_date_print(uint64_t wall_ms, char out[MAIL_DATE_SIZE]);

#endif
