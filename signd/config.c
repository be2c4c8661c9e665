/* signd/config.c - see config.h. */
#include "signd/config.h"

#include "common/mail/address.h"
#include "common/mail/ipnet.h"

static const char *const overload_words[] = { "tempfail", "accept", NULL };
static const char *const canonical_words[] = { "simple", "relaxed", NULL };

/* ---- checks ---- */

static bool check_network(struct slice text, struct conf_complaint *out)
{
    struct ipnet net;
    char error[IPNET_ERROR_MAX];

    return ipnet_parse(text, &net, error) || conf_complain(out, 0, "%s", error);
}

static bool check_port(struct slice text, struct conf_complaint *out)
{
    uint64_t port;

    return (slice_to_u64(text, &port) && port >= 1 && port <= 65535) ||
           conf_complain(out, 0, "a port is a number from 1 to 65535");
}

static bool check_domain(struct slice text, struct conf_complaint *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ascii_lower(text.ptr[i]))
            return conf_complain(out, i, "write the domain in lower case");
    return text.len == 0 || (address_is_valid_domain(text) && text.ptr[0] != '[') ||
           conf_complain(out, 0, "not a domain in A-labels");
}

static bool check_header(struct slice text, struct conf_complaint *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == ':' || text.ptr[i] == ';')
            return conf_complain(out, i, "no name of a header field has this character");
    return true;
}

static bool check_authserv_id(struct slice text, struct conf_complaint *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_alnum(text.ptr[i]) && text.ptr[i] != '.' && text.ptr[i] != '-' &&
            text.ptr[i] != '_')
            return conf_complain(out, i, "letters, digits, `.`, `-` and `_`, as in a host name");
    return true;
}

/* ---- tables ---- */

