/* gatectl/dkim.c - gatectl dkim list, test, show: the keys of this host, beside what is live and what the DNS says. */
#include "gatectl/dkim_dns.h"
#include "gatectl/dkim_keys.h"
#include "gatectl/dkim_state.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

/* ---- list ---- */

/* What signd says of its keys, an array; the caller owns it. NULL: nobody says anything. */
static json_t *read_watched(struct gatectl *ctl)
{
    const struct ask ask = { .method = CONTROL_GET, .segments = { "status" } };
    json_t *answer = NULL, *keys = NULL;

    if (gatectl_ask(ctl, &ask, &answer) == EXIT_DONE)
        keys = json_incref(json_object_get(answer, "keys"));
    json_decref(answer);
    return keys;
}

/* Takes from what signd says of the key what only it knows. */
static void add_record(json_t *row, const json_t *watched, const struct key_file *file)
{
    static const char *const names[] = { "record", "record_problem", "looked" };
    const json_t *key;
    size_t i;

    json_array_foreach (watched, i, key) {
        if (!slice_equal(json_member(key, "domain"), file->domain) ||
            !slice_equal(json_member(key, "selector"), file->selector))
            continue;
        for (size_t n = 0; n < COUNT(names); n++)
            if (json_object_get(key, names[n]) != NULL)
                json_object_set(row, names[n], json_object_get(key, names[n]));
    }
}

static json_t *key_json(const struct key_file *file, const struct dkim_life *life)
{
    json_t *row =
        json_pack("{s:o, s:o, s:s, s:I, s:s}", "domain", control_text(file->domain), "selector",
                  control_text(file->selector), "state", dkim_state_words[life->state], "since",
                  (json_int_t)life->since_s, "problem", file->reason);

    if (row != NULL && file->key != NULL) {
        json_object_set_new(row, "type",
                            control_text(dkim_key_type_name(dkim_key_type(file->key))));
        json_object_set_new(row, "bits", json_integer(dkim_key_bits(file->key)));
    }
    return row;
}

static json_t *keys_json(const struct key_set *keys, const json_t *states, const json_t *watched)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < key_set_count(keys); i++) {
        const struct key_file *file = key_set_at(keys, i);
        struct dkim_life life = dkim_state_of(states, file->domain, file->selector);
        json_t *row = key_json(file, &life);
        add_record(row, watched, file);
        json_array_append_new(rows, row);
    }
    return rows;
}

static void put_key(struct text_table *table, const json_t *row, UNUSED void *arg)
{
    AUTO_BUF since = BUF_INIT(64);
    json_int_t since_s = json_integer_value(json_object_get(row, "since"));

    if (since_s > 0)
        when_print_time(&since, (uint64_t)since_s);
    text_table_cell_json(table, json_object_get(row, "domain"));
    text_table_cell_json(table, json_object_get(row, "selector"));
    text_table_cell_json(table, json_object_get(row, "type"));
    text_table_cell_json(table, json_object_get(row, "bits"));
    text_table_cell_json(table, json_object_get(row, "state"));
    text_table_cell(table, slice_of(buf_text(&since)));
    text_table_cell_json(table, json_object_get(row, "record"));
    /* Of both, what is wrong with the record is worth more. */
    const json_t *problem = json_object_get(row, "record_problem");
    text_table_cell_json(table, problem != NULL ? problem : json_object_get(row, "problem"));
}

static int print_keys(struct gatectl *ctl, const json_t *rows)
{
    static const struct column columns[] = { { "DOMAIN", false }, { "SELECTOR", false },
                                             { "TYPE", false },   { "BITS", true },
                                             { "STATE", false },  { "SINCE", false },
                                             { "RECORD", false }, { "PROBLEM", false } };

    return output_table(ctl->out, columns, COUNT(columns), rows, put_key, NULL) ? EXIT_DONE
                                                                                : EXIT_FAILED;
}

int cmd_dkim_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    ctl->daemon = &dkim_daemon;
    struct shared *keys = dkim_keys_read(ctl);
    if (keys == NULL)
        return EXIT_FAILED;
    json_t *states = dkim_read_states(ctl);
    json_t *watched = states == NULL ? NULL : read_watched(ctl);
    json_t *rows = keys_json(shared_get(keys), states, watched);
    int code = EXIT_DONE;
    if (states == NULL)
        gatectl_error(ctl, "the states of keys are not known: all are shown as active");
    if (ctl->options.json)
        output_json_new(ctl->out, json_pack("{s:O}", "keys", rows));
    else
        code = print_keys(ctl, rows);
    json_decref(rows);
    json_decref(states);
    json_decref(watched);
    shared_unref(&keys);
    return code;
}

