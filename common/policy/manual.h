/* common/policy/manual.h - what the manual pages and -d of all daemons with rules say about them. */
#ifndef GATEHOUSE_POLICY_MANUAL_H
#define GATEHOUSE_POLICY_MANUAL_H

#include "common/config/usage.h"
#include "common/rules/rules.h"

/* The describe() of tables of facts (struct fact_type) and of actions (struct action_type). */
int manual_fact(const void *rows, size_t i, struct buf *name, struct buf *sort, struct buf *doc);
int manual_action(const void *rows, size_t i, struct buf *name, struct buf *sort, struct buf *doc);

/* Both tables of a daemon, as rows of usage_program.tables. */
#define RULE_TABLES_USAGE(facts, fact_count, actions, action_count)                                                          \
    { "FACTS",                                                                                                               \
      "Conditions compare them, texts show them ({sender}). With each stands what it is and at which stages of the SMTP "    \
      "session it exists. A * stands for a name: of a header field, or one that the configuration declares.",                \
      (facts), (fact_count), manual_fact },                                                                                  \
    {                                                                                                                        \
        "ACTIONS",                                                                                                           \
            "What a rule may do (then). A final one ends the evaluation, behind the others it goes on. With each stand the " \
            "stages at which it acts unless the rule says otherwise (stage).",                                               \
            (actions), (action_count), manual_action                                                                         \
    }

/* clang-format off */
#define RULES_USAGE \
    { "RULES", \
      "Rules run in ascending order; the first final action ends the evaluation. A condition compares facts (see FACTS; " \
      "`gatectl explain` shows those that rules ask of a request):\n\n" \
      "    =  !=  <  <=  >  >=          compare a fact with a value or with another fact\n" \
      "    in (A, B)   not in (A, B)    is one of\n" \
      "    in list:NAME                 is in a list; list:NAME/{recipient} is one list per recipient\n" \
      "    in map:NAME/{sender}         is among the values of a map's key\n" \
      "    matches \"*.example.com\"      a pattern with * and ?, or /a regular expression/\n" \
      "    is set   is empty            has a value, has none\n" \
      "    and   or   not   ( )\n\n" \
      "The case of ASCII letters does not matter, in lists and maps neither. Only a regular expression over what somebody " \
      "wrote, such as subject or header.NAME, minds it, unless it is written /.../i; over mailboxes, domains and " \
      "words it does not. Texts are compared as a whole: matches \"*word*\" looks inside.\n\n" \
      "A fact that cannot be had is unknown, and so is every comparison with it; a rule whose whole condition comes out " \
      "unknown follows its trouble setting. A failed lookup alone never refuses mail." }

/* `also`: a sentence on reading again, or ""; `drain`: what becomes of what is under way, and how long it may take. */
#define SIGNALS_USAGE(also, drain) \
    { "SIGNALS", \
      "SIGHUP and SIGUSR1 read the configuration again; a file with a mistake changes nothing, and the log says what is " \
      "wrong with it. " also "SIGTERM and SIGINT let " drain ", and end the daemon." }
#define MILTER_DRAIN_USAGE \
    "the messages under way be finished, for at most 25 seconds, while new ones are deferred"

/* clang-format on */

#endif
