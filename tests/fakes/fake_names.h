/* tests/fakes/fake_names.h - names that have the addresses a test wants, whatever the machine's name servers say. A program
 * with this file has a getaddrinfo() that knows them; all other names it leaves to the library's. */
#ifndef GATEHOUSE_TESTS_FAKE_NAMES_H
#define GATEHOUSE_TESTS_FAKE_NAMES_H

#include "common/base/slice.h"

/* Writes a name with these numeric addresses, in this order: "127.0.0.1 127.0.0.2". Ends the process when it does not fit. */
void fake_name_make(const char *addresses, char *name, size_t size);

#endif
