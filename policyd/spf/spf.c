/* policyd/spf/spf.c - check_host() as a sequence of steps that can stop at any look-up and go on there. See spf.h. */
#include "policyd/spf/spf_impl.h"

enum { REASON_DETAIL_MAX = 100 };

const char *spf_result_word(enum spf_result result)
{
    static const char *const words[SPF_RESULTS] = {
        [SPF_NONE] = "none",           [SPF_NEUTRAL] = "neutral",   [SPF_PASS] = "pass",
        [SPF_FAIL] = "fail",           [SPF_SOFTFAIL] = "softfail", [SPF_TEMPERROR] = "temperror",
        [SPF_PERMERROR] = "permerror",
    };
    return words[result];
}

static struct spf_frame *current(struct spf_check *check)
{
    return &check->frames[check->depth];
}

/* ---- the beginning ---- */

/* The sender that is checked, split: of the HELO identity, and of an empty sender, postmaster@helo_name; a missing local
 * part is postmaster too (4.3). False: out of memory. */
static bool set_sender(struct spf_check *check)
{
    static const struct slice postmaster = SLICE_INIT("postmaster");
    const struct spf_query *query = check->query;
    struct spf_macro_values *values = &check->values;
    struct slice sender = query->sender, local = postmaster, domain = sender;
    size_t at = slice_rfind(sender, '@');

    if (query->identity == SPF_HELO || sender.len == 0) {
        domain = query->helo_name;
    } else if (at != SIZE_MAX) {
        domain = slice_skip(sender, at + 1);
        if (at > 0)
            local = slice_part(sender, 0, at);
    }
    char *whole = domain.len > SIZE_MAX / 2 || local.len >= SIZE_MAX / 2
                      ? NULL
                      : arena_alloc(check->arena, local.len + 1 + domain.len);
    if (whole == NULL)
        return false;
    memcpy(whole, local.ptr, local.len);
    whole[local.len] = '@';
    if (domain.len > 0)
        memcpy(whole + local.len + 1, domain.ptr, domain.len);
    values->sender = (struct slice){ whole, local.len + 1 + domain.len };
    values->local = slice_part(values->sender, 0, local.len);
    values->sender_domain = spf_name_without_dot(slice_skip(values->sender, local.len + 1));
    return true;
}

struct spf_check *spf_check_new(struct arena *arena, const struct spf_query *query,
                                const struct spf_dns *dns)
{
    struct spf_check *check = arena_alloc(arena, sizeof *check);

    if (check == NULL)
        return NULL;
    check->arena = arena;
    check->query = query;
    check->dns = dns;
    check->values.helo_name = query->helo_name;
    check->values.receiver = query->receiver;
    check->values.client = query->client;
    check->values.wall_s = query->wall_s;
    if (!set_sender(check))
        return NULL;
    check->outcome.sender = check->values.sender;
    if (spf_name_is_checkable(check->values.sender_domain))
        check->outcome.domain = check->values.sender_domain;
    check->frames[0].domain = check->values.sender_domain;
    check->step = SPF_STEP_RECORD;
    return check;
}

/* ---- the end ---- */

static void end(struct spf_check *check, enum spf_result result)
{
    check->outcome.result = result;
    check->step = SPF_STEP_END;
}

/* A constant phrase and what it is about, whose bytes come from the network. */
static void end_with_error(struct spf_check *check, enum spf_result result, const char *what,
                           struct slice about)
{
    char shown[REASON_DETAIL_MAX];
    struct slice detail = slice_part(about, 0, sizeof shown);

    for (size_t i = 0; i < detail.len; i++)
        shown[i] = ascii_is_print(detail.ptr[i]) ? detail.ptr[i] : '?';
    detail.ptr = shown;
    struct slice reason = detail.len == 0
                              ? slice_of(what)
                              : arena_printf(check->arena, "%s: %.*s", what, SLICE_ARG(detail));
    check->outcome.reason = reason.ptr != NULL ? reason : slice_of(what);
    end(check, result);
}

static void end_with_fail(struct spf_check *check, struct slice explanation)
{
    check->outcome.explanation =
        explanation.len > 0 ? explanation : check->query->default_explanation;
    end(check, SPF_FAIL);
}

/* The result of the first check_host(). */
static void finish(struct spf_check *check, enum spf_result result, struct slice mechanism)
{
    check->outcome.mechanism = mechanism;
    if (result != SPF_FAIL)
        end(check, result);
    else if (current(check)->record.exp.ptr != NULL)
        check->step = SPF_STEP_EXPLAIN;
    else
        end_with_fail(check, SLICE(""));
}

