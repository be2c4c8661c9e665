/* tests/fakes/own_time.h - how long something takes, for promises of milliseconds on a machine where others work too. */
#ifndef GATEHOUSE_TESTS_OWN_TIME_H
#define GATEHOUSE_TESTS_OWN_TIME_H

#include <stdint.h>

uint64_t real_ms(void);
/* Real time without that in which this thread or a redis-server of the test waited for a processor, and that of which another
 * machine had one: what others do does not count. */
uint64_t own_ms(void);
uint64_t own_ms_since(uint64_t begin);

#endif
