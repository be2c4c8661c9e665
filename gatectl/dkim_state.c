/* gatectl/dkim_state.c - see dkim_state.h. */
#include "gatectl/dkim_state.h"

#include "common/dkim/record.h"
#include "gatectl/live.h"
#include "gatectl/output.h"

#define SIGND_SOCKET "unix:/run/gatehouse/signd.http"

enum { RECORD_MAX = 4096, STRING_MAX = 255 };

const struct gatectl_daemon dkim_daemon = { "signd", GATECTL_SIGND_CONFIG, SIGND_SOCKET,
                                            GATECTL_STORE };

/* ---- records ---- */

static void put_strings(struct buf *out, struct slice record, const char *between)
{
    for (size_t at = 0; at < record.len; at += STRING_MAX) {
        struct slice piece = slice_part(record, at, STRING_MAX);
        buf_printf(out, "%s\"%.*s\"", at == 0 ? "" : between, SLICE_ARG(piece));
    }
}

void dkim_print_record(struct gatectl *ctl, struct slice domain, struct slice selector,
                       const struct dkim_key *key)
{
    AUTO_BUF record = BUF_INIT(RECORD_MAX);
    AUTO_BUF zone = BUF_INIT(2 * RECORD_MAX);
    AUTO_BUF strings = BUF_INIT(2 * RECORD_MAX);

    if (dkim_record_print(key, &record) != 0) {
        gatectl_error(ctl, "out of memory");
        return;
    }
    put_strings(&zone, buf_slice(&record), "\n    ");
    put_strings(&strings, buf_slice(&record), " ");
    fprintf(ctl->out,
            "; for a zone file\n%.*s._domainkey.%.*s. IN TXT (\n    %s )\n"
            "; in one line, for a form that takes it all\n%s\n"
            "; in strings of at most 255 characters, for a form that wants them\n%s\n",
            SLICE_ARG(selector), SLICE_ARG(domain), buf_text(&zone), buf_text(&record),
            buf_text(&strings));
}

json_t *dkim_record_json(struct slice domain, struct slice selector, const struct dkim_key *key,
                         const char *state)
{
    AUTO_BUF record = BUF_INIT(RECORD_MAX);
    AUTO_BUF name = BUF_INIT(RECORD_MAX);

    dkim_record_print(key, &record);
    buf_printf(&name, "%.*s._domainkey.%.*s", SLICE_ARG(selector), SLICE_ARG(domain));
    return json_pack("{s:o, s:o, s:s, s:o, s:s}", "domain", control_text(domain), "selector",
                     control_text(selector), "name", buf_text(&name), "record",
                     control_text(buf_slice(&record)), "state", state);
}

/* ---- states ---- */

json_t *dkim_read_states(struct gatectl *ctl)
{
    json_t *rows = NULL;

    ctl->daemon = &dkim_daemon;
    return live_rows(ctl, "dkim", &rows) == EXIT_DONE ? rows : NULL;
}

struct dkim_life dkim_state_of(const json_t *rows, struct slice domain, struct slice selector)
{
    struct dkim_life life = { .state = DKIM_ACTIVE };
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row) {
        struct slice of_domain, of_selector;
        const char *error;
        if (dkim_life_name(json_member(row, "name"), &of_domain, &of_selector) &&
            slice_equal(of_domain, domain) && slice_equal(of_selector, selector) &&
            dkim_life_parse(json_member(row, "value"), &life, &error))
            break;
    }
    return life;
}

int dkim_set_state(struct gatectl *ctl, struct slice domain, struct slice selector,
                   enum dkim_state state)
{
    struct slice field =
        arena_printf(ctl->arena, "%.*s/%.*s", SLICE_ARG(domain), SLICE_ARG(selector));
    struct slice value =
        arena_printf(ctl->arena, "%s since=%llu", dkim_state_words[state],
                     (unsigned long long)(ctl->clock->wall_ms(ctl->clock) / SECOND));

    ctl->daemon = &dkim_daemon;
    if (field.ptr == NULL || value.ptr == NULL)
        return EXIT_FAILED;
    return live_set(ctl, "dkim", field.ptr, value.ptr);
}
