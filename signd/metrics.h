/* signd/metrics.h - what signd counts. Names and meaning are an interface (dashboards, alerts). */
#ifndef GATEHOUSE_SIGND_METRICS_H
#define GATEHOUSE_SIGND_METRICS_H

#include "common/observe/metrics.h"
#include "signd/actions.h"
#include "signd/claims.h"
#include "signd/dmarc.h"

/* What became of the wish to sign a message, in the order of the words. */
enum signing {
    SIGNING_NOT_WANTED, /* not counted */
    SIGNING_DONE,
    SIGNING_NO_KEYS, /* nobody has keys for it: it goes out as it is */
    SIGNING_BAD_FROM, /* no From field, or several: refused */
    SIGNING_BAD_FROM_PASSED, /* the same, let go unsigned (bad_from = unsigned) */
    SIGNING_KEYS_UNUSABLE, /* deferred */
    SIGNING_FAILED, /* deferred */
    SIGNING_IMPOSSIBLE, /* no signature of it would be good: refused */
    SIGNINGS
};
extern const char *const signing_words[];

enum { DKIM_RESULTS = DKIM_PERMERROR + 1, DMARC_RESULTS = DMARC_PERMERROR + 1 };

struct signd_metrics {
    metric_id messages; /* decided */
    metric_id undecided; /* deferred, for there was no memory or no time */
    metric_id fates[FATES]; /* what the MTA was told */
    metric_id signings[SIGNINGS];
    metric_id signatures; /* DKIM-Signature fields made */
    metric_id dkim[DKIM_RESULTS]; /* messages verified, by their best signature */
    metric_id claims[DKIM_RESULTS]; /* signatures */
    metric_id claims_over; /* signatures beyond max_signatures */
    metric_id dmarc[DMARC_RESULTS];
    metric_id spf_unknown; /* verified without a result of SPF */
    metric_id forged; /* Authentication-Results fields with our name that were removed */
    metric_id late; /* the budget was used up */
    metric_id trouble; /* rules whose condition came out unknown */
    metric_id refunds, refunds_failed; /* charges given back; not known whether */
    metric_id duration; /* histogram: from the message's end to its verdict */
};

/* Registers all and fills in *out. Once per process. */
void signd_metrics_register(struct signd_metrics *out);

#endif
