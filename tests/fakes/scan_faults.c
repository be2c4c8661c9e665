/* tests/fakes/scan_faults.c - see scan_faults.h. */
#include "tests/fakes/scan_faults.h"

enum { SHORT_MS = 40, STEPS_MOST = 8 };

static char failure[300];

static bool went(const char *what, const struct finding *finding, enum finding_result want)
{
    if (finding->result == want &&
        (want != FINDING_TROUBLE ||
         (finding->error.len > 0 && !memchr(finding->error.ptr, '\n', finding->error.len))))
        return true;
    snprintf(failure, sizeof(failure), "%s: %s (%.*s)", what, finding_words[finding->result],
             SLICE_ARG(finding->error));
    return false;
}

/* Three steps; those of a greeting do nothing when there is none. */
#define WHOLE_REQUEST(faults)                                                                      \
    { (faults)->greeting.len > 0 ? STEP_READ : STEP_READ_BYTES, (faults)->greeting_end, 0 },       \
        { STEP_SEND, (faults)->greeting, 0 },                                                      \
    {                                                                                              \
        STEP_READ, (faults)->request_end, 0                                                        \
    }

/* ---- what may go wrong before an answer, and with it ---- */

struct row {
    const char *what;
    struct fake_step steps[STEPS_MOST];
    uint64_t timeout_ms; /* of the scan; 0: long */
    enum finding_result want;
};

static bool run_row(const struct scan_faults *faults, const struct row *row, bool is_unix)
{
    static const struct fake_step gone[] = { { STEP_CLOSE, { NULL, 0 }, 0 } };
    struct scan_case test;

    scan_case_open(&test, faults->kind, row->steps);
    if (!is_unix) {
        fake_scanner_stop(&test.servers[0]);
        test.server_count = 0;
        scan_case_add_server(&test, false, row->steps);
    }
    if (row->timeout_ms > 0)
        test.scanner.scan_timeout_ms = row->timeout_ms;
    bool is_ok = went(row->what, scan_case_run(&test), row->want);
    /* The next address makes up for it. */
    if (is_ok && row->want == FINDING_TROUBLE && row->timeout_ms == 0) {
        backend_free(&test.backend);
        test.servers[0].scripts[1] = NULL;
        const struct fake_step good[] = { WHOLE_REQUEST(faults),
                                          { STEP_SEND, faults->answer, 0 },
                                          gone[0] };
        scan_case_add_server(&test, true, good);
        is_ok = went(row->what, scan_case_run(&test), FINDING_CLEAN);
    }
    scan_case_close(&test);
    return is_ok;
}

