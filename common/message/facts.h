/* common/message/facts.h - the facts that rules of every milter can name: what the MTA said of the connection and the envelope,
 * what policyd wrote down, header fields and structure. A daemon's fact table embeds the rows, and its own numbers begin at
 * MESSAGE_FACTS:
 *
 *     enum contentd_fact { FACT_CONNECTIONS = MESSAGE_FACTS, ... };
 *     const struct fact_type contentd_facts[] = { MESSAGE_FACT_ROWS, { "connections", ... } };
 *
 * All follow from what is there when the rules run; nothing is fetched. */
#ifndef GATEHOUSE_MESSAGE_FACTS_H
#define GATEHOUSE_MESSAGE_FACTS_H

#include "common/milter/message.h"
#include "common/mime/mime.h"
#include "common/policy/values.h"
#include "common/rules/rules.h"
#include "common/store/transaction.h"

enum message_fact {
    MESSAGE_CLIENT_ADDRESS,
    MESSAGE_CLIENT_NAME,
    MESSAGE_CLIENT_NET,
    MESSAGE_CLIENT_PORT,
    MESSAGE_HELO_NAME,
    MESSAGE_DAEMON_NAME,
    MESSAGE_DAEMON_ADDRESS,
    MESSAGE_DAEMON_PORT,
    MESSAGE_ENCRYPTED,
    MESSAGE_ENCRYPTION_PROTOCOL,
    MESSAGE_ENCRYPTION_CIPHER,
    MESSAGE_CCERT_SUBJECT,
    MESSAGE_HOUR,
    MESSAGE_WEEKDAY,
    MESSAGE_SASL_USERNAME,
    MESSAGE_SASL_DOMAIN,
    MESSAGE_SASL_METHOD,
    MESSAGE_AUTHENTICATED,
    MESSAGE_DIRECTION,
    MESSAGE_QUEUE_ID,
    MESSAGE_SMTPUTF8,
    MESSAGE_SENDER,
    MESSAGE_SENDER_DOMAIN,
    MESSAGE_RECIPIENT_COUNT,
    MESSAGE_SIZE,
    MESSAGE_POLICY_SPF,
    MESSAGE_POLICY_SPF_DOMAIN,
    MESSAGE_POLICY_SPF_HELO,
    MESSAGE_POLICY_SCORE,
    MESSAGE_POLICY_RULE,
    MESSAGE_FROM,
    MESSAGE_FROM_DOMAIN,
    MESSAGE_FROM_NAME,
    MESSAGE_FROM_NAME_ADDRESS,
    MESSAGE_FROM_COUNT,
    MESSAGE_REPLY_TO,
    MESSAGE_SUBJECT,
    MESSAGE_MESSAGE_ID,
    MESSAGE_DATE_AGE,
    MESSAGE_RECEIVED_COUNT,
    MESSAGE_HEADER_COUNT,
    MESSAGE_HEADER,
    MESSAGE_ATTACHMENT_NAME,
    MESSAGE_ATTACHMENT_EXTENSION,
    MESSAGE_ATTACHMENT_TYPE,
    MESSAGE_ATTACHMENT_SIZE,
    MESSAGE_ATTACHMENT_COUNT,
    MESSAGE_MIME_PARTS,
    MESSAGE_MIME_DEPTH,
    MESSAGE_MIME_BROKEN,
    MESSAGE_MIME_AMBIGUOUS,
    MESSAGE_MIME_LIMITED,
    MESSAGE_FACTS
};

/* Stages where a fact exists. */
#define MESSAGE_FROM_HELO (STAGE_HELO | STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END)
#define MESSAGE_FROM_MAIL (STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END)
#define MESSAGE_FROM_DATA (STAGES_DATA | STAGES_END)
#define MESSAGE_EVERYWHERE (STAGE_CONNECT | MESSAGE_FROM_HELO)

extern const char *const message_directions[]; /* in, out */
extern const char *const message_spf_results[];

