/* tests/fakes/contentd_case.h - a message, four scanners and chains for tests of contentd's pure parts.
 *
 *     clam, icap1    look for malware; trouble and oversize = tempfail
 *     spam           gives a score, weight 1; trouble = accept
 *     filter         a milter; trouble = quarantine */
#ifndef GATEHOUSE_FAKES_CONTENTD_CASE_H
#define GATEHOUSE_FAKES_CONTENTD_CASE_H

#include "contentd/mixed.h"

enum { CLAM, ICAP1, SPAM, FILTER, CASE_SCANNERS };

struct contentd_case {
    struct arena *arena;
    struct message *message;
    struct scanner scanners[CASE_SCANNERS];
    struct finding findings[CASE_SCANNERS]; /* all clean; spam: score 0 */
    struct chain full, light, scores; /* all four; clam; spam */
    struct verdict_input input;
};

/* A message from a@example.net to `recipients` (r0@example.org, r1@...), with a Subject field, from outside. */
void contentd_case_begin(struct contentd_case *c, size_t recipients);
void contentd_case_end(struct contentd_case *c);

/* Adds a header field. */
void contentd_case_header(struct contentd_case *c, const char *name, const char *value);

/* The n-th edit (from 0) of this kind and name ("": any); NULL: there is none. */
const struct edit *edits_find(const struct edits *edits, enum edit_kind kind, const char *name,
                              size_t n);

#endif
