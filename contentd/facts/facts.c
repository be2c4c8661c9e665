/* contentd/facts/facts.c - see facts.h. */
#include "contentd/facts/facts.h"

#include "common/policy/values.h"
#include "common/mime/mime.h"
#include "contentd/finding.h"

#define FROM_HELO (STAGE_HELO | STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END)
#define FROM_MAIL (STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END)
#define ONE_RECIPIENT (STAGE_RCPT | STAGES_DATA | STAGES_END)
#define FROM_DATA (STAGES_DATA | STAGES_END)
#define EVERYWHERE (STAGE_CONNECT | FROM_HELO)

static const char *const directions[] = { "in", "out", NULL };
static const char *const spf_results[] = { "none",     "neutral",   "pass",      "fail",
                                           "softfail", "temperror", "permerror", NULL };

/* clang-format off */
const struct fact_type contentd_facts[] = {
    { "client_address", VALUE_ADDRESS, EVERYWHERE, NULL, NULL, false, FACT_CLIENT_ADDRESS,
      "The client's IP address; empty for mail that does not come by SMTP." },
    { "client_name", VALUE_DOMAIN, EVERYWHERE, NULL, NULL, false, FACT_CLIENT_NAME,
      "The client's name, as Postfix has verified it; empty without one." },
    { "client_net", VALUE_ADDRESS, EVERYWHERE, NULL, NULL, false, FACT_CLIENT_NET,
      "The client's network: /24 of IPv4, /64 of IPv6." },
    { "client_port", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CLIENT_PORT, "The client's TCP port." },
    { "helo_name", VALUE_DOMAIN, FROM_HELO, NULL, NULL, false, FACT_HELO_NAME, "What the client calls itself." },
    { "daemon_name", VALUE_TEXT, EVERYWHERE, NULL, NULL, false, FACT_DAEMON_NAME,
      "milter_macro_daemon_name of Postfix's service: set it with -o in master.cf to tell services apart." },
    { "daemon_address", VALUE_ADDRESS, EVERYWHERE, NULL, NULL, false, FACT_DAEMON_ADDRESS,
      "The address that the client connected to." },
    { "daemon_port", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_DAEMON_PORT,
      "The port that the client connected to." },
    { "encrypted", VALUE_BOOLEAN, FROM_HELO, NULL, NULL, false, FACT_ENCRYPTED,
      "Whether the session is encrypted by TLS." },
    { "encryption_protocol", VALUE_WORD, FROM_HELO, NULL, NULL, false, FACT_ENCRYPTION_PROTOCOL,
      "TLSv1.3, ...; empty without TLS." },
    { "encryption_cipher", VALUE_WORD, FROM_HELO, NULL, NULL, false, FACT_ENCRYPTION_CIPHER,
      "The TLS cipher; empty without TLS." },
    { "ccert_subject", VALUE_TEXT, FROM_HELO, NULL, NULL, false, FACT_CCERT_SUBJECT,
      "The subject of a client certificate; empty without one." },
    { "connections", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS,
      "Connections of the client's address at the moment, this one too, on all hosts with the same store." },
    { "connections.net", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS_NET,
      "The same for the client's network, client_net." },
    { "connections.all", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_CONNECTIONS_ALL,
      "The same for all clients together." },
    { "hour", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_HOUR, "0 to 23, local time." },
    { "weekday", VALUE_WORD, EVERYWHERE, weekday_words, NULL, false, FACT_WEEKDAY, "mon to sun, local time." },
    { "score", VALUE_NUMBER, EVERYWHERE, NULL, NULL, false, FACT_SCORE,
      "At end-of-message the score of the recipient's chain; and what rules with the action score have added so far." },
    { "sasl_username", VALUE_MAILBOX, FROM_MAIL, NULL, NULL, false, FACT_SASL_USERNAME,
      "The login; empty without one." },
    { "sasl_domain", VALUE_DOMAIN, FROM_MAIL, NULL, NULL, false, FACT_SASL_DOMAIN,
      "The domain of sasl_username; empty when that has none." },
    { "sasl_method", VALUE_WORD, FROM_MAIL, NULL, NULL, false, FACT_SASL_METHOD,
      "How the client logged in: PLAIN, LOGIN, ..." },
    { "authenticated", VALUE_BOOLEAN, FROM_MAIL, NULL, NULL, false, FACT_AUTHENTICATED,
      "Whether the client has logged in." },
    { "direction", VALUE_WORD, FROM_MAIL, directions, NULL, false, FACT_DIRECTION,
      "out: the client has logged in, is in internal_networks, came to one of outbound_ports, or it is mail of this "
      "host; otherwise in." },
    { "queue_id", VALUE_TEXT, FROM_DATA, NULL, NULL, false, FACT_QUEUE_ID, "Postfix's queue id." },
    { "smtputf8", VALUE_BOOLEAN, FROM_MAIL, NULL, NULL, false, FACT_SMTPUTF8,
      "Whether the client sent SMTPUTF8 (RFC 6531)." },
    { "sender", VALUE_MAILBOX, FROM_MAIL, NULL, NULL, false, FACT_SENDER,
      "The envelope sender; empty for bounces." },
    { "sender_domain", VALUE_DOMAIN, FROM_MAIL, NULL, NULL, false, FACT_SENDER_DOMAIN, "The domain of sender." },
    { "recipient", VALUE_MAILBOX, ONE_RECIPIENT, NULL, NULL, false, FACT_RECIPIENT,
      "The recipient that is being decided: rules that name it run once for each." },
    { "recipient_domain", VALUE_DOMAIN, ONE_RECIPIENT, NULL, NULL, false, FACT_RECIPIENT_DOMAIN,
      "The domain of recipient." },
    { "chain", VALUE_WORD, ONE_RECIPIENT, NULL, NULL, false, FACT_CHAIN, "The name of the recipient's chain." },
    { "recipient_count", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, FACT_RECIPIENT_COUNT,
      "How many recipients were accepted." },
    { "size", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_SIZE, "Bytes of the message." },

    { "policy.spf", VALUE_WORD, FROM_DATA, spf_results, NULL, false, FACT_POLICY_SPF,
      "What policyd found out about SPF (RFC 7208); empty when it did not look." },
    { "policy.spf_domain", VALUE_DOMAIN, FROM_DATA, NULL, NULL, false, FACT_POLICY_SPF_DOMAIN,
      "The domain that policy.spf is about." },
    { "policy.spf_helo", VALUE_WORD, FROM_DATA, spf_results, NULL, false, FACT_POLICY_SPF_HELO,
      "The same of the HELO name." },
    { "policy.score", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, FACT_POLICY_SCORE,
      "The score that policyd's rules gave at data or end-of-message; empty without one." },
    { "policy.rule", VALUE_TEXT, FROM_DATA, NULL, NULL, false, FACT_POLICY_RULE,
      "The rule of policyd that spoke or accepted; empty when none did." },

    { "from", VALUE_MAILBOX, FROM_DATA, NULL, NULL, false, FACT_FROM, "The first mailbox of the From: field." },
    { "from_domain", VALUE_DOMAIN, FROM_DATA, NULL, NULL, false, FACT_FROM_DOMAIN, "Its domain." },
    { "from_name", VALUE_TEXT, FROM_DATA, NULL, NULL, false, FACT_FROM_NAME, "Its display name, decoded." },
    { "from_name_address", VALUE_MAILBOX, FROM_DATA, NULL, NULL, false, FACT_FROM_NAME_ADDRESS,
      "A mailbox in the display name that is not from: \"service@bank.example\" <x@evil.example>; empty without one." },
    { "from_count", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, FACT_FROM_COUNT,
      "From: fields and the mailboxes in them; 1 is as it should be." },
    { "reply_to", VALUE_MAILBOX, FROM_DATA, NULL, NULL, false, FACT_REPLY_TO, "The first mailbox of Reply-To:." },
    { "subject", VALUE_TEXT, FROM_DATA, NULL, NULL, false, FACT_SUBJECT, "The subject, decoded, in one line." },
    { "message_id", VALUE_TEXT, FROM_DATA, NULL, NULL, false, FACT_MESSAGE_ID, "The Message-ID without <>." },
    { "date_age", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, FACT_DATE_AGE,
      "Seconds since the Date: of the message, negative for one in the future; empty without a date." },
    { "received_count", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, FACT_RECEIVED_COUNT,
      "Received: fields; many mean a loop." },
    { "header_count", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, FACT_HEADER_COUNT, "Header fields in all." },
    { "header.*", VALUE_TEXT, FROM_DATA, NULL, NULL, false, FACT_HEADER,
      "The values of the header fields of one name (any case), as they were received but in one line, at most 1000 bytes of each "
      "of the first 20; empty without one." },

    { "attachment.name", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_ATTACHMENT_NAME,
      "File names of the attachments, decoded." },
    { "attachment.extension", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_ATTACHMENT_EXTENSION,
      "What follows the last dot of these names, lower case." },
    { "attachment.type", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_ATTACHMENT_TYPE,
      "Their declared types, lower case: application/pdf." },
    { "attachment.size", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_ATTACHMENT_SIZE,
      "Their sizes in bytes, decoded." },
    { "attachment.count", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_ATTACHMENT_COUNT, "How many there are." },
    { "mime.parts", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_MIME_PARTS, "Parts of the message." },
    { "mime.depth", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_MIME_DEPTH, "How deep parts lie in parts." },
    { "mime.broken", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_MIME_BROKEN,
      "Whether its structure breaks the rules of MIME: an end that never comes, a missing boundary." },
    { "mime.limited", VALUE_BOOLEAN, STAGES_END, NULL, NULL, false, FACT_MIME_LIMITED,
      "Whether it has more parts, depth or names than are looked at." },

    { "*.result", VALUE_WORD, STAGES_END, finding_words, NULL, false, FACT_SCANNER_RESULT,
      "What a scanner found: none (it was not asked), clean, virus, spam, reject, tempfail, discard, oversize, trouble (no "
      "answer to rely on), cancelled." },
    { "*.score", VALUE_NUMBER, STAGES_END, NULL, NULL, false, FACT_SCANNER_SCORE,
      "The score that a scanner gave; empty without one." },
    { "*.virus", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_SCANNER_VIRUS,
      "The malware that a scanner found; empty without any." },
    { "*.symbols", VALUE_TEXT, STAGES_END, NULL, NULL, false, FACT_SCANNER_SYMBOLS,
      "The tests of rspamd or spamd that hit, each with its score: BAYES_99(3.5)." },
};
/* clang-format on */

const size_t contentd_fact_count = COUNT(contentd_facts);

unsigned fact_wants_mime(int id)
{
    if (id >= FACT_ATTACHMENT_NAME && id <= FACT_MIME_LIMITED)
        return MIME_STRUCTURE;
    return id >= FACT_FROM && id <= FACT_RECEIVED_COUNT ? MIME_HEADERS : 0;
}

bool fact_wants_record(int id)
{
    return id >= FACT_POLICY_SPF && id <= FACT_POLICY_RULE;
}

bool fact_is_of_scanner(int id)
{
    return id >= FACT_SCANNER_RESULT && id <= FACT_SCANNER_SYMBOLS;
}

bool fact_is_of_recipient(int id)
{
    return id == FACT_RECIPIENT || id == FACT_RECIPIENT_DOMAIN;
}

bool fact_name_is_taken(struct slice scanner)
{
    for (size_t i = 0; i < contentd_fact_count; i++) {
        struct slice rest = slice_of(contentd_facts[i].name), first;
        if (slice_cut(&rest, '.', &first) && slice_equal(first, scanner))
            return true;
    }
    return false;
}
