/* signd/manual.c - see manual.h. */
#include "signd/manual.h"

#include "common/policy/manual.h"
#include "signd/actions.h"
#include "signd/config.h"
#include "signd/facts/facts.h"

static const struct usage_block daemon_blocks[] = {
    { "POSTFIX",
      "It is a milter, for mail from the network and for mail of the host itself. Each milter sees what those before it have "
      "changed: signatures are checked first and made last. In main.cf:\n\n"
      "    smtpd_milters = unix:gatehouse/signd, unix:gatehouse/contentd\n"
      "    non_smtpd_milters = unix:gatehouse/contentd, unix:gatehouse/signd\n"
      "    submission_milters = unix:gatehouse/contentd, unix:gatehouse/signd\n"
      "    milter_default_action = tempfail\n\n"
      "and in master.cf, for the ports of your users, -o smtpd_milters=$submission_milters. "
      "The macros that it needs it asks for itself. A service "
      "that takes mail back from a content_filter must not have it (smtpd_milters =): that mail comes from 127.0.0.1, and mail from outside would be "
      "taken for the host's own." },
    SIGNALS_USAGE("Keys are noticed without that. ", MILTER_DRAIN_USAGE),
};

static const struct usage_block conf_blocks[] = {
    { "WHICH MAIL IS SIGNED",
      "Unless a rule at data says sign, verify or none, outbound mail is signed and all other mail is verified. Outbound is mail of "
      "clients that have logged in, of internal_networks, of outbound_ports, and of the host itself.\n\n"
      "The From: domain says whose keys sign: those that signing_map names; its own, KEY_DIRECTORY/DOMAIN/SELECTOR.key; those of a "
      "domain above it (sign_subdomains); those of default_signing_domain. Every active key signs. Mail of a domain without keys "
      "goes out as it is. Mail of a domain with a key that cannot be used (not readable, damaged, too short) is deferred with "
      "451 4.7.5 until that is mended, and no other mail is. A domain whose last key file is removed is signed with it for 5 more "
      "seconds, so that a file may be replaced in two steps." },
    { "AUTHENTICATION-RESULTS",
      "Mail that is verified gets one field with our authserv_id above all others: spf (what policyd found), dkim for each "
      "signature, dmarc, and auth for a client that has logged in. Mail that is signed gets one with auth alone, unless "
      "auth_results_of_logins is no. Fields of others with our authserv_id are removed from all mail, all other ones stay.\n\n"
      "SPF is policyd's: both need the same store in Redis. Without it DMARC rests on DKIM, and is temperror, never fail, where SPF could have "
      "made it pass.\n\n"
      "Nothing is refused for a result unless a rule says so." },
    RULES_USAGE,
};

static const size_t action_count = SIGND_ACTIONS;
static const struct usage_table tables[] = {
    RULE_TABLES_USAGE(signd_facts, &signd_fact_count, signd_actions, &action_count),
};

const struct usage_program signd_program = {
    .name = "gatehouse-signd",
    .conf_name = "signd.conf",
    .summary = "DKIM signer and verifier for Postfix",
    .description =
        "gatehouse-signd is a milter that signs outbound mail with every active DKIM key of its From: domain, verifies all other "
        "mail (DKIM, DMARC with SPF from gatehouse-policyd), and writes the one Authentication-Results field.",
    .daemon_blocks = daemon_blocks,
    .daemon_block_count = COUNT(daemon_blocks),
    .conf_blocks = conf_blocks,
    .conf_block_count = COUNT(conf_blocks),
    .tables = tables,
    .table_count = COUNT(tables),
    .see_also = "gatectl(8), postconf(5)",
    .schema = &signd_schema,
};
