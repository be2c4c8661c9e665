/* common/quarantine/errand_release.c - POST quarantine/ID/release; see errand.h. */
#include <unistd.h>

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/quarantine/errand.h"

enum { RELEASED, REFUSED };

static struct metric metrics[] = {
    [RELEASED] = METRIC("gatehouse_quarantine_released_total", METRIC_COUNTER,
                        "Recipients for whom a message was released from quarantine."),
    [REFUSED] = METRIC("gatehouse_quarantine_release_errors_total", METRIC_COUNTER,
                       "Recipients for whom the release listener did not take a message."),
};

void errand_release_register(void)
{
    metrics_register(metrics, COUNT(metrics));
}

struct releasing {
    struct errand *errand;
    const struct errand_place *place;
    struct arena *arena;
    struct kept kept;
    struct release_recipient *recipients;
    size_t count, taken;
    struct slice unrecorded; /* why it could not be written down who has it; empty: it was */
    bool is_copy; /* to somebody else: the recipients stay */
};

/* Whom it goes to. False after the answer has been set. */
static bool choose(struct releasing *releasing)
{
    struct errand *errand = releasing->errand;
    struct slice only = control_param(errand->request, "recipient");
    struct slice to = control_param(errand->request, "to");
    struct slice sender = control_param(errand->request, "sender");
    struct kept *kept = &releasing->kept;

    releasing->recipients = arena_alloc_array(releasing->arena, kept->recipient_count + 1,
                                              sizeof *releasing->recipients);
    if (releasing->recipients == NULL) {
        errand_error(errand, 500, "out of memory");
        return false;
    }
    if (to.ptr != NULL && to.len == 0) { /* not to its recipients: somebody else was meant */
        errand_error(errand, 422, "`to` is empty: say for whom it is, or leave it out");
        return false;
    }
    if (to.len > 0) {
        releasing->is_copy = true;
        if (sender.ptr != NULL) {
            kept->sender = sender;
            kept->sender_arguments = SLICE("");
        }
        releasing->recipients[releasing->count++].to = (struct kept_recipient){ to, SLICE("") };
        return true;
    }
    if (kept->damage.len > 0) { /* whom it was for is not known for certain */
        errand_error(errand, 422, "%s is damaged (%.*s): say for whom it is with --to", kept->id,
                     SLICE_ARG(kept->damage));
        return false;
    }
    for (size_t i = 0; i < kept->recipient_count; i++)
        if (only.ptr == NULL || slice_equal_nocase(only, kept->recipients[i].address))
            releasing->recipients[releasing->count++].to = kept->recipients[i];
    if (releasing->count == 0)
        errand_error(errand, 404, "%s is not kept for \"%.*s\"", kept->id,
                     SLICE_ARG(slice_part(only, 0, 200)));
    return releasing->count > 0;
}

/* Was it sent to this recipient? */
static bool was_taken(const struct releasing *releasing, struct slice address)
{
    for (size_t i = 0; i < releasing->count; i++)
        if (releasing->recipients[i].state == RELEASE_TAKEN &&
            slice_equal(releasing->recipients[i].to.address, address))
            return true;
    return false;
}

/* Those who have it are no longer kept; returns how many are. */
static size_t forget_taken(struct releasing *releasing)
{
    struct folder *folder = quarantine_folder(releasing->place->quarantine);
    struct kept *kept = &releasing->kept;
    AUTO_BUF error = BUF_INIT(400);
    size_t left = 0;
    bool failed = false;

    for (size_t i = 0; i < kept->recipient_count; i++)
        if (!was_taken(releasing, kept->recipients[i].address))
            kept->recipients[left++] = kept->recipients[i];
    if (left == kept->recipient_count)
        return left;
    kept->recipient_count = left;
    if (left == 0)
        failed = folder_remove(folder, slice_of(kept->id), &error) == FOLDER_FAILED;
    else
        failed = folder_update(folder, kept, &error) != 0;
    if (failed) {
        log_error("quarantine: %s was released and stays: %s", kept->id, buf_text(&error));
        releasing->unrecorded = arena_copy(releasing->arena, slice_of(buf_text(&error)));
    }
    return left;
}

static void answer_release(struct releasing *releasing, size_t left)
{
    json_t *released = json_array(), *refused = json_array();
    const char *first = "";

    for (size_t i = 0; i < releasing->count; i++) {
        const struct release_recipient *one = &releasing->recipients[i];
        json_t *address = control_text(one->to.address);
        if (one->state == RELEASE_TAKEN) {
            json_array_append_new(released, address);
            continue;
        }
        first = first[0] == '\0' ? one->reply : first;
        json_array_append_new(refused, json_pack("{s:o, s:o}", "recipient", address, "reply",
                                                 control_text(slice_of(one->reply))));
    }
    json_t *json = json_pack("{s:s, s:o, s:o, s:I}", "id", releasing->kept.id, "released", released,
                             "refused", refused, "kept", (json_int_t)left);
    if (json != NULL && releasing->taken == 0)
        json_object_set_new(json, "error",
                            json_sprintf("the release listener did not take it: %s", first));
    if (json != NULL && releasing->unrecorded.len > 0)
        json_object_set_new(json, "unrecorded", control_text(releasing->unrecorded));
    errand_answer(releasing->errand, releasing->taken > 0 ? 200 : 502, json);
}

static void release_entry(struct releasing *releasing)
{
    const struct errand_place *place = releasing->place;
    uint64_t size = 0;
    int fd =
        folder_open_message(quarantine_folder(place->quarantine), releasing->errand->id, &size);

    if (fd < 0) {
        errand_no_message(releasing->errand, place);
        return;
    }
    if (releasing->kept.is_cut || size != releasing->kept.size) {
        close(fd);
        errand_error(releasing->errand, 500, "%s is damaged: %.*s", releasing->kept.id,
                     SLICE_ARG(releasing->kept.damage));
        return;
    }
    struct source source = source_of_file(fd, size);
    releasing->taken =
        release_send(place->release, &releasing->kept, &source, releasing->recipients,
                     releasing->count, RELEASE_TIMEOUT_MS, place->stop_fd);
    close(fd);
    metric_add(metric_of(&metrics[RELEASED]), releasing->taken);
    metric_add(metric_of(&metrics[REFUSED]), releasing->count - releasing->taken);
    log_info("quarantine: %s released for %zu of %zu recipients: %s", releasing->kept.id,
             releasing->taken, releasing->count, releasing->recipients[0].reply);
    answer_release(releasing,
                   releasing->is_copy ? releasing->kept.recipient_count : forget_taken(releasing));
}

void errand_release(struct errand *errand, const struct errand_place *place)
{
    struct releasing releasing = { .errand = errand,
                                   .place = place,
                                   .arena = arena_new(KEPT_MEMORY_MAX) };

    if (place->release == NULL)
        errand_error(errand, 422, "there is no release listener: set `release`");
    else if (errand_read(errand, place, releasing.arena, &releasing.kept) && choose(&releasing))
        release_entry(&releasing);
    arena_free(&releasing.arena);
}
