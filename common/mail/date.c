/* common/mail/date.c - see date.h. */
#include "common/mail/date.h"

#include <time.h>

#include "common/base/clock.h"

void mail_date_print(uint64_t wall_ms, char out[MAIL_DATE_SIZE])
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    static const uint64_t most = UINT64_C(253402300799); /* the last second of 9999 */
    uint64_t seconds = wall_ms / SECOND;
    time_t when = (time_t)(seconds < most ? seconds : most);
    struct tm tm;

    gmtime_r(&when, &tm);
    snprintf(out, MAIL_DATE_SIZE, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday % 7],
             tm.tm_mday, months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
             tm.tm_sec);
}
