/* tests/fakes/scan_case.h - one scan of one message by one scanner, whose addresses are fake servers. */
#ifndef GATEHOUSE_TESTS_SCAN_CASE_H
#define GATEHOUSE_TESTS_SCAN_CASE_H

#include "contentd/scanners/backend.h"
#include "contentd/scanners/scanner.h"
#include "tests/fakes/fake_scanner.h"

enum { SCAN_CASE_SERVERS_MOST = 3 };

struct scan_case {
    struct worker *worker; /* its loop is run by the test */
    struct fake_scanner servers[SCAN_CASE_SERVERS_MOST];
    size_t server_count;
    struct backend *backend;
    struct scanner scanner; /* named `test`; connect 2 s, scan 10 s; change it before the start */
    struct message *message;
    struct arena *arena;
    struct scan *scan; /* NULL: not started, or over */
    struct finding finding; /* of the last one; `texts` keeps nothing: it borrows from the arena */
    unsigned done; /* how often `done` was called */
};

/* With one server on a unix socket. */
void scan_case_open(struct scan_case *test, const struct scanner_kind *kind,
                    const struct fake_step *script);
/* One more, before the first start; tried after those before. */
void scan_case_add_server(struct scan_case *test, bool is_unix, const struct fake_step *script);
void scan_case_close(struct scan_case *test);

/* A message from <sender@example.net> to <one@example.org> and <two@example.org>, of client 192.0.2.7; a Subject and this
 * body. `is_whole` false: more of the body follows. Replaces the one before. */
void scan_case_message(struct scan_case *test, struct slice body, bool is_whole);
void scan_case_body(struct scan_case *test, struct slice bytes, bool is_whole); /* and says so */

void scan_case_start(struct scan_case *test);
/* Runs the loop until the scan is over; fails after 20 s, or when it ends twice. */
const struct finding *scan_case_finish(struct scan_case *test);
/* Both. */
const struct finding *scan_case_run(struct scan_case *test);
/* Runs the loop until `*what` is at least `least`; fails after 20 s. */
void scan_case_until(struct scan_case *test, const size_t *what, size_t least);

#endif
