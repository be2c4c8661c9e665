/* common/dkim/published.c - see published.h. */
#include "common/dkim/published.h"

#include "common/dkim/record.h"

static struct dkim_published judge_texts(const struct dns_answer *answer,
                                         const struct dkim_key *key)
{
    struct dkim_published said = { DKIM_OTHER_VISIBLE, "there is no key record" };

    for (size_t i = 0; i < answer->count; i++) {
        struct dkim_record record;
        const char *problem = NULL;
        if (!dkim_record_parse(answer->records[i].text, &record, &problem)) {
            if (said.visibility != DKIM_VISIBLE)
                said.problem = problem; /* it counts if there is no key record beside it */
            continue;
        }
        problem = dkim_record_difference(&record, key);
        if (problem != NULL)
            return (struct dkim_published){ DKIM_OTHER_VISIBLE, problem };
        said = (struct dkim_published){ DKIM_VISIBLE, NULL };
    }
    return said;
}

struct dkim_published dkim_published_judge(const struct dns_answer *answer,
                                           const struct dkim_key *key)
{
    switch (answer->status) {
    case DNS_DATA:
        return judge_texts(answer, key);
    case DNS_NO_DOMAIN:
        return (struct dkim_published){ DKIM_NOT_VISIBLE, "there is no such name in the DNS" };
    case DNS_NO_DATA:
        return (struct dkim_published){ DKIM_NOT_VISIBLE,
                                        "the name is there, but has no TXT record" };
    case DNS_FAILED:
        break;
    }
    return (struct dkim_published){ DKIM_VISIBILITY_UNKNOWN, answer->failure == DNS_FAILURE_TIMEOUT
                                                                 ? "the resolver does not answer"
                                                                 : "the resolver could not tell" };
}
