/* gatectl/gatectl.c - see gatectl.h. */
#include "gatectl/gatectl.h"

#include <pwd.h>
#include <stdarg.h>
#include <unistd.h>

#include "common/base/version.h"
#include "common/live/tail.h"
#include "gatectl/command.h"
#include "gatectl/output.h"

#include "gatectl/when.h"

enum { RUN_MAX_BYTES = 16 << 20, MESSAGE_MAX_BYTES = 16 << 10 };

const char *const exit_code_docs[] = {
    [EXIT_DONE] = "Done.",
    [EXIT_NOTHING] = "Not found, or nothing to change.",
    [EXIT_USAGE] = "The command line is wrong.",
    [EXIT_UNREACHABLE] = "Neither the daemon nor its store can be reached, or what was asked for "
                         "needs the daemon and it does not run.",
    [EXIT_REFUSED] = "Refused: the value, the name or the rule is not valid or not declared.",
    [EXIT_FAILED] =
        "The daemon or the store answered with an error, or the configuration cannot be "
        "read.",
    NULL,
};

void gatectl_error(struct gatectl *ctl, const char *format, ...)
{
    AUTO_BUF raw = BUF_INIT(MESSAGE_MAX_BYTES);
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && buf_reserve(&raw, (size_t)len) == 0) {
        vsnprintf(raw.data, (size_t)len + 1, format, again);
        raw.len = (size_t)len;
    }
    va_end(again);
    va_end(args);
    fputs("gatectl: ", ctl->err);
    output_text(ctl->err, buf_slice(&raw));
    putc('\n', ctl->err);
}

void gatectl_changed(struct gatectl *ctl, json_t *change)
{
    if (ctl->changes == NULL)
        ctl->changes = json_array();
    json_array_append_new(ctl->changes, change);
}

/* ---- settings and back ends ---- */

static const struct gatectl_daemon policyd = { "policyd", GATECTL_CONFIG, GATECTL_SOCKET,
                                               GATECTL_STORE };

bool gatectl_settings(struct gatectl *ctl)
{
    char error[BACKEND_ERROR_MAX];

    const struct options *options = &ctl->options;

    if (ctl->settings == NULL)
        ctl->settings =
            settings_read(options->is_config_given ? options->config : ctl->daemon->config,
                          options->is_config_given, ctl->daemon->socket, error, sizeof(error));
    if (ctl->settings == NULL)
        gatectl_error(ctl, "%s", error);
    return ctl->settings != NULL;
}

static bool has_shared_store(const struct settings *settings)
{
    return slice_starts_with(slice_of(settings->store), SLICE("redis"));
}

/* The store instead of the daemon, which did not answer because of `why`. */
static int open_store(struct gatectl *ctl, const char *why)
{
    char error[BACKEND_ERROR_MAX];

    if (!has_shared_store(ctl->settings)) {
        gatectl_error(ctl,
                      "the daemon does not answer: %s; its store is its own memory, so there is "
                      "nothing else to ask",
                      why);
        return EXIT_UNREACHABLE;
    }
    ctl->backend = backend_store_new(ctl->settings, ctl->clock, error);
    if (ctl->backend == NULL) {
        gatectl_error(ctl, "the daemon does not answer: %s; nor does its store: %s", why, error);
        return EXIT_UNREACHABLE;
    }
    gatectl_error(ctl, "the daemon does not answer (%s): working straight on its store", why);
    return EXIT_DONE;
}

static int open_quarantine(struct gatectl *ctl, const char *why)
{
    char error[BACKEND_ERROR_MAX];

    ctl->backend = backend_quarantine_new(ctl->settings, ctl->clock, error);
    if (ctl->backend == NULL) {
        gatectl_error(ctl, "contentd does not answer: %s; nor can its quarantine be used: %s", why,
                      error);
        return EXIT_UNREACHABLE;
    }
    gatectl_error(ctl, "contentd does not answer (%s): working straight on %s", why,
                  ctl->settings->quarantine_directory);
    return EXIT_DONE;
}

