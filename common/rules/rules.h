/* common/rules/rules.h - rules over facts: the language (lexer, parser, types) and its evaluation. Pure: nothing here
 * does I/O, reads a clock or keeps state between calls; the same facts give the same verdict.
 *
 *     [rule country]
 *     when    = country in (KP, RU) and sasl_username is empty
 *     then    = reject 5.7.1 Mail from this country is not accepted here
 *     order   = 300
 *     mode    = enforce
 *     trouble = skip
 *     stage   = any
 *
 * `when` (always, without it), `order` (of rules that stand in a file), `mode` (or shadow), `trouble` (or match, defer)
 * and `stage` (or some of connect helo mail rcpt data end-of-message) may be left out.
 *
 * Conditions: and, or, not, ( ); FACT alone if it is yes or no; = != < <= > >= with a literal or another fact; in (a, b);
 * in list:NAME, list:NAME/{fact}, map:NAME/{fact}; matches "glob" or "/regex/i"; is set, is empty; not in, not matches,
 * is not. A bare word that is no fact, or "quoted text", is a literal, read as the type of the fact it is compared with:
 *     addresses   192.0.2.1, 192.0.2.0/24 (lies in)
 *     domains     example.com, .example.com (and below)
 *     mailboxes   user@example.com, @example.com (all there), @.example.com (and below)
 *     numbers     10, -1.5, 10M
 * A fact with several values (attachment.name) is, is in, matches or exceeds what any of them does; `!=`, `not in` and
 * `not matches` say that none does. An empty fact equals no literal, is in nothing, has no order, and is matched as the empty text; two empty facts are
 * equal.
 *
 * Three-valued logic (Kleene): false and unknown = false, true or unknown = true, not unknown = unknown. A comparison with
 * unknown is unknown, `is empty` too. */
#ifndef GATEHOUSE_RULES_RULES_H
#define GATEHOUSE_RULES_RULES_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/mail/reply.h"
#include "common/rules/fact.h"

/* ---- the schema: what a daemon lets its rules say ---- */

enum action_kind {
    ACTION_FINAL, /* ends the evaluation */
    ACTION_CONTINUES, /* collected; evaluation goes on */
};

enum action_argument {
    ARG_NONE,
    ARG_REPLY, /* [code] text, may hold {fact}; the default text when empty */
    ARG_TEXT, /* text, may hold {fact}; required */
    ARG_OPT_TEXT, /* text or nothing */
    ARG_HEADER, /* Name: text */
    ARG_HEADER_NAME, /* the name of a header field alone */
    ARG_MAILBOX, /* an address, may hold {fact} */
    ARG_WORD, /* one word: a restriction class, a scanner */
    ARG_LIMITS, /* A, B: names of limits */
    ARG_DURATION, /* 5m */
    ARG_NUMBER, /* +2, -1.5 */
};

struct action_type {
    const char *name; /* `reject` */
    int id; /* the daemon's own number */
    enum action_kind kind;
    enum action_argument argument;
    bool refuses; /* reject, defer: no limit is charged */
    bool uses_reply; /* of these a reply carries only one: all but accept, limit, greylist, score */
    /* Where it acts unless `stage` says otherwise; 0 for ARG_LIMITS: asked of the schema. */
    unsigned default_stages;
    unsigned stages; /* where it can act at all; 0: anywhere */
    const char *reply_class; /* ARG_REPLY: the codes it takes, "5" for reject, "4" for defer */
    const char *default_text; /* ARG_REPLY with no text: "Access denied" */
    const char *word_kind; /* ARG_WORD: a declared name of this kind, see name_at; NULL: any word */
    const char *doc;
};