#define CONF_STRUCT struct rule_section
/* clang-format off */
static const struct conf_param rule_params[] = {
    RULE_PARAMS("authenticated and sasl_username not in map:owners/{from}",
                "reject 5.7.1 You may not send as this author",
                "The action. Final ones end the evaluation: accept, reject, tempfail, discard, hold. The others go on: sign, "
                "verify, none, add_header, warn. Texts may contain {fact}.",
                "data",
                "At which stages the rule runs: data (the header fields are there; whether to sign or verify is decided here) or "
                "end-of-message (results of DKIM and DMARC are known)."),
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct domain_section
/* clang-format off */
static const struct conf_param domain_params[] = {
    { PARAM(header_canonicalization), CONF_WORD, "relaxed", .words = canonical_words, .live = true,
      .doc = "Of header fields, for this domain's signatures." },
    { PARAM(body_canonicalization), CONF_WORD, "relaxed", .words = canonical_words, .live = true,
      .doc = "Of the body, for this domain's signatures." },
    { PARAM(signature_expiry), CONF_TIME, "0", 0, 366 * DAY, .live = true,
      .doc = "After this time this domain's signatures are worth nothing any more (x=). 0: they stay." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct signd_config
/* clang-format off */
static const struct conf_param params[] = {
    COMMON_PARAMS("signd", "unix:/var/spool/postfix/gatehouse/signd"),
    DNS_PARAMS,
    { PARAM(message_memory), CONF_SIZE, "1M", 0, UINT64_C(1) << 30, .live = true,
      .doc = "So much of a message's body is kept in memory; what is beyond it goes to a file." },
    { PARAM(message_size_max), CONF_SIZE, "256M", 1024, UINT64_C(64) << 30, .live = true,
      .doc = "Messages whose body is larger are refused. Keep it above message_size_limit of main.cf." },
    { PARAM(spool_directory), CONF_PATH, "/var/tmp", .live = true,
      .doc = "Where the bodies of large messages are kept, in files without a name, while they are looked at." },
    { PARAM(max_sessions), CONF_INTEGER, "1000", 1, 100000, .live = true,
      .doc = "Messages dealt with at the same time. Connections on which there is no message do not count." },
    { PARAM(session_wait), CONF_TIME, "2s", 0, 25 * SECOND, .live = true,
      .doc = "How long a message waits when there are max_sessions already." },
    { PARAM(overload), CONF_WORD, "tempfail", .words = overload_words, .live = true,
      .doc = "What becomes of it then: it is deferred, or accepted as it is, without signature or check." },
    { PARAM(idle_timeout), CONF_TIME, "30m", 6 * MINUTE, DAY,
      .doc = "A connection on which nothing comes is closed after this time; an SMTP client may be silent for 300 s "
             "(smtpd_timeout)." },
    { PARAM(internal_networks), CONF_LIST, "127.0.0.0/8, ::1", 0, 1000, .check = check_network, .live = true,
      .example = "127.0.0.0/8, ::1, 192.0.2.0/24",
      .doc = "Own hosts, as mynetworks of main.cf: their mail is outbound and is signed." },
    { PARAM(outbound_ports), CONF_LIST, "", 0, 16, .check = check_port, .live = true, .example = "587, 465",
      .doc = "All mail that comes in on these ports is outbound. Mail of clients that have logged in is, on any port." },
    { PARAM(strip_extension), CONF_BOOLEAN, "no", 0, 0, .live = true,
      .doc = "Whether user+extension@example.com counts as user@example.com in facts." },
    { PARAM(recipient_delimiter), CONF_TEXT, "+", 1, 8, .live = true,
      .doc = "What separates a mailbox from its extension, as in main.cf: one of these characters." },
    { PARAM(key_directory), CONF_PATH, "/etc/gatehouse/dkim", .live = true,
      .doc = "Private keys, DOMAIN/SELECTOR.key in PEM (gatectl dkim new makes them). New, changed and removed files are "
             "noticed within a second. They must belong to root or the daemon's user and be closed to others." },
    { PARAM(signing_map), CONF_TEXT, "", 0, 64, .live = true, .example = "signers",
      .doc = "A [map]: From mailbox or @domain -> the domain whose keys sign, or none. It comes before the From domain's own "
             "keys." },
    { PARAM(default_signing_domain), CONF_TEXT, "", 0, 253, .check = check_domain, .live = true, .example = "example.com",
      .doc = "Whose keys sign mail of From domains that have none of their own. Empty: such mail is not signed." },
    { PARAM(sign_subdomains), CONF_BOOLEAN, "yes", 0, 0, .live = true,
      .doc = "Whether the keys of example.com sign mail of a.example.com, when that has none of its own." },
    { PARAM(sign_headers), CONF_LIST,
      "Sender, Reply-To, To, Cc, Subject, Date, Message-ID, In-Reply-To, References, MIME-Version, Content-Type, "
      "Content-Transfer-Encoding, Content-ID, Content-Description, Resent-From, Resent-Sender, Resent-To, Resent-Cc, "
      "Resent-Date, Resent-Message-ID, List-Id, List-Help, List-Unsubscribe, List-Unsubscribe-Post, List-Subscribe, "
      "List-Post, List-Owner, List-Archive, Autocrypt",
      0, 64, .check = check_header, .live = true, .doc = "Header fields that are signed where they are there." },
    { PARAM(oversign_headers), CONF_LIST, "From, To, Cc, Subject, Date, Reply-To, Message-ID, MIME-Version, Content-Type", 0,
      32, .check = check_header, .live = true,
      .doc = "Header fields to which none can be added afterwards without breaking the signature. From always is one." },
    { PARAM(header_canonicalization), CONF_WORD, "relaxed", .words = canonical_words, .live = true,
      .doc = "What may change in header fields on the way: nothing (simple), or blanks and folds (relaxed)." },
    { PARAM(body_canonicalization), CONF_WORD, "relaxed", .words = canonical_words, .live = true,
      .doc = "What may change in the body on the way: nothing (simple), or blanks at line ends and their number (relaxed)." },
    { PARAM(signature_expiry), CONF_TIME, "0", 0, 366 * DAY, .live = true,
      .doc = "After this time a signature is worth nothing any more (x=). 0: it stays." },
    { PARAM(key_check_interval), CONF_TIME, "30s", SECOND, DAY, .live = true,
      .doc = "How often the DNS is asked whether the record of a new key is there, while one is waited for." },
    { PARAM(key_activate_after), CONF_TIME, "1h", 0, 30 * DAY, .live = true,
      .doc = "A new key signs from this time on after all resolvers have shown its record: caches elsewhere may remember that "
             "it was not there." },
    { PARAM(key_retire_after), CONF_TIME, "7d", 0, 366 * DAY, .live = true,
      .doc = "How long the record of a key that signs no more must stay: mail with its signatures is under way." },
    { PARAM(authserv_id), CONF_TEXT, "", 0, 253, .check = check_authserv_id, .live = true, .example = "mx.example.com",
      .doc = "Our name in Authentication-Results; fields of others with this name are removed. All hosts of a site should have "
             "one. Empty: the host's name." },
    { PARAM(max_signatures), CONF_INTEGER, "10", 1, 100, .live = true,
      .doc = "So many DKIM signatures of a message are verified, from the top." },
};

static const struct conf_kind kinds[] = {
    RULE_KIND(rule_params), LIST_KIND, MAP_KIND,
    { "domain", true, PARAMS(domain_params), SECTIONS(struct domain_section, domains, domain_count),
      "How mail is signed with the keys of one domain, where that is not as for all.",
      "[domain example.com]\nbody_canonicalization = simple\n" },
};
/* clang-format on */
#undef CONF_STRUCT

const struct conf_schema signd_schema = {
    params, COUNT(params), kinds, COUNT(kinds), sizeof(struct signd_config),
};
