/* gatectl/explain_message.c - what contentd or signd would do to a message, for people; see explain.h. Members that an answer does
 * not have are passed over, so one function serves both daemons. */
#include "gatectl/explain.h"

#include "gatectl/output.h"

/* ---- pieces ---- */

/* " WORD" or " WORD VALUE"; nothing without a value. */
static void put_part(FILE *out, const char *before, const json_t *object, const char *name)
{
    struct slice text = json_member(object, name);

    if (text.len == 0)
        return;
    fputs(before, out);
    output_text(out, text);
}

static void put_list(FILE *out, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        fputs(i > 0 ? ", " : "", out);
        output_text(out, slice_of(json_string_value(item)));
    }
}

/* "name: value", a line. */
static void put_line(FILE *out, const char *name, const json_t *object, const char *member)
{
    if (json_member(object, member).len == 0)
        return;
    fprintf(out, "%s: ", name);
    output_text(out, json_member(object, member));
    putc('\n', out);
}

static bool is_yes(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static bool has_items(const json_t *object, const char *name)
{
    return json_array_size(json_object_get(object, name)) > 0;
}

/* Its items between `before` and `after`; nothing without any. */
static void put_items(FILE *out, const char *before, const json_t *object, const char *name,
                      const char *after)
{
    if (!has_items(object, name))
        return;
    fputs(before, out);
    put_list(out, json_object_get(object, name));
    fputs(after, out);
}

/* ---- rules ---- */

/* Rules of other stages have their own. */
static void print_stage(FILE *out, const json_t *stage)
{
    const json_t *rule;
    size_t i;

    fputs("at ", out);
    output_text(out, json_member(stage, "stage"));
    put_items(out, ", for ", stage, "recipients", "");
    fputs(":\n", out);
    json_array_foreach (json_object_get(stage, "trace"), i, rule)
        if (!slice_equal(json_member(rule, "result"), SLICE("other stage")))
            explain_print_rule(out, rule);
}

/* ---- contentd ---- */

static void print_scanner(FILE *out, const json_t *scanner)
{
    const json_t *score = json_object_get(scanner, "score");

    fputs("scanner ", out);
    output_text(out, json_member(scanner, "scanner"));
    fputs(" (", out);
    output_text(out, json_member(scanner, "kind"));
    putc(' ', out);
    put_list(out, json_object_get(scanner, "addresses"));
    fputs(is_yes(scanner, "streams") ? ", while the body comes): " : ", when it is whole): ", out);
    if (!is_yes(scanner, "wanted")) {
        fputs("not asked: nobody needs it\n", out);
        return;
    }
    output_text(out, json_member(scanner, "source"));
    put_part(out, ": ", scanner, "result");
    put_part(out, " ", scanner, "virus");
    if (score != NULL)
        fprintf(out, " %.1f", json_number_value(score));
    put_part(out, ", ", scanner, "error");
    put_part(out, ", ", scanner, "symbols");
    putc('\n', out);
}

static void print_chain(FILE *out, const json_t *chain)
{
    fputs("    chain ", out);
    output_text(out, json_member(chain, "name"));
    put_items(out, " (", chain, "scanners", ")");
    put_part(out, ", for ", chain, "key");
    put_part(out, " of ", chain, "place");
    if (slice_equal(json_member(chain, "origin"), SLICE("live")))
        fputs(", live", out);
    fputs(json_member(chain, "key").ptr == NULL ? ": no line of [apply] fits\n" : "\n", out);
}

static void print_recipient(FILE *out, const json_t *recipient)
{
    output_text(out, json_member(recipient, "recipient"));
    fputs(":\n", out);
    print_chain(out, json_object_get(recipient, "chain"));
    put_items(out, "    without ", recipient, "skipped", "\n");
    fputs("    ", out);
    output_text(out, json_member(recipient, "verdict"));
    if (is_yes(recipient, "tagged"))
        fputs(", tagged", out);
    if (!slice_equal(json_member(recipient, "source"), SLICE("none")))
        put_part(out, ", by ", recipient, "source");
    put_part(out, " ", recipient, "by");
    put_part(out, ": ", recipient, "reason");
    put_part(out, ", to ", recipient, "redirect");
    put_part(out, "; ", recipient, "fate");
    put_part(out, ", at ", recipient, "stage");
    putc('\n', out);
    put_line(out, "    reply", recipient, "reply");
}

/* ---- edits ---- */

static void print_edits(FILE *out, const char *indent, const json_t *edits)
{
    const json_t *edit;
    size_t i;

    json_array_foreach (edits, i, edit) {
        fputs(indent, out);
        output_text(out, json_member(edit, "edit"));
        put_part(out, " ", edit, "name");
        put_part(out, ": ", edit, "text");
        putc('\n', out);
    }
}

static void print_copies(FILE *out, const char *what, const json_t *copies)
{
    const json_t *copy;
    size_t i;

    json_array_foreach (copies, i, copy) {
        fprintf(out, "%s: for ", what);
        put_list(out, json_object_get(copy, "recipients"));
        put_items(out, ", to ", copy, "added", "");
        putc('\n', out);
        print_edits(out, "    ", json_object_get(copy, "edits"));
    }
}

static void print_plan(FILE *out, const json_t *plan)
{
    json_int_t unedited = json_integer_value(json_object_get(plan, "unedited"));

    print_edits(out, "edit: ", json_object_get(plan, "edits"));
    print_copies(out, "quarantine", json_object_get(plan, "quarantine"));
    print_copies(out, "copy", json_object_get(plan, "outbox"));
    if (json_is_false(json_object_get(plan, "possible")))
        fputs(
            "the copies cannot be kept, for a directory could not be opened: it would be deferred\n",
            out);
    if (unedited > 0)
        fprintf(out, "%lld without the edits of their own: there is no release listener\n",
                (long long)unedited);
}

/* ---- signd ---- */

static void print_key(FILE *out, struct slice domain, const json_t *key)
{
    const json_t *bits = json_object_get(key, "bits");

    fputs("    key ", out);
    output_text(out, domain);
    put_part(out, "/", key, "selector");
    put_part(out, " ", key, "type");
    if (bits != NULL)
        fprintf(out, " %lld", (long long)json_integer_value(bits));
    put_part(out, ", ", key, "state");
    if (json_member(key, "state").ptr == NULL)
        fputs(", state not known", out);
    fputs(is_yes(key, "signs") ? ": signs" : ": does not sign", out);
    put_part(out, ", ", key, "problem");
    putc('\n', out);
}

static void print_looked(FILE *out, const json_t *looked)
{
    const json_t *key;
    size_t i;

    fputs("keys of ", out);
    output_text(out, json_member(looked, "domain"));
    put_part(out, " (", looked, "why");
    fputs(has_items(looked, "keys") ? "):\n" : "): none\n", out);
    json_array_foreach (json_object_get(looked, "keys"), i, key)
        print_key(out, json_member(looked, "domain"), key);
}

static void print_signature(FILE *out, const json_t *signature)
{
    fputs("signature of ", out);
    output_text(out, json_member(signature, "domain"));
    put_part(out, "/", signature, "selector");
    put_part(out, ": ", signature, "algorithm");
    put_part(out, ", ", signature, "canonicalization");
    fputs(", of ", out);
    put_list(out, json_object_get(signature, "headers"));
    putc('\n', out);
}

static void print_signing(FILE *out, const json_t *signing)
{
    const json_t *item;
    size_t i;

    put_line(out, "from", signing, "from");
    json_array_foreach (json_object_get(signing, "looked"), i, item)
        print_looked(out, item);
    fputs("signing: ", out);
    output_text(out, json_member(signing, "result"));
    put_part(out, ", ", signing, "reason");
    putc('\n', out);
    json_array_foreach (json_object_get(signing, "signatures"), i, item)
        print_signature(out, item);
}

static void print_claim(FILE *out, const json_t *claim)
{
    fputs("dkim: ", out);
    output_text(out, json_member(claim, "result"));
    put_part(out, " ", claim, "domain");
    put_part(out, "/", claim, "selector");
    put_part(out, ", ", claim, "algorithm");
    put_part(out, ", ", claim, "reason");
    fputs(is_yes(claim, "testing") ? ", a key for testing" : "", out);
    fputs(is_yes(claim, "length") ? ", signs a part of the body alone\n" : "\n", out);
}

static void print_dmarc(FILE *out, const json_t *dmarc)
{
    const json_t *domain;
    size_t i;

    json_array_foreach (json_object_get(dmarc, "domains"), i, domain) {
        fputs("dmarc record of ", out);
        output_text(out, json_member(domain, "domain"));
        put_part(out, ": ", domain, "lookup");
        fputs(is_yes(domain, "organizational") ? ", of the organizational domain\n" : "\n", out);
    }
    fputs("dmarc: ", out);
    output_text(out, json_member(dmarc, "result"));
    put_part(out, " ", dmarc, "domain");
    put_part(out, ", published ", dmarc, "published");
    put_part(out, ", asks for ", dmarc, "policy");
    fprintf(out, "; spf %saligned, dkim %saligned\n", is_yes(dmarc, "spf_aligned") ? "" : "not ",
            is_yes(dmarc, "dkim_aligned") ? "" : "not ");
}

static void print_verification(FILE *out, const json_t *verification)
{
    const json_t *claims = json_object_get(verification, "signatures"), *claim;
    const json_t *spf = json_object_get(verification, "spf");
    size_t i;

    if (json_array_size(claims) == 0)
        fputs("dkim: none\n", out);
    json_array_foreach (claims, i, claim)
        print_claim(out, claim);
    fputs("spf: ", out);
    output_text(out, json_member(spf, "result").len > 0 ? json_member(spf, "result")
                                                        : SLICE("not known"));
    put_part(out, " ", spf, "domain");
    put_part(out, ", says ", spf, "source");
    putc('\n', out);
    print_dmarc(out, json_object_get(verification, "dmarc"));
}

/* ---- all of it ---- */

static void print_each(FILE *out, const json_t *list, void (*print)(FILE *out, const json_t *item))
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        print(out, item);
}