static bool run_rows(const struct scan_faults *faults)
{
    char garbage[256];
    for (size_t i = 0; i < sizeof(garbage); i++)
        garbage[i] = (char)(i * 7 + 128);
    static const char zeros[16384];
    const struct slice garbled = { garbage, sizeof(garbage) }, blank = { zeros, sizeof(zeros) };
    const struct fake_step hang = { .kind = STEP_HANG }, half = { .kind = STEP_HALF_CLOSE },
                           reset = { .kind = STEP_RESET },
                           answer = { STEP_SEND, faults->answer, 0 };
    const struct row rows[] = {
        { "a good answer", { WHOLE_REQUEST(faults), answer }, 0, FINDING_CLEAN },
        { "a good answer, byte by byte",
          { WHOLE_REQUEST(faults), { STEP_DRIP, faults->answer, 0 } },
          0,
          FINDING_CLEAN },
        { "closed at once", { { .kind = STEP_CLOSE } }, 0, FINDING_TROUBLE },
        { "reset at once", { reset }, 0, FINDING_TROUBLE },
        { "silence", { hang }, SHORT_MS, FINDING_TROUBLE },
        { "silence after the request", { WHOLE_REQUEST(faults), hang }, SHORT_MS, FINDING_TROUBLE },
        { "closed after the request", { WHOLE_REQUEST(faults) }, 0, FINDING_TROUBLE },
        { "reset after the request", { WHOLE_REQUEST(faults), reset }, 0, FINDING_TROUBLE },
        { "half closed", { half, hang }, 0, FINDING_TROUBLE },
        { "half closed after the request",
          { WHOLE_REQUEST(faults), half, hang },
          0,
          FINDING_TROUBLE },
        { "garbage at once", { { STEP_SEND, garbled, 0 } }, 0, FINDING_TROUBLE },
        { "garbage after the request",
          { WHOLE_REQUEST(faults), { STEP_SEND, garbled, 0 } },
          0,
          FINDING_TROUBLE },
        { "garbage without end",
          { WHOLE_REQUEST(faults), { STEP_FLOOD, garbled, 1 << 20 } },
          0,
          FINDING_TROUBLE },
        { "blank bytes without end",
          { WHOLE_REQUEST(faults), { STEP_FLOOD, blank, 1 << 12 } },
          0,
          FINDING_TROUBLE },
        { "an answer before the request, then closed",
          { answer, { .kind = STEP_CLOSE } },
          0,
          FINDING_TROUBLE },
        { "two answers", { WHOLE_REQUEST(faults), answer, answer }, 0, FINDING_TROUBLE },
        { "a byte after the answer",
          { WHOLE_REQUEST(faults), answer, { STEP_SEND, SLICE_INIT("x"), 0 } },
          0,
          FINDING_TROUBLE },
        { "an answer, and never closed",
          { WHOLE_REQUEST(faults), answer, hang },
          faults->ends_itself ? 0 : SHORT_MS,
          faults->ends_itself ? FINDING_CLEAN : FINDING_TROUBLE },
        { "a slow drip beyond the time",
          { WHOLE_REQUEST(faults), { STEP_DRIP, faults->answer, 0 }, hang },
          8,
          FINDING_TROUBLE },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (!run_row(faults, &rows[i], true) || !run_row(faults, &rows[i], false))
            return false;
    return true;
}

/* ---- no connection ---- */

static bool run_refused(const struct scan_faults *faults, bool is_unix)
{
    static const struct fake_step none[] = { { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, faults->kind, none);
    scan_case_add_server(&test, is_unix, none);
    fake_scanner_refuse(&test.servers[0]);
    fake_scanner_refuse(&test.servers[1]);
    bool is_ok = went("refused", scan_case_run(&test), FINDING_TROUBLE);
    scan_case_close(&test);
    return is_ok;
}

static bool run_hanging(const struct scan_faults *faults, bool is_unix)
{
    const struct fake_step good[] = { WHOLE_REQUEST(faults),
                                      { STEP_SEND, faults->answer, 0 },
                                      { .kind = STEP_CLOSE } };
    struct scan_case test;

    scan_case_open(&test, faults->kind, good);
    scan_case_add_server(&test, is_unix, good);
    fake_scanner_refuse(&test.servers[0]);
    fake_scanner_hang(&test.servers[1]);
    test.scanner.connect_timeout_ms = SHORT_MS;
    bool is_ok = went("connecting hangs", scan_case_run(&test), FINDING_TROUBLE);
    backend_free(&test.backend);
    scan_case_add_server(&test, is_unix, good);
    is_ok = is_ok && went("connecting hangs, then another", scan_case_run(&test), FINDING_CLEAN);
    scan_case_close(&test);
    return is_ok;
}

/* ---- cut answers ---- */

static bool run_cut(const struct scan_faults *faults, size_t cut, enum fake_step_kind how)
{
    const struct fake_step steps[] = { WHOLE_REQUEST(faults),
                                       { STEP_SEND, slice_part(faults->answer, 0, cut), 0 },
                                       { .kind = how },
                                       { .kind = STEP_HANG } };
    struct scan_case test;
    char what[80];

    snprintf(what, sizeof(what), "cut after %zu bytes, then %s", cut,
             how == STEP_HANG         ? "silence"
             : how == STEP_HALF_CLOSE ? "half closed"
                                      : "closed");
    scan_case_open(&test, faults->kind, steps);
    if (how == STEP_HANG)
        test.scanner.scan_timeout_ms = 10;
    bool is_ok = went(what, scan_case_run(&test), FINDING_TROUBLE);
    scan_case_close(&test);
    return is_ok;
}

static bool run_cuts(const struct scan_faults *faults)
{
    static const enum fake_step_kind ways[] = { STEP_CLOSE, STEP_HALF_CLOSE, STEP_HANG };
    size_t end = faults->whole_from > 0 ? faults->whole_from : faults->answer.len;
    size_t step = end / 200 + 1; /* long answers: every n-th byte */

    for (size_t cut = 0; cut < end; cut += step)
        for (size_t i = 0; i < COUNT(ways); i++)
            if ((ways[i] != STEP_HANG || cut % (8 * step) == 0) && !run_cut(faults, cut, ways[i]))
                return false;
    return run_cut(faults, end - 1, STEP_CLOSE);
}

const char *scan_faults_run(const struct scan_faults *faults)
{
    bool is_ok = run_rows(faults) && run_refused(faults, true) && run_refused(faults, false) &&
                 run_hanging(faults, true) && run_hanging(faults, false) && run_cuts(faults);

    return is_ok ? NULL : failure;
}
