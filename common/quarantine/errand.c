/* common/quarantine/errand.c - see errand.h. */
#include "common/quarantine/errand.h"

#include <stdarg.h>
#include <unistd.h>

#include "common/base/base64.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"

/* One page of the list ends with any of these, or when it has as many rows as are wanted: others wait meanwhile, and it lies in
 * memory. */
enum {
    LOOKED_AT_MAX = 20000, /* entries */
    PAGE_MS_MAX = 2000,
    PAGE_BYTES_MAX = 4 << 20, /* of rows, as JSON */
};

enum {
    PAGE = 100,
    LISTED_RECIPIENTS_MAX = 20,
    CHUNK_BYTES = 384 << 10, /* of a message in one answer; divides by 3 */
};

static struct metric metrics[] = {
    METRIC("gatehouse_quarantine_deleted_total", METRIC_COUNTER,
           "Messages that an operator deleted from quarantine."),
};

void errand_metrics_register(void)
{
    metrics_register(metrics, COUNT(metrics));
    errand_release_register();
}

/* ---- answers ---- */

void errand_answer(struct errand *errand, unsigned status, json_t *json)
{
    errand->status = json == NULL ? 500 : status;
    errand->answer = json;
}

void errand_error(struct errand *errand, unsigned status, const char *format, ...)
{
    char text[500];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    errand_answer(errand, status, json_pack("{s:o}", "error", control_text(slice_of(text))));
}

void errand_not_there(struct errand *errand)
{
    errand_error(errand, 404, "there is no message %.*s in quarantine", SLICE_ARG(errand->id));
}

void errand_no_message(struct errand *errand, const struct errand_place *place)
{
    if (folder_has(quarantine_folder(place->quarantine), errand->id))
        errand_error(errand, 500, "the message of %.*s is missing", SLICE_ARG(errand->id));
    else
        errand_not_there(errand);
}

bool errand_read(struct errand *errand, const struct errand_place *place, struct arena *arena,
                 struct kept *out)
{
    AUTO_BUF error = BUF_INIT(400);
    enum folder_result result = arena == NULL ? FOLDER_FAILED
                                              : folder_read(quarantine_folder(place->quarantine),
                                                            errand->id, arena, out, &error);

    if (result == FOLDER_NOT_THERE)
        errand_not_there(errand);
    else if (result != FOLDER_OK && result != FOLDER_DAMAGED)
        errand_error(errand, 500, "%s", error.len > 0 ? buf_text(&error) : "out of memory");
    return result == FOLDER_OK || result == FOLDER_DAMAGED;
}

/* ---- GET quarantine ---- */

/* "user@example.com", or "@example.com" for everybody there. */
static bool fits_mailbox(struct slice wanted, struct slice address)
{
    size_t at = slice_rfind(address, '@');

    if (wanted.len > 0 && wanted.ptr[0] == '@')
        return at != SIZE_MAX && slice_equal_nocase(wanted, slice_skip(address, at));
    return slice_equal_nocase(wanted, address);
}

static bool has_text(struct slice text, struct slice wanted)
{
    for (size_t at = 0; at + wanted.len <= text.len; at++)
        if (slice_equal_nocase(slice_part(text, at, wanted.len), wanted))
            return true;
    return false;
}

static bool is_wanted(const struct errand *errand, const struct kept *kept)
{
    struct slice recipient = control_param(errand->request, "recipient");
    struct slice sender = control_param(errand->request, "sender");
    struct slice find = control_param(errand->request, "find");
    bool fits = recipient.ptr == NULL;

    for (size_t i = 0; i < kept->recipient_count && !fits; i++)
        fits = fits_mailbox(recipient, kept->recipients[i].address);
    return fits && (sender.ptr == NULL || fits_mailbox(sender, kept->sender)) &&
           (find.ptr == NULL || has_text(kept->reason, find) || has_text(kept->subject, find) ||
            has_text(kept->from, find) || has_text(kept->queue_id, find) ||
            (kept->damage.len > 0 &&
             (has_text(kept->damage, find) || has_text(SLICE("damaged"), find))));
}

static json_t *row(const struct kept *kept)
{
    struct kept cut = *kept;
    json_t *json;

    cut.finding_count = 0;
    if (cut.recipient_count > LISTED_RECIPIENTS_MAX)
        cut.recipient_count = LISTED_RECIPIENTS_MAX;
    json = kept_to_json(&cut);
    if (json != NULL) {
        json_object_del(json, "findings");
        json_object_set_new(json, "recipient_count",
                            json_integer((json_int_t)kept->recipient_count));
    }
    return json;
}

