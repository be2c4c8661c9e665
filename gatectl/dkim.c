/* gatectl/dkim.c - gatectl dkim: keys for signd. Private keys are files on this host; what state each is in is live, shared
 * by all hosts; what is published is asked of the DNS. */
#include <string.h>

#include "common/base/suggest.h"
#include "common/dkim/record.h"
#include "common/dkim/rotation.h"
#include "gatectl/command.h"
#include "gatectl/dkim_dns.h"
#include "gatectl/dkim_keys.h"
#include "gatectl/live.h"
#include "gatectl/output.h"
#include "gatectl/when.h"

#define SIGND_SOCKET "unix:/run/gatehouse/signd.http"

enum { RECORD_MAX = 4096, STRING_MAX = 255, RSA_BITS = 2048 };

static const struct gatectl_daemon signd = { "signd", GATECTL_SIGND_CONFIG, SIGND_SOCKET, true };

/* ---- records ---- */

static void put_strings(struct buf *out, struct slice record, const char *between)
{
    for (size_t at = 0; at < record.len; at += STRING_MAX) {
        struct slice piece = slice_part(record, at, STRING_MAX);
        buf_printf(out, "%s\"%.*s\"", at == 0 ? "" : between, SLICE_ARG(piece));
    }
}

/* The record in the three forms in which people have to give it to somebody. */
static void print_record(struct gatectl *ctl, struct slice domain, struct slice selector,
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

static json_t *record_json(struct slice domain, struct slice selector, const struct dkim_key *key,
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

/* The live states as live_rows() gives them; NULL when nobody can be asked (then said on err). Caller owns it. */
static json_t *read_states(struct gatectl *ctl)
{
    json_t *rows = NULL;

    ctl->daemon = &signd;
    return live_rows(ctl, "dkim", &rows) == EXIT_DONE ? rows : NULL;
}

static struct dkim_life state_of(const json_t *rows, struct slice domain, struct slice selector)
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

static int set_state(struct gatectl *ctl, struct slice domain, struct slice selector,
                     enum dkim_state state)
{
    struct slice field =
        arena_printf(ctl->arena, "%.*s/%.*s", SLICE_ARG(domain), SLICE_ARG(selector));
    struct slice value =
        arena_printf(ctl->arena, "%s since=%llu", dkim_state_words[state],
                     (unsigned long long)(ctl->clock->wall_ms(ctl->clock) / SECOND));

    ctl->daemon = &signd;
    if (field.ptr == NULL || value.ptr == NULL)
        return EXIT_FAILED;
    return live_set(ctl, "dkim", field.ptr, value.ptr);
}

/* ---- new ---- */

struct wanted {
    enum dkim_key_type type;
    unsigned bits;
    struct slice selector;
};

/* The state first: a key without one would sign before its record is there. */
static int make_key(struct gatectl *ctl, struct slice domain, const struct wanted *wanted,
                    json_t *made)
{
    struct dkim_key *key = dkim_key_generate(wanted->type, wanted->bits);
    enum dkim_state state = ctl->options.active ? DKIM_ACTIVE : DKIM_PENDING;
    int code = EXIT_FAILED;

    if (key == NULL)
        gatectl_error(ctl, "no key could be made: out of memory or randomness");
    else
        code = set_state(ctl, domain, wanted->selector, state);
    if (code == EXIT_UNREACHABLE && !ctl->options.active)
        gatectl_error(ctl, "a new key waits until its record is published, and signd has to know "
                           "that; start it, or say --active to have the key sign at once");
    if (code == EXIT_UNREACHABLE && ctl->options.active)
        code = EXIT_DONE; /* a key that nobody says anything about is active */
    if (code == EXIT_DONE)
        code = dkim_key_store(ctl, domain, wanted->selector, key);
    if (code == EXIT_DONE && !ctl->options.json)
        print_record(ctl, domain, wanted->selector, key);
    if (code == EXIT_DONE)
        json_array_append_new(made,
                              record_json(domain, wanted->selector, key, dkim_state_words[state]));
    dkim_key_free(&key);
    return code;
}

static int make_keys(struct gatectl *ctl, struct slice domain, const struct wanted *wanted,
                     size_t count)
{
    json_t *made = json_array();
    int code = EXIT_DONE;

    for (size_t i = 0; i < count && code == EXIT_DONE; i++)
        code = make_key(ctl, domain, &wanted[i], made);
    if (ctl->options.json) {
        json_t *document = json_pack("{s:O}", "keys", made);
        json_decref(ctl->changes); /* the keys say it all */
        ctl->changes = NULL;
        output_json(ctl->out, document);
        json_decref(document);
    } else if (code == EXIT_DONE && !ctl->options.active) {
        fprintf(ctl->out, "\nPublish this, and copy the new files to the other hosts. signd signs "
                          "with a key some time after all resolvers have shown its record "
                          "(key_activate_after); \"gatectl dkim list\" tells.\n");
    }
    json_decref(made);
    return code;
}

static bool read_bits(struct gatectl *ctl, unsigned *bits)
{
    const char *given = ctl->options.rsa;
    static const char *const known[] = { "2048", "3072", "4096" };

    *bits = RSA_BITS;
    for (size_t i = 0; given != NULL && i < COUNT(known); i++) {
        if (strcmp(given, known[i]) != 0)
            continue;
        *bits = 2048 + 1024 * (unsigned)i;
        return true;
    }
    if (given != NULL)
        gatectl_error(ctl, "--rsa takes 2048, 3072 or 4096");
    return given == NULL;
}

int cmd_dkim_new(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    struct wanted wanted[2];
    struct slice domain, selector = { NULL, 0 };
    size_t keys = 0;
    unsigned bits;

    ctl->daemon = &signd;
    if (!dkim_domain(ctl, args[0], &domain) || !read_bits(ctl, &bits) ||
        (ctl->options.selector != NULL && !dkim_selector(ctl, ctl->options.selector, &selector)))
        return EXIT_USAGE;
    struct shared *there = dkim_keys_read(ctl);
    if (there == NULL)
        return EXIT_FAILED;
    if (ctl->options.rsa != NULL || !ctl->options.ed25519)
        wanted[keys++] = (struct wanted){ DKIM_RSA, bits, selector };
    if (ctl->options.ed25519)
        wanted[keys++] = (struct wanted){ DKIM_ED25519, 0, selector };
    for (size_t i = 0; i < keys; i++) {
        bool is_second = i > 0;
        if (selector.ptr == NULL)
            wanted[i].selector =
                dkim_new_selector(ctl, shared_get(there), domain, is_second ? "e" : "");
        else if (is_second)
            wanted[i].selector = arena_printf(ctl->arena, "%.*se", SLICE_ARG(selector));
    }
    shared_unref(&there);
    return make_keys(ctl, domain, wanted, keys);
}

/* ---- list ---- */

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

static json_t *keys_json(const struct key_set *keys, const json_t *states)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < key_set_count(keys); i++) {
        const struct key_file *file = key_set_at(keys, i);
        struct dkim_life life = state_of(states, file->domain, file->selector);
        json_array_append_new(rows, key_json(file, &life));
    }
    return rows;
}

