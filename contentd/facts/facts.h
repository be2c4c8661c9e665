/* contentd/facts/facts.h - the facts contentd's rules can name: what the MTA said, the message's header fields and content,
 * what the scanners found, what policyd wrote down about it. This table is the whole truth about names, types and stages. */
#ifndef GATEHOUSE_CONTENTD_FACTS_H
#define GATEHOUSE_CONTENTD_FACTS_H

#include "common/message/facts.h"

/* Beside those of every milter, common/message/facts.h. */
enum contentd_fact {
    FACT_CONNECTIONS = MESSAGE_FACTS,
    FACT_CONNECTIONS_NET,
    FACT_CONNECTIONS_ALL,
    FACT_CONNECTIONS_LIST,
    FACT_SCORE,
    FACT_RECIPIENT,
    FACT_RECIPIENT_DOMAIN,
    FACT_CHAIN,
    /* one scanner */
    FACT_SCANNER_RESULT,
    FACT_SCANNER_SCORE,
    FACT_SCANNER_VIRUS,
    FACT_SCANNER_SYMBOLS,
};

extern const struct fact_type contentd_facts[];
extern const size_t contentd_fact_count;

bool fact_wants_connections(int id); /* connections at the same time */
bool fact_is_of_scanner(int id);
bool fact_is_of_recipient(int id); /* differs between the recipients of one chain */
/* A scanner of this name would have facts that have a meaning already. */
bool fact_name_is_taken(struct slice scanner);

#endif
