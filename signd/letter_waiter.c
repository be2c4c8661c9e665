/* signd/letter_waiter.c - the side of a letter that waits for the loop: see letter.h. */
#include "signd/letter_impl.h"

#include "common/observe/log.h"

enum {
    LETTER_MEMORY_MAX = 64 << 20,
    PROGRESS_MS = 10000,
    GRACE_MS = 5000, /* for a loop that is busy, beyond budget */
};

/* ---- the beginning ---- */

static struct letter *letter_new(struct worker *worker, struct snapshot *snapshot,
                                 struct message *message)
{
    struct letter *letter = calloc(1, sizeof *letter);

    if (letter == NULL) {
        snapshot_unref(&snapshot);
        return NULL;
    }
    atomic_init(&letter->references, 1);
    letter->worker = worker;
    letter->snapshot = snapshot;
    letter->setup = snapshot_data(snapshot);
    letter->message = message_ref(message);
    letter->arena = arena_new(LETTER_MEMORY_MAX);
    rule_outcome_init(&letter->rules);
    if (letter->arena == NULL) {
        letter_unref(letter);
        return NULL;
    }
    return letter;
}

static struct letter *letter_ref(struct letter *letter)
{
    atomic_fetch_add(&letter->references, 1);
    return letter;
}

static bool begin_work(struct letter *letter, enum letter_phase phase)
{
    letter->phase = phase;
    job_drop(&letter->job);
    letter->job = job_start(letter->worker, &letter_job, letter_ref(letter));
    if (letter->job == NULL)
        log_error("out of memory: a message is deferred");
    return letter->job != NULL;
}

static void read_head(struct letter *letter)
{
    const struct signd_config *config = letter->setup->parts.config;
    struct results *results = &letter->results;

    message_record_locate(&letter->record, letter->message, letter->arena);
    letter->is_outbound = direction_is_outbound(&letter->setup->direction, letter->message);
    letter->has_mime =
        mime_read(letter->message, MIME_FROM | (letter->setup->names.mime & MIME_HEADERS),
                  letter->arena, &letter->mime) == 0;
    letter->failed = !letter->has_mime ||
                     claims_read(letter->message, (size_t)config->max_signatures,
                                 letter_wall_ms(letter) / SECOND, letter->arena, &results->claims,
                                 &results->claim_count, &results->claims_over) != 0;
}

bool letter_starts_slowly(const struct message *message)
{
    return !mime_is_quick(message, MIME_HEADERS);
}

static struct letter *start(struct letter *letter)
{
    if (letter == NULL) {
        log_error("out of memory: a message is deferred");
        return NULL;
    }
    letter->started_ms = letter_now(letter);
    read_head(letter);
    if (!begin_work(letter, PHASE_RECORD))
        letter_drop(&letter);
    return letter;
}

struct letter *letter_start(struct worker *worker, struct snapshot *snapshot,
                            struct message *message)
{
    return start(letter_new(worker, snapshot, message));
}

struct letter *letter_explain(struct worker *worker, struct snapshot *snapshot,
                              struct message *message, const struct letter_explained *explained)
{
    struct letter *letter = letter_new(worker, snapshot, message);

    if (letter != NULL) {
        letter->is_explained = true;
        letter->explained = *explained;
    }
    return start(letter);
}

/* ---- the end ---- */

static uint64_t budget_of(const struct letter *letter)
{
    uint64_t budget = letter->setup->parts.config->common.budget;

    return letter->is_explained && letter->explained.budget_ms < budget
               ? letter->explained.budget_ms
               : budget;
}

/* Until the loop has done its work, or the budget is over. */
static bool await(struct letter *letter, bool (*progress)(void *arg), void *arg)
{
    uint64_t budget = budget_of(letter);
    uint64_t used = letter_now(letter) - letter->ended_ms;
    enum job_result result =
        job_wait(letter->job, used < budget ? budget - used : 0, PROGRESS_MS, progress, arg);

    if (result == JOB_LATE && job_post(letter->job, letter_work_late) == 0)
        result = job_wait(letter->job, GRACE_MS, PROGRESS_MS, progress, arg);
    if (result == JOB_LATE)
        log_error("a message was not decided within budget: it is deferred");
    return result == JOB_DONE; /* JOB_FAILED: the daemon ends; JOB_UNWANTED: the MTA has gone */
}

/* Rules may name what is in the body. */
static void read_structure(struct letter *letter)
{
    unsigned wanted = letter->setup->names.mime;

    if ((wanted & MIME_STRUCTURE) != 0)
        letter->has_mime =
            mime_read(letter->message, MIME_FROM | wanted, letter->arena, &letter->mime) == 0;
}

static bool decide(struct letter *letter, bool (*progress)(void *arg), void *arg)
{
    if (!await(letter, progress, arg))
        return false;
    if (letter->task == TASK_VERIFY && !letter->failed)
        letter->failed = !letter_verify(letter);
    if (letter->task == TASK_SIGN && !letter->failed)
        letter_choose_keys(letter);
    if ((letter->setup->names.stages & STAGE_END) != 0 && !letter_is_over(letter) &&
        !letter->failed) {
        read_structure(letter);
        if (!begin_work(letter, PHASE_END_RULES) || !await(letter, progress, arg))
            return false;
    }
    letter->failed = letter->failed || !letter_conclude(letter);
    if (letter->failed)
        log_error("%.*s: a message needs more memory than one may have: it is deferred",
                  SLICE_ARG(letter->message->queue_id));
    return !letter->failed;
}

bool letter_finish(struct letter *letter, struct shared *keys, struct shared *states,
                   bool (*progress)(void *arg), void *arg)
{
    letter->keys = keys;
    letter->states = states;
    letter->ended_ms = letter_now(letter);
    letter->is_decided = decide(letter, progress, arg);
    letter->decided_ms = letter_now(letter);
    return letter->is_decided;
}

void letter_drop(struct letter **letter)
{
    struct letter *gone = *letter;

    *letter = NULL;
    if (gone == NULL)
        return;
    struct job *job = gone->job;
    job_drop(&job);
    letter_unref(gone);
}

const struct letter_answer *letter_answer(const struct letter *letter)
{
    return &letter->told;
}
