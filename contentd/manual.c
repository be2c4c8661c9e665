/* contentd/manual.c - see manual.h. */
#include "contentd/manual.h"

#include "common/policy/manual.h"
#include "contentd/actions.h"
#include "contentd/config.h"
#include "contentd/facts/facts.h"

static const struct usage_block daemon_blocks[] = {
    { "POSTFIX",
      "It is a milter, for mail from the network and for mail of the host itself. In main.cf:\n\n"
      "    smtpd_milters = unix:gatehouse/contentd\n"
      "    non_smtpd_milters = unix:gatehouse/contentd\n"
      "    milter_default_action = tempfail\n\n"
      "The macros that it needs it asks for itself.\n\n"
      "Messages are released from the quarantine, and copies sent that are not the same for all recipients, through a "
      "listener of Postfix without this milter; the parameter release names it. In master.cf:\n\n"
      "    127.0.0.1:10026 inet n - y - - smtpd\n"
      "      -o syslog_name=postfix/release -o smtpd_milters= -o mynetworks=127.0.0.0/8\n"
      "      -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions=\n"
      "      -o smtpd_relay_restrictions= -o smtpd_recipient_restrictions=permit_mynetworks,reject\n"
      "      -o smtpd_data_restrictions= -o smtpd_end_of_data_restrictions= -o local_header_rewrite_clients=" },
    SIGNALS_USAGE("", MILTER_DRAIN_USAGE),
};

static const struct usage_block conf_blocks[] = {
    { "VERDICTS",
      "For each recipient the first of these that applies decides: a rule's reject, tempfail, discard or quarantine; malware, "
      "or a milter's own refusal, in the order of the chain; a score from reject on; a scanner in trouble whose message is "
      "to come again; one whose message is to be kept, or a score from quarantine on. Otherwise it is delivered, tagged "
      "from the score tag on. Before all that a message with more than 1000 header fields that only contentd may make is "
      "refused. A partial, late or missing answer of a scanner is never taken for clean.\n\n"
      "There is one queue file for all recipients, so with mixed = quarantine: any tempfail defers it for all; it is refused "
      "when it is refused for all; else it is delivered to whom it may be, and kept in the quarantine for whom it is "
      "refused. Whoever needs other header fields than the rest gets a copy of his own over the release listener." },
    { "CONNECTIONS",
      "How many connections there are at the same time is a fact, too, counted from connect to disconnect over all hosts with "
      "the same Redis: connections, those of the client's address; connections.net, of its network (/24, /64); "
      "connections.NAME, of all clients that are in [list NAME] as they connect, this client or others; connections.all. The "
      "list must have addresses and may be live. At most 29 lists are counted, and only those that rules name. What a host "
      "that has died held is forgotten after 15 seconds; without Redis each process counts its own." },
    { "AXIMILTER",
      "The settings of AXIMilter and what does the same here:\n\n"
      "    bindIp, bindPort (1981)      listen = inet:ADDRESS:PORT\n"
      "    milterIp, milterPort (1990)  [scanner NAME] kind = milter inet:ADDRESS:PORT\n"
      "    rwTimeout (1 to 65535 ms)    [scanner NAME] connect_timeout and scan_timeout, as 5000ms\n"
      "    logType, logFile             log = syslog, journal, stderr or file:PATH\n"
      "    logLevel (0 to 2)            log_level = error, info or debug\n"
      "    processingThreads (1 to 128) workers = 1 to 128\n\n"
      "The sample aximilter.conf is such a configuration: one listener, one child milter." },
    RULES_USAGE,
};

static const size_t action_count = CONTENTD_ACTIONS;
static const struct usage_table tables[] = {
    RULE_TABLES_USAGE(contentd_facts, &contentd_fact_count, contentd_actions, &action_count),
};

const struct usage_program contentd_program = {
    .name = "gatehouse-contentd",
    .conf_name = "contentd.conf",
    .summary = "content filter for Postfix",
    .description =
        "gatehouse-contentd is a milter that sends each message to every scanner that its recipients' chains name, all "
        "at once, and makes of the findings a verdict for each recipient.",
    .daemon_blocks = daemon_blocks,
    .daemon_block_count = COUNT(daemon_blocks),
    .conf_blocks = conf_blocks,
    .conf_block_count = COUNT(conf_blocks),
    .tables = tables,
    .table_count = COUNT(tables),
    .see_also = "gatectl(8), postconf(5)",
    .schema = &contentd_schema,
};
