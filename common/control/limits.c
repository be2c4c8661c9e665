/* common/control/limits.c - the limits of the configuration, and how much of them a value has used. */
#include "common/control/control_impl.h"

#include "common/live/entry.h"
#include "common/mail/ipnet.h"

/* ---- GET limits ---- */

static const char *const count_words[] = {
    [COUNT_MESSAGES] = "messages",       [COUNT_RECIPIENTS] = "recipients", [COUNT_BYTES] = "bytes",
    [COUNT_CONNECTIONS] = "connections", [COUNT_REFUSED] = "refused",
};

static json_t *rate_text(struct control_job *job, struct rate rate)
{
    return control_text(rate_print(job->arena, rate));
}

static json_t *limit_rates(struct control_job *job, const struct limit *limit)
{
    json_t *rates = json_object();
    struct slice field;
    struct rate rate;

    for (size_t n = 0; limit_override_at(limit, n, &field, &rate); n++)
        json_object_setn_new(rates, field.ptr, field.len, rate_text(job, rate));
    return rates;
}

static json_t *limit_answer(struct control_job *job, const struct limit *limit)
{
    char stages[STAGES_TEXT_MAX + 1];
    json_t *key = json_array();

    for (size_t n = 0; n < limit_key_count(limit); n++)
        json_array_append_new(key, json_string(limit_key_fact(limit, n)));
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "name", control_text(limit_name(limit)),
                     "key", key, "count", count_words[limit_counts(limit)], "rate",
                     rate_text(job, limit_default_rate(limit)), "rates", limit_rates(job, limit),
                     "charge", control_text(stages_print(limit_stages(limit), stages)), "over",
                     control_text(limit_over(limit)));
}

void control_limits(struct control_job *job)
{
    const struct limit_set *set = job->view.limits;
    json_t *limits = json_array();

    for (size_t n = 0; set != NULL && n < limit_set_count(set); n++)
        json_array_append_new(limits, limit_answer(job, limit_set_at(set, n)));
    control_job_reply(job, 200, json_pack("{s:o}", "limits", limits));
}

/* ---- which value a key can be ---- */

static bool is_address(struct slice text)
{
    struct ipnet net;

    return ipnet_parse(text, &net, NULL);
}

static bool part_fits(enum value_type type, struct slice part)
{
    switch (type) {
    case VALUE_ADDRESS:
        return is_address(part);
    case VALUE_DOMAIN:
        return slice_find(part, '@') == SIZE_MAX && slice_find(part, '.') != SIZE_MAX &&
               !is_address(part);
    case VALUE_MAILBOX:
        return !is_address(part);
    case VALUE_TEXT:
    case VALUE_WORD:
    case VALUE_NUMBER:
    case VALUE_BOOLEAN:
        break;
    }
    return part.len > 0;
}

static size_t count_parts(struct slice value)
{
    struct slice rest = value, part;
    size_t count = 0;

    while (slice_next(&rest, ',', &part))
        count++;
    return count;
}

static bool value_fits(const struct control_job *job, const struct limit *limit, struct slice value)
{
    struct slice rest = value, part;
    size_t count = limit_key_count(limit);

    if (count == 0 || value.len == 0)
        return count == 0 && value.len == 0;
    if (count != count_parts(value))
        return false;
    for (size_t n = 0; !job->view.guesses_subjects && slice_next(&rest, ',', &part); n++)
        if (!part_fits(limit_key_type(limit, n)->type, part))
            return false;
    return true;
}

/* ---- subjects: where a value's usage is counted ---- */

enum { LETTERS_MAX = 5 };

struct subject {
    const struct limit *limit;
    struct slice value, subject;
};

/* Every letter under which a value of unknown type may be counted. */
static size_t guess_subjects(struct control_job *job, const struct limit *limit, struct slice typed,
                             struct subject out[LETTERS_MAX])
{
    static const enum limit_letter letters[LETTERS_MAX] = {
        LIMIT_MAILBOX, LIMIT_TEXT, LIMIT_DOMAIN, LIMIT_ADDRESS, LIMIT_NETWORK,
    };
    struct live_entry_error wrong;
    struct slice value = typed;
    size_t parts = limit_key_count(limit), count = parts == 1 ? LETTERS_MAX : 1;

