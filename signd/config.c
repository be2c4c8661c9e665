/* signd/config.c - see config.h. */
#include "signd/config.h"

#include "common/mail/address.h"

static const char *const bad_from_words[] = { "reject", "unsigned", NULL };
static const char *const canonical_words[] = { "simple", "relaxed", NULL };

/* ---- checks ---- */

bool config_check_domain(struct slice text, struct conf_complaint *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != ascii_lower(text.ptr[i]))
            return conf_complain(out, i, "write the domain in lower case");
    return text.len == 0 || (address_is_valid_domain(text) && text.ptr[0] != '[') ||
           conf_complain(out, 0, "not a domain in A-labels");
}

static bool check_header(struct slice text, struct conf_complaint *out)
{
    if (slice_equal_nocase(text, SLICE("Authentication-Results")) ||
        slice_equal_nocase(text, SLICE("DKIM-Signature")))
        return conf_complain(out, 0, "fields of this name are changed here, they cannot be signed");
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
    { PARAM(header_canonicalization), CONF_WORD, "$header_canonicalization", .words = canonical_words, .live = true,
      .doc = "Of header fields, for this domain's signatures." },
    { PARAM(body_canonicalization), CONF_WORD, "$body_canonicalization", .words = canonical_words, .live = true,
      .doc = "Of the body, for this domain's signatures." },
    { PARAM(signature_expiry), CONF_TIME, "$signature_expiry", 0, 366 * DAY, .live = true,
      .doc = "After this time this domain's signatures are worth nothing any more (x=). 0: they stay." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct signd_config
/* clang-format off */
static const struct conf_param params[] = {
    COMMON_PARAMS("signd", "unix:/var/spool/postfix/gatehouse/signd"),
    DNS_PARAMS,
    MILTER_PARAMS("without signature or check"),
    DIRECTION_PARAMS,
    MAILBOX_PARAMS,
    { PARAM(key_directory), CONF_PATH, "/etc/gatehouse/dkim", .live = true,
      .doc = "Private keys, DOMAIN/SELECTOR.key in PEM (gatectl dkim new makes them). New, changed and removed files are "
             "noticed within a second. They must belong to root or the daemon's user and be closed to others." },
    { PARAM(key_state_file), CONF_PATH, "/var/lib/gatehouse-signd/keys",
      .doc = "Where it is kept in what state each key is (the store shares it with other hosts): after a restart, or when the store has "
             "lost it, no key signs that waits for its record or has been retired. Its directory must be writable." },
    { PARAM(signing_map), CONF_TEXT, "", 0, 64, .live = true, .example = "signers",
      .doc = "A [map]: From mailbox or @domain -> the domain whose keys sign, or none. It comes before the From domain's own "
             "keys." },
    { PARAM(default_signing_domain), CONF_TEXT, "", 0, 253, .check = config_check_domain, .live = true, .example = "example.com",
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
    { PARAM(smtp_line_length_limit), CONF_INTEGER, "998", 0, 1000000, .live = true,
      .doc = "As in main.cf, where 998 is the default, too: smtp(8) cuts longer lines when it sends them, and begins the rest "
             "with a blank. They are signed as they arrive then. 0: they are not cut." },
    { PARAM(bad_from), CONF_WORD, "reject", .words = bad_from_words, .live = true,
      .doc = "What becomes of outbound mail without a From: field, or with several, where there are keys: reject (nobody can say "
             "whose it is, RFC 5322 3.6), or unsigned (it goes out as it is)." },
    { PARAM(key_check_interval), CONF_TIME, "30s", SECOND, DAY, .live = true,
      .doc = "How often the DNS is asked whether the record of a new key is there, while one is waited for." },
    { PARAM(key_activate_after), CONF_TIME, "1h", 0, 30 * DAY, .live = true,
      .doc = "A new key signs from this time on after all resolvers have shown its record: caches elsewhere may remember that "
             "it was not there." },
    { PARAM(key_retire_after), CONF_TIME, "7d", 0, 366 * DAY, .live = true,
      .doc = "How long the record of a key that signs no more must stay: mail with its signatures is under way." },
    { PARAM(key_watch_interval), CONF_TIME, "1h", 0, 30 * DAY, .live = true,
      .doc = "How often the DNS is asked for the record of each active key, a quarter more or less; twelve times as often while "
             "one is not good. Whether it is good, missing, differs from the key or is unknown is logged when it changes, and "
             "shown by \"gatectl dkim list\"; the key signs all the same. 0: never." },
    { PARAM(authserv_id), CONF_TEXT, "", 0, 253, .check = check_authserv_id, .live = true, .example = "mx.example.com",
      .doc = "Our name in Authentication-Results; fields of others with this name are removed. All hosts of a site should have "
             "one. Empty: the host's name." },
    { PARAM(max_signatures), CONF_INTEGER, "10", 1, 100, .live = true,
      .doc = "So many DKIM signatures of a message are verified, from the top." },
    { PARAM(trust_received_spf), CONF_BOOLEAN, "no", 0, 0, .live = true,
      .doc = "Where there is no record of policyd (no common store), take its result of SPF from the first header field, when that "
             "is a Received-SPF whose receiver is authserv_id. Only where policyd adds one (prepend) to all mail from outside: "
             "else whoever sends one of his own is believed." },
    { PARAM(auth_results_of_logins), CONF_BOOLEAN, "yes", 0, 0, .live = true,
      .doc = "Whether mail of clients that have logged in gets an Authentication-Results field that says so, with the login. "
             "Other outbound mail gets none." },
};

static const struct conf_kind kinds[] = {
    RULE_KIND(rule_params), LIST_KIND, MAP_KIND,
    { "domain", true, PARAMS(domain_params), SECTIONS(struct domain_section, domains, domain_count),
      "How mail is signed with the keys of one domain, where that is not as for all. What a section does not say is as the parameter "
      "of that name ($NAME) has it.",
      "[domain example.com]\nbody_canonicalization = simple\n" },
};
/* clang-format on */
#undef CONF_STRUCT

const struct conf_schema signd_schema = {
    params, COUNT(params), kinds, COUNT(kinds), sizeof(struct signd_config),
};
