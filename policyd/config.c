/* policyd/config.c - see config.h. */
#include "policyd/config.h"

#include "policyd/facts/dnsbl_replies.h"

#define CONF_STRUCT struct rule_section
/* clang-format off */
static const struct conf_param rule_params[] = {
    RULE_PARAMS("country in (KP, RU) and sasl_username is empty",
                "reject 5.7.1 Mail from this country is not accepted here",
                "The action. Final ones end the evaluation: accept, reject, defer, hold, discard, redirect, filter, "
                "restrict. The others go on: limit, greylist, score, prepend, bcc, warn. Texts may contain {fact}.",
                "rcpt",
                "At which stages of the SMTP session the rule runs: any, or some of connect helo mail rcpt data "
                "end-of-message. Never where a fact that it names does not exist."),
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct limit_section
/* clang-format off */
static const struct conf_param limit_params[] = {
    { PARAM(key), CONF_TEXT, "", 0, 0, .live = true, .example = "sasl_username",
      .doc = "What is counted for itself: a fact, or several together. Without one all mail is counted together. A "
             "request in which one of them is empty is not counted." },
    { PARAM(count), CONF_TEXT, LIMIT_COUNT_DEFAULT, 0, 0, .live = true, .example = "recipients",
      .doc = "messages, recipients, bytes, connections, or refused (requests that were refused)." },
    { PARAM(rate), CONF_TEXT, NULL, 1, 0, .live = true, .example = "200/1h",
      .doc = "How many in which time: in no window of this length are more admitted, on all hosts together. 0/1h "
             "refuses all, unlimited none." },
    { PARAM(charge), CONF_TEXT, "", 0, 0, .live = true, .example = "data",
      .doc = "The stage at which it is counted. Default: messages and recipients at data, bytes at end-of-message, "
             "connections and refused at any." },
    { PARAM(over), CONF_TEXT, "", 0, 0, .live = true, .example = "defer 4.7.1 Sending limit reached, try again later",
      .doc = "What happens to mail over the limit: a final action as in a rule. Default: defer 4.7.1 Limit reached." },
    { PARAM_AS("rate.user.*", rate_user), CONF_PAIRS, .live = true, .star = "alice@example.com", .example = "500/1h",
      .doc = "Another rate for one value of the key; comes before rate.domain, rate.class and rate." },
    { PARAM_AS("rate.domain.*", rate_domain), CONF_PAIRS, .live = true, .star = "shop.example", .example = "1000/1h",
      .doc = "Another rate for each value of the key in this domain or below it." },
    { PARAM_AS("rate.class.*", rate_class), CONF_PAIRS, .live = true, .star = "gold", .example = "unlimited",
      .doc = "Another rate for each member of a class; see [classes]." },
};
/* clang-format on */
#undef CONF_STRUCT

static const char *const dnsbl_kind_words[] = { "address", "sender_domain", "helo", "reverse_name",
                                                NULL };

#define CONF_STRUCT struct dnsbl_section
/* clang-format off */
static const struct conf_param dnsbl_params[] = {
    { PARAM(zone), CONF_TEXT, NULL, 1, 200, .live = true, .check = dnsbl_check_zone, .example = "zen.spamhaus.org",
      .doc = "The list's domain in the DNS." },
    { PARAM(replies), CONF_LIST, "127.0.0.[2..254]", 1, DNSBL_REPLIES_MAX, .live = true, .check = dnsbl_check_reply,
      .example = "127.0.0.[2..11]*3, 127.0.1.[2;4]*-1",
      .doc = "Answers that mean listed, and what each weighs (1 without *WEIGHT; a negative weight makes an allow list). "
             "Numbers can be sets and ranges, [2;4;6..8]. An answer counts for the first that it fits, each one once; "
             "127.0.0.1, 127.255.255.0/24 and addresses outside of 127.0.0.0/8 never mean listed." },
    { PARAM(kind), CONF_WORD, "address", .words = dnsbl_kind_words, .live = true,
      .doc = "What is looked up: the client's address, the domain of the sender, the HELO name, or the client's name "
             "(reverse_client_name)." },
    { PARAM(self_test), CONF_BOOLEAN, "yes", 0, 0, .live = true,
      .doc = "Whether the list must have its test entry (127.0.0.2, or the domain test), as RFC 5782 asks. It never may "
             "have 127.0.0.1 or the domain invalid." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct classes_section
/* clang-format off */
static const struct conf_param classes_params[] = {
    { PARAM_AS("*", members), CONF_PAIRS, .live = true, .star = "@shop.example", .example = "silver",
      .doc = "The class of a mailbox, a domain (@shop.example) or a network; used by rate.class of the limits." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct policyd_config
/* clang-format off */
static const struct conf_param params[] = {
    COMMON_PARAMS("policyd", "unix:/var/spool/postfix/gatehouse/policyd"),
    { PARAM(geoip_database), CONF_PATH, "", 0, 0, .live = true, .example = "/var/lib/GeoIP/GeoLite2-Country.mmdb",
      .doc = "A country database in MaxMind's format, for the facts country, continent and asn; read again when it "
             "changes. Without one they are unknown." },
    DNS_PARAMS,
    { PARAM(dnsbl_retry), CONF_TIME, "1m", SECOND, DAY, .live = true,
      .doc = "A DNS list that does not work is switched off, and tried again after this time." },
    { PARAM(myhostname), CONF_TEXT, "", 0, 253, .live = true, .example = "mx.example.com",
      .doc = "Our name in Received-SPF and in SPF macros; as myhostname of main.cf." },
    { PARAM(spf_explanation), CONF_TEXT, "", 0, 255, .live = true, .example = "See https://example.com/spf",
      .doc = "The fact spf.explanation of a fail whose domain gives none." },
    MAILBOX_PARAMS,
    { PARAM(greylist_by_spf), CONF_BOOLEAN, "yes", 0, 0, .live = true,
      .doc = "Whether greylisting knows a client by its SPF domain instead of its network when SPF passes, so that large "
             "senders may come back from another host. Costs the lookups of SPF for mail that is greylisted." },
    { PARAM(greylist_window), CONF_TIME, "48h", MINUTE, 30 * DAY, .live = true,
      .doc = "Greylisting: who is to come again must do so within this time after the delay; later it is the first time "
             "again." },
    { PARAM(greylist_expiry), CONF_TIME, "35d", HOUR, 366 * DAY, .live = true,
      .doc = "Greylisting: how long a sender and recipient that have waited pass, from their last mail on." },
    { PARAM(greylist_allow_after), CONF_INTEGER, "5", 0, 1000000, .live = true,
      .doc = "Greylisting: a network of which so many different senders and recipients have waited is known, its mail "
             "passes at once. 0: never." },
    { PARAM(greylist_allow_expiry), CONF_TIME, "35d", HOUR, 366 * DAY, .live = true,
      .doc = "Greylisting: how long a network stays known, from its last mail on." },
    { PARAM(transaction_records), CONF_BOOLEAN, "yes", 0, 0, .live = true,
      .doc = "Whether what is known of a message (charges, SPF, score, rule) is written to Redis: contentd, signd and "
             "`gatectl why` read it, and contentd gives back the charges of mail and of recipients that it refuses. Without "
             "Redis there is none." },
    { PARAM(idle_timeout), CONF_TIME, "20m", 400 * SECOND, DAY, .live = true,
      .doc = "A connection without a request is kept so long; Postfix keeps one for 300 s and uses it up to 1000 s." },
    { PARAM(request_timeout), CONF_TIME, "10s", 100, MINUTE, .live = true,
      .doc = "A request that has begun must be whole, and an answer taken, within this time." },
};
/* clang-format on */

/* clang-format off */
static const struct conf_kind kinds[] = {
    RULE_KIND(rule_params),
    { "limit", true, PARAMS(limit_params), SECTIONS(struct limit_section, limits, limit_count),
      "A limit; rules name it in their action (then = limit NAME).",
      "[limit user-hourly]\nkey = sasl_username\ncount = recipients\nrate = 200/1h\n" },
    LIST_KIND,
    MAP_KIND,
    { "dnsbl", true, PARAMS(dnsbl_params), SECTIONS(struct dnsbl_section, dnsbls, dnsbl_count),
      "A DNS list, of spammers or of the trusted (RFC 5782). Rules ask dnsbl.score or rhsbl.score (all lists of addresses, of "
      "domains), or one list, dnsbl.NAME. One that gives errors, lists everybody or does not answer is switched off until "
      "it works again.",
      "[dnsbl zen]\nzone = zen.spamhaus.org\nreplies = 127.0.0.[2..11]*3\n" },
    { "classes", false, PARAMS(classes_params), SECTIONS(struct classes_section, classes, classes_count),
      "Who belongs to which class of limits. Entries in gh:class come on top.", "[classes]\n@shop.example = silver\n" },
};
/* clang-format on */
#undef CONF_STRUCT

const struct conf_schema policyd_schema = {
    params, COUNT(params), kinds, COUNT(kinds), sizeof(struct policyd_config),
};
/* clang-format on */
