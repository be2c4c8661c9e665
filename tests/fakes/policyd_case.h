/* tests/fakes/policyd_case.h - a policyd without sockets: a configuration in force on one worker, a fake clock and store,
 * and requests that are decided by policyd's own code. For tests and fuzz targets; mistakes of the test end the process. */
#ifndef GATEHOUSE_TESTS_POLICYD_CASE_H
#define GATEHOUSE_TESTS_POLICYD_CASE_H

#include "common/config/conf_errors.h"
#include "policyd/inquiry.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_store.h"

struct policyd_case {
    struct fake_clock clock;
    struct worker *worker;
    struct policyd policyd;
    struct server *server;
    struct fake_store *store;
    uint64_t generation;
};

/* A configuration as policyd reads it, from text: what would be called FILE is `policyd.conf`. */
struct policyd_loaded {
    struct arena *arena;
    struct conf *conf;
    struct policyd_config *config;
    struct policy *policy;
    struct buf errors; /* one line each, warnings too */
    size_t error_count; /* without warnings */
};
void policyd_load_text(struct policyd_loaded *loaded, const char *text,
                       const struct policy *previous);
void policyd_loaded_free(struct policyd_loaded *loaded);

/* `text` must have no mistakes; warnings are fine. */
void policyd_case_open(struct policyd_case *test, const char *text);
/* With changes as `-o` has them: `list/block:entries=192.0.2.7`. */
void policyd_case_open_changed(struct policyd_case *test, const char *text,
                               const struct slice *changes, size_t count);
void policyd_case_load(struct policyd_case *test, const char *text); /* as a reload */
const struct policy *policyd_case_policy(const struct policyd_case *test);
void policyd_case_close(struct policyd_case *test);

/* `request=smtpd_access_policy` and these lines as a request; its bytes must stay while it is used. */
struct policy_request policyd_request(struct buf *bytes, const char *lines);

/* Starts deciding. What came of it: `count` is 0 while it is being decided. */
struct policyd_answer {
    struct inquiry *inquiry; /* NULL: decided at once */
    size_t count;
    char reply[POLICY_REPLY_MAX + 1];
};
void policyd_case_start(struct policyd_case *test, const char *lines, const struct answer_key *key,
                        struct policyd_answer *answer);
/* The reply to a request that is decided at once. Valid until the next one. */
const char *policyd_case_ask(struct policyd_case *test, const char *lines);
/* Runs the loop once, for at most `ms` of real time. */
void policyd_case_run(struct policyd_case *test, uint64_t ms);

#endif