/* clang-format off */
#define MESSAGE_CONNECTION_ROWS \
    { "client_address", VALUE_ADDRESS, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_CLIENT_ADDRESS, \
      "The client's IP address; empty for mail that does not come by SMTP." }, \
    { "client_name", VALUE_DOMAIN, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_CLIENT_NAME, \
      "The client's name, as Postfix has verified it; empty without one." }, \
    { "client_net", VALUE_ADDRESS, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_CLIENT_NET, \
      "The client's network: /24 of IPv4, /64 of IPv6." }, \
    { "client_port", VALUE_NUMBER, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_CLIENT_PORT, "The client's TCP port." }, \
    { "helo_name", VALUE_DOMAIN, MESSAGE_FROM_HELO, NULL, NULL, false, MESSAGE_HELO_NAME, "What the client calls itself." }, \
    { "daemon_name", VALUE_TEXT, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_DAEMON_NAME, \
      "milter_macro_daemon_name of Postfix's service: set it with -o in master.cf to tell services apart." }, \
    { "daemon_address", VALUE_ADDRESS, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_DAEMON_ADDRESS, \
      "The address that the client connected to." }, \
    { "daemon_port", VALUE_NUMBER, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_DAEMON_PORT, \
      "The port that the client connected to." }, \
    { "encrypted", VALUE_BOOLEAN, MESSAGE_FROM_HELO, NULL, NULL, false, MESSAGE_ENCRYPTED, \
      "Whether the session is encrypted by TLS." }, \
    { "encryption_protocol", VALUE_WORD, MESSAGE_FROM_HELO, NULL, NULL, false, MESSAGE_ENCRYPTION_PROTOCOL, \
      "TLSv1.3, ...; empty without TLS." }, \
    { "encryption_cipher", VALUE_WORD, MESSAGE_FROM_HELO, NULL, NULL, false, MESSAGE_ENCRYPTION_CIPHER, \
      "The TLS cipher; empty without TLS." }, \
    { "ccert_subject", VALUE_TEXT, MESSAGE_FROM_HELO, NULL, NULL, false, MESSAGE_CCERT_SUBJECT, \
      "The subject of a client certificate; empty without one." }
#define MESSAGE_TIME_ROWS \
    { "hour", VALUE_NUMBER, MESSAGE_EVERYWHERE, NULL, NULL, false, MESSAGE_HOUR, "0 to 23, local time." }, \
    { "weekday", VALUE_WORD, MESSAGE_EVERYWHERE, weekday_words, NULL, false, MESSAGE_WEEKDAY, "mon to sun, local time." }
#define MESSAGE_ENVELOPE_ROWS \
    { "sasl_username", VALUE_MAILBOX, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_SASL_USERNAME, \
      "The login; empty without one." }, \
    { "sasl_domain", VALUE_DOMAIN, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_SASL_DOMAIN, \
      "The domain of sasl_username; empty when that has none." }, \
    { "sasl_method", VALUE_WORD, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_SASL_METHOD, \
      "How the client logged in: PLAIN, LOGIN, ..." }, \
    { "authenticated", VALUE_BOOLEAN, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_AUTHENTICATED, \
      "Whether the client has logged in." }, \
    { "direction", VALUE_WORD, MESSAGE_FROM_MAIL, message_directions, NULL, false, MESSAGE_DIRECTION, \
      "outbound: the client has logged in, is in internal_networks, came to one of outbound_ports, or it is mail of this " \
      "host; otherwise inbound." }, \
    { "queue_id", VALUE_TEXT, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_QUEUE_ID, "Postfix's queue id." }, \
    { "smtputf8", VALUE_BOOLEAN, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_SMTPUTF8, \
      "Whether the client sent SMTPUTF8 (RFC 6531)." }, \
    { "sender", VALUE_MAILBOX, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_SENDER, \
      "The envelope sender; empty for bounces." }, \
    { "sender_domain", VALUE_DOMAIN, MESSAGE_FROM_MAIL, NULL, NULL, false, MESSAGE_SENDER_DOMAIN, "The domain of sender." }, \
    { "recipient_count", VALUE_NUMBER, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_RECIPIENT_COUNT, \
      "How many recipients were accepted." }, \
    { "size", VALUE_NUMBER, STAGES_END, NULL, NULL, false, MESSAGE_SIZE, "Bytes of the message." }
#define MESSAGE_RECORD_ROWS \
    { "policy.spf", VALUE_WORD, MESSAGE_FROM_DATA, message_spf_results, NULL, false, MESSAGE_POLICY_SPF, \
      "What policyd found out about SPF (RFC 7208); empty when it did not look." }, \
    { "policy.spf_domain", VALUE_DOMAIN, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_POLICY_SPF_DOMAIN, \
      "The domain that policy.spf is about." }, \
    { "policy.spf_helo", VALUE_WORD, MESSAGE_FROM_DATA, message_spf_results, NULL, false, MESSAGE_POLICY_SPF_HELO, \
      "The same of the HELO name." }, \
    { "policy.score", VALUE_NUMBER, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_POLICY_SCORE, \
      "The score that policyd's rules gave at data or end-of-message; empty without one." }, \
    { "policy.rule", VALUE_TEXT, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_POLICY_RULE, \
      "The rule of policyd that spoke or accepted; empty when none did." }
