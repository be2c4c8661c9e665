/* tests/fakes/free_port.h - a port for a server that a test starts. */
#ifndef GATEHOUSE_FAKES_FREE_PORT_H
#define GATEHOUSE_FAKES_FREE_PORT_H

#include <stdint.h>

/* TCP, of 127.0.0.1. No other test is given it while this process lives. Ends the process when there is none. */
uint16_t free_port(void);
/* The same, UDP too: libunbound asks from any UDP port, but from none that is held. A server binds it with SO_REUSEADDR. */
uint16_t held_port(void);

#endif
