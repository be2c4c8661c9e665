/* gatectl/backend_store.c - straight on Redis, for when the daemon is down: the daemon's own control API, served in this
 * process over its own store, on a loop of its own. So what is written, checked and bumped is what the daemon would. */
#include <event2/event.h>

#include "common/observe/log.h"
#include "common/store/store_redis.h"
#include "gatectl/backend.h"
#include "gatectl/settings.h"

enum { CONNECT_MS = 3000 };

struct backend_store {
    struct backend backend; /* first member */
    const struct settings *settings;
    const struct clock *clock;
    struct event_base *base;
    struct store_redis *redis;
    struct store *store;
    struct control *control;
    struct classes *live_classes; /* read before usage is asked for */
};

/* ---- one request: served at once or from the loop ---- */

struct exchange {
    struct control_request request; /* first member */
    bool is_done;
    unsigned status;
    json_t *answer;
};

static void reply(struct control_request *request, unsigned status, json_t *answer)
{
    struct exchange *exchange = (struct exchange *)request;

    exchange->is_done = true;
    exchange->status = answer == NULL ? 503 : status;
    exchange->answer = answer == NULL ? json_pack("{s:s}", "error", "out of memory") : answer;
}

/* Every call of the store ends within its deadline, so this does. */
static void serve(struct backend_store *store, const struct ask *ask, struct exchange *exchange)
{
    struct control_request *request = &exchange->request;

    *exchange = (struct exchange){ .request = ask_request(ask) };
    request->reply = reply;
    control_serve(store->control, request);
    while (!exchange->is_done && event_base_loop(store->base, EVLOOP_ONCE) == 0)
        ;
    control_abort(store->control); /* only when the loop failed is anything under way */
}

/* Classes have a say in what is allowed, and live ones are in the store. */
static void read_classes(struct backend_store *store)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "live", "class" } };
    struct exchange exchange;
    struct class_source *sources;
    json_t *fields, *text;
    const char *name;
    size_t count = 0;

    serve(store, &ask, &exchange);
    fields = json_object_get(exchange.answer, "fields");
    sources = calloc(json_object_size(fields) + 1, sizeof(*sources));
    if (sources != NULL) {
        json_object_foreach (fields, name, text)
            sources[count++] =
                (struct class_source){ slice_of(name), slice_of(json_string_value(text)) };
        classes_free(&store->live_classes);
        store->live_classes = classes_new(sources, count, NULL, NULL);
        free(sources);
    }
    json_decref(exchange.answer);
}

static enum backend_result store_ask(struct backend *backend, const struct ask *ask,
                                     unsigned *status, json_t **answer,
                                     UNUSED char error[BACKEND_ERROR_MAX])
{
    struct backend_store *store = (struct backend_store *)backend;
    struct exchange exchange;

    if (strcmp(ask->segments[0], "usage") == 0)
        read_classes(store);
    serve(store, ask, &exchange);
    *status = exchange.status;
    *answer = exchange.answer;
    return BACKEND_OK;
}

/* ---- what the control API asks for ---- */

static void hold(void *context, struct control_view *out)
{
    const struct backend_store *store = context;

    *out = (struct control_view){
        .limits = store->settings->limits,
        .file_classes = store->settings->classes,
        .live_classes = store->live_classes,
        .names = settings_names(store->settings),
        .guesses_subjects = true,
    };
}

static void add_status(UNUSED void *context, json_t *status)
{
    json_object_set_new(status, "daemon", json_pack("{s:s}", "state", "not running"));
}

static bool serve_more(UNUSED void *context, struct control_request *request)
{
    struct slice noun = request->segments[0];

    if (!slice_equal(noun, SLICE("rules")) && !slice_equal(noun, SLICE("explain")))
        return false;
    control_error(request, 501, "only the running daemon can tell");
    return true;
}

/* ---- connecting ---- */

