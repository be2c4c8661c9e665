/* contentd/manual.c - see manual.h. */
#include "contentd/manual.h"

#include "contentd/config.h"

static const struct usage_block daemon_blocks[] = {
    { "POSTFIX",
      "It is a milter, for mail from the network and for mail of the host itself. In main.cf:\n\n"
      "    smtpd_milters = unix:gatehouse/contentd\n"
      "    non_smtpd_milters = unix:gatehouse/contentd\n"
      "    milter_default_action = tempfail\n\n"
      "It listens on exactly one socket. The macros that it needs it asks for itself." },
    { "SIGNALS",
      "SIGUSR1 and SIGHUP read the configuration again; a file with a mistake changes nothing, and the log says what is "
      "wrong with it. SIGTERM and SIGINT let the messages under way be finished, for at most 25 seconds, while new ones "
      "are deferred, and end the daemon." },
    { "EXIT STATUS",
      "0 after SIGTERM or SIGINT; 64 when the command line is wrong; 71 when the system refuses something; 78 when the "
      "configuration has mistakes." },
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
    .see_also = "gatectl(8), postconf(5)",
    .schema = &contentd_schema,
};