/* A page under way. */
struct page {
    struct errand *errand;
    const struct errand_place *place;
    json_t *list;
    uint64_t now_ms, until_ms; /* wall clock; monotonic */
    size_t looked_at, bytes;
};

static void add_row(struct page *page, const struct kept *kept)
{
    json_t *json = row(kept);

    if (json != NULL)
        page->bytes += json_dumpb(json, NULL, 0, JSON_ENSURE_ASCII);
    json_array_append_new(page->list, json);
}

/* Adds the entry if it is wanted. */
static void list_entry(struct page *page, const char *id)
{
    AUTO_BUF error = BUF_INIT(400);
    struct arena *arena = arena_new(KEPT_MEMORY_MAX);
    struct kept kept;
    enum folder_result result = arena == NULL
                                    ? FOLDER_FAILED
                                    : folder_read(quarantine_folder(page->place->quarantine),
                                                  slice_of(id), arena, &kept, &error);

    if (result == FOLDER_OK || result == FOLDER_DAMAGED) {
        if (is_wanted(page->errand, &kept))
            add_row(page, &kept);
    } else if (error.len > 0) {
        log_warning("quarantine: %s", buf_text(&error));
    }
    arena_free(&arena);
    page->looked_at++;
}

static bool is_full(const struct page *page)
{
    const struct clock *clock = page->place->clock;

    return json_array_size(page->list) >= page->errand->count || page->looked_at >= LOOKED_AT_MAX ||
           page->bytes >= PAGE_BYTES_MAX || clock->now_ms(clock) >= page->until_ms;
}

static bool is_old_enough(const struct page *page, const char *id)
{
    uint64_t from = kept_id_time_ms(slice_of(id));

    return page->errand->older_ms == 0 ||
           (page->now_ms >= from && page->now_ms - from >= page->errand->older_ms);
}

/* Newest first. *last is where the next page begins; empty: there is none. */
static void list_page(struct page *page, char last[KEPT_ID_LEN + 1])
{
    struct folder *folder = quarantine_folder(page->place->quarantine);
    struct slice after = control_param(page->errand->request, "after");
    char ids[PAGE][KEPT_ID_LEN + 1];
    size_t n;

    while ((n = folder_list(folder, after, true, PAGE, ids)) > 0) {
        for (size_t i = 0; i < n; i++) {
            memcpy(last, ids[i], KEPT_ID_LEN + 1);
            if (!is_old_enough(page, ids[i]))
                continue;
            list_entry(page, ids[i]);
            if (is_full(page))
                return;
        }
        after = slice_of(last);
    }
    last[0] = '\0';
}

static void run_list(struct errand *errand, const struct errand_place *place)
{
    struct folder *folder = quarantine_folder(place->quarantine);
    const struct clock *clock = place->clock;
    struct page page = { .errand = errand,
                         .place = place,
                         .list = json_array(),
                         .now_ms = clock->wall_ms(clock),
                         .until_ms = clock->now_ms(clock) + PAGE_MS_MAX };
    char last[KEPT_ID_LEN + 1] = "";

    list_page(&page, last);
    errand_answer(errand, 200,
                  json_pack("{s:o, s:o, s:I, s:I}", "messages", page.list, "next",
                            last[0] == '\0' ? json_null() : json_string(last), "total",
                            (json_int_t)folder_count(folder), "bytes",
                            (json_int_t)folder_bytes(folder)));
}

/* ---- GET quarantine/ID, quarantine/ID/message ---- */

static void run_show(struct errand *errand, const struct errand_place *place)
{
    struct arena *arena = arena_new(KEPT_MEMORY_MAX);
    struct kept kept;

    if (errand_read(errand, place, arena, &kept))
        errand_answer(errand, 200, kept_to_json(&kept));
    arena_free(&arena);
}