static void print_head(FILE *out, const json_t *answer)
{
    fputs("direction: ", out);
    output_text(out, json_member(answer, "direction"));
    put_part(out, ", ", answer, "direction_reason");
    putc('\n', out);
    if (slice_equal(json_member(answer, "mode"), SLICE("shadow")))
        fputs("mode: shadow: the MTA is told to accept it as it is\n", out);
    if (json_member(answer, "task").ptr != NULL) {
        fputs("task: ", out);
        output_text(out, json_member(answer, "task"));
        put_part(out, ", by the ", answer, "task_by");
        putc('\n', out);
    }
}

void explain_print_message(FILE *out, const json_t *answer)
{
    print_head(out, answer);
    print_each(out, json_object_get(answer, "stages"), print_stage);
    print_each(out, json_object_get(answer, "scanners"), print_scanner);
    print_each(out, json_object_get(answer, "recipients"), print_recipient);
    if (json_object_get(answer, "signing") != NULL)
        print_signing(out, json_object_get(answer, "signing"));
    if (json_object_get(answer, "verification") != NULL)
        print_verification(out, json_object_get(answer, "verification"));
    print_plan(out, json_object_get(answer, "plan"));
    print_edits(out, "edit: ", json_object_get(answer, "edits"));
    if (is_yes(answer, "late"))
        fputs("the budget was over: what was missing is unknown\n", out);
    put_line(out, "verdict", answer, "verdict");
    put_line(out, "rule", answer, "rule");
    put_line(out, "reason", answer, "reason");
    put_line(out, "reply", answer, "reply");
}
