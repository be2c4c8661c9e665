/* common/run/daemon_options.c - the command line of every daemon. */
#include <sysexits.h>
#include <unistd.h>

#include "common/base/version.h"
#include "common/run/daemon_private.h"

enum { OUTPUT_MAX = 16 << 20 };

static void put_help(const struct daemon_spec *spec, FILE *to)
{
    fprintf(
        to,
        "%s - %s\n"
        "usage: %s [-c FILE] [-o NAME=VALUE]... [-t | -n | -d | -h | -V]\n"
        "  -c FILE        configuration (%s)\n"
        "  -o NAME=VALUE  instead of what the file says; any number of times\n"
        "  -t             check the configuration and end: 0 good, 78 bad\n"
        "  -n             print what differs from the defaults\n"
        "  -d             print all parameters, facts and actions with their documentation\n"
        "  -h, -V         this text; the version\n"
        "Without -t -n -d -h -V it serves, in the foreground. SIGHUP reads the configuration again.\n",
        spec->program->name, spec->program->summary, spec->program->name, spec->config_path);
}

/* The first command given counts; false for a second, different one. */
static bool set_command(struct daemon_options *options, enum daemon_command command)
{
    if (options->command != COMMAND_RUN && options->command != command)
        return false;
    options->command = command;
    return true;
}

static bool add_override(struct daemon_options *options, const char *text)
{
    if (options->override_count == OVERRIDES_MAX || strchr(text, '=') == NULL) {
        fprintf(stderr,
                options->override_count == OVERRIDES_MAX ? "-o %s: there are too many of them\n"
                                                         : "-o %s: NAME=VALUE is expected\n",
                text);
        return false;
    }
    options->overrides[options->override_count++] = slice_of(text);
    return true;
}

static bool take_option(struct daemon_options *options, int option)
{
    switch (option) {
    case 'c':
        options->config_path = optarg;
        return true;
    case 'o':
        return add_override(options, optarg);
    case 't':
        return set_command(options, COMMAND_CHECK);
    case 'n':
        return set_command(options, COMMAND_CHANGED);
    case 'd':
        return set_command(options, COMMAND_DEFAULTS);
    case 'h':
        return set_command(options, COMMAND_HELP);
    case 'V':
        return set_command(options, COMMAND_VERSION);
    default:
        return false; /* getopt() has said why */
    }
}

bool daemon_options_parse(const struct daemon_spec *spec, int argc, char **argv,
                          struct daemon_options *out)
{
    int option;

    *out = (struct daemon_options){ .config_path = spec->config_path };
    optind = 1;
    while ((option = getopt(argc, argv, "c:o:tndhV")) != -1)
        if (!take_option(out, option)) {
            put_help(spec, stderr);
            return false;
        }
    if (optind < argc) {
        fprintf(stderr, "%s: what is \"%s\"?\n", spec->program->name, argv[optind]);
        put_help(spec, stderr);
        return false;
    }
    return true;
}

static int print_out(const struct buf *text)
{
    struct slice bytes = buf_slice(text);

    return fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0 ? 0
                                                                                       : EX_IOERR;
}

/* -t and -n: both say every mistake. */
static int answer_from_file(const struct daemon_spec *spec, const struct daemon_options *options)
{
    AUTO_BUF report = BUF_INIT(OUTPUT_MAX);
    AUTO_BUF changed = BUF_INIT(OUTPUT_MAX);
    struct conf_errors *errors = conf_errors_new();
    struct loaded *loaded = NULL;
    int status = EX_OSERR;

    if (errors == NULL)
        return EX_OSERR;
    loaded = loaded_new(spec, options, NULL, errors);
    if (loaded == NULL)
        goto out;
    conf_errors_print(errors, &report);
    fputs(buf_text(&report), stderr);
    status = loaded->data == NULL ? EX_CONFIG : 0;
    if (options->command == COMMAND_CHECK && status == 0)
        printf("%s is correct\n", options->config_path);
    if (options->command == COMMAND_CHANGED && loaded->conf != NULL) {
        usage_changed(spec->program->schema, loaded->conf, &changed);
        print_out(&changed);
    }
out:
    loaded_free(&loaded);
    conf_errors_free(&errors);
    return status;
}

int daemon_options_answer(const struct daemon_spec *spec, const struct daemon_options *options)
{
    AUTO_BUF text = BUF_INIT(OUTPUT_MAX);

    switch (options->command) {
    case COMMAND_CHECK:
    case COMMAND_CHANGED:
        return answer_from_file(spec, options);
    case COMMAND_DEFAULTS:
        usage_defaults(spec->program, &text);
        return print_out(&text);
    case COMMAND_VERSION:
        printf("%s %s\n", spec->program->name, GATEHOUSE_VERSION);
        return 0;
    case COMMAND_HELP:
    case COMMAND_RUN:
        break;
    }
    put_help(spec, stdout);
    return 0;
}
