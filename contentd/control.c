/* contentd/control.c - see control.h. */
#include "contentd/control.h"

#include "common/control/explainer.h"
#include "contentd/quarantine/control.h"
#include "contentd/server.h"

static void in_force(const void *data, struct control_in_force *out)
{
    const struct setup *setup = data;

    *out = (struct control_in_force){ .book = &setup->book, .schema = &setup->schema };
}

/* {"name", "addresses": [{"address", "works"}]} of each scanner. */
static json_t *scanners_json(const struct scan_set *set)
{
    json_t *scanners = json_array();

    for (size_t i = 0; i < set->scanner_count; i++) {
        json_t *addresses = json_array();
        for (unsigned n = 0; n < (unsigned)backend_count(set->backends[i]); n++)
            json_array_append_new(addresses, json_pack("{s:s, s:b}", "address",
                                                       backend_text(set->backends[i], n), "works",
                                                       !backend_is_broken(set->backends[i], n)));
        json_array_append_new(
            scanners, json_pack("{s:o, s:s, s:o}", "name", control_text(set->scanners[i].name),
                                "kind", set->scanners[i].kind->name, "addresses", addresses));
    }
    return scanners;
}

static json_t *chains_json(const struct scan_set *set)
{
    json_t *chains = json_array();

    for (size_t i = 0; i < set->chains.count; i++) {
        const struct chain *chain = &set->chains.chains[i];
        json_t *names = json_array();
        for (size_t k = 0; k < chain->count; k++)
            json_array_append_new(names, control_text(set->scanners[chain->order[k]].name));
        json_array_append_new(
            chains, json_pack("{s:o, s:o}", "name", control_text(chain->name), "scanners", names));
    }
    return chains;
}

static void add_status(void *context, const void *data, json_t *status)
{
    const struct server *server = context;
    const struct contentd *contentd = server->contentd;
    const struct scan_set *set = setup_scan(data);

    json_object_set_new(status, "messages",
                        json_integer((json_int_t)metric_read(contentd->metrics.messages)));
    json_object_set_new(status, "scanners", scanners_json(set));
    json_object_set_new(status, "chains", chains_json(set));
    if (contentd->places.outbox != NULL)
        json_object_set_new(status, "outbox",
                            json_integer((json_int_t)outbox_count(contentd->places.outbox)));
}

static bool serve(void *context, struct control_request *request)
{
    const struct server *server = context;

    return explainer_serve(server->contentd->explainer, request) ||
           (server->contentd->keeper != NULL && keeper_serve(server->contentd->keeper, request));
}

const struct control_service_spec contentd_control = {
    .program = "gatehouse-contentd",
    .in_force = in_force,
    .add_status = add_status,
    .serve = serve,
};