static enum spf_result qualifier_result(char qualifier)
{
    switch (qualifier) {
    case '+':
        return SPF_PASS;
    case '-':
        return SPF_FAIL;
    case '~':
        return SPF_SOFTFAIL;
    default:
        return SPF_NEUTRAL;
    }
}

/* A check_host() has a result that is no error. That of an include is a match of the include if it is a pass, which may
 * end the check_host() around it; else evaluation goes on after the include (5.2). */
static void frame_result(struct spf_check *check, enum spf_result result, struct slice mechanism)
{
    while (check->depth > 0) {
        check->depth--;
        if (result != SPF_PASS) {
            check->step = SPF_STEP_NEXT;
            return;
        }
        result = qualifier_result(current(check)->term.qualifier);
        mechanism = current(check)->term.text;
    }
    finish(check, result, mechanism);
}

static void term_matches(struct spf_check *check)
{
    const struct spf_term *term = &current(check)->term;

    frame_result(check, qualifier_result(term->qualifier), term->text);
}

/* ---- the record ---- */

/* No record: none, but an error where another record has led here (5.2, 6.1). */
static void no_record(struct spf_check *check)
{
    const struct spf_frame *frame = current(check);

    if (frame->is_redirected)
        end_with_error(check, SPF_PERMERROR, "redirect to a domain without SPF", frame->domain);
    else if (check->depth > 0)
        end_with_error(check, SPF_PERMERROR, "include of a domain without SPF", frame->domain);
    else
        end(check, SPF_NONE);
}

static void end_with_syntax_error(struct spf_check *check, const struct spf_syntax_error *error)
{
    struct slice where = arena_printf(check->arena, "%.*s in %.*s", SLICE_ARG(error->where),
                                      SLICE_ARG(current(check)->domain));

    end_with_error(check, SPF_PERMERROR, error->what, where.ptr != NULL ? where : error->where);
}

/* The one SPF record among the TXT records (4.5). */
static void read_record(struct spf_check *check, const struct spf_answer *answer)
{
    struct spf_frame *frame = current(check);
    struct slice txt = { NULL, 0 };
    struct spf_syntax_error error;

    for (size_t i = 0; i < answer->count; i++) {
        if (!spf_record_is_spf1(answer->texts[i]))
            continue;
        if (txt.ptr != NULL) {
            end_with_error(check, SPF_PERMERROR, "more than one SPF record", frame->domain);
            return;
        }
        txt = answer->texts[i];
    }
    if (txt.ptr == NULL) {
        no_record(check);
        return;
    }
    txt = arena_copy(check->arena, txt);
    if (txt.ptr == NULL) {
        end_with_error(check, SPF_TEMPERROR, "out of memory", SLICE(""));
    } else if (!spf_record_parse(txt, &frame->record, &error)) {
        end_with_syntax_error(check, &error);
    } else {
        frame->rest = frame->record.terms;
        check->step = SPF_STEP_NEXT;
    }
}

static bool step_record(struct spf_check *check)
{
    const struct spf_frame *frame = current(check);
    struct spf_answer answer;

    if (!spf_name_is_checkable(frame->domain)) {
        no_record(check);
        return true;
    }
    switch (check->dns->lookup(check->dns->arg, frame->domain, SPF_RR_TXT, &answer)) {
    case SPF_DNS_WAIT:
        return false;
    case SPF_DNS_FAILED:
        end_with_error(check, SPF_TEMPERROR, "lookup of the record failed", frame->domain);
        return true;
    case SPF_DNS_NOTHING:
        no_record(check);
        return true;
    case SPF_DNS_FOUND:
    default:
        read_record(check, &answer);
        return true;
    }
}

/* ---- terms ---- */

/* A term that asks the DNS is counted when its turn comes. False: one too many. */
static bool count_lookup(struct spf_check *check)
{
    if (check->outcome.lookups == SPF_LOOKUPS_MAX) {
        end_with_error(check, SPF_PERMERROR, "too many terms that need lookups",
                       current(check)->domain);
        return false;
    }
    check->outcome.lookups++;
    return true;
}

static void step_next(struct spf_check *check)
{
    struct spf_frame *frame = current(check);

    if (spf_record_next(&frame->rest, &frame->term)) {
        enum spf_mechanism mechanism = frame->term.mechanism;
        bool is_free = mechanism == SPF_ALL || mechanism == SPF_IP4 || mechanism == SPF_IP6;
        if (is_free || count_lookup(check))
            check->step = SPF_STEP_TERM;
    } else if (frame->record.redirect.ptr == NULL) {
        frame_result(check, SPF_NEUTRAL, SLICE("default")); /* 4.7 */
    } else if (count_lookup(check)) {
        check->step = SPF_STEP_REDIRECT;
    }
}

