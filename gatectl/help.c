/* gatectl/help.c - gatectl help and the manual page, from the tables of commands, options and exit codes. */
#include "gatectl/command.h"

enum { MAN_MAX_BYTES = 256 << 10 };

/* ---- help ---- */

int command_print_usage(FILE *out, const struct command *command)
{
    fprintf(out, "gatectl %s%s%s%s%s", command->noun, command->verb == NULL ? "" : " ",
            command->verb == NULL ? "" : command->verb, command->arguments[0] == '\0' ? "" : " ",
            command->arguments);
    for (size_t i = 0; option_docs[i].name != NULL; i++)
        if ((command->options & option_docs[i].bit) != 0)
            fprintf(out, " [--%s%s%s]", option_docs[i].name,
                    option_docs[i].argument == NULL ? "" : " ",
                    option_docs[i].argument == NULL ? "" : option_docs[i].argument);
    return putc('\n', out) == EOF ? -1 : 0;
}

/* Wraps at 78 columns, every line indented. */
static void print_wrapped(FILE *out, size_t indent, const char *text)
{
    struct slice rest = slice_of(text), word;
    size_t column = 0;

    while (slice_next(&rest, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > 78) {
            putc('\n', out);
            column = 0;
        }
        fprintf(out, "%*s%.*s", (int)(column == 0 ? indent : 1), "", SLICE_ARG(word));
        column += (column == 0 ? indent : 1) + word.len;
    }
    putc('\n', out);
}

static void print_option(FILE *out, const struct option_doc *option)
{
    fprintf(out, "  %c%c%s--%s%s%s\n", option->letter == 0 ? ' ' : '-',
            option->letter == 0 ? ' ' : option->letter, option->letter == 0 ? "  " : ", ",
            option->name, option->argument == NULL ? "" : " ",
            option->argument == NULL ? "" : option->argument);
    print_wrapped(out, 8, option->doc);
}

static void print_command(FILE *out, const struct command *command)
{
    command_print_usage(out, command);
    print_wrapped(out, 4, command->doc);
    if (command->example != NULL)
        fprintf(out, "    Example: %s\n", command->example);
}

static void print_all(FILE *out)
{
    fputs("usage: gatectl [OPTION...] COMMAND...\n\n", out);
    for (size_t i = 0; i < command_count; i++) {
        fprintf(out, "  %s%s%s%s%s\n", commands[i].noun, commands[i].verb == NULL ? "" : " ",
                commands[i].verb == NULL ? "" : commands[i].verb,
                commands[i].arguments[0] == '\0' ? "" : " ", commands[i].arguments);
    }
    fputs("\nOptions:\n", out);
    for (size_t i = 0; option_docs[i].name != NULL; i++)
        print_option(out, &option_docs[i]);
    fputs("\nExit codes:\n", out);
    for (size_t i = 0; exit_code_docs[i] != NULL; i++) {
        fprintf(out, "  %zu\n", i);
        print_wrapped(out, 8, exit_code_docs[i]);
    }
    fputs("\n\"gatectl help COMMAND\" says more.\n", out);
}

void command_print_help(FILE *out, const char *noun)
{
    unsigned options = 0;
    size_t shown = 0;

    for (size_t i = 0; noun != NULL && i < command_count; i++) {
        if (strcmp(commands[i].noun, noun) != 0)
            continue;
        if (shown++ > 0)
            putc('\n', out);
        print_command(out, &commands[i]);
        options |= commands[i].options;
    }
    if (shown == 0) {
        print_all(out);
        return;
    }
    for (size_t i = 0; option_docs[i].name != NULL; i++)
        if ((options & option_docs[i].bit) != 0)
            print_option(out, &option_docs[i]);
}

/* ---- the manual page ---- */

/* Text of a roff line: backslashes and hyphens escaped, a leading dot or quote guarded. */
static int man_text(struct buf *out, const char *text)
{
    if ((text[0] == '.' || text[0] == '\'') && buf_put(out, "\\&"))
        return -1;
    for (; *text != '\0'; text++) {
        int rc = *text == '\\'  ? buf_put(out, "\\e")
                 : *text == '-' ? buf_put(out, "\\-")
                                : buf_put_char(out, *text);
        if (rc != 0)
            return -1;
    }
    return 0;
}

/* A tagged paragraph: .TP, the tag in bold, its text. */
static int man_item(struct buf *out, const char *tag, const char *text)
{
    return buf_put(out, ".TP\n.B \"") || man_text(out, tag) || buf_put(out, "\"\n") ||
                   man_text(out, text) || buf_put(out, "\n")
               ? -1
               : 0;
}