    if (parts > 0 && !live_key_value(typed, job->arena, &value, &wrong))
        return 0;
    for (size_t i = 0; i < count; i++) {
        enum limit_letter letter = parts == 0 ? LIMIT_ALL : parts > 1 ? LIMIT_COMBINED : letters[i];
        out[i] = (struct subject){ limit, value, limit_subject(letter, value, job->arena) };
    }
    return count;
}

static size_t subjects_of(struct control_job *job, const struct limit *limit, struct slice typed,
                          struct subject out[LETTERS_MAX])
{
    struct slice value;

    if (job->view.guesses_subjects)
        return guess_subjects(job, limit, typed, out);
    value = limit_key_typed(limit, typed, job->arena);
    if (value.ptr == NULL)
        return 0;
    out[0] = (struct subject){ limit, value, limit_key_subject(limit, value, job->arena) };
    return 1;
}

/* ---- GET usage ---- */

struct usage {
    struct slice typed;
    json_t *rows; /* owned until the reply */
    struct subject *subjects;
    size_t count, done; /* how many; how many are in `rows` already */
};

static const char *const level_words[] = {
    [RATE_USER] = "user",
    [RATE_DOMAIN] = "domain",
    [RATE_CLASS] = "class",
    [RATE_DEFAULT] = "default",
};

static json_t *number_or_null(uint64_t number)
{
    return number > INT64_MAX ? json_null() : json_integer((json_int_t)number);
}

static json_t *usage_row(struct control_job *job, const struct limit_use *use,
                         const struct subject *subject)
{
    const struct limit *limit = use->limit;

    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o}", "limit",
        control_text(limit_name(limit)), "value", control_text(subject->value), "count",
        count_words[limit_counts(limit)], "subject", control_text(use->subject), "used",
        number_or_null(use->used), "allowed",
        use->rate.most == RATE_UNLIMITED ? json_null() : number_or_null(use->rate.most),
        "window_ms", number_or_null(use->rate.window_ms), "rate", rate_text(job, use->rate),
        "source", level_words[use->source.level], "live", use->source.is_live, "field",
        control_text(use->source.field), "free_in_ms", number_or_null(use->free_ms));
}

/* Of several guesses for one limit the one that has been used counts. */
static size_t best_guess(const struct limit_use *uses, size_t count, size_t first)
{
    size_t best = first;

    for (size_t i = first; i < count && uses[i].limit == uses[first].limit; i++)
        if (uses[i].used > uses[best].used)
            best = i;
    return best;
}

static void usage_step(struct control_job *job);

static void usage_looked(struct control_job *job)
{
    struct usage *usage = job->own;
    const struct store_charge *charge = &job->store.charge;
    size_t i = 0;

    while (i < charge->use_count) {
        size_t best = best_guess(charge->uses, charge->use_count, i);
        json_array_append_new(
            usage->rows, usage_row(job, &charge->uses[best], &usage->subjects[usage->done + best]));
        const struct limit *limit = charge->uses[i].limit;
        while (i < charge->use_count && charge->uses[i].limit == limit)
            i++;
    }
    usage->done += charge->use_count;
    usage_step(job);
}

static bool fill_use(struct control_job *job, const struct subject *subject, struct limit_use *use)
{
    const struct control_view *view = &job->view;
    uint64_t now = job->control->clock->wall_ms(job->control->clock);
    struct slice class_name =
        classes_of_key(subject->limit, view->file_classes, view->live_classes, subject->value, now);

    *use = (struct limit_use){ .limit = subject->limit, .subject = subject->subject };
    use->field_count =
        limit_candidates(subject->limit, subject->value, class_name, job->arena, &use->fields);
    return use->field_count > 0 && use->subject.ptr != NULL;
}

/* How many subjects from `done` on go into one look: all of a limit's, at most STORE_USES_MAX. */
static size_t next_batch(const struct usage *usage)
{
    size_t count = usage->count - usage->done;

    if (count <= STORE_USES_MAX)
        return count;
    count = STORE_USES_MAX;
    while (usage->subjects[usage->done + count].limit ==
           usage->subjects[usage->done + count - 1].limit)
        count--;
    return count;
}