static int open_other(struct gatectl *ctl, const char *why)
{
    backend_free(&ctl->backend);
    if (ctl->options.socket != NULL) { /* this one was meant, and no other way */
        gatectl_error(ctl, "the daemon does not answer: %s", why);
        return EXIT_UNREACHABLE;
    }
    return ctl->daemon->other == GATECTL_STORE ? open_store(ctl, why) : open_quarantine(ctl, why);
}

/* The first way that may work. */
static int open_backend(struct gatectl *ctl)
{
    char error[BACKEND_ERROR_MAX];
    const char *where = ctl->options.socket;

    if (!gatectl_settings(ctl))
        return EXIT_FAILED;
    if (where == NULL)
        where = ctl->settings->http;
    if (where[0] == '\0')
        return open_other(ctl, "it has no http listener");
    ctl->backend = backend_http_new(where, error);
    if (ctl->backend != NULL)
        return EXIT_DONE;
    gatectl_error(ctl, "%s", error);
    return EXIT_USAGE;
}

/* ---- asking ---- */

static int code_of(unsigned status)
{
    switch (status) {
    case 404:
        return EXIT_NOTHING;
    case 400:
    case 409:
    case 413:
    case 422:
        return EXIT_REFUSED;
    case 501:
        return EXIT_UNREACHABLE;
    default:
        return status >= 200 && status < 300 ? EXIT_DONE : EXIT_FAILED;
    }
}

/* The text that was refused, and a mark under the place of the mistake. */
static void show_place(struct gatectl *ctl, const struct ask *ask, const json_t *answer)
{
    struct slice where = json_member(answer, "where"), text;
    json_int_t offset = json_integer_value(json_object_get(answer, "offset"));

    if (slice_equal(where, SLICE("text")))
        text = ask->body;
    else if (slice_equal(where, SLICE("field")))
        text = slice_of(ask->segments[2]);
    else if (slice_equal(where, SLICE("key")))
        text = slice_of(ask->segments[1]);
    else
        return;
    if (text.ptr == NULL || offset < 0 || (size_t)offset > text.len)
        return;
    AUTO_BUF before = BUF_INIT(MESSAGE_MAX_BYTES);
    output_escape(&before, slice_part(text, 0, (size_t)offset));
    fputs("  ", ctl->err);
    output_text(ctl->err, text);
    fprintf(ctl->err, "\n  %*s^\n", (int)before.len, "");
}

static void tell_error(struct gatectl *ctl, const struct ask *ask, unsigned status,
                       const json_t *answer)
{
    struct slice error = json_member(answer, "error"), where = json_member(answer, "where");
    bool is_rule_part = where.ptr != NULL && !slice_equal(where, SLICE("text")) &&
                        !slice_equal(where, SLICE("field")) && !slice_equal(where, SLICE("key"));

    if (error.ptr == NULL)
        gatectl_error(ctl, "the daemon answered with status %u", status);
    else if (is_rule_part)
        gatectl_error(ctl, "%.*s: column %lld: %.*s", SLICE_ARG(where),
                      (long long)json_integer_value(json_object_get(answer, "offset")) + 1,
                      SLICE_ARG(error));
    else
        gatectl_error(ctl, "%.*s%s", SLICE_ARG(error),
                      status == 409 ? " (--force changes it all the same)" : "");
    if (status == 422)
        show_place(ctl, ask, answer);
}

/* One answer, from whichever back end works. */
static int ask_backends(struct gatectl *ctl, const struct ask *ask, unsigned *status,
                        json_t **answer)
{
    char error[BACKEND_ERROR_MAX];
    bool was_open = ctl->backend != NULL;
    int code = was_open ? EXIT_DONE : open_backend(ctl);
    enum backend_result result;

    if (code != EXIT_DONE)
        return code;
    result = backend_ask(ctl->backend, ask, status, answer, error);
    if (result == BACKEND_UNREACHABLE && !was_open) {
        code = open_other(ctl, error);
        if (code != EXIT_DONE)
            return code;
        result = backend_ask(ctl->backend, ask, status, answer, error);
    }
    if (result == BACKEND_OK)
        return EXIT_DONE;
    gatectl_error(ctl, "%s", error);
    return result == BACKEND_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
}

