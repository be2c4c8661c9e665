/* common/service/milter_service.c - see milter_service.h. */
#include "common/service/milter_service.h"

#include "common/mime/mime.h"

static void configure(const struct milter_config *config, size_t descriptors_each)
{
    const struct milter_settings settings = milter_settings_of(config, descriptors_each);

    milter_configure(&settings);
}

int milter_service_start(struct milter_service *service, const struct service_spec *spec,
                         struct daemon *daemon, const struct milter_hooks *hooks,
                         const struct milter_config *config, size_t descriptors_each)
{
    snapshot_cell_init(&service->in_force, daemon_snapshot(daemon));
    mime_init();
    if (service_start(&service->service, spec, daemon) ||
        milter_setup(daemon, hooks, config->idle_timeout))
        return -1;
    configure(config, descriptors_each);
    return 0;
}

void milter_service_stop(struct milter_service *service)
{
    service_stop(&service->service);
    snapshot_cell_end(&service->in_force);
}

void milter_service_apply(struct worker *worker, const struct milter_config *config,
                          size_t descriptors_each)
{
    struct milter_service *service = daemon_state(worker_daemon(worker));

    snapshot_cell_set(&service->in_force, worker_snapshot(worker));
    configure(config, descriptors_each);
    service_apply(worker);
}

struct milter_reply milter_service_deferred(void)
{
    return (struct milter_reply){
        .action = MILTER_TEMPFAIL,
        .reply = { 451, SLICE("4.3.0"), SLICE("Message cannot be looked at now, try again later") },
    };
}

struct milter_reply milter_service_undecided(struct milter_service *service)
{
    struct snapshot *snapshot = snapshot_cell_get(&service->in_force);
    const struct policy_core *core = snapshot_data(snapshot);
    struct milter_reply reply = core->is_shadow ? (struct milter_reply){ .action = MILTER_CONTINUE }
                                                : milter_service_deferred();

    snapshot_unref(&snapshot);
    return reply;
}
