/* signd/facts/facts.h - the facts signd's rules can name: those of every milter, and what verifying has found. This table is the
 * whole truth about names, types and stages. */
#ifndef GATEHOUSE_SIGND_FACTS_H
#define GATEHOUSE_SIGND_FACTS_H

#include "common/message/facts.h"

/* Beside those of every milter, common/message/facts.h. */
enum signd_fact {
    FACT_DKIM = MESSAGE_FACTS,
    FACT_DKIM_DOMAINS,
    FACT_DKIM_ALIGNED,
    FACT_DKIM_TESTING,
    FACT_DKIM_LENGTH,
    FACT_DKIM_COUNT,
    FACT_SPF,
    FACT_SPF_DOMAIN,
    FACT_DMARC,
    FACT_DMARC_POLICY,
    FACT_DMARC_SPF_ALIGNED,
    FACT_DMARC_DKIM_ALIGNED,
    FACT_SIGNED,
};

extern const struct fact_type signd_facts[];
extern const size_t signd_fact_count;

#endif
