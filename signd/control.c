/* signd/control.c - see control.h. */
#include "signd/control.h"

#include "common/control/explainer.h"
#include "signd/server.h"

static void in_force(const void *data, struct control_in_force *out)
{
    const struct setup *setup = data;

    *out = (struct control_in_force){ .book = &setup->book, .schema = &setup->schema };
}

static void add_record(json_t *key, const struct key_watch_report *record)
{
    AUTO_BUF problem = BUF_INIT(KEY_SIGHTING_TEXT_MAX);

    key_sighting_print(&record->seen, &problem);
    json_object_set_new(key, "record",
                        json_string(dkim_visibility_words[record->seen.published.visibility]));
    if (record->seen.published.problem != NULL)
        json_object_set_new(key, "record_problem", control_text(buf_slice(&problem)));
    if (record->looked_s > 0)
        json_object_set_new(key, "looked", json_integer((json_int_t)record->looked_s));
}

json_t *control_key(const struct key_lives *lives, const struct key_file *file,
                    const struct key_watch_report *record)
{
    const struct dkim_life *life = key_lives_find(lives, file->domain, file->selector);
    json_t *key = json_pack("{s:o, s:o}", "domain", control_text(file->domain), "selector",
                            control_text(file->selector));

    if (life != NULL)
        json_object_set_new(key, "state", json_string(dkim_state_words[life->state]));
    if (life != NULL && life->since_s > 0)
        json_object_set_new(key, "since", json_integer((json_int_t)life->since_s));
    if (file->key != NULL) {
        json_object_set_new(key, "type",
                            control_text(dkim_key_type_name(dkim_key_type(file->key))));
        json_object_set_new(key, "bits", json_integer((json_int_t)dkim_key_bits(file->key)));
    }
    json_object_set_new(key, "usable", json_boolean(file->key != NULL));
    if (file->reason[0] != '\0')
        json_object_set_new(key, "problem", control_text(slice_of(file->reason)));
    if (record != NULL)
        add_record(key, record);
    return key;
}

static void add_status(void *context, UNUSED const void *data, json_t *status)
{
    const struct server *server = context;
    struct shared *taken = key_shelf_take(server->signd->shelf);
    struct shared *states = key_states_take(server->signd->states);
    const struct key_set *set = shared_get(taken);
    json_t *keys = json_array();

    for (size_t i = 0; set != NULL && i < key_set_count(set); i++) {
        const struct key_file *file = key_set_at(set, i);
        json_array_append_new(
            keys, control_key(shared_get(states), file,
                              key_watch_of(server->signd->watch, file->domain, file->selector)));
    }
    json_object_set_new(status, "messages",
                        json_integer((json_int_t)metric_read(server->signd->metrics.messages)));
    json_object_set_new(status, "keys", keys);
    if (set != NULL && key_set_error(set)[0] != '\0')
        json_object_set_new(status, "key_directory", control_text(slice_of(key_set_error(set))));
    shared_unref(&taken);
    shared_unref(&states);
}

static bool serve(void *context, struct control_request *request)
{
    const struct server *server = context;

    return explainer_serve(server->signd->explainer, request);
}

const struct control_service_spec signd_control = {
    .program = "gatehouse-signd",
    .in_force = in_force,
    .add_status = add_status,
    .serve = serve,
};
