/* contentd/facts/facts.h - the facts contentd's rules can name: what the MTA said, the message's header fields and content,
 * what the scanners found, what policyd wrote down about it. This table is the whole truth about names, types and stages. */
#ifndef GATEHOUSE_CONTENTD_FACTS_H
#define GATEHOUSE_CONTENTD_FACTS_H

#include "common/rules/fact.h"

enum contentd_fact {
    FACT_CLIENT_ADDRESS,
    FACT_CLIENT_NAME,
    FACT_CLIENT_NET,
    FACT_CLIENT_PORT,
    FACT_HELO_NAME,
    FACT_DAEMON_NAME,
    FACT_DAEMON_ADDRESS,
    FACT_DAEMON_PORT,
    FACT_ENCRYPTED,
    FACT_ENCRYPTION_PROTOCOL,
    FACT_ENCRYPTION_CIPHER,
    FACT_CCERT_SUBJECT,
    FACT_CONNECTIONS,
    FACT_CONNECTIONS_NET,
    FACT_CONNECTIONS_ALL,
    FACT_HOUR,
    FACT_WEEKDAY,
    FACT_SCORE,
    FACT_SASL_USERNAME,
    FACT_SASL_DOMAIN,
    FACT_SASL_METHOD,
    FACT_AUTHENTICATED,
    FACT_DIRECTION,
    FACT_QUEUE_ID,
    FACT_SMTPUTF8,
    FACT_SENDER,
    FACT_SENDER_DOMAIN,
    FACT_RECIPIENT,
    FACT_RECIPIENT_DOMAIN,
    FACT_CHAIN,
    FACT_RECIPIENT_COUNT,
    FACT_SIZE,
    /* policyd's record of the transaction */
    FACT_POLICY_SPF,
    FACT_POLICY_SPF_DOMAIN,
    FACT_POLICY_SPF_HELO,
    FACT_POLICY_SCORE,
    FACT_POLICY_RULE,
    /* header fields, decoded */
    FACT_FROM,
    FACT_FROM_DOMAIN,
    FACT_FROM_NAME,
    FACT_FROM_NAME_ADDRESS,
    FACT_FROM_COUNT,
    FACT_REPLY_TO,
    FACT_SUBJECT,
    FACT_MESSAGE_ID,
    FACT_DATE_AGE,
    FACT_RECEIVED_COUNT,
    FACT_HEADER_COUNT,
    FACT_HEADER,
    /* structure */
    FACT_ATTACHMENT_NAME,
    FACT_ATTACHMENT_EXTENSION,
    FACT_ATTACHMENT_TYPE,
    FACT_ATTACHMENT_SIZE,
    FACT_ATTACHMENT_COUNT,
    FACT_MIME_PARTS,
    FACT_MIME_DEPTH,
    FACT_MIME_BROKEN,
    FACT_MIME_LIMITED,
    /* one scanner */
    FACT_SCANNER_RESULT,
    FACT_SCANNER_SCORE,
    FACT_SCANNER_VIRUS,
    FACT_SCANNER_SYMBOLS,
};

extern const struct fact_type contentd_facts[];
extern const size_t contentd_fact_count;

/* What of a message has to be read for a fact: 0 or a MIME_... of mime.h. */
unsigned fact_wants_mime(int id);
bool fact_wants_record(int id); /* policyd's record of the transaction */
bool fact_is_of_scanner(int id);
bool fact_is_of_recipient(int id); /* differs between the recipients of one chain */
/* A scanner of this name would have facts that have a meaning already. */
bool fact_name_is_taken(struct slice scanner);

#endif
