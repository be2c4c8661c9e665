/* gatectl/dkim_make.c - gatectl dkim new, rotate, set: keys are made, and what state they are in. Private keys are files on this
 * host. */
#include <string.h>

#include "common/base/suggest.h"
#include "gatectl/dkim_keys.h"
#include "gatectl/dkim_state.h"
#include "gatectl/output.h"

enum { RSA_BITS = 2048 };

/* ---- new ---- */

struct wanted {
    enum dkim_key_type type;
    unsigned bits;
    struct slice selector;
};

/* The state first: a key without one would sign before its record is there. */
static int store_waiting(struct gatectl *ctl, struct slice domain, struct slice selector,
                         const struct dkim_key *key)
{
    int code = dkim_set_state(ctl, domain, selector, DKIM_PENDING);

    if (code == EXIT_UNREACHABLE)
        gatectl_error(ctl, "a new key waits until its record is published, and signd has to know "
                           "that; start it, or say --active to have the key sign at once");
    return code == EXIT_DONE ? dkim_key_store(ctl, domain, selector, key) : code;
}

/* The file first: without it all mail of the domain would wait for a key that is said to be active. */
static int store_active(struct gatectl *ctl, struct slice domain, struct slice selector,
                        const struct dkim_key *key)
{
    int code = dkim_key_store(ctl, domain, selector, key);

    if (code == EXIT_DONE)
        code = dkim_set_state(ctl, domain, selector, DKIM_ACTIVE);
    return code == EXIT_UNREACHABLE ? EXIT_DONE /* nobody says anything about it: it is active */
                                    : code;
}

static int make_key(struct gatectl *ctl, struct slice domain, const struct wanted *wanted,
                    json_t *made)
{
    struct dkim_key *key = dkim_key_generate(wanted->type, wanted->bits);
    enum dkim_state state = ctl->options.active ? DKIM_ACTIVE : DKIM_PENDING;
    int code = EXIT_FAILED;

    if (key == NULL)
        gatectl_error(ctl, "no key could be made: out of memory or randomness");
    else
        code = (ctl->options.active ? store_active : store_waiting)(ctl, domain, wanted->selector,
                                                                    key);
    if (code == EXIT_DONE && !ctl->options.json)
        dkim_print_record(ctl, domain, wanted->selector, key);
    if (code == EXIT_DONE)
        json_array_append_new(
            made, dkim_record_json(domain, wanted->selector, key, dkim_state_words[state]));
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

    ctl->daemon = &dkim_daemon;
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
            dkim_state_of(states, domain, file->selector).state != DKIM_ACTIVE)
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
        if (dkim_state_of(states, domain, key_set_at(keys, first + i)->selector).state <
            DKIM_ACTIVE)
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

    ctl->daemon = &dkim_daemon;
    if (!dkim_domain(ctl, args[0], &domain))
        return EXIT_USAGE;
    json_t *states = dkim_read_states(ctl);
    if (states == NULL)
        return EXIT_UNREACHABLE;
    struct shared *keys = dkim_keys_read(ctl);
    int code = keys == NULL ? EXIT_FAILED : rotate(ctl, shared_get(keys), domain, states);
    shared_unref(&keys);
    json_decref(states);
    return code;
}

/* It is done all the same: keys of other hosts have states, too. */
static int set_by_hand(struct gatectl *ctl, struct slice domain, struct slice selector,
                       enum dkim_state state)
{
    int code = dkim_set_state(ctl, domain, selector, state);

    if (code == EXIT_DONE && dkim_key_is_missing(ctl, domain, selector))
        gatectl_error(ctl,
                      "set; but %s has no key %.*s/%.*s.key: it is of another host, or mistyped",
                      dkim_directory(ctl), SLICE_ARG(domain), SLICE_ARG(selector));
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
            return set_by_hand(ctl, domain, selector, (enum dkim_state)i);
        suggest_offer(&best, slice_of(dkim_state_words[i]));
    }
    gatectl_error(ctl, "\"%s\" is no state; did you mean \"%.*s\"?", args[2], SLICE_ARG(best.name));
    return EXIT_USAGE;
}
