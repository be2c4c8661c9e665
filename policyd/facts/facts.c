/* policyd/facts/facts.c - see facts.h. */
#include "policyd/facts/facts.h"

#include "policyd/facts/spf.h"

#define FROM_HELO (STAGE_HELO | STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END | STAGE_OTHER)
#define FROM_MAIL (STAGE_MAIL | STAGE_RCPT | STAGES_DATA | STAGES_END)
#define FROM_RCPT (STAGE_RCPT | STAGES_DATA | STAGES_END)
#define ONE_RECIPIENT (STAGE_RCPT | STAGE_DATA | STAGE_END)
#define FROM_DATA (STAGES_DATA | STAGES_END)

static const char *const states[] = { "CONNECT",        "EHLO", "HELO", "MAIL",    "RCPT", "DATA",
                                      "END-OF-MESSAGE", "VRFY", "ETRN", "XCLIENT", NULL };
static const char *const protocols[] = { "SMTP", "ESMTP", NULL };
static const char *const continents[] = { "AF", "AN", "AS",   "EU",       "NA",
                                          "OC", "SA", "none", "unlisted", NULL };

static const char *const mx_words[] = { "ok", "none", "null", "nxdomain", "private", "loop", NULL };
static const char *const helo_words[] = { "ok", "mismatch", "none", "invalid", NULL };
static const char *const rdns_words[] = { "verified", "unverified", "none", NULL };

static bool is_country(struct slice literal)
{
    if (slice_equal_nocase(literal, SLICE("none")) ||
        slice_equal_nocase(literal, SLICE("unlisted")))
        return true;
    return literal.len == 2 && ascii_is_alpha(literal.ptr[0]) && ascii_is_alpha(literal.ptr[1]);
}