struct rules_schema {
    const struct fact_type *facts;
    size_t fact_count;
    const struct action_type *actions;
    size_t action_count;
    /* Facts that the daemon asks for itself, whatever the rules name (the keys of limits): they get slots too. */
    const char *const *extra_facts;
    size_t extra_fact_count;
    /* Names the configuration declares; used for checking and suggestions. `context` is passed through. Each function may
     * be NULL: any name exists then, limits are charged at any stage, nothing is suggested. */
    bool (*list_exists)(const void *context, struct slice name);
    bool (*map_exists)(const void *context, struct slice name);
    bool (*limit_exists)(const void *context, struct slice name, unsigned *charging_stages);
    /* The n-th declared name of a kind ("list", "map", "limit"), absent past the end: for "did you mean". */
    struct slice (*name_at)(const void *context, const char *kind, size_t n);
    /* Is `arg` something that the `*` of this fact can stand for? Suggestions: name_at() with the kind that the fact's
     * name begins with ("limit" of `limit.*.used`). */
    bool (*fact_arg_known)(const void *context, const struct fact_type *type, struct slice arg);
    /* Of such a one: what is wrong with it all the same, said behind its name ("has no addresses"). NULL: nothing. */
    const char *(*fact_arg_unfit)(const void *context, const struct fact_type *type,
                                  struct slice arg);
    /* The kind of names that a fact's `*` stands for. NULL: the one that its name begins with. */
    const char *(*star_kind)(const struct fact_type *type);
    const void *context;
};

/* ---- a rule set ---- */

enum rule_mode { RULE_ENFORCE, RULE_SHADOW };
enum rule_trouble { TROUBLE_SKIP, TROUBLE_MATCH, TROUBLE_DEFER };

/* One rule as written. Absent slices mean "not given". Offsets in errors refer to these texts. */
struct rule_source {
    struct slice name, when, then, order, mode, trouble, stage;
    bool is_live; /* from the store: needs an order */
};

/* A mistake in a rule: which text, where in it (byte offset), what, and a suggestion inside the message. */
struct rule_error {
    enum rule_field {
        RULE_NAME,
        RULE_WHEN,
        RULE_THEN,
        RULE_ORDER,
        RULE_MODE,
        RULE_TROUBLE_FIELD,
        RULE_STAGE
    } field;
    size_t rule; /* index of the source */
    size_t offset;
    bool is_warning; /* worth saying, not a reason to refuse the file */
    char text[200];
};

struct rule_errors {
    void (*add)(void *arg, const struct rule_error *error);
    void *arg;
};

struct rule_set; /* opaque, immutable once made: shared by all workers */

/* Compiles all sources, sorted by order (a source without one gets the order of the source before it + 100, the first
 * 100; equal orders keep their sequence). Every mistake is reported; a rule with an error is left out of the set.
 * NULL only when memory is out. The set keeps copies of all texts. `schema` must outlive it. */
struct rule_set *rule_set_new(const struct rules_schema *schema, const struct rule_source *sources,
                              size_t count, const struct rule_errors *errors);
void rule_set_free(struct rule_set **set); /* NULL-safe; clears *set */

/* Bounds of what is compiled; beyond them is an error. */
enum {
    RULES_MAX = 10000,
    RULE_SLOTS_MAX = 4096, /* facts named by one set */
    CONDITION_TOKENS_MAX = 2000,
    CONDITION_DEPTH_MAX = 32,
    ACTION_TEXT_MAX = 400, /* bytes of a text with its facts filled in */
};

size_t rule_set_count(const struct rule_set *set);
size_t rule_set_slots(const struct rule_set *set); /* how many facts it names */
const struct fact_ref *rule_set_ref(const struct rule_set *set, size_t slot);
/* The slot of a plain fact that a rule or the schema's extra_facts name; FACT_NONE: neither does. The extra facts have
 * the same slots in every set of the same schema. */
size_t rule_set_slot(const struct rule_set *set, struct slice name);

/* A rule as compiled, for messages, metrics and listings. Borrowed from the set. */
struct rule_info {
    struct slice name, when, then; /* as written */
    long order;
    enum rule_mode mode;
    enum rule_trouble trouble;
    unsigned stages; /* where it can run: its `stage` cut down to where all its facts exist */
    bool is_live;
    const struct action_type *action;
};
struct rule_info rule_set_info(const struct rule_set *set, size_t rule);