static int print_keys(struct gatectl *ctl, const json_t *rows)
{
    static const struct column columns[] = { { "DOMAIN", false }, { "SELECTOR", false },
                                             { "TYPE", false },   { "BITS", true },
                                             { "STATE", false },  { "SINCE", false },
                                             { "PROBLEM", false } };
    struct text_table *table = text_table_new(columns, COUNT(columns));
    const json_t *row;
    size_t i;

    if (table == NULL)
        return EXIT_FAILED;
    json_array_foreach (rows, i, row) {
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
        text_table_cell_json(table, json_object_get(row, "problem"));
    }
    bool ok = text_table_print(table, ctl->out);
    text_table_free(&table);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int cmd_dkim_list(struct gatectl *ctl, UNUSED char **args, UNUSED size_t count)
{
    ctl->daemon = &signd;
    struct shared *keys = dkim_keys_read(ctl);
    if (keys == NULL)
        return EXIT_FAILED;
    json_t *states = read_states(ctl), *rows = keys_json(shared_get(keys), states);
    int code = EXIT_DONE;
    if (states == NULL)
        gatectl_error(ctl, "the states of keys are not known: all are shown as active");
    if (ctl->options.json) {
        json_t *document = json_pack("{s:O}", "keys", rows);
        output_json(ctl->out, document);
        json_decref(document);
    } else {
        code = print_keys(ctl, rows);
    }
    json_decref(rows);
    json_decref(states);
    shared_unref(&keys);
    return code;
}

/* ---- test ---- */

/* One key at one resolver; NULL: it fits. */
static const char *compare(struct dkim_dns *dns, size_t resolver, const struct key_file *file,
                           struct slice name)
{
    struct dkim_record record;
    struct slice text;
    const char *problem = dkim_dns_record(dns, resolver, name, &text);

    if (problem == NULL && !dkim_record_parse(text, &record, &problem))
        return problem;
    return problem == NULL ? dkim_record_difference(&record, file->key) : problem;
}

static bool test_key(struct gatectl *ctl, struct dkim_dns *dns, const struct key_file *file,
                     json_t *rows)
{
    struct slice name = arena_printf(ctl->arena, "%.*s._domainkey.%.*s", SLICE_ARG(file->selector),
                                     SLICE_ARG(file->domain));
    bool all_fit = true;

    for (size_t i = 0; i < dkim_dns_count(dns); i++) {
        struct slice resolver = dkim_dns_name(dns, i);
        const char *problem = file->key == NULL ? file->reason : compare(dns, i, file, name);
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
    if (ctl->options.json) {
        json_t *document = json_pack("{s:O}", "records", rows);
        output_json(ctl->out, document);
        json_decref(document);
    }
    json_decref(rows);
    dkim_dns_free(&dns);
    return tested > 0 && all_fit ? EXIT_DONE : EXIT_NOTHING;
}

int cmd_dkim_test(struct gatectl *ctl, char **args, size_t count)
{
    struct slice domain;

    ctl->daemon = &signd;
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

    ctl->daemon = &signd;
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
            print_record(ctl, domain, file->selector, file->key);
        json_array_append_new(rows, record_json(domain, file->selector, file->key, ""));
    }
    if (ctl->options.json) {
        json_t *document = json_pack("{s:O}", "keys", rows);
        output_json(ctl->out, document);
        json_decref(document);
    }
    if (shown == 0)
        gatectl_error(ctl, "%.*s has no such key here", SLICE_ARG(domain));
    json_decref(rows);
    shared_unref(&keys);
    return shown > 0 ? EXIT_DONE : EXIT_NOTHING;
}

/* ---- rotate and set ---- */

/* A successor for each active key, of the same kind; one for each kind. */
static size_t successors(struct gatectl *ctl, const struct key_set *keys, struct slice domain,
                         const json_t *states, struct wanted wanted[2])
{
    size_t first = 0, count = key_set_find(keys, domain, &first), found = 0;
    bool has[2] = { false, false };

    for (size_t i = 0; i < count; i++) {
        const struct key_file *file = key_set_at(keys, first + i);
        if (file->key == NULL || has[dkim_key_type(file->key)] ||
            state_of(states, domain, file->selector).state != DKIM_ACTIVE)
            continue;
        enum dkim_key_type type = dkim_key_type(file->key);
        unsigned bits = dkim_key_bits(file->key);
        has[type] = true;
        wanted[found++] =
            (struct wanted){ type, type == DKIM_RSA && bits < RSA_BITS ? RSA_BITS : bits,
                             dkim_new_selector(ctl, keys, domain, type == DKIM_RSA ? "" : "e") };
    }
    return found;
}

static bool is_rotating(const json_t *states, const struct key_set *keys, struct slice domain)
{
    size_t first = 0, count = key_set_find(keys, domain, &first);

    for (size_t i = 0; i < count; i++)
        if (state_of(states, domain, key_set_at(keys, first + i)->selector).state < DKIM_ACTIVE)
            return true;
    return false;
}

static int rotate(struct gatectl *ctl, const struct key_set *keys, struct slice domain,
                  const json_t *states)
{
    struct wanted wanted[2];

    if (is_rotating(states, keys, domain) && !ctl->options.force) {
        gatectl_error(ctl,
                      "%.*s has a key that is not active yet; --force makes another all the "
                      "same",
                      SLICE_ARG(domain));
        return EXIT_REFUSED;
    }
    size_t count = successors(ctl, keys, domain, states, wanted);
    if (count == 0) {
        gatectl_error(ctl, "%.*s has no active key here; \"gatectl dkim new\" makes one",
                      SLICE_ARG(domain));
        return EXIT_NOTHING;
    }
    return make_keys(ctl, domain, wanted, count);
}

int cmd_dkim_rotate(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    struct slice domain;

    ctl->daemon = &signd;
    if (!dkim_domain(ctl, args[0], &domain))
        return EXIT_USAGE;
    json_t *states = read_states(ctl);
    if (states == NULL)
        return EXIT_UNREACHABLE;
    struct shared *keys = dkim_keys_read(ctl);
    int code = keys == NULL ? EXIT_FAILED : rotate(ctl, shared_get(keys), domain, states);
    shared_unref(&keys);
    json_decref(states);
    return code;
}

int cmd_dkim_set(struct gatectl *ctl, char **args, UNUSED size_t count)
{
    struct slice domain, selector;
    struct suggest best = suggest_for(slice_of(args[2]));

    if (!dkim_domain(ctl, args[0], &domain) || !dkim_selector(ctl, args[1], &selector))
        return EXIT_USAGE;
    for (size_t i = 0; dkim_state_words[i] != NULL; i++) {
        if (strcmp(args[2], dkim_state_words[i]) == 0)
            return set_state(ctl, domain, selector, (enum dkim_state)i);
        suggest_offer(&best, slice_of(dkim_state_words[i]));
    }
    gatectl_error(ctl, "\"%s\" is no state; did you mean \"%.*s\"?", args[2], SLICE_ARG(best.name));
    return EXIT_USAGE;
}
