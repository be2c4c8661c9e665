/* contentd/chain.c - see chain.h. */
#include "contentd/chain.h"

#define APPLY_ALL "*"

const char *const verdict_words[VERDICT_KINDS + 1] = {
    "deliver", "quarantine", "discard", "tempfail", "reject", NULL,
};

const struct chain *chain_find(const struct chain_set *set, struct slice name)
{
    for (size_t i = 0; i < set->count; i++)
        if (slice_equal_nocase(set->chains[i].name, name))
            return &set->chains[i];
    return NULL;
}

const char *chain_check_name(const struct chain_set *set, struct slice name)
{
    name = slice_trim(name);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == ',' || ascii_is_space(name.ptr[i]))
            return "one chain, not several";
    return chain_find(set, name) == NULL ? "there is no such chain" : NULL;
}

/* One that names no chain is as good as none. */
static const struct chain *chain_of_match(const struct chain_apply *apply, struct map_match *match)
{
    const struct chain *chain = match->found ? chain_find(&apply->set, match->values) : NULL;

    match->found = chain != NULL;
    return chain;
}

static const struct chain *chain_look_up(const struct chain_apply *apply, const struct value *key,
                                         uint64_t wall_ms, struct chain_reason *why)
{
    struct map_match file, live;

    map_lookup(apply->file, key, wall_ms, &file);
    map_lookup(apply->live, key, wall_ms, &live);
    const struct chain *of_file = chain_of_match(apply, &file);
    const struct chain *of_live = chain_of_match(apply, &live);
    const struct map_match *match = map_pick(&file, &live);
    *why = (struct chain_reason){ .is_live = match == &live };
    if (match->found) {
        why->key = match->key;
        why->until_s = match->until_s;
    }
    return why->is_live ? of_live : of_file;
}

const struct chain *chain_of(const struct chain_apply *apply, struct slice recipient,
                             uint64_t wall_ms, struct chain_reason *why)
{
    struct value person = { .type = VALUE_MAILBOX,
                            .is_empty = recipient.len == 0,
                            .text = recipient };
    struct value all = { .type = VALUE_WORD, .text = SLICE(APPLY_ALL) };
    const struct chain *chain = chain_look_up(apply, &person, wall_ms, why);

    return chain != NULL ? chain : chain_look_up(apply, &all, wall_ms, why);
}