int gatectl_ask_quiet(struct gatectl *ctl, const struct ask *ask, unsigned quiet_status,
                      json_t **answer)
{
    unsigned status = 0;
    json_t *json = NULL;
    int code = ask_backends(ctl, ask, &status, &json);

    if (code != EXIT_DONE)
        return code;
    code = code_of(status);
    if (code != EXIT_DONE) {
        if (status == quiet_status)
            code = EXIT_NOTHING;
        else
            tell_error(ctl, ask, status, json);
        json_decref(json);
        return code;
    }
    if (json_is_true(json_object_get(json, "degraded")))
        gatectl_error(ctl, "the store does not answer: this is what the daemon last knew of it");
    *answer = json;
    return EXIT_DONE;
}

int gatectl_ask(struct gatectl *ctl, const struct ask *ask, json_t **answer)
{
    return gatectl_ask_quiet(ctl, ask, 0, answer);
}

/* ---- who and until when ---- */

/* The person behind the command: who called sudo, else the user. One word of printable ASCII. */
static struct slice invoking_user(struct gatectl *ctl)
{
    const char *name = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    const struct passwd *entry = name == NULL || name[0] == '\0' ? getpwuid(getuid()) : NULL;
    char word[65];
    size_t len = 0;

    if (entry != NULL)
        name = entry->pw_name;
    if (name == NULL || name[0] == '\0')
        return arena_printf(ctl->arena, "uid-%u", (unsigned)getuid());
    for (; len < sizeof(word) - 1 && name[len] != '\0'; len++)
        word[len] = ascii_is_print(name[len]) && name[len] != ' ' ? name[len] : '?';
    return arena_copy(ctl->arena, (struct slice){ word, len });
}

bool gatectl_tail(struct gatectl *ctl, struct live_tail *tail)
{
    uint64_t now_s = ctl->clock->wall_ms(ctl->clock) / SECOND;
    const char *wrong = NULL;

    if (ctl->options.until != NULL &&
        !when_parse(slice_of(ctl->options.until), now_s, &tail->until_s, &wrong)) {
        gatectl_error(ctl, "--until %s: %s", ctl->options.until, wrong);
        return false;
    }
    tail->by = invoking_user(ctl);
    tail->note = slice_trim(slice_of(ctl->options.note));
    return true;
}

/* ---- a run ---- */

static int run(struct gatectl *ctl)
{
    const struct options *options = &ctl->options;
    size_t used = 0;

    if (options->version) {
        fprintf(ctl->out, "gatectl (Gatehouse) %s\n", GATEHOUSE_VERSION);
        return EXIT_DONE;
    }
    if (options->help) {
        if (options->arg_count > 0 && !command_has_noun(ctl, options->args[0]))
            return EXIT_USAGE;
        command_print_help(ctl->out, options->arg_count > 0 ? options->args[0] : NULL);
        return EXIT_DONE;
    }
    const struct command *command = command_find(ctl, options->args, options->arg_count, &used);
    if (command == NULL ||
        !command_accepts(ctl, command, options->args + used, options->arg_count - used))
        return EXIT_USAGE;
    return command->run(ctl, options->args + used, options->arg_count - used);
}

int gatectl_main(int argc, char **argv, const struct clock *clock, FILE *out, FILE *err)
{
    struct gatectl ctl = { .daemon = &policyd, .clock = clock, .out = out, .err = err };
    int code = EXIT_USAGE;

    ctl.arena = arena_new(RUN_MAX_BYTES);
    if (ctl.arena == NULL) {
        fputs("gatectl: out of memory\n", err);
        return EXIT_FAILED;
    }
    if (options_parse(argc, argv, &ctl.options, err))
        code = run(&ctl);
    if (ctl.changes != NULL) {
        output_json_new(out, json_pack("{s:O}", "changes", ctl.changes));
        json_decref(ctl.changes);
    }
    if (fflush(out) != 0 && code == EXIT_DONE)
        code = EXIT_FAILED;
    backend_free(&ctl.backend);
    settings_free(&ctl.settings);
    arena_free(&ctl.arena);
    return code;
}
