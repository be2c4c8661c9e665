/* gatectl/backend_quarantine.c - straight on contentd's quarantine, for when the daemon is down: the same code on the same
 * directory, which only one process has at a time. */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "common/mime/mime.h"
#include "common/observe/log.h"
#include "common/quarantine/errand.h"
#include "gatectl/backend.h"
#include "gatectl/settings.h"

enum { LOCK_WAIT_MS = 1000, PAUSE_MS = 100 };

struct backend_quarantine {
    struct backend backend; /* first member */
    const struct settings *settings;
    struct errand_place place; /* quarantine NULL: let go of */
    uint64_t since_ms; /* monotonic: held */
};

struct exchange {
    struct control_request request; /* first member */
    unsigned status;
    json_t *answer;
};

static void reply(struct control_request *request, unsigned status, json_t *answer)
{
    struct exchange *exchange = (struct exchange *)request;

    exchange->status = answer == NULL ? 503 : status;
    exchange->answer = answer == NULL ? json_pack("{s:s}", "error", "out of memory") : answer;
}

/* Keeps everything: age and size are the daemon's to judge. A directory that is not there is not made. */
static bool take_quarantine(struct backend_quarantine *direct, char error[BACKEND_ERROR_MAX])
{
    const struct quarantine_settings settings = { .directory =
                                                      direct->settings->quarantine_directory,
                                                  .age_max_ms = UINT64_MAX - 1,
                                                  .wait_ms = LOCK_WAIT_MS };
    const struct clock *clock = direct->place.clock;
    AUTO_BUF why = BUF_INIT(BACKEND_ERROR_MAX);
    struct stat about;

    if (stat(settings.directory, &about) != 0)
        buf_printf(&why, "%s: %s", settings.directory, strerror(errno));
    else
        direct->place.quarantine = quarantine_open(&settings, clock, &why);
    direct->since_ms = clock->now_ms(clock);
    if (direct->place.quarantine == NULL)
        snprintf(error, BACKEND_ERROR_MAX, "%s", buf_text(&why));
    return direct->place.quarantine != NULL;
}

/* A daemon that waits for the directory takes it in this moment. */
static bool take_again(struct backend_quarantine *direct, char error[BACKEND_ERROR_MAX])
{
    static const struct timespec pause = { 0, PAUSE_MS * 1000000L };
    const struct clock *clock = direct->place.clock;

    if (direct->place.quarantine != NULL &&
        clock->now_ms(clock) - direct->since_ms < QUARANTINE_HOLD_MS)
        return true;
    quarantine_close(&direct->place.quarantine);
    nanosleep(&pause, NULL);
    return take_quarantine(direct, error);
}

static enum backend_result quarantine_ask(struct backend *backend, const struct ask *ask,
                                          unsigned *status, json_t **answer,
                                          char error[BACKEND_ERROR_MAX])
{
    struct backend_quarantine *direct = (struct backend_quarantine *)backend;
    struct exchange exchange = { .request = ask_request(ask) };

    if (!take_again(direct, error))
        return BACKEND_UNREACHABLE;
    exchange.request.reply = reply;
    struct errand *errand = errand_new(&exchange.request);
    if (errand != NULL) { /* else it has been replied to */
        errand_run(errand, &direct->place);
        reply(&exchange.request, errand->status, errand->answer);
        free(errand);
    }
    *status = exchange.status;
    *answer = exchange.answer;
    return BACKEND_OK;
}

static void quarantine_free(struct backend *backend)
{
    struct backend_quarantine *direct = (struct backend_quarantine *)backend;

    quarantine_close(&direct->place.quarantine);
    release_free(&direct->place.release);
    free(direct);
}

static const struct backend_ops quarantine_ops = { quarantine_ask, quarantine_free };

/* The daemon's release listener; none in the configuration: releasing is refused. */
static bool set_release(struct backend_quarantine *direct, char error[BACKEND_ERROR_MAX])
{
    const struct settings *settings = direct->settings;
    AUTO_BUF why = BUF_INIT(BACKEND_ERROR_MAX);

    if (settings->release[0] == '\0')
        return true;
    direct->place.release =
        release_new(slice_of(settings->release), slice_of(settings->myhostname), &why);
    if (direct->place.release == NULL)
        snprintf(error, BACKEND_ERROR_MAX, "release: %s", buf_text(&why));
    return direct->place.release != NULL;
}

struct backend *backend_quarantine_new(const struct settings *settings, const struct clock *clock,
                                       char error[BACKEND_ERROR_MAX])
{
    struct backend_quarantine *direct = calloc(1, sizeof(*direct));

    if (direct == NULL) {
        snprintf(error, BACKEND_ERROR_MAX, "out of memory");
        return NULL;
    }
    direct->backend.ops = &quarantine_ops;
    direct->settings = settings;
    direct->place = (struct errand_place){ .clock = clock, .stop_fd = -1 };
    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL); /* what matters is in the answers */
    mime_init();
    errand_metrics_register();
    if (set_release(direct, error) && take_quarantine(direct, error))
        return &direct->backend;
    quarantine_free(&direct->backend);
    return NULL;
}