/* "Takes --until, --note, --force." */
static int man_options_of(struct buf *out, const struct command *command)
{
    const char *before = "Takes ";

    for (size_t i = 0; option_docs[i].name != NULL; i++) {
        if ((command->options & option_docs[i].bit) == 0)
            continue;
        if (buf_put(out, before) || man_text(out, "--") || man_text(out, option_docs[i].name))
            return -1;
        before = ", ";
    }
    return command->options == 0 ? 0 : buf_put(out, ".\n");
}

static int man_command(struct buf *out, const struct command *command)
{
    AUTO_BUF tag = BUF_INIT(1024);

    buf_printf(&tag, "%s%s%s%s%s", command->noun, command->verb == NULL ? "" : " ",
               command->verb == NULL ? "" : command->verb, command->arguments[0] == '\0' ? "" : " ",
               command->arguments);
    if (man_item(out, buf_text(&tag), command->doc))
        return -1;
    if (man_options_of(out, command))
        return -1;
    if (command->example == NULL)
        return 0;
    return buf_put(out, ".sp\n.nf\n") || man_text(out, command->example) || buf_put(out, "\n.fi\n")
               ? -1
               : 0;
}

static int man_option(struct buf *out, const struct option_doc *option)
{
    AUTO_BUF tag = BUF_INIT(128);

    if (option->letter != 0)
        buf_printf(&tag, "-%c, ", option->letter);
    buf_printf(&tag, "--%s%s%s", option->name, option->argument == NULL ? "" : " ",
               option->argument == NULL ? "" : option->argument);
    return man_item(out, buf_text(&tag), option->doc);
}

static int man_tail(struct buf *out)
{
    char number[8];

    if (buf_put(out, ".SH EXIT STATUS\n"))
        return -1;
    for (size_t i = 0; exit_code_docs[i] != NULL; i++) {
        snprintf(number, sizeof(number), "%zu", i);
        if (man_item(out, number, exit_code_docs[i]))
            return -1;
    }
    return buf_put(out, ".SH FILES\n") ||
                   man_item(out, GATECTL_CONFIG, "The configuration of policyd.") ||
                   man_item(out, GATECTL_CONTENTD_CONFIG,
                            "The configuration of contentd, for apply and quarantine.") ||
                   man_item(out, GATECTL_SIGND_CONFIG, "The configuration of signd, for dkim.") ||
                   buf_put(out, ".SH SEE ALSO\n.BR gatehouse\\-policyd (8),\n"
                                ".BR gatehouse\\-contentd (8),\n.BR gatehouse\\-signd (8),\n"
                                ".BR policyd.conf (5),\n.BR contentd.conf (5),\n"
                                ".BR signd.conf (5)\n")
               ? -1
               : 0;
}

int command_print_man(struct buf *out)
{
    static const char description[] =
        "Shows and changes limits, classes, lists, maps, rules and chains while the daemons run, tells "
        "why mail was refused and what would become of it, and looks after contentd's quarantine and "
        "signd's keys. It asks the daemon through its control socket; when the daemon does "
        "not run and its store is Redis, it works on that. Changes are in force on every host "
        "within a second, without a reload. A daemon without Redis keeps them in its memory: they "
        "end with it.";

    if (buf_put(out,
                ".TH GATECTL 8 \"\" Gatehouse\n.SH NAME\ngatectl \\- the operator's command of "
                "the Gatehouse daemons\n.SH SYNOPSIS\n.B gatectl\n[\\fIOPTION\\fR...] "
                "\\fICOMMAND\\fR...\n.SH DESCRIPTION\n") ||
        man_text(out, description) || buf_put(out, "\n.SH COMMANDS\n"))
        return -1;
    for (size_t i = 0; i < command_count; i++)
        if (man_command(out, &commands[i]))
            return -1;
    if (buf_put(out, ".SH OPTIONS\nThey may stand anywhere; \\fB\\-\\-\\fR ends them.\n"))
        return -1;
    for (size_t i = 0; option_docs[i].name != NULL; i++)
        if (man_option(out, &option_docs[i]))
            return -1;
    return man_tail(out);
}

int cmd_help(struct gatectl *ctl, char **args, size_t count)
{
    AUTO_BUF page = BUF_INIT(MAN_MAX_BYTES);

    if (count > 0 && !command_has_noun(ctl, args[0]))
        return EXIT_USAGE;
    if (!ctl->options.man) {
        command_print_help(ctl->out, count > 0 ? args[0] : NULL);
        return EXIT_DONE;
    }
    if (command_print_man(&page))
        return EXIT_FAILED;
    fputs(buf_text(&page), ctl->out);
    return EXIT_DONE;
}
