/* gatectl/command.c - the table of commands and the way into it. See command.h. */
#include "gatectl/command.h"

#include "common/base/suggest.h"

const struct command commands[] = {
    { "status", NULL, "", 0, 0, 0, cmd_status_show,
      "Shows how the daemon and its store are, and what is loaded.", NULL },
    { "limit", "list", "", 0, 0, 0, cmd_limit_list, "Shows the limits of the configuration.",
      NULL },
    { "limit", "get", "LIMIT [FIELD]", 1, 2, 0, cmd_limit_get,
      "Shows the rates of a limit: those of the file, then the live ones, which win. FIELD is "
      "default, user:VALUE, domain:DOMAIN or class:CLASS.",
      "gatectl limit get user-hourly user:alice@example.com" },
    { "limit", "set", "LIMIT FIELD RATE", 3, 3, OPTIONS_SET, cmd_limit_set,
      "Gives a user, a domain, a class or everybody (default) another rate, on every host within a "
      "second. RATE is N/WINDOW, such as 500/1h or 10M/1d, or unlimited; 0/1h refuses all.",
      "gatectl limit set user-hourly user:alice@example.com 500/1h --until 2d --note \"newsletter\"" },
    { "limit", "unset", "LIMIT FIELD", 2, 2, OPTION_FORCE, cmd_limit_unset,
      "Removes a live rate; the file's is in force again.", NULL },
    { "limit", "reset", "LIMIT [VALUE]", 1, 2, 0, cmd_limit_reset,
      "Sets what VALUE has used of a limit back to nothing. A limit without a key has no VALUE.",
      "gatectl limit reset user-hourly alice@example.com" },
    { "class", "list", "", 0, 0, 0, cmd_class_list, "Shows the live members of classes.", NULL },
    { "class", "set", "MEMBER CLASS", 2, 2, OPTIONS_SET, cmd_class_set,
      "Puts a mailbox, a login, @domain or a network into a class.",
      "gatectl class set @shop.example silver" },
    { "class", "unset", "MEMBER", 1, 1, OPTION_FORCE, cmd_class_unset,
      "Removes a live member; the file's class is in force again.", NULL },
    { "list", "show", "LIST", 1, 1, 0, cmd_list_show,
      "Shows the live entries of a list. LIST/RECIPIENT is one recipient's (or domain's) own.",
      NULL },
    { "list", "add", "LIST ENTRY...", 2, ARGS_ANY, OPTIONS_SET, cmd_list_add,
      "Adds entries: addresses, networks, example.com, .example.com (it and all below), "
      "user@example.com, @example.com or words; with ! before it an entry excludes.",
      "gatectl list add block 192.0.2.0/24 --until 1d --note \"dictionary attack\"" },
    { "list", "rm", "LIST ENTRY...", 2, ARGS_ANY, OPTION_FORCE, cmd_list_remove,
      "Removes live entries. What stands in a file stays: !ENTRY overrules it.", NULL },
    { "map", "show", "MAP", 1, 1, 0, cmd_map_show, "Shows the live keys of a map.", NULL },
    { "map", "set", "MAP KEY VALUE...", 3, ARGS_ANY, OPTIONS_SET, cmd_map_set,
      "Gives a key (user@example.com, user@, @example.com, @.example.com) these values.",
      "gatectl map set owners sales@example.com alice bob" },
    { "map", "rm", "MAP KEY", 2, 2, OPTION_FORCE, cmd_map_remove,
      "Removes a live key; the file's values are in force again.", NULL },
    { "rule", "list", "", 0, 0, 0, cmd_rule_list, "Shows the rules in force, in their order.",
      NULL },
    { "rule", "set",
      "RULE order=N [when=CONDITION] then=ACTION [mode=shadow] [stage=...] "
      "[trouble=...]",
      3, 7, OPTIONS_SET, cmd_rule_set, "Adds a live rule or replaces it.",
      "gatectl rule set storm order=50 'when=helo_name = \"evil.example\"' "
      "'then=reject 5.7.1 Not now' mode=shadow --until 2h" },
    { "rule", "unset", "RULE", 1, 1, OPTION_FORCE, cmd_rule_unset, "Removes a live rule.", NULL },
    { "apply", "list", "", 0, 0, 0, cmd_apply_list,
      "Shows the live lines of [apply]: which recipients have which chain of contentd.", NULL },
    { "apply", "set", "WHO CHAIN", 2, 2, OPTIONS_SET, cmd_apply_set,
      "Gives a recipient (user@example.com, user@, @example.com, @.example.com, or * for everybody else) another chain.",
      "gatectl apply set gm@example.com boss" },
    { "apply", "unset", "WHO", 1, 1, OPTION_FORCE, cmd_apply_unset,
      "Removes a live line; the file's is in force again.", NULL },
    { "show", "user", "VALUE", 1, 1, 0, cmd_show_user,
      "Shows every limit whose key VALUE can be (a mailbox, a login, a domain, an address): how "
      "much is used of how much, where the rate comes from, and when there is room again.",
      "gatectl show user alice@example.com" },
    { "top", NULL, "[LIMIT]", 0, 1, OPTION_COUNT, cmd_top_show,
      "Shows who has used most of a limit, or of all.", NULL },
    { "explain", NULL, "ATTRIBUTE=VALUE... | -", 0, ARGS_ANY, (unsigned)OPTION_DAEMON | OPTION_SCAN,
      cmd_explain,
      "Shows what a request with these attributes would be answered, which rules it meets, and the "
      "facts they see. With - it is read from standard input, as Postfix sends it. Nothing is "
      "charged or remembered. With --daemon contentd or --daemon signd it is a message: the attributes say "
      "what the MTA would (client_address, client_name, client_port, helo_name, daemon_address, daemon_port, "
      "daemon_name, sasl_username, sasl_method, encryption_protocol, encryption_cipher, ccert_subject, smtputf8, "
      "myhostname, queue_id, sender, recipient, which may be repeated) and what policyd would have recorded "
      "(policy.spf, policy.spf_domain, policy.spf_helo, policy.score, policy.rule; without them its record is "
      "read, if there is one); header fields and body are read from standard input. Without client_address it "
      "is mail of this host. contentd shows who has which chain and why, the rules at each stage, the scanners, "
      "the verdict for each recipient and the plan; no scanner is asked without --scan: CLAM.result=virus, "
      "CLAM.virus=NAME, SPAM.score=7 say what those of these names find, the others find nothing. signd shows "
      "who signs and why others do not, or what verifying finds; no signature is shown. Nothing is delivered, "
      "kept, counted or recorded.",
      "gatectl explain --daemon contentd client_address=192.0.2.7 sender=a@example.net "
      "recipient=b@example.org < message.eml" },
    { "tail", NULL, "", 0, 0, (unsigned)OPTION_COUNT | OPTION_FIND, cmd_tail,
      "Shows the newest decisions, then each as it is made.", "gatectl tail --find alice@" },
    { "why", NULL, "REFERENCE", 1, 1, 0, cmd_why,
      "Shows the decision behind a reference (the ref= of a reply) or a queue id, and what is recorded "
      "of the message in Redis for an hour: what was charged and given back, what contentd and signd "
      "said.",
      "gatectl why 7f3k2q" },
    { "quarantine", "list", "", 0, 0,
      (unsigned)OPTION_RECIPIENT | OPTION_SENDER | OPTION_OLDER | OPTION_FIND | OPTION_COUNT |
          OPTION_AFTER,
      cmd_quarantine_list,
      "Shows the messages that contentd keeps, the newest first. --find looks into the reason, the "
      "subject, the From: address and the queue id. When contentd is down, this command and the "
      "others of quarantine work straight on quarantine_directory, and say so.",
      "gatectl quarantine list --recipient @example.com --older 7d" },
    { "quarantine", "show", "ID", 1, 1, OPTION_MESSAGE, cmd_quarantine_show,
      "Shows what is known of a kept message, or the message itself.",
      "gatectl quarantine show 01m8191a20jnyfwhtjf6 --message > kept.eml" },
    { "quarantine", "release", "ID...", 1, ARGS_ANY,
      (unsigned)OPTION_RECIPIENT | OPTION_TO | OPTION_SENDER, cmd_quarantine_release,
      "Sends kept messages to the recipients they are kept for (--recipient: to this one alone), as "
      "they were received and without being scanned again. Who has got one is no longer kept; a "
      "message that is kept for nobody is gone. Of what is damaged (list and show say so) nobody "
      "knows for certain whom it was for: it is released with --to, and perhaps --sender, and stays "
      "until it is deleted.",
      "gatectl quarantine release 01m8191a20jnyfwhtjf6" },
    { "quarantine", "delete", "ID...", 1, ARGS_ANY, 0, cmd_quarantine_delete,
      "Deletes kept messages for ever.", NULL },
    { "dkim", "new", "DOMAIN", 1, 1,
      (unsigned)OPTION_SELECTOR | OPTION_RSA | OPTION_ED25519 | OPTION_ACTIVE | OPTION_DIRECTORY |
          OPTION_NOTE,
      cmd_dkim_new,
      "Makes a key for signd, RSA with 2048 bits unless told otherwise, and shows the record to "
      "publish. The key waits: signd signs with it when the DNS shows the record.",
      "gatectl dkim new example.com --rsa 2048 --ed25519" },
    { "dkim", "list", "", 0, 0, OPTION_DIRECTORY, cmd_dkim_list,
      "Shows the keys of this host and the state of each: pending (its record is waited for), seen, "
      "active (signs), retiring (its record must stay), retired (record and file may go). RECORD is what "
      "the DNS shows of an active key, as signd saw it last: good, missing, differs from the key, or "
      "unknown (not looked at yet, or a resolver cannot say).",
      NULL },
    { "dkim", "show", "DOMAIN [SELECTOR]", 1, 2, OPTION_DIRECTORY, cmd_dkim_show,
      "Shows the records of a domain's keys, to be published.", NULL },
    { "dkim", "test", "DOMAIN [SELECTOR]", 1, 2, OPTION_DIRECTORY, cmd_dkim_test,
      "Compares what each resolver says with the keys of a domain, and names each difference. The "
      "exit code is 1 if there is one.",
      "gatectl dkim test example.com" },
    { "dkim", "rotate", "DOMAIN", 1, 1,
      (unsigned)OPTION_DIRECTORY | OPTION_ACTIVE | OPTION_FORCE | OPTION_NOTE, cmd_dkim_rotate,
      "Makes a successor for each active key of a domain. When the DNS shows the new record, signd "
      "changes over on all hosts at the same time; the old record must stay for key_retire_after.",
      "gatectl dkim rotate example.com" },
    { "dkim", "set", "DOMAIN SELECTOR STATE", 3, 3, OPTION_NOTE, cmd_dkim_set,
      "Puts a key into a state by hand: pending, seen, active, retiring or retired.",
      "gatectl dkim set example.com s20261122 active" },
    { "check", NULL, "[FILE]", 0, 1, 0, cmd_check,
      "Checks a configuration: runs gatehouse-NAME -t -c FILE for a file that is named NAME.conf (policyd, contentd, "
      "signd), gatehouse-policyd for any other; its exit status (0, or 78 for a bad file) is then that of gatectl.",
      NULL },
    { "help", NULL, "[COMMAND]", 0, 2, OPTION_MAN, cmd_help, "Shows what the commands do.", NULL },
};
const size_t command_count = COUNT(commands);

