/* tests/unit/scanners/scanner_checks.h - what every kind of scanner stands. */
#ifndef GATEHOUSE_TESTS_SCANNER_CHECKS_H
#define GATEHOUSE_TESTS_SCANNER_CHECKS_H

#include "tests/unit/unit.h"

#include "tests/fakes/scan_faults.h"

static inline void never_clean(const struct scan_faults *faults)
{
    const char *failed = scan_faults_run(faults);

    if (failed != NULL)
        fail_msg("%s", failed);
}

/* After each number of turns of the loop below `rounds`; nobody is told. */
static inline void can_be_abandoned(const struct scanner_kind *kind, const struct fake_step *steps,
                                    unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct scan_case test;

        scan_case_open(&test, kind, steps);
        scan_case_start(&test);
        for (unsigned i = 0; i < round; i++)
            event_base_loop(worker_base(test.worker), EVLOOP_NONBLOCK);
        kind->abandon(test.scan);
        test.scan = NULL;
        for (unsigned i = 0; i < 3; i++)
            event_base_loop(worker_base(test.worker), EVLOOP_NONBLOCK);
        assert_int_equal(0, test.done);
        scan_case_close(&test);
    }
}

#endif
