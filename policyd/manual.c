/* policyd/manual.c - see manual.h. */
#include "policyd/manual.h"

#include "common/policy/manual.h"
#include "policyd/actions.h"
#include "policyd/config.h"
#include "policyd/facts/facts.h"

static const struct usage_block daemon_blocks[] = {
    { "POSTFIX",
      "Relaying is decided by smtpd_relay_restrictions, as Postfix has it by default; the service is named behind it, at "
      "the RCPT stage, where most rules act, at the DATA stage, where messages and recipients are counted, and after the "
      "message, where bytes are counted. In main.cf:\n\n"
      "    smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination\n"
      "    smtpd_recipient_restrictions = reject_unauth_pipelining, check_policy_service unix:gatehouse/policyd\n"
      "    smtpd_data_restrictions = check_policy_service unix:gatehouse/policyd\n"
      "    smtpd_end_of_data_restrictions = check_policy_service unix:gatehouse/policyd\n\n"
      "An answer never is OK: accept means that Postfix goes on with its own restrictions." },
    SIGNALS_USAGE("", "the requests under way be answered, for at most 5 seconds"),
};

static const struct usage_block conf_blocks[] = {
    RULES_USAGE,
    { "LIMITS",
      "A limit counts in a sliding window: in no stretch of time of the window's length are more admitted, on all hosts "
      "together, and what was charged is free again at most 1/24 of the window late. All limits of a request are "
      "charged together when nothing refuses it; if one is exceeded none is charged." },
};

static const size_t action_count = POLICYD_ACTIONS;
static const struct usage_table tables[] = {
    RULE_TABLES_USAGE(policyd_facts, &policyd_fact_count, policyd_actions, &action_count),
};

const struct usage_program policyd_program = {
    .name = "gatehouse-policyd",
    .conf_name = "policyd.conf",
    .summary = "policy server for Postfix",
    .description =
        "gatehouse-policyd answers Postfix's check_policy_service: rules over what Postfix says about a "
        "client and its mail decide whether it is accepted, deferred or refused, and limits say how much of "
        "it there may be. Counters and live changes are kept in this process or, for many hosts together, in "
        "Redis.",
    .daemon_blocks = daemon_blocks,
    .daemon_block_count = COUNT(daemon_blocks),
    .conf_blocks = conf_blocks,
    .conf_block_count = COUNT(conf_blocks),
    .tables = tables,
    .table_count = COUNT(tables),
    .see_also = "gatectl(8), postconf(5), access(5)",
    .schema = &policyd_schema,
};
