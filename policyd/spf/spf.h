/* policyd/spf/spf.h - SPF (RFC 7208): check_host() for both identities, without blocking, without network and without a
 * helper process.
 *
 * All of it is ours: grammar (record.h), macros (macro.h), matching, include and redirect, counting. No library evaluates
 * SPF here. What one would be left to do, expanding macros and comparing addresses, is a few hundred lines without any
 * allocation, fuzzed; libspf2 as Debian has it aborts in just these lines on what a stranger publishes, so it would need a
 * sandboxed process, a protocol to it and a second way to be wrong. A record that would kill it gets its proper result.
 *
 * DNS is an interface: the answers that are known are given at once, the others are asked for and the check goes on when
 * they are there. It goes on where it stopped: nothing is evaluated or counted twice. Terms are evaluated one after the
 * other, so no more is asked than the limits of 4.6.4 allow; the addresses of one term's mail exchangers or client names
 * are asked for side by side. Time is the caller's: one that has had enough reports SPF_TEMPERROR. Not thread-safe. */
#ifndef GATEHOUSE_POLICYD_SPF_H
#define GATEHOUSE_POLICYD_SPF_H

#include "common/base/arena.h"
#include "common/mail/ipnet.h"

/* ---- limits of RFC 7208 4.6.4; beyond them the result is a permerror ---- */
#define SPF_LOOKUPS_MAX 10 /* terms that ask the DNS: include, a, mx, ptr, exists, redirect */
#define SPF_VOIDS_MAX 2 /* terms that find no records: of their name, or of an exchanger */
#define SPF_MX_MAX 10 /* exchangers of one mx */
#define SPF_PTR_MAX 10 /* client names looked at; more are ignored */

/* Section 2.6 */
enum spf_result {
    SPF_NONE,
    SPF_NEUTRAL,
    SPF_PASS,
    SPF_FAIL,
    SPF_SOFTFAIL,
    SPF_TEMPERROR,
    SPF_PERMERROR,
};
#define SPF_RESULTS (SPF_PERMERROR + 1)

/* "none" "neutral" "pass" "fail" "softfail" "temperror" "permerror" */
const char *spf_result_word(enum spf_result result);

/* ---- DNS, as the caller gives it ---- */

enum spf_rr {
    SPF_RR_A,
    SPF_RR_AAAA,
    SPF_RR_MX,
    SPF_RR_PTR,
    SPF_RR_TXT,
};

enum spf_dns_status {
    SPF_DNS_WAIT, /* has been asked for (now or before) */
    SPF_DNS_FOUND, /* at least one record of that type, aliases followed */
    SPF_DNS_NOTHING, /* no such name, or no such records: RCODE 3, or 0 without an answer */
    SPF_DNS_FAILED, /* any other RCODE, a time-out, a malformed answer, a loop of aliases */
};

/* Of SPF_DNS_FOUND. Everything stays where it is at least until the spf_check_run() that asked returns. Of texts: TXT, each
 * record's strings joined; MX, the exchangers in any order, "" or "." for the null MX; PTR, the names. A final dot of a
 * name is ignored. */
struct spf_answer {
    size_t count;
    const struct ip_address *addresses; /* A, AAAA */
    const struct slice *texts; /* TXT, MX, PTR */
};

struct spf_dns {
    /* `name` is as in name.h: to be escaped for a notation in which `\` or a blank means something. It is borrowed for
     * the call. The same question may be asked any number of times and should be the same answer then. */
    enum spf_dns_status (*lookup)(void *arg, struct slice name, enum spf_rr type,
                                  struct spf_answer *out);
    void *arg;
};

/* ---- a check ---- */

enum spf_identity {
    SPF_MAILFROM, /* the sender; an empty one is checked as postmaster@helo_name (2.4) */
    SPF_HELO, /* postmaster@helo_name (2.3) */
};

/* All of it is borrowed for the life of the check. Macros show the names as they were received, case and all; only their
 * domains should be A-labels. IPv4 in either form is IPv4; loopback and private clients are evaluated like any other. */
struct spf_query {
    enum spf_identity identity;
    struct ip_address client;
    struct slice helo_name, sender;
    struct slice receiver; /* our host name, for %{r} and the header; may be empty */
    struct slice default_explanation; /* of a fail whose domain gives none; may be empty */
    uint64_t wall_s; /* Unix seconds, for %{t} */
};

struct spf_outcome {
    enum spf_result result;
    /* What was checked: the sender, with its local part put in, and its domain; that is empty when it cannot have a
     * record, an address literal for example. */
    struct slice sender, domain;
    /* The directive that matched, as written; "default" when none did; absent in case of none or an error. */
    struct slice mechanism;
    /* Of temperror and permerror: a constant phrase, details after a colon. Printable ASCII. */
    struct slice reason;
    struct slice explanation; /* of a fail; printable ASCII; may be empty */
    unsigned lookups, voids; /* counted */
};

struct spf_check; /* opaque; lives in the arena */

/* Begins; asks nothing yet. NULL: out of memory. */
struct spf_check *spf_check_new(struct arena *arena, const struct spf_query *query,
                                const struct spf_dns *dns);

/* SPF_WAIT: something has been asked for: call again when an answer is there. SPF_KNOWN: the outcome is final. Takes up
 * to 64 KiB of the arena for each record; when that is exhausted the result is a temperror. */
enum spf_state {
    SPF_WAIT,
    SPF_KNOWN,
};
enum spf_state spf_check_run(struct spf_check *check);

/* The time is up: the outcome is a temperror with this (constant) reason; that of a fail whose explanation alone is
 * missing is the fail with the default explanation. Nothing changes when it is known. */
void spf_check_give_up(struct spf_check *check, const char *reason);

/* Lives as long as the arena. Before SPF_KNOWN only `domain` and `sender` mean something. */
const struct spf_outcome *spf_check_outcome(const struct spf_check *check);

#endif