static bool read_options(const struct settings *settings, struct store_redis_options *options,
                         char error[BACKEND_ERROR_MAX])
{
    const char *wrong = NULL;

    if (!redis_url_parse(slice_of(settings->store), &options->url, &wrong)) {
        snprintf(error, BACKEND_ERROR_MAX, "store = %s: %s", settings->store, wrong);
        return false;
    }
    if (settings->password_file[0] == '\0')
        return true;
    bool ok = redis_secrets_read(settings->password_file, &options->secrets, &wrong);
    if (!ok)
        snprintf(error, BACKEND_ERROR_MAX, "%s: %s", settings->password_file, wrong);
    return ok;
}

/* The least that only a connected store can answer. */
struct probe {
    struct store_poll poll; /* first member */
    char version[1][48];
    bool changed[1];
    bool is_done;
};

static void probe_done(struct store_call *call)
{
    ((struct probe *)(void *)call)->is_done = true;
}

/* The store waits for its connection as long as the deadline of a call lets it; finding a master takes longer. */
static bool wait_until_up(struct backend_store *store, char error[BACKEND_ERROR_MAX])
{
    const struct slice key = SLICE("class");
    uint64_t end = store->clock->now_ms(store->clock) + CONNECT_MS;
    struct store_status status;

    do {
        struct probe probe = { .poll = { .call.done = probe_done,
                                         .keys = &key,
                                         .count = 1,
                                         .versions = probe.version,
                                         .changed = probe.changed } };
        probe.is_done = store_poll(store->store, &probe.poll);
        /* Once at least: a call that fails at once must not keep the connection from coming. */
        do {
            if (event_base_loop(store->base, EVLOOP_ONCE) != 0)
                break;
        } while (!probe.is_done);
        store_abandon(store->store, &probe.poll.call);
        if (probe.is_done && probe.poll.call.result == STORE_OK)
            return true;
    } while (store->clock->now_ms(store->clock) < end);
    store_status(store->store, &status);
    snprintf(error, BACKEND_ERROR_MAX, "%s", status.detail);
    return false;
}

static void store_free_backend(struct backend *backend)
{
    struct backend_store *store = (struct backend_store *)backend;

    control_free(&store->control);
    store_free(&store->store);
    store_redis_free(&store->redis);
    classes_free(&store->live_classes);
    if (store->base != NULL)
        event_base_free(store->base);
    free(store);
}

static const struct backend_ops store_ops = { store_ask, store_free_backend };

/* Everything but the connection itself. */
static bool open_store(struct backend_store *store, char error[BACKEND_ERROR_MAX])
{
    struct store_redis_options options = { .clock = store->clock };
    const struct control_daemon daemon = {
        .hold = hold, .add_status = add_status, .serve = serve_more, .context = store
    };

    if (!read_options(store->settings, &options, error))
        return false;
    log_adjust(LOG_LEVEL_ERROR, LOG_ADDRESSES_FULL); /* its state is told in our own words */
    snprintf(error, BACKEND_ERROR_MAX, "out of memory");
    store->base = event_base_new();
    store->redis = store_redis_new(&options);
    explicit_bzero(&options.secrets, sizeof(options.secrets));
    if (store->base == NULL || store->redis == NULL)
        return false;
    store->store = store_redis_open(store->redis, store->base);
    if (store->store == NULL)
        return false;
    store->control = control_new(store->store, store->clock, &daemon);
    return store->control != NULL;
}

struct backend *backend_store_new(const struct settings *settings, const struct clock *clock,
                                  char error[BACKEND_ERROR_MAX])
{
    struct backend_store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        snprintf(error, BACKEND_ERROR_MAX, "out of memory");
        return NULL;
    }
    store->backend.ops = &store_ops;
    store->settings = settings;
    store->clock = clock;
    if (open_store(store, error) && wait_until_up(store, error))
        return &store->backend;
    store_free_backend(&store->backend);
    return NULL;
}
