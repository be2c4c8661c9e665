/* gatectl/tail.c - gatectl tail: decisions as they are made. */
#include <time.h>

#include "gatectl/command.h"
#include "gatectl/decisions.h"
#include "gatectl/output.h"

enum { FIRST_LINES = 10, POLL_MS = 500 };

static void print_lines(struct gatectl *ctl, const json_t *lines)
{
    const json_t *line;
    size_t i;

    json_array_foreach (lines, i, line) {
        if (ctl->options.json) {
            output_json_line(ctl->out, line);
        } else {
            output_text(ctl->out, json_member(line, "text"));
            putc('\n', ctl->out);
        }
    }
}

/* The id of the last line, copied; `last` stays without one. False: memory is out. */
static bool remember_last(struct buf *last, const json_t *lines)
{
    size_t count = json_array_size(lines);
    struct slice id;

    if (count == 0)
        return true;
    id = json_member(json_array_get(lines, count - 1), "id");
    buf_clear(last);
    return buf_add(last, id) == 0;
}

static void wait_a_little(void)
{
    const struct timespec pause = { 0, POLL_MS * 1000000L };

    nanosleep(&pause, NULL);
}

int cmd_tail(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    AUTO_BUF last = BUF_INIT(256);
    struct slice find = slice_of(ctl->options.find);
    unsigned most = ctl->options.count == 0 ? FIRST_LINES : ctl->options.count;
    int code;

    for (;;) {
        json_t *lines = NULL;
        code = decisions_read(ctl, buf_slice(&last), find, most, &lines);
        if (code != EXIT_DONE)
            return code;
        print_lines(ctl, lines);
        bool ok = remember_last(&last, lines) && fflush(ctl->out) == 0;
        bool is_behind = json_array_size(lines) == CONTROL_COUNT_MAX;
        json_decref(lines);
        if (!ok) /* the reader has gone */
            return EXIT_FAILED;
        most = CONTROL_COUNT_MAX;
        if (!is_behind)
            wait_a_little();
    }
}
