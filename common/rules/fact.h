/* common/rules/fact.h - what a fact is, as rules see it. A daemon has one table of fact types; a rule set names facts by
 * `slot`, an index into its own array of references, so a request's facts are a plain array. */
#ifndef GATEHOUSE_RULES_FACT_H
#define GATEHOUSE_RULES_FACT_H

#include "common/rules/value.h"

enum fact_state {
    FACT_MISSING, /* nobody has asked for it yet, or it is on its way: evaluation waits */
    FACT_UNKNOWN, /* it could not be had: a time-out, no database, no store */
    FACT_KNOWN,
};

/* Stages of an SMTP transaction, as bits of a set (`stage = any` is STAGE_ALL). At DATA and END-OF-MESSAGE Postfix names
 * the recipient only when there is one: with several the request is at the _MANY stage, where `recipient` does not
 * exist and rules that name it do not run. `stage = data` means both. */
enum stage {
    STAGE_CONNECT = 1 << 0,
    STAGE_HELO = 1 << 1, /* EHLO too */
    STAGE_MAIL = 1 << 2,
    STAGE_RCPT = 1 << 3,
    STAGE_DATA = 1 << 4,
    STAGE_DATA_MANY = 1 << 5,
    STAGE_END = 1 << 6, /* END-OF-MESSAGE */
    STAGE_END_MANY = 1 << 7,
    STAGE_OTHER = 1 << 8, /* VRFY, ETRN, XCLIENT and what is to come */
};
#define STAGES_DATA ((unsigned)(STAGE_DATA | STAGE_DATA_MANY))
#define STAGES_END ((unsigned)(STAGE_END | STAGE_END_MANY))
#define STAGE_ALL 0x1ffu

/* `any`, or words of connect helo mail rcpt data end-of-message other, separated by blanks or commas. On failure
 * *offset is where the unknown word begins (the length of `text` when there is none at all). */
bool stages_parse(struct slice text, unsigned *stages, size_t *offset);
/* The words of a set, separated by commas: "rcpt, data"; "any" for all. At most STAGES_TEXT_MAX bytes and a NUL. A set
 * with only one of two stages of the same word is named "data with one recipient", "data with several recipients". */
enum { STAGES_TEXT_MAX = 200 };
struct slice stages_print(unsigned stages, char out[STAGES_TEXT_MAX + 1]);

struct fact_type {
    const char *name; /* `sender`; one `*` stands for an argument: `limit.*.used` */
    enum value_type type;
    unsigned stages; /* set of enum stage where it exists */
    const char *const *words; /* VALUE_WORD: the closed vocabulary, NULL-terminated; NULL: any */
    /* Is this literal one that the fact can have? NULL: not checked. */
    bool (*accepts)(struct slice literal);
    bool has_side_effect; /* never fetched ahead of time, only when evaluation reaches it */
    int id; /* the daemon's own number for it: its provider switches on it */
    const char *doc; /* one sentence, for -d and the manual */
};

enum fact_kind {
    FACT_PLAIN, /* a row of the fact table */
    FACT_IN_LIST, /* BOOLEAN: subject in list:NAME or in list:NAME/{key} */
    FACT_IN_MAP, /* BOOLEAN: subject in map:NAME/{key}: is subject among the values of key */
};

const char *value_type_name(enum value_type type); /* "a mailbox" */

#define FACT_NONE SIZE_MAX

struct fact_ref {
    enum fact_kind kind;
    const struct fact_type *type; /* FACT_PLAIN */
    struct slice name; /* as written: `limit.user-hourly.used`, `list:block` */
    struct slice arg; /* FACT_PLAIN: what stands for `*`; else NAME of the list or map */
    size_t subject; /* list, map: slot of the fact left of `in` */
    size_t key; /* slot of the fact in braces, FACT_NONE without */
};

#endif
