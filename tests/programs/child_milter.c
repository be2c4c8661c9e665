/* tests/programs/child_milter.c - a milter made with libmilter that does what the message tells it: for tests of the scanner of
 * kind milter.
 *
 *   child_milter unix:/path [leadspc] [silent] [macros] [nobody] [skip]
 *
 * Recipients that begin with `reject`, `later` or `lines` are refused in these ways. Header fields `X-Do: WORD` are carried out
 * at the end of the message, in their order: see the table. X-Seen, which it always adds, says what it was told. */
#include <stdbool.h>

#include <libmilter/mfapi.h>

static struct options {
    bool leadspc, silent, macros, nobody, skip;
} options;

enum { DO_MOST = 32, TEXT_MAX = 1024 };

struct session {
    char todo[DO_MOST][32];
    size_t todo_count, recipients, fields, body;
    char sum; /* of the body's bytes */
    char macros[TEXT_MAX], value[TEXT_MAX];
};

static struct session *session_of(SMFICTX *context)
{
    return smfi_getpriv(context);
}

static sfsistat on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
                             UNUSED unsigned long third, UNUSED unsigned long fourth,
                             unsigned long *want_actions, unsigned long *want_steps,
                             unsigned long *want_third, unsigned long *want_fourth)
{
    unsigned long wanted = 0;

    if (options.leadspc)
        wanted |= SMFIP_HDR_LEADSPC;
    if (options.silent)
        wanted |= SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_DATA | SMFIP_NR_HDR |
                  SMFIP_NR_EOH | SMFIP_NR_BODY;
    if (options.nobody)
        wanted |= SMFIP_NOBODY;
    if (options.skip)
        wanted |= SMFIP_SKIP;
    *want_actions = actions;
    *want_steps = wanted & steps;
    *want_third = *want_fourth = 0;
    if (options.macros &&
        (smfi_setsymlist(context, SMFIM_CONNECT, (char[]){ "j {client_addr} _" }) != MI_SUCCESS ||
         smfi_setsymlist(context, SMFIM_ENVFROM, (char[]){ "i {auth_authen}" }) != MI_SUCCESS))
        return SMFIS_REJECT;
    return SMFIS_CONTINUE;
}

/* What does not count when no answer is awaited. */
static sfsistat go_on(void)
{
    return options.silent ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static void note_macro(SMFICTX *context, char *name)
{
    struct session *session = session_of(context);
    const char *value = smfi_getsymval(context, name);
    size_t len = strlen(session->macros);

    snprintf(session->macros + len, sizeof(session->macros) - len, " %s=%s", name,
             value == NULL ? "-" : value);
}

static sfsistat on_connect(SMFICTX *context, UNUSED char *name, UNUSED _SOCK_ADDR *address)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL || smfi_setpriv(context, session) != MI_SUCCESS)
        return SMFIS_TEMPFAIL;
    fprintf(stderr, "child_milter: begun\n");
    note_macro(context, (char[]){ "j" });
    note_macro(context, (char[]){ "{client_addr}" });
    note_macro(context, (char[]){ "{daemon_name}" });
    return go_on();
}

static sfsistat on_sender(SMFICTX *context, UNUSED char **words)
{
    note_macro(context, (char[]){ "i" });
    note_macro(context, (char[]){ "{auth_authen}" });
    note_macro(context, (char[]){ "{mail_addr}" });
    return go_on();
}

static sfsistat on_recipient(SMFICTX *context, char **words)
{
    session_of(context)->recipients++;
    if (strncmp(words[0], "<reject", 7) == 0)
        return SMFIS_REJECT;
    if (strncmp(words[0], "<later", 6) == 0)
        return smfi_setreply(context, (char[]){ "451" }, (char[]){ "4.2.1" },
                             (char[]){ "100%% full" }) == MI_SUCCESS
                   ? SMFIS_TEMPFAIL
                   : SMFIS_DISCARD;
    if (strncmp(words[0], "<lines", 6) == 0)
        return smfi_setmlreply(context, "550", "5.1.1", "one", "two", NULL) == MI_SUCCESS
                   ? SMFIS_REJECT
                   : SMFIS_DISCARD;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
    struct session *session = session_of(context);

    session->fields++;
    if (strcmp(name, "X-Value") == 0)
        snprintf(session->value, sizeof(session->value), "%s", value);
    while (*value == ' ')
        value++;
    if (strcmp(name, "X-Do") == 0 && session->todo_count < DO_MOST)
        snprintf(session->todo[session->todo_count++], sizeof(session->todo[0]), "%s", value);
    return go_on();
}

