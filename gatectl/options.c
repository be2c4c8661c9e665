/* gatectl/options.c - see options.h. */
#include "gatectl/options.h"

#include <getopt.h>

#define COUNT_MAX 1000

const struct option_doc option_docs[] = {
    { 0, 'c', "config", "FILE",
      "The daemon's configuration: where its control socket and its store are, and which names it "
      "declares. Default: " GATECTL_CONFIG "." },
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
    { OPTION_MAN, 0, "man", NULL, "The manual page, in roff." },
    { 0, 'h', "help", NULL, "What a command does; without one, all of them." },
    { 0, 'V', "version", NULL, "The version." },
    { 0, 0, NULL, NULL, NULL },
};

enum { LONG_ONLY = 256, DOCS_MAX = 16 };

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

static bool take(int value, char *argument, struct options *out, FILE *err)
{
    for (size_t i = 0; option_docs[i].name != NULL; i++)
        if (option_value(i) == value)
            out->given |= option_docs[i].bit;
    switch (value) {
    case 'c':
        out->config = argument;
        out->is_config_given = true;
        return true;
    case 's':
        out->socket = argument;
        return true;
    case 'j':
        out->json = true;
        return true;
    case 'u':
        out->until = argument;
        return true;
    case 'N':
        out->note = argument;
        return true;
    case 'f':
        out->force = true;
        return true;
    case 'n':
        return parse_count(argument, &out->count, err);
    case 'F':
        out->find = argument;
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
