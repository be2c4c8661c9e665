/* contentd/config.c - see config.h. */
#include "contentd/config.h"

#include "common/quarantine/quarantine.h"
#include "contentd/release/outbox.h"

static bool check_place(struct slice text, struct conf_complaint *out)
{
    return text.len == 0 || slice_starts_with(text, SLICE("inet:")) ||
           slice_starts_with(text, SLICE("unix:/")) ||
           conf_complain(out, 0, "inet:ADDRESS:PORT or unix:PATH is expected");
}

#define CONF_STRUCT struct rule_section
/* clang-format off */
static const struct conf_param rule_params[] = {
    RULE_PARAMS("attachment.extension in (exe, scr, js) and direction = inbound", "quarantine executable attachment",
                "The action. Final ones end the evaluation: accept, reject, tempfail, discard, quarantine, redirect. The others "
                "go on: tag, add_header, remove_header, skip, score, warn. Texts may contain {fact}.",
                "end-of-message",
                "At which stages of the SMTP session the rule runs: any, or some of connect helo mail rcpt data (the header "
                "fields are there, nothing has been scanned) end-of-message (all is known). By default final actions and skip "
                "at the last two, all others at the last. Never where a fact that it names does not exist."),
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct contentd_config
/* clang-format off */
static const struct conf_param params[] = {
    COMMON_PARAMS("contentd", "unix:/var/spool/postfix/gatehouse/contentd"),
    { PARAM(message_budget), CONF_TIME, "60s", SECOND, 280 * SECOND, .live = true,
      .doc = "For everything that is done with one message after its last line; what is known by then decides. Postfix waits "
             "300 s (milter_content_timeout)." },
    MILTER_PARAMS("without any check"),
    { PARAM(myhostname), CONF_TEXT, "", 0, 253, .live = true, .example = "mx.example.com",
      .doc = "Our name in the header fields that are added. Empty: what Postfix calls itself." },
    DIRECTION_PARAMS,
    { PARAM(remove_forged_headers), CONF_BOOLEAN, "yes", 0, 0, .live = true,
      .doc = "Whether X-Virus-Scanned, X-Virus-Status, X-Spam-Flag, -Score, -Level, -Status, -Report and "
             "X-Gatehouse-Unscanned are removed from inbound mail: whoever adds them there forges them. Those that a chain "
             "adds itself are removed in any case. A message with more than 1000 of them is refused." },
    MAILBOX_PARAMS,
    { PARAM(mixed), CONF_WORD, "quarantine", .words = mixed_words, .live = true,
      .doc = "When a message is not dealt with alike for all its recipients: quarantine (it is delivered to whom it may be, and "
             "kept for the others), split (recipients of another chain than the first are told at RCPT to come again), or "
             "strictest (the severest verdict is for all)." },
    { PARAM(release), CONF_TEXT, "", 0, 300, .check = check_place, .example = "inet:127.0.0.1:10026",
      .doc = "A listener of Postfix without this milter, for mail released from the quarantine, and for recipients who need a "
             "copy that differs from that of the others. Without one neither is possible." },
    { PARAM(quarantine_directory), CONF_PATH, QUARANTINE_DIRECTORY,
      .doc = "Where messages in quarantine are kept." },
    { PARAM(quarantine_size), CONF_SIZE, "10G", 0, UINT64_C(1) << 50, .live = true,
      .doc = "So much is kept there; then the oldest make room. 0: no bound." },
    { PARAM(quarantine_age), CONF_TIME, "30d", MINUTE, 3660 * DAY, .live = true,
      .doc = "What is older is removed, if the system clock can be believed: not while it has jumped by more than a minute, or at the "
             "start is more than a day later than when contentd last ran, before it has run evenly for an hour. It goes little "
             "by little: if everything became too old at once, that would take a tenth of this time." },
    { PARAM(outbox_directory), CONF_PATH, "/var/lib/gatehouse/outbox",
      .doc = "Where copies wait until the release listener has taken them." },
    { PARAM(outbox_size), CONF_SIZE, "10G", 0, UINT64_C(1) << 50,
      .doc = "So much may wait there; then messages that need a copy are deferred. 0: no bound." },
    { PARAM(outbox_age), CONF_TIME, "2d", MINUTE, 30 * DAY,
      .doc = "How long a copy is tried; then it goes to the quarantine, if the system clock can be believed (quarantine_age)." },
    { PARAM(outbox_retry_min), CONF_TIME, "2s", 100, HOUR, .doc = "The first pause before a copy is tried again." },
    { PARAM(outbox_retry_max), CONF_TIME, "10m", SECOND, DAY, .doc = "The longest pause, to which it doubles." },
    { PARAM(outbox_connections), CONF_INTEGER, "8", 1, OUTBOX_CONNECTIONS_MAX,
      .doc = "So many copies are sent at the same time. Of those that were tried in vain at most half as many: recipients for whom the "
             "release listener hangs do not hold up the others." },
};

static const struct conf_kind kinds[] = {
    SCAN_KINDS,
    RULE_KIND(rule_params),
    LIST_KIND,
    MAP_KIND,
};
/* clang-format on */
#undef CONF_STRUCT

const struct conf_schema contentd_schema = {
    params, COUNT(params), kinds, COUNT(kinds), sizeof(struct contentd_config),
};
