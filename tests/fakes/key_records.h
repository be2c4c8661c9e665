/* tests/fakes/key_records.h - the DNS records of keys as two resolvers show them: both on the loop of a worker with a clock that
 * stands still. What each of them shows is up to the test. */
#ifndef GATEHOUSE_TESTS_KEY_RECORDS_H
#define GATEHOUSE_TESTS_KEY_RECORDS_H

#include "common/config/param.h"
#include "common/dkim/key.h"
#include "tests/fakes/dns_server.h"
#include "tests/fakes/fake_clock.h"

enum { KEY_RESOLVERS = 2, KEY_RECORD_MAX = 600 };

/* What a resolver shows of a name, together; 0: there is no such name. */
enum key_record_part {
    KEY_RECORD_TEXT = 1, /* a text that is no key's */
    KEY_RECORD_OWN = 2, /* the record of key_records_of() */
    KEY_RECORD_OTHER = 4, /* another key's */
    KEY_RECORD_BROKEN = 8, /* nothing: the resolver is in trouble */
};

struct key_resolver {
    struct dns_server server;
    unsigned shows; /* of any name; KEY_RECORD_OWN to begin with */
    struct key_records *records;
};

struct key_records {
    struct fake_clock clock;
    struct worker *worker;
    struct key_resolver resolvers[KEY_RESOLVERS];
    /* Where names differ: instead of `shows`. May fail the test when a name is not to be asked for. */
    unsigned (*shown)(size_t resolver, const char *name);
    /* own */
    char own[KEY_RECORD_MAX];
    struct slice texts[KEY_RESOLVERS];
};

/* Both end the process when something fails. */
void key_records_open(struct key_records *records);
void key_records_of(struct key_records *records, const struct dkim_key *key); /* copied */
void key_records_close(struct key_records *records);

struct conf_list key_records_resolvers(const struct key_records *records); /* as `resolver` */
size_t key_records_queries(const struct key_records *records); /* that came to both */

#endif