static void usage_step(struct control_job *job)
{
    struct usage *usage = job->own;
    struct store_charge *charge = &job->store.charge;
    size_t count = next_batch(usage);
    json_t *rows = usage->rows;

    if (count == 0) {
        usage->rows = NULL;
        control_job_reply(
            job, 200, json_pack("{s:o, s:o}", "value", control_text(usage->typed), "limits", rows));
        return;
    }
    *charge = (struct store_charge){ .peek = true, .use_count = count };
    charge->uses = arena_alloc_array(job->arena, count, sizeof(*charge->uses));
    for (size_t i = 0; i < count; i++)
        if (charge->uses == NULL ||
            !fill_use(job, &usage->subjects[usage->done + i], &charge->uses[i])) {
            control_job_error(job, 503, "out of memory");
            return;
        }
    control_job_wait(job, usage_looked);
    control_job_started(job, store_charge(job->control->store, charge));
}

static void usage_cleanup(struct control_job *job)
{
    struct usage *usage = job->own;

    json_decref(usage->rows);
}

void control_usage(struct control_job *job)
{
    const struct limit_set *set = job->view.limits;
    size_t limits = set == NULL ? 0 : limit_set_count(set);
    struct usage *usage = arena_alloc(job->arena, sizeof(*usage));

    if (usage != NULL)
        usage->subjects =
            arena_alloc_array(job->arena, limits * LETTERS_MAX + 1, sizeof(*usage->subjects));
    if (usage == NULL || usage->subjects == NULL) {
        control_job_error(job, 503, "out of memory");
        return;
    }
    usage->typed = slice_trim(control_param(job->request, "value"));
    usage->rows = json_array();
    job->own = usage;
    job->cleanup = usage_cleanup;
    for (size_t n = 0; n < limits; n++) {
        const struct limit *limit = limit_set_at(set, n);
        if (value_fits(job, limit, usage->typed))
            usage->count += subjects_of(job, limit, usage->typed, &usage->subjects[usage->count]);
    }
    usage_step(job);
}

/* ---- POST limits/NAME/reset ---- */

struct reset {
    struct slice typed;
    struct subject subjects[LETTERS_MAX];
    size_t count, done;
    uint64_t removed;
};

static void reset_step(struct control_job *job);

static void reset_done(struct control_job *job)
{
    struct reset *reset = job->own;

    reset->removed += job->store.reset.removed;
    reset->done++;
    reset_step(job);
}

static void reset_step(struct control_job *job)
{
    struct reset *reset = job->own;

    if (reset->done == reset->count) {
        control_job_reply(
            job, 200,
            json_pack("{s:o, s:o, s:I}", "limit", control_text(job->request->segments[1]), "value",
                      control_text(reset->typed), "removed", (json_int_t)reset->removed));
        return;
    }
    job->store.reset = (struct store_reset){ .limit = job->request->segments[1],
                                             .subject = reset->subjects[reset->done].subject };
    control_job_wait(job, reset_done);
    control_job_started(job, store_reset(job->control->store, &job->store.reset));
}

void control_limit_reset(struct control_job *job)
{
    const struct limit_set *set = job->view.limits;
    struct slice name = job->request->segments[1];
    const struct limit *limit = set == NULL ? NULL : limit_set_find(set, name);
    struct reset *reset = arena_alloc(job->arena, sizeof(*reset));

    if (limit == NULL || reset == NULL) {
        control_job_error(job, limit == NULL ? 404 : 503, "no limit \"%.*s\" in the configuration",
                          SLICE_ARG(name));
        return;
    }
    reset->typed = slice_trim(control_param(job->request, "value"));
    if ((reset->typed.len == 0) != (limit_key_count(limit) == 0)) {
        control_job_error(
            job, 400,
            reset->typed.len == 0
                ? "%.*s counts each value of its key for itself: say whose count"
                : "%.*s has no key, so it has one count for all: no value goes with it",
            SLICE_ARG(name));
        return;
    }
    job->own = reset;
    reset->count = subjects_of(job, limit, reset->typed, reset->subjects);
    if (reset->count == 0) {
        control_job_error(job, 422, "\"%.*s\" is no value of this limit's key",
                          SLICE_ARG(reset->typed));
        return;
    }
    reset_step(job);
}
