/* gatectl/options.c - see options.h. */
#include "gatectl/options.h"

#include <getopt.h>

#include "common/base/units.h"

#define COUNT_MAX 1000

const struct option_doc option_docs[] = {
    { 0, 'c', "config", "FILE",
      "The daemon's configuration: where its control socket and its store are, and which names it "
      "declares. Default: " GATECTL_CONFIG ", for apply and quarantine " GATECTL_CONTENTD_CONFIG
      ", for dkim " GATECTL_SIGND_CONFIG ", for explain that of --daemon." },
    { 0, 's', "socket", "PLACE",
      "The control socket: /path, unix:/path, inet:host:port or http://host:port. Then only this "
      "daemon is asked, never the store." },
    { 0, 'j', "json", NULL, "One JSON document instead of text (tail: one for each line)." },
    { OPTION_UNTIL, 'u', "until", "WHEN",
      "When the change ends by itself: 90s, 15m, 2h, 3d, 1w from now, 2026-12-01, "
      "2026-12-01T12:00 (local time; with a Z at the end UTC), or Unix seconds." },
    { OPTION_NOTE, 'N', "note", "TEXT", "Why; shown wherever the change is." },
    { OPTION_FORCE, 'f', "force", NULL,
      "Change what the configuration does not declare, too; with a removal, take the name as it is "
      "typed." },
    { OPTION_COUNT, 'n', "count", "N", "How many rows or lines, at most 1000." },
    { OPTION_FIND, 'F', "find", "TEXT", "Only lines that contain this." },
    { OPTION_RECIPIENT, 'r', "recipient", "ADDRESS",
      "Only what is kept for this recipient; @example.com is everybody there." },
    { OPTION_SENDER, 'S', "sender", "ADDRESS",
      "Only what this envelope sender sent; @example.com is everybody there, \"\" the null sender. "
      "With release --to: the envelope sender instead of the message's own." },
    { OPTION_OLDER, 'o', "older", "AGE", "Only what is at least so old: 30m, 12h, 7d." },
    { OPTION_AFTER, 'a', "after", "ID", "Go on behind this one." },
    { OPTION_MESSAGE, 'm', "message", NULL,
      "The message itself, byte for byte (on a terminal with control characters escaped)." },
    { OPTION_TO, 't', "to", "ADDRESS",
      "Send a copy to somebody else; it stays kept for its recipients." },
    { OPTION_SELECTOR, 'l', "selector", "NAME",
      "The new key's name in the DNS, NAME._domainkey.DOMAIN. Default: s and the date." },
    { OPTION_RSA, 'R', "rsa", "BITS", "An RSA key of 2048, 3072 or 4096 bits." },
    { OPTION_ED25519, 'e', "ed25519", NULL,
      "An Ed25519 key; with --rsa both. Not every verifier knows them: RFC 8463." },
    { OPTION_ACTIVE, 'A', "active", NULL,
      "The key signs at once: its record is published already." },
    { OPTION_DIRECTORY, 'd', "directory", "DIRECTORY",
      "Where the keys are. Default: key_directory of signd's configuration." },
    { OPTION_DAEMON, 'D', "daemon", "DAEMON",
      "Who is asked: policyd (default), contentd or signd; each with its own configuration, as for -c." },
    { OPTION_SCAN, 'x', "scan", NULL,
      "Really ask the scanners (contentd), for at most 8 s; their own counts tell of it." },
    { OPTION_MAN, 0, "man", NULL, "The manual page, in roff." },
    { 0, 'h', "help", NULL, "What a command does; without one, all of them." },
    { 0, 'V', "version", NULL, "The version." },
    { 0, 0, NULL, NULL, NULL },
};

enum { LONG_ONLY = 256, DOCS_MAX = 32 };

static int option_value(size_t i)
{
    return option_docs[i].letter != 0 ? option_docs[i].letter : LONG_ONLY + (int)i;
}

/* The table in getopt's form. */
static void getopt_tables(struct option longs[DOCS_MAX], char letters[2 * DOCS_MAX + 1])
{
    size_t at = 0;

    for (size_t i = 0; option_docs[i].name != NULL; i++) {
        bool takes = option_docs[i].argument != NULL;
        longs[i] = (struct option){ option_docs[i].name, takes ? required_argument : no_argument,
                                    NULL, option_value(i) };
        if (option_docs[i].letter == 0)
            continue;
        letters[at++] = option_docs[i].letter;
        if (takes)
            letters[at++] = ':';
    }
    letters[at] = '\0';
}

static bool parse_count(const char *text, unsigned *out, FILE *err)
{
    uint64_t number;

    if (!slice_to_u64(slice_of(text), &number) || number == 0 || number > COUNT_MAX) {
        fprintf(err, "gatectl: --count takes a number from 1 to %d\n", COUNT_MAX);
        return false;
    }
    *out = (unsigned)number;
    return true;
}

static bool parse_age(const char *text, uint64_t *out, FILE *err)
{
    const char *error;

    if (units_parse_time(slice_of(text), out, &error) && *out >= 1000)
        return true;
    fputs("gatectl: --older takes an age: 30m, 12h, 7d\n", err);
    return false;
}

/* Options whose argument is kept as it is. NULL: another one. */
static const char **text_option(struct options *out, int value)
{
    switch (value) {
    case 's':
        return &out->socket;
    case 'u':
        return &out->until;
    case 'N':
        return &out->note;
    case 'F':
        return &out->find;
    case 'r':
        return &out->recipient;
    case 'S':
        return &out->sender;
    case 'a':
        return &out->after;
    case 't':
        return &out->to;
    case 'l':
        return &out->selector;
    case 'R':
        return &out->rsa;
    case 'd':
        return &out->directory;
    case 'D':
        return &out->daemon;
    default:
        return NULL;
    }
}

static bool take(int value, char *argument, struct options *out, FILE *err)
{
    for (size_t i = 0; option_docs[i].name != NULL; i++)
        if (option_value(i) == value)
            out->given |= option_docs[i].bit;
    const char **text = text_option(out, value);
    if (text != NULL) {
        *text = argument;
        return true;
    }
    switch (value) {
    case 'c':
        out->config = argument;
        out->is_config_given = true;
        return true;
    case 'j':
        out->json = true;
        return true;
    case 'f':
        out->force = true;
        return true;
    case 'n':
        return parse_count(argument, &out->count, err);
    case 'o':
        return parse_age(argument, &out->older_ms, err);
    case 'm':
        out->message = true;
        return true;
    case 'e':
        out->ed25519 = true;
        return true;
    case 'A':
        out->active = true;
        return true;
    case 'x':
        out->scan = true;
        return true;
    case 'h':
        out->help = true;
        return true;
    case 'V':
        out->version = true;
        return true;
    default:
        out->man = true; /* the only one without a letter */
        return true;
    }
}

bool options_parse(int argc, char **argv, struct options *out, FILE *err)
{
    struct option longs[DOCS_MAX] = { { NULL, 0, NULL, 0 } };
    char letters[2 * DOCS_MAX + 1];
    int value;

    *out = (struct options){ .config = GATECTL_CONFIG };
    getopt_tables(longs, letters);
    optind = 0; /* GNU: from the start, also a second time */
    opterr = 0;
    while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (value == '?') {
            fprintf(err, "gatectl: \"%s\" is no option, or its argument is missing\n",
                    argv[optind - 1]);
            return false;
        }
        if (!take(value, optarg, out, err))
            return false;
    }
    out->args = argv + optind;
    out->arg_count = (size_t)(argc - optind);
    return true;
}
