/* policyd/spf/spf_impl.h - the inside of a check. Private to policyd/spf. */
#ifndef GATEHOUSE_POLICYD_SPF_IMPL_H
#define GATEHOUSE_POLICYD_SPF_IMPL_H

#include "policyd/spf/macro.h"
#include "policyd/spf/record.h"
#include "policyd/spf/spf.h"

/* One check_host(): the first, or that of an include. A redirect takes the place of the record it stands in. */
struct spf_frame {
    struct slice domain;
    struct spf_record record;
    struct slice rest; /* terms that are still to be evaluated */
    struct spf_term term; /* the one under way */
    bool is_redirected; /* `domain` comes from a redirect */
};

enum spf_step {
    SPF_STEP_RECORD, /* fetch and parse the record of the frame's domain */
    SPF_STEP_NEXT, /* take the next term */
    SPF_STEP_TERM, /* see whether it matches */
    SPF_STEP_REDIRECT, /* none has matched and there is a redirect */
    SPF_STEP_EXPLAIN, /* the result is fail: fetch the explanation */
    SPF_STEP_END,
};

struct spf_check {
    struct arena *arena;
    const struct spf_query *query;
    const struct spf_dns *dns;
    struct spf_macro_values values; /* `domain` and `validated` are set for each expansion */
    struct spf_outcome outcome;
    enum spf_step step;
    size_t depth; /* the frame under way */
    struct spf_frame frames[SPF_LOOKUPS_MAX + 1]; /* an include is counted before it gets one */
    char room[SPF_EXPANSION_MAX];
};

enum spf_match {
    SPF_MATCH_WAIT,
    SPF_MATCH_NO,
    SPF_MATCH_YES,
    SPF_MATCH_TEMPERROR,
    SPF_MATCH_PERMERROR,
};

/* What evaluating a term told besides. */
struct spf_note {
    bool is_void; /* one of its look-ups found nothing */
    const char *error; /* constant, of the two errors */
    struct slice about; /* a name; in check->room, or as long as the answers */
};

/* Whether the term under way (no include) matches the client. */
enum spf_match spf_term_match(struct spf_check *check, struct spf_note *note);

/* Expands a domain-spec of the frame under way into check->room. False: an answer is missing. */
bool spf_target(struct spf_check *check, struct slice spec, struct slice *out);

/* What %{p} stands for under `domain`: the client's validated name, `domain` itself rather than a name below it rather
 * than any other; empty: there is none. False: an answer is missing. */
bool spf_validated_name(struct spf_check *check, struct slice domain, struct slice *out);

#endif