#define MESSAGE_HEADER_ROWS \
    { "from", VALUE_MAILBOX, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_FROM, "The first mailbox of the From: field." }, \
    { "from_domain", VALUE_DOMAIN, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_FROM_DOMAIN, "Its domain." }, \
    { "from_name", VALUE_TEXT, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_FROM_NAME, "Its display name, decoded." }, \
    { "from_name_address", VALUE_MAILBOX, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_FROM_NAME_ADDRESS, \
      "A mailbox in the display name that is not from: \"service@bank.example\" <x@evil.example>; empty without one." }, \
    { "from_count", VALUE_NUMBER, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_FROM_COUNT, \
      "From: fields and the mailboxes in them; 1 is as it should be." }, \
    { "reply_to", VALUE_MAILBOX, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_REPLY_TO, "The first mailbox of Reply-To:." }, \
    { "subject", VALUE_TEXT, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_SUBJECT, "The subject, decoded, in one line." }, \
    { "message_id", VALUE_TEXT, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_MESSAGE_ID, "The Message-ID without <>." }, \
    { "date_age", VALUE_NUMBER, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_DATE_AGE, \
      "Seconds since the Date: of the message, negative for one in the future; empty without a date." }, \
    { "received_count", VALUE_NUMBER, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_RECEIVED_COUNT, \
      "Received: fields; many mean a loop." }, \
    { "header_count", VALUE_NUMBER, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_HEADER_COUNT, "Header fields in all." }, \
    { "header.*", VALUE_TEXT, MESSAGE_FROM_DATA, NULL, NULL, false, MESSAGE_HEADER, \
      "The values of the header fields of one name (any case), as they were received but in one line, at most 1000 bytes of each " \
      "of the first 20; empty without one." }
#define MESSAGE_STRUCTURE_ROWS \
    { "attachment.name", VALUE_WORD, STAGES_END, NULL, NULL, false, MESSAGE_ATTACHMENT_NAME, \
      "File names of the attachments, decoded; compared in any case." }, \
    { "attachment.extension", VALUE_WORD, STAGES_END, NULL, NULL, false, MESSAGE_ATTACHMENT_EXTENSION, \
      "What follows the last dot of these names, in any case." }, \
    { "attachment.type", VALUE_WORD, STAGES_END, NULL, NULL, false, MESSAGE_ATTACHMENT_TYPE, \
      "Their declared types, in any case: application/pdf." }, \
    { "attachment.size", VALUE_NUMBER, STAGES_END, NULL, NULL, false, MESSAGE_ATTACHMENT_SIZE, \
      "Their sizes in bytes, decoded." }, \
    { "attachment.count", VALUE_NUMBER, STAGES_END, NULL, NULL, false, MESSAGE_ATTACHMENT_COUNT, "How many there are." }, \
    { "mime.parts", VALUE_NUMBER, STAGES_END, NULL, NULL, false, MESSAGE_MIME_PARTS, "Parts of the message." }, \
    { "mime.depth", VALUE_NUMBER, STAGES_END, NULL, NULL, false, MESSAGE_MIME_DEPTH, "How deep parts lie in parts." }, \
    { "mime.broken", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, MESSAGE_MIME_BROKEN, \
      "Whether its structure breaks the rules of MIME: an end that never comes, a missing boundary." }, \
    { "mime.ambiguous", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, MESSAGE_MIME_AMBIGUOUS, \
      "Whether mail programs may show other parts or attachments than rules see: several types, encodings or boundaries of a part, " \
      "a boundary with more behind it or after the end, bare CR or NUL in a part's header." }, \
    { "mime.limited", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, MESSAGE_MIME_LIMITED, \
      "Whether it has more parts, depth or names than are looked at, or a message in it that is encoded, into which nobody looks." }
#define MESSAGE_FACT_ROWS \
    MESSAGE_CONNECTION_ROWS, MESSAGE_TIME_ROWS, MESSAGE_ENVELOPE_ROWS, MESSAGE_RECORD_ROWS, MESSAGE_HEADER_ROWS, \
    MESSAGE_STRUCTURE_ROWS
/* clang-format on */

/* What they are facts of. Borrowed; NULL: not known, or not there yet. */
struct message_subject {
    const struct message *message;
    const struct mime_facts *mime;
    const struct transaction *record; /* policyd's */
    bool has_record; /* it has been looked for, and there is one or none */
    bool is_outbound; /* direction.h */
    struct mailbox_settings mailboxes;
    uint64_t wall_ms;
    struct arena *arena;
};

enum { HEADER_VALUES_MAX = 20 }; /* fields of one name */

/* A fact whose number is less than MESSAGE_FACTS. False: not known, or out of memory. */
bool message_fact(const struct message_subject *subject, const struct fact_ref *ref,
                  struct value *out);

/* What rules name, all of them together: what of a message has to be read for them. */
struct message_names {
    unsigned mime; /* MIME_... of mime.h */
    bool record; /* policyd's record of the transaction */
    unsigned stages; /* where at least one rule runs */
};

struct message_names message_names_of(const struct rule_set *rules);

/* Several values from a text with commas between them: "A(1.5), B". False: out of memory. */
bool value_of_items(struct value *out, struct slice text, struct arena *arena);

#endif
