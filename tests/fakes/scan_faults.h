/* tests/fakes/scan_faults.h - what a scanner may do wrong, whatever its protocol: every kind goes through it. */
#ifndef GATEHOUSE_TESTS_SCAN_FAULTS_H
#define GATEHOUSE_TESTS_SCAN_FAULTS_H

#include "tests/fakes/scan_case.h"

struct scan_faults {
    const struct scanner_kind *kind;
    /* Where the scanner has a word before the request goes on: what it waits for, and its word. */
    struct slice greeting_end, greeting;
    /* When this has come the request is whole; absent: the client half closes. */
    struct slice request_end;
    struct slice answer; /* a real, whole answer that says clean */
    /* Its first proper prefix that is a whole answer as well (a line end less, perhaps); 0: none. Cuts from here on are
     * not tried. */
    size_t whole_from;
    bool ends_itself; /* the answer is whole without the scanner closing */
};

/* Goes through all of them. NULL, or which one went wrong; the text stays until the next call. */
const char *scan_faults_run(const struct scan_faults *faults);

#endif
