/* contentd/scan.c - see scan.h. Whatever happens only marks the run; step() on the next turn of the loop looks what is to be
 * done, so that nothing is called back from inside a call, and any number of scan_run_more() cost one look. */
#include "contentd/scan.h"

#include "common/base/units.h"
#include "common/run/op.h"
#include "contentd/scanners/backend.h"

enum { GRACE_MS = 200 }; /* scanners keep the budget themselves; this ends one that does not */

struct slot { /* of one scanner */
    struct scan_run *run;
    struct scan_request request;
    struct scan *scan; /* NULL: not started, or over */
    uint64_t start_ms;
};

struct scan_run {
    struct op op; /* first member: the budget and the one end */
    struct scan_setup setup;
    struct event soon; /* step() */
    struct finding *findings;
    struct slot *slots;
    scanner_set pending;
    bool is_timed; /* the message is whole */
};

static uint64_t now_ms(const struct scan_run *run)
{
    const struct clock *clock = worker_clock(run->setup.worker);

    return clock->now_ms(clock);
}

/* ---- findings ---- */

static void keep(struct scan_run *run, size_t n, const struct finding *finding)
{
    run->pending &= ~SCANNER_BIT(n);
    run->findings[n] = *finding;
    if (run->findings[n].edits.first == NULL)
        edits_init(&run->findings[n].edits); /* an empty list points into itself */
    backend_count_result(run->setup.scanners[n].backend, finding->result, finding->ms);
    if (run->pending == 0)
        op_finish(&run->op, OP_OK);
}

static void settle(struct scan_run *run, size_t n, const struct finding *finding)
{
    keep(run, n, finding);
    if (run->setup.found != NULL)
        run->setup.found(run->setup.owner, n);
}

static void on_done(void *owner, const struct scanner *scanner, const struct finding *finding)
{
    struct slot *slot = owner;

    slot->scan = NULL;
    settle(slot->run, (size_t)(scanner - slot->run->setup.scanners), finding);
}

/* We end it, or never began it. */
static struct finding stop(struct scan_run *run, size_t n, enum finding_result result)
{
    struct slot *slot = &run->slots[n];
    struct finding finding = { .result = result };

    if (slot->scan != NULL) {
        run->setup.scanners[n].kind->abandon(slot->scan);
        slot->scan = NULL;
        finding.ms = now_ms(run) - slot->start_ms;
    }
    return finding;
}

/* ---- what is to be done ---- */

static void start_one(struct scan_run *run, size_t n)
{
    static const struct finding no_memory = { .result = FINDING_TROUBLE,
                                              .error = SLICE_INIT("memory is out") };
    const struct scanner *scanner = &run->setup.scanners[n];
    struct slot *slot = &run->slots[n];
    uint64_t timeout = scanner->scan_timeout_ms;

    slot->run = run;
    slot->start_ms = now_ms(run);
    slot->request = (struct scan_request){
        .worker = run->setup.worker,
        .arena = run->setup.arena,
        .message = run->setup.message,
        .scanner = scanner,
        .timeout_ms = timeout < run->setup.budget_ms ? timeout : run->setup.budget_ms,
        .done = on_done,
        .owner = slot,
    };
    slot->scan = scanner->kind->start(&slot->request);
    if (slot->scan == NULL)
        settle(run, n, &no_memory);
}

static void look_at(struct scan_run *run, size_t n, bool is_whole)
{
    const struct scanner *scanner = &run->setup.scanners[n];
    const struct scan *scan = run->slots[n].scan;

    if (scan == NULL && !scanner->kind->streams && !is_whole)
        return;
    if (scanner->size_max > 0 && message_size(run->setup.message) > scanner->size_max) {
        struct finding finding = stop(run, n, FINDING_OVERSIZE);
        settle(run, n, &finding);
    } else if (scan == NULL) {
        start_one(run, n);
    } else if (scanner->kind->more != NULL) {
        scanner->kind->more(run->slots[n].scan);
    }
}

static void on_end(struct op *op, enum op_result result);

static void step(UNUSED evutil_socket_t fd, UNUSED short what, void *arg)
{
    struct scan_run *run = arg;
    bool is_whole = message_is_whole(run->setup.message);

    if (is_whole && !run->is_timed && run->pending != 0) {
        run->is_timed = true;
        op_abandon(&run->op);
        op_start(&run->op, run->setup.worker, run->setup.budget_ms + GRACE_MS, on_end);
    }
    for (size_t n = 0; n < run->setup.scanner_count; n++)
        if ((run->pending & SCANNER_BIT(n)) != 0) /* one before may have cancelled it */
            look_at(run, n, is_whole);
}

/* The budget is used up, and somebody did not keep it. */
static void time_out(struct scan_run *run)
{
    struct slice error = arena_printf(run->setup.arena, "no answer within %s",
                                      units_print_time(run->setup.budget_ms).text);

    for (size_t n = 0; n < run->setup.scanner_count; n++)
        if ((run->pending & SCANNER_BIT(n)) != 0) {
            struct finding finding = stop(run, n, FINDING_TROUBLE);
            finding.error = error;
            settle(run, n, &finding);
        }
}

static void on_end(struct op *op, enum op_result result)
{
    struct scan_run *run = (struct scan_run *)(void *)op;

    if (result == OP_TIMEOUT)
        time_out(run);
    event_del(&run->soon);
    run->setup.done(run->setup.owner);
}

/* ---- the interface ---- */

struct scan_run *scan_run_start(const struct scan_setup *setup)
{
    struct scan_run *run = arena_alloc(setup->arena, sizeof(*run));

    if (run == NULL)
        return NULL;
    run->setup = *setup;
    run->findings =
        arena_alloc_array(setup->arena, setup->scanner_count + 1, sizeof(*run->findings));
    run->slots = arena_alloc_array(setup->arena, setup->scanner_count + 1, sizeof(*run->slots));
    if (run->findings == NULL || run->slots == NULL)
        return NULL;
    for (size_t n = 0; n < setup->scanner_count; n++) {
        edits_init(&run->findings[n].edits);
        run->pending |= setup->wanted & SCANNER_BIT(n);
    }
    event_assign(&run->soon, worker_base(setup->worker), -1, 0, step, run);
    op_start(&run->op, setup->worker, 0, on_end);
    if (run->pending == 0)
        op_finish(&run->op, OP_OK);
    else
        scan_run_more(run);
    return run;
}

void scan_run_more(struct scan_run *run)
{
    if (run->pending != 0)
        event_active(&run->soon, EV_READ, 1);
}

void scan_run_cancel(struct scan_run *run, scanner_set which)
{
    for (size_t n = 0; n < run->setup.scanner_count; n++)
        if ((which & run->pending & SCANNER_BIT(n)) != 0) {
            struct finding finding = stop(run, n, FINDING_CANCELLED);
            keep(run, n, &finding);
        }
}

const struct finding *scan_run_findings(const struct scan_run *run)
{
    return run->findings;
}

scanner_set scan_run_pending(const struct scan_run *run)
{
    return run->pending;
}

void scan_run_end(struct scan_run **run)
{
    struct scan_run *gone = *run;

    *run = NULL;
    if (gone == NULL)
        return;
    scan_run_cancel(gone, gone->pending);
    event_del(&gone->soon);
    op_abandon(&gone->op);
}