/* The domain that an include or redirect names, in the arena. False: an answer is missing. An empty one with the check
 * ended: out of memory. */
static bool next_domain(struct spf_check *check, struct slice spec, struct slice *out)
{
    if (!spf_target(check, spec, out))
        return false;
    *out = arena_copy(check->arena, *out);
    if (out->ptr == NULL)
        end_with_error(check, SPF_TEMPERROR, "out of memory", SLICE(""));
    return true;
}

static bool step_include(struct spf_check *check)
{
    struct slice domain;

    if (!next_domain(check, current(check)->term.domain_spec, &domain))
        return false;
    if (check->step == SPF_STEP_END)
        return true;
    check->depth++;
    *current(check) = (struct spf_frame){ .domain = domain };
    check->step = SPF_STEP_RECORD;
    return true;
}

static bool step_redirect(struct spf_check *check)
{
    struct slice domain;

    if (!next_domain(check, current(check)->record.redirect, &domain))
        return false;
    if (check->step == SPF_STEP_END)
        return true;
    *current(check) = (struct spf_frame){ .domain = domain, .is_redirected = true };
    check->step = SPF_STEP_RECORD;
    return true;
}

static void term_does_not_match(struct spf_check *check, bool is_void)
{
    if (is_void && check->outcome.voids == SPF_VOIDS_MAX) {
        end_with_error(check, SPF_PERMERROR, "too many lookups without an answer",
                       current(check)->term.text);
        return;
    }
    check->outcome.voids += is_void;
    check->step = SPF_STEP_NEXT;
}

static bool step_term(struct spf_check *check)
{
    struct spf_note note;

    if (current(check)->term.mechanism == SPF_INCLUDE)
        return step_include(check);
    switch (spf_term_match(check, &note)) {
    case SPF_MATCH_WAIT:
        return false;
    case SPF_MATCH_YES:
        term_matches(check);
        return true;
    case SPF_MATCH_TEMPERROR:
        end_with_error(check, SPF_TEMPERROR, note.error, note.about);
        return true;
    case SPF_MATCH_PERMERROR:
        end_with_error(check, SPF_PERMERROR, note.error, note.about);
        return true;
    case SPF_MATCH_NO:
    default:
        term_does_not_match(check, note.is_void);
        return true;
    }
}

/* ---- the explanation (6.2) ---- */

/* Expands the text; whatever is wrong with it, the default one takes its place. False: an answer is missing. */
static bool explain(struct spf_check *check, struct slice text)
{
    char room[SPF_EXPANSION_MAX];

    if (spf_explain_string_check(text) != NULL) {
        end_with_fail(check, SLICE(""));
        return true;
    }
    check->values.domain = current(check)->domain;
    if (spf_macro_uses_validated(text) &&
        !spf_validated_name(check, check->values.domain, &check->values.validated))
        return false;
    end_with_fail(check, arena_copy(check->arena, spf_macro_explain(text, &check->values, room)));
    return true;
}

static bool step_explain(struct spf_check *check)
{
    struct slice name;
    struct spf_answer answer;

    if (!spf_target(check, current(check)->record.exp, &name))
        return false;
    enum spf_dns_status status =
        spf_name_is_valid(name) ? check->dns->lookup(check->dns->arg, name, SPF_RR_TXT, &answer)
                                : SPF_DNS_NOTHING;
    if (status == SPF_DNS_WAIT)
        return false;
    if (status == SPF_DNS_FOUND && answer.count == 1)
        return explain(check, answer.texts[0]);
    end_with_fail(check, SLICE(""));
    return true;
}

/* ---- running ---- */

/* False: an answer is missing. */
static bool run_step(struct spf_check *check)
{
    switch (check->step) {
    case SPF_STEP_RECORD:
        return step_record(check);
    case SPF_STEP_NEXT:
        step_next(check);
        return true;
    case SPF_STEP_TERM:
        return step_term(check);
    case SPF_STEP_REDIRECT:
        return step_redirect(check);
    case SPF_STEP_EXPLAIN:
        return step_explain(check);
    case SPF_STEP_END:
    default:
        return true;
    }
}

enum spf_state spf_check_run(struct spf_check *check)
{
    while (check->step != SPF_STEP_END) {
        if (!run_step(check))
            return SPF_WAIT;
    }
    return SPF_KNOWN;
}

void spf_check_give_up(struct spf_check *check, const char *reason)
{
    if (check->step == SPF_STEP_EXPLAIN)
        end_with_fail(check, SLICE(""));
    else if (check->step != SPF_STEP_END)
        end_with_error(check, SPF_TEMPERROR, reason, SLICE(""));
}

const struct spf_outcome *spf_check_outcome(const struct spf_check *check)
{
    return &check->outcome;
}