static sfsistat on_body(SMFICTX *context, unsigned char *bytes, size_t len)
{
    struct session *session = session_of(context);

    session->body += len;
    for (size_t i = 0; i < len; i++)
        session->sum = (char)(session->sum + bytes[i]);
    return options.skip ? SMFIS_SKIP : go_on();
}

static int replace_body(SMFICTX *context, size_t chunks)
{
    static unsigned char text[60000];
    int rc = MI_SUCCESS;

    memset(text, 'n', sizeof(text));
    while (chunks-- > 0 && rc == MI_SUCCESS)
        rc = smfi_replacebody(context, text, sizeof(text));
    return rc;
}

/* A change; true when the word is one. */
static bool change(SMFICTX *context, const char *word)
{
    char name[] = "X-Field", value[] = "new\n\tvalue", removed[] = "", text[] = "text";
    char added[] = "<added@example.org>", gone[] = "<gone@example.org>",
         sender[] = "<s@example.org>";
    char arguments[] = "NOTIFY=NEVER";
    int rc = MI_FAILURE;

    if (strcmp(word, "add") == 0)
        rc = smfi_addheader(context, name, value);
    else if (strcmp(word, "insert") == 0)
        rc = smfi_insheader(context, 2, name, value);
    else if (strcmp(word, "change") == 0)
        rc = smfi_chgheader(context, name, 1, value);
    else if (strcmp(word, "remove") == 0)
        rc = smfi_chgheader(context, name, 2, removed);
    else if (strcmp(word, "addrcpt") == 0)
        rc = smfi_addrcpt(context, added);
    else if (strcmp(word, "addrcpt_par") == 0)
        rc = smfi_addrcpt_par(context, added, arguments);
    else if (strcmp(word, "delrcpt") == 0)
        rc = smfi_delrcpt(context, gone);
    else if (strcmp(word, "sender") == 0)
        rc = smfi_chgfrom(context, sender, NULL);
    else if (strcmp(word, "body") == 0)
        rc = replace_body(context, 3);
    else if (strcmp(word, "quarantine") == 0)
        rc = smfi_quarantine(context, text);
    else if (strcmp(word, "progress") == 0)
        rc = smfi_progress(context);
    return rc == MI_SUCCESS;
}

static sfsistat on_end(SMFICTX *context)
{
    struct session *session = session_of(context);
    char name[] = "X-Seen", text[3 * TEXT_MAX];

    snprintf(text, sizeof(text), "recipients=%zu fields=%zu body=%zu sum=%d value=[%s]%s",
             session->recipients, session->fields, session->body, (unsigned char)session->sum,
             session->value, session->macros);
    if (smfi_addheader(context, name, text) != MI_SUCCESS)
        return SMFIS_TEMPFAIL;
    for (size_t i = 0; i < session->todo_count; i++) {
        const char *word = session->todo[i];
        if (strcmp(word, "reject") == 0)
            return SMFIS_REJECT;
        if (strcmp(word, "tempfail") == 0)
            return SMFIS_TEMPFAIL;
        if (strcmp(word, "discard") == 0)
            return SMFIS_DISCARD;
        if (strcmp(word, "accept") == 0)
            return SMFIS_ACCEPT;
        if (!change(context, word))
            fprintf(stderr, "child_milter: %s failed\n", word);
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *context)
{
    if (session_of(context) != NULL) /* not a mere connection */
        fprintf(stderr, "child_milter: ended\n");
    free(session_of(context));
    smfi_setpriv(context, NULL);
    return SMFIS_CONTINUE;
}

static void read_options(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        options.leadspc |= strcmp(argv[i], "leadspc") == 0;
        options.silent |= strcmp(argv[i], "silent") == 0;
        options.macros |= strcmp(argv[i], "macros") == 0;
        options.nobody |= strcmp(argv[i], "nobody") == 0;
        options.skip |= strcmp(argv[i], "skip") == 0;
    }
}

int main(int argc, char **argv)
{
    struct smfiDesc milter = {
        .xxfi_name = (char[]){ "child_milter" },
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT |
                      SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT | SMFIF_QUARANTINE | SMFIF_CHGFROM |
                      SMFIF_SETSYMLIST,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_sender,
        .xxfi_envrcpt = on_recipient,
        .xxfi_header = on_header,
        .xxfi_body = on_body,
        .xxfi_eom = on_end,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    if (argc < 2) {
        fprintf(stderr,
                "usage: child_milter unix:PATH [leadspc] [silent] [macros] [nobody] [skip]\n");
        return 64;
    }
    read_options(argc, argv);
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(milter) != MI_SUCCESS)
        return 1;
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
