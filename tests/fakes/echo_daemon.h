/* tests/fakes/echo_daemon.h - the smallest daemon there is, for the tests of the frame: answers each line with its
 * greeting and the line; `slow` after 300 ms, `never` never (both with `wait` at once), `config` with its generation. */
#ifndef GATEHOUSE_TESTS_ECHO_DAEMON_H
#define GATEHOUSE_TESTS_ECHO_DAEMON_H

#include "common/run/daemon.h"

extern const struct daemon_spec echo_spec;
extern int echo_start_signal; /* comes while it starts; 0: none */

#endif