/* ---- test ---- */

static bool test_key(struct gatectl *ctl, struct dkim_dns *dns, const struct key_file *file,
                     json_t *rows)
{
    struct slice name = arena_printf(ctl->arena, "%.*s._domainkey.%.*s", SLICE_ARG(file->selector),
                                     SLICE_ARG(file->domain));
    bool all_fit = true;

    for (size_t i = 0; i < dkim_dns_count(dns); i++) {
        struct slice resolver = dkim_dns_name(dns, i);
        const char *problem =
            file->key == NULL ? file->reason : dkim_dns_problem(dns, i, name, file->key);
        all_fit = all_fit && problem == NULL;
        if (!ctl->options.json)
            fprintf(ctl->out, "%.*s at %.*s: %s\n", SLICE_ARG(name), SLICE_ARG(resolver),
                    problem == NULL ? "ok" : problem);
        json_array_append_new(rows,
                              json_pack("{s:o, s:o, s:o}", "name", control_text(name), "resolver",
                                        control_text(resolver), "problem",
                                        problem == NULL ? json_null() : json_string(problem)));
    }
    return all_fit;
}

static int test_keys(struct gatectl *ctl, const struct key_set *keys, struct slice domain,
                     const char *selector)
{
    size_t first = 0, count = key_set_find(keys, domain, &first), tested = 0;
    struct dkim_dns *dns = dkim_dns_new(ctl);
    bool all_fit = true;

    if (dns == NULL)
        return EXIT_FAILED;
    json_t *rows = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct key_file *file = key_set_at(keys, first + i);
        if (selector != NULL && !slice_equal_nocase(file->selector, slice_of(selector)))
            continue;
        all_fit = test_key(ctl, dns, file, rows) && all_fit;
        tested++;
    }
    if (tested == 0)
        gatectl_error(ctl, "%.*s has no such key here", SLICE_ARG(domain));
    if (ctl->options.json)
        output_json_new(ctl->out, json_pack("{s:O}", "records", rows));
    json_decref(rows);
    dkim_dns_free(&dns);
    return tested > 0 && all_fit ? EXIT_DONE : EXIT_NOTHING;
}

int cmd_dkim_test(struct gatectl *ctl, char **args, size_t count)
{
    struct slice domain;

    ctl->daemon = &dkim_daemon;
    if (!dkim_domain(ctl, args[0], &domain))
        return EXIT_USAGE;
    struct shared *keys = dkim_keys_read(ctl);
    if (keys == NULL)
        return EXIT_FAILED;
    int code = test_keys(ctl, shared_get(keys), domain, count > 1 ? args[1] : NULL);
    shared_unref(&keys);
    return code;
}

/* ---- show ---- */

int cmd_dkim_show(struct gatectl *ctl, char **args, size_t count)
{
    struct slice domain;
    size_t first = 0, shown = 0;

    ctl->daemon = &dkim_daemon;
    if (!dkim_domain(ctl, args[0], &domain))
        return EXIT_USAGE;
    struct shared *keys = dkim_keys_read(ctl);
    if (keys == NULL)
        return EXIT_FAILED;
    size_t all = key_set_find(shared_get(keys), domain, &first);
    json_t *rows = json_array();
    for (size_t i = 0; i < all; i++) {
        const struct key_file *file = key_set_at(shared_get(keys), first + i);
        if (file->key == NULL ||
            (count > 1 && !slice_equal_nocase(file->selector, slice_of(args[1]))))
            continue;
        shown++;
        if (!ctl->options.json)
            dkim_print_record(ctl, domain, file->selector, file->key);
        json_array_append_new(rows, dkim_record_json(domain, file->selector, file->key, ""));
    }
    if (ctl->options.json)
        output_json_new(ctl->out, json_pack("{s:O}", "keys", rows));
    if (shown == 0)
        gatectl_error(ctl, "%.*s has no such key here", SLICE_ARG(domain));
    json_decref(rows);
    shared_unref(&keys);
    return shown > 0 ? EXIT_DONE : EXIT_NOTHING;
}