/* Which names the rules use, those of rules with an error too: to find what the configuration declares in vain. A
 * limit is used by `limit NAME` alone; reading `limit.NAME.used` charges nothing. */
enum rule_name_kind { RULE_NAMES_FACT, RULE_NAMES_LIST, RULE_NAMES_MAP, RULE_NAMES_LIMIT };
bool rule_set_uses(const struct rule_set *set, enum rule_name_kind kind, struct slice name);

/* ---- evaluation ---- */

/* Where facts come from. get() answers at once. FACT_MISSING means that it has been asked for (with `ask` false: would
 * have to be; nothing may be started then) and that evaluation must be repeated when it is there. A fact that was KNOWN
 * or UNKNOWN once stays so, with its value, for the request. Facts come from their slot's rule_set_ref(); lists and maps
 * are asked for when their subject and key are known and not empty. */
struct fact_source {
    enum fact_state (*get)(struct fact_source *source, size_t slot, bool ask, struct value *out);
    double score; /* what the sum of scores begins with */
};

/* A continuing action that was reached, in order, or the final one. `text` has its facts filled in, escaped (printable
 * ASCII) and bounded to 400 bytes. */
struct action {
    const struct action_type *type;
    size_t rule; /* index in the set */
    unsigned code; /* ARG_REPLY: basic code given in the rule, e.g. 550; 0: not given */
    struct slice enhanced; /* ARG_REPLY: "5.7.1", or absent */
    struct slice text; /* text, mailbox, word */
    struct slice header; /* ARG_HEADER: the name; `text` is its value */
    const struct slice *limits; /* ARG_LIMITS: names as written */
    size_t limit_count;
    uint64_t duration_ms;
    double number;
};

/* The reply of a refusal (ARG_REPLY): what the rule says, the rest as given. Borrows from the action; `enhanced` is constant. */
struct reply action_reply(const struct action *action, unsigned code, const char *enhanced);

struct verdict {
    const struct action *final; /* NULL: no final action was reached */
    const struct action *continuing; /* in the order reached, without those of shadow rules */
    size_t continuing_count;
    const struct action *shadow; /* what shadow rules would have done */
    size_t shadow_count;
    /* Final because a rule's `trouble = defer` said so: final->type is the schema's `defer`. */
    bool is_trouble;
    const size_t *troubled; /* rules (shadow too) whose condition came out unknown or whose mailbox
                               text gave no address */
    size_t troubled_count;
    double score; /* sum of ARG_NUMBER actions, without shadow rules */
    size_t waits_on; /* EVAL_WAIT: the rule that waits; all else is then as far as it came */
};

enum eval_result {
    EVAL_DONE,
    EVAL_WAIT, /* a fact is missing; see rules_wanted() */
    EVAL_NO_MEMORY,
};

struct trace; /* what each rule saw and why; see trace.h */

/* Runs the rules that apply at `stage`, in order, to the first final action. All results live in `arena`. `score` (the
 * built-in fact of that name, VALUE_NUMBER) is known to the evaluator: the sum so far, beginning with facts->score. `trace` may be NULL. */
enum eval_result rules_eval(const struct rule_set *set, enum stage stage, struct fact_source *facts,
                            struct arena *arena, struct verdict *verdict, struct trace *trace);

/* After EVAL_WAIT: every slot that the rules from verdict.waits_on on could need at this stage, without those with a side
 * effect: `want` is called once for each (the subject and key of a list before the list), so that all are fetched side
 * by side. What the condition of the rule that waits cannot do without has been asked for by then. */
void rules_wanted(const struct rule_set *set, enum stage stage, size_t from_rule,
                  void (*want)(void *arg, size_t slot), void *arg);

#endif