/* clang-format off */
const struct fact_type policyd_facts[] = {
    { "protocol_state", VALUE_WORD, STAGE_ALL, states, NULL, false, ATTR_PROTOCOL_STATE,
      "The SMTP command that is being decided." },
    { "protocol_name", VALUE_WORD, FROM_HELO, protocols, NULL, false, ATTR_PROTOCOL_NAME, "SMTP or ESMTP." },
    { "helo_name", VALUE_DOMAIN, FROM_HELO, NULL, NULL, false, ATTR_HELO_NAME, "What the client calls itself." },
    { "queue_id", VALUE_TEXT, FROM_RCPT, NULL, NULL, false, ATTR_QUEUE_ID,
      "Postfix's queue id; empty before the first recipient was accepted." },
    { "sender", VALUE_MAILBOX, FROM_MAIL, NULL, NULL, false, ATTR_SENDER,
      "The envelope sender; empty for bounces." },
    { "recipient", VALUE_MAILBOX, ONE_RECIPIENT, NULL, NULL, false, ATTR_RECIPIENT,
      "The envelope recipient; from data on only when there is just one." },
    { "recipient_count", VALUE_NUMBER, FROM_DATA, NULL, NULL, false, ATTR_RECIPIENT_COUNT,
      "How many recipients were accepted." },
    { "client_address", VALUE_ADDRESS, STAGE_ALL, NULL, NULL, false, ATTR_CLIENT_ADDRESS,
      "The client's IP address." },
    { "client_name", VALUE_DOMAIN, STAGE_ALL, NULL, NULL, false, ATTR_CLIENT_NAME,
      "The client's name, verified in both directions, or unknown." },
    { "reverse_client_name", VALUE_DOMAIN, STAGE_ALL, NULL, NULL, false, ATTR_REVERSE_CLIENT_NAME,
      "The name that the client's address has, not verified, or unknown." },
    { "client_port", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, ATTR_CLIENT_PORT, "The client's TCP port." },
    { "instance", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, ATTR_INSTANCE,
      "The same for all requests about one message." },
    { "sasl_method", VALUE_WORD, FROM_MAIL, NULL, NULL, false, ATTR_SASL_METHOD,
      "How the client logged in: PLAIN, LOGIN, ..." },
    { "sasl_username", VALUE_MAILBOX, FROM_MAIL, NULL, NULL, false, ATTR_SASL_USERNAME,
      "The login; empty without one." },
    { "sasl_sender", VALUE_MAILBOX, FROM_MAIL, NULL, NULL, false, ATTR_SASL_SENDER,
      "The AUTH= parameter of MAIL." },
    { "size", VALUE_NUMBER, FROM_MAIL, NULL, NULL, false, ATTR_SIZE,
      "Bytes of the message: what the client announced, 0 if it did not; at end-of-message the real size." },
    { "ccert_subject", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, ATTR_CCERT_SUBJECT,
      "Common name of a verified client certificate." },
    { "ccert_issuer", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, ATTR_CCERT_ISSUER,
      "Common name of its issuer." },
    { "ccert_fingerprint", VALUE_WORD, STAGE_ALL, NULL, NULL, false, ATTR_CCERT_FINGERPRINT,
      "Fingerprint of the client certificate." },
    { "ccert_pubkey_fingerprint", VALUE_WORD, STAGE_ALL, NULL, NULL, false, ATTR_CCERT_PUBKEY_FINGERPRINT,
      "Fingerprint of its public key." },
    { "encryption_protocol", VALUE_WORD, STAGE_ALL, NULL, NULL, false, ATTR_ENCRYPTION_PROTOCOL,
      "TLSv1.3, ...; empty without TLS." },
    { "encryption_cipher", VALUE_WORD, STAGE_ALL, NULL, NULL, false, ATTR_ENCRYPTION_CIPHER,
      "The TLS cipher; empty without TLS." },
    { "encryption_keysize", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, ATTR_ENCRYPTION_KEYSIZE,
      "Bits of the TLS session key; 0 without TLS." },
    { "etrn_domain", VALUE_DOMAIN, STAGE_OTHER, NULL, NULL, false, ATTR_ETRN_DOMAIN, "The argument of ETRN." },
    { "stress", VALUE_WORD, STAGE_ALL, NULL, NULL, false, ATTR_STRESS,
      "yes when all of Postfix's server processes are busy." },
    { "policy_context", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, ATTR_POLICY_CONTEXT,
      "A word that main.cf gave to this use of the service." },
    { "server_address", VALUE_ADDRESS, STAGE_ALL, NULL, NULL, false, ATTR_SERVER_ADDRESS,
      "The address that the client connected to." },
    { "server_port", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, ATTR_SERVER_PORT,
      "The port that the client connected to." },
    { "compatibility_level", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, ATTR_COMPATIBILITY_LEVEL,
      "Postfix's compatibility_level." },
    { "mail_version", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, ATTR_MAIL_VERSION, "Postfix's version." },

    { "sender_domain", VALUE_DOMAIN, FROM_MAIL, NULL, NULL, false, FACT_SENDER_DOMAIN,
      "The domain of sender." },
    { "recipient_domain", VALUE_DOMAIN, ONE_RECIPIENT, NULL, NULL, false, FACT_RECIPIENT_DOMAIN,
      "The domain of recipient." },
    { "sasl_domain", VALUE_DOMAIN, FROM_MAIL, NULL, NULL, false, FACT_SASL_DOMAIN,
      "The domain of sasl_username; empty when that has none." },
    { "client_net", VALUE_ADDRESS, STAGE_ALL, NULL, NULL, false, FACT_CLIENT_NET,
      "The client's network: /24 of IPv4, /64 of IPv6." },
    { "helo_is_address", VALUE_BOOLEAN, FROM_HELO, NULL, NULL, false, FACT_HELO_IS_ADDRESS,
      "Whether the client calls itself by an IP address, in brackets or not." },
    { "authenticated", VALUE_BOOLEAN, FROM_MAIL, NULL, NULL, false, FACT_AUTHENTICATED,
      "Whether the client has logged in." },
    { "encrypted", VALUE_BOOLEAN, STAGE_ALL, NULL, NULL, false, FACT_ENCRYPTED,
      "Whether the session is encrypted by TLS." },
    { "hour", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_HOUR, "0 to 23, local time." },
    { "weekday", VALUE_WORD, STAGE_ALL, weekday_words, NULL, false, FACT_WEEKDAY, "mon to sun, local time." },
    { "score", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_SCORE,
      "The sum that rules with the action score have added so far." },
    { "country", VALUE_WORD, STAGE_ALL, NULL, is_country, false, FACT_COUNTRY,
      "The client's country, ISO 3166-1; none for private addresses, unlisted for those the database does not know." },
    { "continent", VALUE_WORD, STAGE_ALL, continents, NULL, false, FACT_CONTINENT, "The client's continent." },
    { "asn", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_ASN,
      "The client's autonomous system number; empty when the database has none." },
    { "sender_mx", VALUE_WORD, FROM_MAIL, mx_words, NULL, false, FACT_SENDER_MX,
      "Can mail to the sender's domain be delivered: ok; none (no address), null (RFC 7505: it takes none), nxdomain "
      "(no such domain), private (only addresses that the Internet does not reach), loop (only loopback). Empty for "
      "bounces." },
    { "sender_domain_exists", VALUE_BOOLEAN, FROM_MAIL, NULL, NULL, false, FACT_SENDER_DOMAIN_EXISTS,
      "Whether the sender's domain is in the DNS at all. Empty for bounces." },
    { "helo_dns", VALUE_WORD, FROM_HELO, helo_words, NULL, false, FACT_HELO_DNS,
      "Does helo_name lead to the client: ok; mismatch (to other addresses), none (to no address), invalid (it is no "
      "host name with a domain, or an address without brackets)." },
    { "client_rdns", VALUE_WORD, STAGE_ALL, rdns_words, NULL, false, FACT_CLIENT_RDNS,
      "Has the client's address a name, as Postfix found: verified (that leads back to it), unverified, none." },
    { "recipient_mx", VALUE_WORD, ONE_RECIPIENT, mx_words, NULL, false, FACT_RECIPIENT_MX,
      "The same as sender_mx for the recipient's domain: for mail that goes out." },
    { "dnsbl.score", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_DNSBL_SCORE,
      "The weights of all DNS lists of addresses that have the client, added up." },
    { "dnsbl.zones", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, FACT_DNSBL_ZONES,
      "The names of these lists, separated by commas." },
    { "dnsbl.text", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, FACT_DNSBL_TEXT,
      "What the DNS list that weighs most says about its entry (TXT), at most 200 bytes." },
    { "dnsbl.*", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_DNSBL_WEIGHT,
      "The weight that one DNS list gives; 0 when it does not list, empty when there was nothing to ask it." },
    { "rhsbl.score", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_RHSBL_SCORE,
      "The weights of all DNS lists of domains that have the sender's domain, the HELO name or the client's name, added "
      "up; at stages before MAIL without those of senders." },
    { "rhsbl.zones", VALUE_TEXT, STAGE_ALL, NULL, NULL, false, FACT_RHSBL_ZONES,
      "The names of these lists, separated by commas." },
    { "limit.*.used", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_LIMIT_USED,
      "How much of a limit is used, for this request's key." },
    { "limit.*.left", VALUE_NUMBER, STAGE_ALL, NULL, NULL, false, FACT_LIMIT_LEFT,
      "How much of a limit is left." },
    { "spf", VALUE_WORD, FROM_MAIL, spf_words, NULL, false, FACT_SPF,
      "SPF of the sender's domain (RFC 7208); of the HELO name for bounces." },
    { "spf_helo", VALUE_WORD, FROM_HELO, spf_words, NULL, false, FACT_SPF_HELO, "SPF of the HELO name." },
    { "spf.explanation", VALUE_TEXT, FROM_MAIL, NULL, NULL, false, FACT_SPF_EXPLANATION,
      "What the sender's domain, or spf_explanation, says about a fail; empty otherwise." },
    { "spf.domain", VALUE_DOMAIN, FROM_MAIL, NULL, NULL, false, FACT_SPF_DOMAIN,
      "The domain that spf is about." },
    { "spf.header", VALUE_TEXT, FROM_MAIL, NULL, NULL, false, FACT_SPF_HEADER,
      "What a Received-SPF header says: then = prepend Received-SPF: {spf.header}." },
};
/* clang-format on */

const size_t policyd_fact_count = COUNT(policyd_facts);
