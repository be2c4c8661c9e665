/* contentd/scan_sections.c - see scan_sections.h. */
#include "contentd/scan_sections.h"

#include "contentd/scan_values.h"

static const char *const trouble_words[] = { "tempfail", "accept", "quarantine", NULL };
static const char *const antivirus_words[] = { "auto", "yes", "no", NULL };
static const char *const spam_words[] = { "score", "scanner", NULL };

#define CONF_STRUCT struct scanner_section
/* clang-format off */
const struct conf_param scanner_params[SCANNER_PARAM_COUNT] = {
    { PARAM(kind), CONF_TEXT, NULL, 1, 0, .live = true, .check = scan_check_kind,
      .example = "clamd unix:/run/clamav/clamd.ctl, inet:127.0.0.1:3310",
      .doc = "What it is, and its addresses (unix:PATH, inet:HOST:PORT), which are tried in turn: clamd, rspamd, spamd, icap "
             "or milter." },
    { PARAM(spread), CONF_BOOLEAN, "no", 0, 0, .live = true,
      .doc = "Whether messages are spread over the addresses (each goes to the one with the fewest under way), or the "
             "first one that works has them all." },
    { PARAM(connect_timeout), CONF_TIME, "2s", 1, 10 * MINUTE, .live = true,
      .doc = "How long connecting to one address may take." },
    { PARAM(scan_timeout), CONF_TIME, "60s", 1, 10 * MINUTE, .live = true,
      .doc = "How long a scan may take, from the moment the message is whole." },
    { PARAM(size_max), CONF_SIZE, "0", 0, UINT64_C(1) << 40, .live = true, .example = "25M",
      .doc = "Larger messages are not sent to it, see oversize. 0: all are." },
    { PARAM(trouble), CONF_WORD, "tempfail", .words = trouble_words, .live = true,
      .doc = "What becomes of a message when no address gives an answer to rely on: tempfail (451, it comes again), accept "
             "(with the header X-Gatehouse-Unscanned) or quarantine." },
    { PARAM(oversize), CONF_WORD, "accept", .words = trouble_words, .live = true,
      .doc = "What becomes of a message that is larger than size_max, or than the scanner takes. It would be too large "
             "again: tempfail only delays the bounce." },
    { PARAM(weight), CONF_TEXT, "1", 1, 16, .live = true, .check = scan_check_number, .example = "1.5",
      .doc = "Its score counts so many times in the score of the message. 0: not at all." },
    { PARAM(path), CONF_TEXT, "", 0, 1000, .live = true, .example = "/avscan",
      .doc = "The service of an ICAP server, or the path of rspamd's HTTP interface." },
    { PARAM(user), CONF_TEXT, "", 0, 320, .live = true, .example = "{recipient}",
      .doc = "Whose settings spamd uses: a name, or {recipient} for the message's recipient when it has only one." },
    { PARAM(password_file), CONF_PATH, "", 0, 0, .live = true, .example = "/etc/gatehouse/rspamd.password",
      .doc = "A file that holds rspamd's password." },
    { PARAM(antivirus), CONF_WORD, "auto", .words = antivirus_words, .live = true, .example = "yes",
      .doc = "Whether it looks for malware: auto (clamd and icap do), yes (clamav-milter) or no. X-Virus-Status tells what these "
             "found, and -t warns of rules by which mail gets past one." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct chain_section
/* clang-format off */
const struct conf_param chain_params[CHAIN_PARAM_COUNT] = {
    { PARAM(scanners), CONF_LIST, "", 0, SCANNERS_MAX, .live = true, .example = "clam, icap1, spam",
      .doc = "The scanners, all asked at the same time. Their order is their priority: which finding names the reply, whose "
             "changes of the message win. None: the recipients' mail is not scanned." },
    { PARAM(virus), CONF_TEXT, "reject 5.7.1 Message contains malware", 1, 0, .live = true, .check = scan_check_virus,
      .doc = "What becomes of malware: reject [code text], quarantine, discard or tempfail [code text]." },
    { PARAM(tag), CONF_TEXT, "", 0, 16, .live = true, .check = scan_check_number, .example = "6",
      .doc = "From this score on the message is delivered as spam: X-Spam-Flag, and subject_prefix. Empty: never." },
    { PARAM(quarantine), CONF_TEXT, "", 0, 16, .live = true, .check = scan_check_number, .example = "10",
      .doc = "From this score on it is kept in the quarantine. Empty: never." },
    { PARAM(reject), CONF_TEXT, "", 0, 16, .live = true, .check = scan_check_number, .example = "15",
      .doc = "From this score on it is refused. Empty: never." },
    { PARAM(reject_reply), CONF_TEXT, "5.7.1 Message looks like spam", 1, 0, .live = true, .check = scan_check_reply,
      .doc = "What the client is told about a message over that score: [code] text; the score is added." },
    { PARAM(subject_prefix), CONF_TEXT, "", 0, 100, .live = true, .example = "[SPAM]",
      .doc = "Put before the subject of tagged mail. Empty: the subject stays." },
    { PARAM(spam), CONF_WORD, "score", .words = spam_words, .live = true,
      .doc = "What counts of a scanner that gives a score: score (its score alone), or scanner (also what it says itself: "
             "what it calls spam is tagged, what it rejects or defers is refused)." },
    { PARAM(headers), CONF_LIST, "virus, spam", 0, 3, .live = true, .check = scan_check_headers,
      .doc = "Header fields that are added: virus (X-Virus-Scanned, X-Virus-Status), spam (X-Spam-Flag, -Score, -Level, "
             "-Status), report (X-Spam-Report in tagged mail)." },
};
/* clang-format on */
#undef CONF_STRUCT

#define CONF_STRUCT struct apply_section
/* clang-format off */
const struct conf_param apply_params[APPLY_PARAM_COUNT] = {
    { PARAM_AS("*", chains), CONF_PAIRS, .live = true, .star = "@example.com", .example = "full",
      .doc = "The chain of a mailbox, of user@ (in any domain), @domain, @.domain (it and all below) or * (everybody else). "
             "The most specific one counts, a mailbox without its +extension after the one with it." },
};
/* clang-format on */
#undef CONF_STRUCT