static void run_message(struct errand *errand, const struct errand_place *place)
{
    AUTO_BUF data = BUF_INIT(CHUNK_BYTES / 3 * 4 + 8);
    uint64_t size = 0;
    int fd = folder_open_message(quarantine_folder(place->quarantine), errand->id, &size);
    struct source source = source_of_file(fd, size);
    char *space = fd < 0 ? NULL : malloc(CHUNK_BYTES);
    struct slice bytes;

    if (fd < 0)
        errand_no_message(errand, place);
    else if (space == NULL ||
             source.read(&source, errand->offset, CHUNK_BYTES, space, &bytes) != 0 ||
             base64_print(&data, bytes.ptr, bytes.len) != 0)
        errand_error(errand, 500, "the message cannot be read");
    else
        errand_answer(errand, 200,
                      json_pack("{s:o, s:I, s:I, s:o}", "id", control_text(errand->id), "size",
                                (json_int_t)size, "offset", (json_int_t)errand->offset, "data",
                                json_string(buf_text(&data))));
    free(space);
    if (fd >= 0)
        close(fd);
}

/* ---- DELETE quarantine/ID ---- */

static void run_delete(struct errand *errand, const struct errand_place *place)
{
    AUTO_BUF error = BUF_INIT(400);

    switch (folder_remove(quarantine_folder(place->quarantine), errand->id, &error)) {
    case FOLDER_OK:
        metric_add(metric_of(&metrics[0]), 1);
        log_info("quarantine: %.*s deleted by an operator", SLICE_ARG(errand->id));
        errand_answer(errand, 200,
                      json_pack("{s:o, s:b}", "id", control_text(errand->id), "deleted", 1));
        break;
    case FOLDER_NOT_THERE:
        errand_not_there(errand);
        break;
    case FOLDER_DAMAGED:
    case FOLDER_FULL:
    case FOLDER_FAILED:
        errand_error(errand, 500, "%s", buf_text(&error));
        break;
    }
}

/* ---- what is asked for ---- */

static const struct route {
    enum control_method method;
    size_t segments;
    const char *last; /* NULL: no such segment */
    void (*run)(struct errand *errand, const struct errand_place *place);
} routes[] = {
    { CONTROL_GET, 1, NULL, run_list },
    { CONTROL_GET, 2, NULL, run_show },
    { CONTROL_DELETE, 2, NULL, run_delete },
    { CONTROL_GET, 3, "message", run_message },
    { CONTROL_POST, 3, "release", errand_release },
};

static const struct route *find_route(const struct control_request *request, bool *is_known)
{
    for (size_t i = 0; i < COUNT(routes); i++) {
        if (request->segment_count != routes[i].segments ||
            (routes[i].last != NULL &&
             !slice_equal(request->segments[2], slice_of(routes[i].last))))
            continue;
        *is_known = true;
        if (routes[i].method == request->method)
            return &routes[i];
    }
    return NULL;
}

/* A number; `initial` without the parameter. False: it is none, or more than `most`. */
static bool read_number(const struct control_request *request, const char *name, uint64_t initial,
                        uint64_t most, uint64_t *out)
{
    struct slice text = control_param(request, name);

    *out = initial;
    return text.ptr == NULL || (slice_to_u64(text, out) && *out <= most);
}

struct errand *errand_new(struct control_request *request)
{
    bool is_known = false;
    const struct route *route = find_route(request, &is_known);
    uint64_t older_s, offset, count;
    struct errand *errand;

    if (route == NULL) {
        control_error(request, is_known ? 405 : 404,
                      is_known ? "this resource has no such method" : "no such resource");
        return NULL;
    }
    if (!read_number(request, "older", 0, UINT32_MAX, &older_s) ||
        !read_number(request, "offset", 0, INT64_MAX, &offset) ||
        !read_number(request, "count", CONTROL_COUNT_DEFAULT, CONTROL_COUNT_MAX, &count) ||
        count == 0) {
        control_error(request, 400, "older, offset and count are numbers, count from 1 to %d",
                      (int)CONTROL_COUNT_MAX);
        return NULL;
    }
    errand = calloc(1, sizeof *errand);
    if (errand == NULL) {
        control_error(request, 503, "out of memory");
        return NULL;
    }
    *errand = (struct errand){ .request = request,
                               .run = route->run,
                               .id = request->segment_count > 1 ? request->segments[1]
                                                                : (struct slice){ NULL, 0 },
                               .older_ms = older_s * SECOND,
                               .offset = offset,
                               .count = (size_t)count };
    return errand;
}

void errand_run(struct errand *errand, const struct errand_place *place)
{
    errand->run(errand, place);
}
