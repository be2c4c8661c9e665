/* contentd/places.c - see places.h. */
#include "contentd/places.h"

#include "common/base/wake.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/run/pool.h"

enum { ERROR_MAX = 400, RETRY_MS = 1000 };

static struct metric metrics[] = {
    METRIC_BY("gatehouse_content_directory_unopened", METRIC_GAUGE,
              "1 while quarantine_directory or outbox_directory cannot be opened: what must be put "
              "there is deferred, and it is tried again every second.",
              "directory"),
};

struct directory {
    const char *name, *consequence; /* of the parameter; who suffers while it is not open */
    metric_id unopened;
    char said[ERROR_MAX + 1]; /* last, of why it cannot be opened; empty: nothing, it can */
};

struct places_opener {
    struct pool_task task; /* first member */
    struct places_spec spec;
    struct directory quarantine, outbox; /* its thread's, once that runs */
    struct pool *pool; /* of the thread; NULL: nothing was missing */
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    bool is_stopping;
};

struct quarantine_settings places_quarantine_settings(const struct contentd_config *config)
{
    return (struct quarantine_settings){ .directory = config->quarantine_directory.ptr,
                                         .size_max = config->quarantine_size,
                                         .age_max_ms = config->quarantine_age };
}

static void say(struct directory *directory, bool is_open, const char *why)
{
    bool was_open = directory->said[0] == '\0';

    if (is_open != was_open)
        metric_change(directory->unopened, was_open ? 1 : -1);
    if (is_open && !was_open)
        log_info("%s: it is open now", directory->name);
    else if (!is_open && strcmp(directory->said, why) != 0)
        log_warning("%s: %s; %s are deferred until it can be opened", directory->name, why,
                    directory->consequence);
    snprintf(directory->said, sizeof directory->said, "%s", is_open ? "" : why);
}

static void open_quarantine(struct places_opener *opener, uint64_t wait_ms)
{
    struct quarantine_settings settings = places_quarantine_settings(opener->spec.config);
    AUTO_BUF error = BUF_INIT(ERROR_MAX);

    settings.wait_ms = wait_ms;
    struct quarantine *quarantine = quarantine_open(&settings, opener->spec.clock, &error);
    opener->spec.places->quarantine = quarantine;
    say(&opener->quarantine, quarantine != NULL, buf_text(&error));
}

static void open_outbox(struct places_opener *opener, uint64_t wait_ms)
{
    const struct contentd_config *config = opener->spec.config;
    const struct outbox_settings settings = { .directory = config->outbox_directory.ptr,
                                              .size_max = config->outbox_size,
                                              .age_max_ms = config->outbox_age,
                                              .retry_min_ms = config->outbox_retry_min,
                                              .retry_max_ms = config->outbox_retry_max,
                                              .connections = (unsigned)config->outbox_connections,
                                              .wait_ms = wait_ms };
    AUTO_BUF error = BUF_INIT(ERROR_MAX);
    struct outbox *outbox =
        outbox_start(&settings, opener->spec.release, opener->spec.places->quarantine,
                     opener->spec.clock, &error);

    opener->spec.places->outbox = outbox;
    say(&opener->outbox, outbox != NULL, buf_text(&error));
}

/* True: nothing is missing any more. What the outbox cannot deliver goes to the quarantine, which comes first therefore. */
static bool open_missing(struct places_opener *opener, uint64_t wait_ms)
{
    struct effects_places *places = opener->spec.places;

    if (places->quarantine == NULL)
        open_quarantine(opener, wait_ms);
    if (places->quarantine == NULL)
        return false;
    if (opener->spec.release != NULL && places->outbox == NULL)
        open_outbox(opener, wait_ms);
    return opener->spec.release == NULL || places->outbox != NULL;
}

/* ---- its thread ---- */

/* False: it is to stop. */
static bool pause_before_next(struct places_opener *opener)
{
    struct timespec until = wake_after(RETRY_MS);
    int rc = 0;

    pthread_mutex_lock(&opener->lock);
    while (!opener->is_stopping && rc == 0)
        rc = pthread_cond_timedwait(&opener->wake, &opener->lock, &until);
    bool goes_on = !opener->is_stopping;
    pthread_mutex_unlock(&opener->lock);
    return goes_on;
}

static void try_again(struct pool_task *task)
{
    struct places_opener *opener = (struct places_opener *)task;
    bool is_told = opener->spec.places->quarantine != NULL, is_all = false;

    while (!(is_all && is_told) && pause_before_next(opener)) {
        is_all = open_missing(opener, 0);
        if (!is_told && opener->spec.places->quarantine != NULL)
            is_told = worker_post(opener->spec.main, opener->spec.opened, opener->spec.arg) == 0;
    }
}

/* ---- life ---- */

static struct directory directory_of(const char *name, const char *label, const char *consequence)
{
    struct slice value = slice_of(label);

    return (struct directory){ .name = name,
                               .consequence = consequence,
                               .unopened = metric_series(&metrics[0], &value) };
}

struct places_opener *places_open(const struct places_spec *spec)
{
    struct places_opener *opener = calloc(1, sizeof *opener);

    metrics_register(metrics, COUNT(metrics));
    if (opener == NULL) {
        log_error("out of memory: the quarantine cannot be opened");
        return NULL;
    }
    opener->spec = *spec;
    snapshot_ref(spec->snapshot);
    wake_init(&opener->lock, &opener->wake);
    opener->quarantine =
        directory_of("quarantine_directory", "quarantine", "messages that are to be kept");
    opener->outbox = directory_of("outbox_directory", "outbox",
                                  "messages of which edited copies are to be sent");
    if (open_missing(opener, QUARANTINE_WAIT_MS))
        return opener;
    opener->task.run = try_again;
    opener->pool = pool_new("places", 1);
    if (opener->pool != NULL) {
        pool_run(opener->pool, &opener->task);
        return opener;
    }
    log_error("out of memory: the quarantine cannot be opened");
    places_close(&opener);
    return NULL;
}

void places_close(struct places_opener **opener)
{
    struct places_opener *gone = *opener;

    *opener = NULL;
    if (gone == NULL)
        return;
    pthread_mutex_lock(&gone->lock);
    gone->is_stopping = true;
    pthread_cond_signal(&gone->wake);
    pthread_mutex_unlock(&gone->lock);
    pool_free(&gone->pool);
    struct outbox *outbox = gone->spec.places->outbox;
    struct quarantine *quarantine = gone->spec.places->quarantine;
    gone->spec.places->outbox = NULL;
    gone->spec.places->quarantine = NULL;
    outbox_stop(&outbox);
    quarantine_close(&quarantine);
    snapshot_unref(&gone->spec.snapshot);
    pthread_cond_destroy(&gone->wake);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}
