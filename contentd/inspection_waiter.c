/* contentd/inspection_waiter.c - the milter's side of an inspection; see inspection.h. */
#include "contentd/inspection_impl.h"

#include "common/observe/log.h"

enum {
    INSPECTION_MEMORY_MAX = 1 << 30, /* a scanner may replace the body */
    MIME_MEMORY_MAX = 64 << 20,
    AWAIT_MS = 600000, /* the inspection keeps message_budget itself */
};

/* Before anybody has been asked. */
static const struct finding inspection_no_findings[SCANNERS_MAX];

static struct inspection *inspection_new(struct worker *worker, struct snapshot *snapshot,
                                         struct message *message)
{
    struct inspection *inspection = calloc(1, sizeof *inspection);

    if (inspection == NULL) {
        snapshot_unref(&snapshot);
        return NULL;
    }
    atomic_init(&inspection->references, 1);
    inspection->worker = worker;
    inspection->snapshot = snapshot;
    inspection->decided.setup = snapshot_data(snapshot);
    inspection->decided.findings = inspection_no_findings;
    inspection->message = message_ref(message);
    inspection->decided.message = message;
    inspection->arena = arena_new(INSPECTION_MEMORY_MAX);
    inspection->mime_arena = arena_new(MIME_MEMORY_MAX);
    if (inspection->arena == NULL || inspection->mime_arena == NULL) {
        inspection_unref(inspection);
        return NULL;
    }
    inspection->decided.arena = inspection->arena;
    return inspection;
}

bool inspection_starts_slowly(const struct snapshot *snapshot, const struct message *message)
{
    const struct setup *setup = snapshot_data(snapshot);

    return setup->names.mime != 0 && !mime_is_quick(message, MIME_HEADERS);
}

bool inspection_finishes_slowly(const struct inspection *inspection)
{
    return (inspection->decided.setup->names.mime & MIME_STRUCTURE) != 0;
}

/* The loop may look at it when nobody waits any more. */
static bool explained_keep(struct inspection *inspection,
                           const struct inspection_explained *explained)
{
    size_t count = setup_scan(inspection->decided.setup)->scanner_count;
    struct inspection_explained *own = arena_alloc(inspection->arena, sizeof *own);
    struct finding *found = arena_alloc_array(inspection->arena, count + 1, sizeof *found);

    if (own == NULL || found == NULL)
        return false;
    *own = *explained;
    for (size_t n = 0; n < count; n++)
        found[n] = explained->found[n];
    own->found = found;
    inspection->explained = own;
    return true;
}

struct inspection *inspection_explain(struct worker *worker, struct snapshot *snapshot,
                                      struct message *message,
                                      const struct connection_counts *connections,
                                      const struct inspection_explained *explained)
{
    struct inspection *inspection = inspection_new(worker, snapshot, message);

    if (inspection != NULL && explained != NULL && !explained_keep(inspection, explained)) {
        inspection_unref(inspection);
        inspection = NULL;
    }
    if (inspection == NULL) {
        log_error("out of memory: a message cannot be looked at");
        return NULL;
    }
    inspection->connections = connection_counts_copy(connections, inspection->arena);
    if (inspection->decided.setup->names.mime != 0)
        inspection->has_headers =
            mime_read(message, MIME_HEADERS, inspection->mime_arena, &inspection->headers) == 0;
    inspection->job = job_start(worker, &inspection_job, inspection);
    if (inspection->job == NULL) {
        log_error("out of memory: a message cannot be looked at");
        return NULL; /* released */
    }
    return inspection;
}

struct inspection *inspection_start(struct worker *worker, struct snapshot *snapshot,
                                    struct message *message,
                                    const struct connection_counts *connections)
{
    return inspection_explain(worker, snapshot, message, connections, NULL);
}

void inspection_more(struct inspection *inspection)
{
    job_post(inspection->job, inspection_work_more);
}

bool inspection_finish(struct inspection *inspection,
                       void (*done)(void *arg, enum inspection_end end),
                       bool (*progress)(void *arg), void *arg)
{
    struct slice queue_id = inspection->message->queue_id;

    inspection->done = done;
    inspection->progress = progress;
    inspection->arg = arg;
    if (inspection_finishes_slowly(inspection))
        inspection->has_structure =
            mime_read(inspection->message, inspection->decided.setup->names.mime,
                      inspection->mime_arena, &inspection->structure) == 0;
    if (job_post(inspection->job, inspection_work_ended) == 0)
        return true;
    log_error("%.*s: out of memory: the message is deferred", SLICE_ARG(queue_id));
    return false;
}

static void nobody_asks(UNUSED void *arg, UNUSED enum inspection_end end)
{
}

enum inspection_end inspection_await(struct inspection *inspection)
{
    if (!inspection_finish(inspection, nobody_asks, NULL, NULL))
        return INSPECTION_UNDECIDED;
    switch (job_wait(inspection->job, AWAIT_MS, 0, NULL, NULL)) {
    case JOB_DONE:
        return inspection->end;
    case JOB_LATE:
    case JOB_UNWANTED:
    case JOB_FAILED: /* the daemon ends */
        break;
    }
    return INSPECTION_UNDECIDED;
}

void inspection_drop(struct inspection **inspection)
{
    struct inspection *gone = *inspection;

    *inspection = NULL;
    if (gone == NULL)
        return;
    struct job *job = gone->job;
    job_drop(&job);
}

const struct decided *inspection_decided(const struct inspection *inspection)
{
    return &inspection->decided;
}
