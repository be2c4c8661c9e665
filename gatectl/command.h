/* gatectl/command.h - the table of commands: dispatch, help, the manual page and completion come from it. */
#ifndef GATEHOUSE_GATECTL_COMMAND_H
#define GATEHOUSE_GATECTL_COMMAND_H

#include "gatectl/gatectl.h"

enum { ARGS_ANY = 1000 };

struct command {
    const char *noun;
    const char *verb; /* NULL: the noun is the command */
    const char *arguments; /* as in the synopsis; "" without */
    size_t least, most; /* number of arguments */
    unsigned options; /* set of enum option_bit beside those that all take */
    int (*run)(struct gatectl *ctl, char **args, size_t count); /* enum exit_code */
    const char *doc; /* sentences */
    const char *example; /* may be NULL */
};

extern const struct command commands[];
extern const size_t command_count;

/* The command that args begin with; *used is how many of them name it. NULL after a message. */
const struct command *command_find(struct gatectl *ctl, char **args, size_t count, size_t *used);

/* Are the arguments and options such as it takes? False after a message. */
bool command_accepts(struct gatectl *ctl, const struct command *command, char **args, size_t count);

/* "gatectl limit set NAME ...". */
int command_print_usage(FILE *out, const struct command *command);
/* Whether a command begins with this word; if not, that is said. */
bool command_has_noun(struct gatectl *ctl, const char *noun);
void command_print_help(FILE *out, const char *noun); /* NULL: all */
int command_print_man(struct buf *out); /* gatectl(8) in roff, man(7); 0, or -1: buffer full */

/* ---- one file per noun ---- */
int cmd_status_show(struct gatectl *ctl, char **args, size_t count);
int cmd_limit_list(struct gatectl *ctl, char **args, size_t count);
int cmd_limit_get(struct gatectl *ctl, char **args, size_t count);
int cmd_limit_set(struct gatectl *ctl, char **args, size_t count);
int cmd_limit_unset(struct gatectl *ctl, char **args, size_t count);
int cmd_limit_reset(struct gatectl *ctl, char **args, size_t count);
int cmd_class_list(struct gatectl *ctl, char **args, size_t count);
int cmd_class_set(struct gatectl *ctl, char **args, size_t count);
int cmd_class_unset(struct gatectl *ctl, char **args, size_t count);
int cmd_apply_list(struct gatectl *ctl, char **args, size_t count);
int cmd_apply_set(struct gatectl *ctl, char **args, size_t count);
int cmd_apply_unset(struct gatectl *ctl, char **args, size_t count);
int cmd_list_show(struct gatectl *ctl, char **args, size_t count);
int cmd_list_add(struct gatectl *ctl, char **args, size_t count);
int cmd_list_remove(struct gatectl *ctl, char **args, size_t count);
int cmd_map_show(struct gatectl *ctl, char **args, size_t count);
int cmd_map_set(struct gatectl *ctl, char **args, size_t count);
int cmd_map_remove(struct gatectl *ctl, char **args, size_t count);
int cmd_rule_list(struct gatectl *ctl, char **args, size_t count);
int cmd_rule_set(struct gatectl *ctl, char **args, size_t count);
int cmd_rule_unset(struct gatectl *ctl, char **args, size_t count);
int cmd_show_user(struct gatectl *ctl, char **args, size_t count);
int cmd_top_show(struct gatectl *ctl, char **args, size_t count);
int cmd_explain(struct gatectl *ctl, char **args, size_t count);
int cmd_tail(struct gatectl *ctl, char **args, size_t count);
int cmd_why(struct gatectl *ctl, char **args, size_t count);
int cmd_quarantine_list(struct gatectl *ctl, char **args, size_t count);
int cmd_quarantine_show(struct gatectl *ctl, char **args, size_t count);
int cmd_quarantine_release(struct gatectl *ctl, char **args, size_t count);
int cmd_quarantine_delete(struct gatectl *ctl, char **args, size_t count);
int cmd_dkim_new(struct gatectl *ctl, char **args, size_t count);
int cmd_dkim_list(struct gatectl *ctl, char **args, size_t count);
int cmd_dkim_show(struct gatectl *ctl, char **args, size_t count);
int cmd_dkim_test(struct gatectl *ctl, char **args, size_t count);
int cmd_dkim_rotate(struct gatectl *ctl, char **args, size_t count);
int cmd_dkim_set(struct gatectl *ctl, char **args, size_t count);
int cmd_check(struct gatectl *ctl, char **args, size_t count);
int cmd_help(struct gatectl *ctl, char **args, size_t count);

#endif