/* A word that is no noun, or no verb of `noun`. */
static void tell_unknown(struct gatectl *ctl, const char *noun, const char *word)
{
    struct suggest best = suggest_for(slice_of(word));

    for (size_t i = 0; i < command_count; i++) {
        if (noun == NULL)
            suggest_offer(&best, slice_of(commands[i].noun));
        else if (strcmp(commands[i].noun, noun) == 0)
            suggest_offer(&best, slice_of(commands[i].verb));
    }
    if (best.name.ptr != NULL)
        gatectl_error(ctl, "\"%s\" is no command; did you mean \"%.*s\"?", word,
                      SLICE_ARG(best.name));
    else
        gatectl_error(ctl, "\"%s\" is no command; \"gatectl help\" names them", word);
}

bool command_has_noun(struct gatectl *ctl, const char *noun)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].noun, noun) == 0)
            return true;
    tell_unknown(ctl, NULL, noun);
    return false;
}

const struct command *command_find(struct gatectl *ctl, char **args, size_t count, size_t *used)
{
    if (count == 0) {
        command_print_help(ctl->err, NULL);
        return NULL;
    }
    if (!command_has_noun(ctl, args[0]))
        return NULL;
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].noun, args[0]) != 0)
            continue;
        if (commands[i].verb == NULL) {
            *used = 1;
            return &commands[i];
        }
        if (count > 1 && strcmp(commands[i].verb, args[1]) == 0) {
            *used = 2;
            return &commands[i];
        }
    }
    if (count > 1)
        tell_unknown(ctl, args[0], args[1]);
    else
        command_print_help(ctl->err, args[0]);
    return NULL;
}

bool command_accepts(struct gatectl *ctl, const struct command *command, char **args, size_t count)
{
    unsigned strange = ctl->options.given & ~command->options;

    for (size_t i = 0; option_docs[i].name != NULL; i++)
        if ((strange & option_docs[i].bit) != 0) {
            gatectl_error(ctl, "--%s means nothing here", option_docs[i].name);
            return false;
        }
    bool is_empty = false; /* a shell's variable that is not set, mostly */
    for (size_t i = 0; i < count && !is_empty; i++)
        is_empty = args[i][0] == '\0';
    if (is_empty)
        gatectl_error(ctl, "an argument is empty");
    else if (count >= command->least && count <= command->most)
        return true;
    fputs("usage: ", ctl->err);
    command_print_usage(ctl->err, command);
    return false;
}
