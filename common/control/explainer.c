/* common/control/explainer.c - see explainer.h. What a request holds is valid until it is replied to, so the thread reads it in
 * place. */
#include "common/control/explainer.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/run/pool.h"

enum { WAITING_MAX = 64, ERROR_MAX = 500 };

struct explainer {
    struct worker *main;
    struct pool *pool;
    void (*run)(struct explaining *explaining);
    void *context;
    size_t under_way;
    bool is_stopping;
};

struct task {
    struct pool_task task; /* first member */
    struct explainer *explainer;
    struct control_request *request;
    struct explaining explaining;
};

/* ---- answers ---- */

void explaining_answer(struct explaining *explaining, json_t *answer)
{
    explaining->status = answer == NULL ? 503 : 200;
    explaining->answer = answer;
}

void explaining_error(struct explaining *explaining, unsigned status, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    explaining->status = status;
    explaining->answer = json_pack("{s:o}", "error", control_text(slice_of(text)));
}

/* ---- the way there and back ---- */

static void come_back(UNUSED struct worker *worker, void *arg)
{
    struct task *task = arg;

    task->explainer->under_way--;
    task->request->reply(task->request, task->explaining.status, task->explaining.answer);
    free(task);
}

static void run_task(struct pool_task *arg)
{
    struct task *task = (struct task *)arg;

    task->explainer->run(&task->explaining);
    /* Without memory for it explainer_free() would wait for ever: it is tried until there is some. */
    while (worker_post(task->explainer->main, come_back, task) != 0)
        ;
}

bool explainer_serve(struct explainer *explainer, struct control_request *request)
{
    if (request->method != CONTROL_POST || !slice_equal(request->segments[0], SLICE("explain")))
        return false;
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL || explainer->is_stopping || explainer->under_way == WAITING_MAX) {
        free(task);
        control_error(request, 503, "too much is explained at once, or the daemon is ending");
        return true;
    }
    *task = (struct task){ .task = { .run = run_task },
                           .explainer = explainer,
                           .request = request,
                           .explaining = { .context = explainer->context,
                                           .worker = explainer->main,
                                           .body = request->body,
                                           .scans = control_param(request, "scan").ptr != NULL } };
    explainer->under_way++;
    pool_run(explainer->pool, &task->task);
    return true;
}

/* ---- life ---- */

struct explainer *explainer_new(struct worker *main, void (*run)(struct explaining *explaining),
                                void *context)
{
    struct explainer *explainer = calloc(1, sizeof *explainer);

    if (explainer == NULL)
        return NULL;
    *explainer = (struct explainer){ .main = main, .run = run, .context = context };
    explainer->pool = pool_new("explain", EXPLAIN_AT_ONCE_MAX);
    if (explainer->pool == NULL) {
        free(explainer);
        return NULL;
    }
    return explainer;
}

void explainer_free(struct explainer **explainer)
{
    struct explainer *gone = *explainer;

    *explainer = NULL;
    if (gone == NULL)
        return;
    gone->is_stopping = true;
    while (gone->under_way > 0)
        event_base_loop(worker_base(gone->main), EVLOOP_ONCE);
    pool_free(&gone->pool);
    free(gone);
}
