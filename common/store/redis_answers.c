/* common/store/redis_answers.c - see redis_answers.h. */
#include "common/store/redis_answers.h"

#include <inttypes.h>

static const struct slice absent = { NULL, 0 };

/* The next blank-separated number of *rest. */
static bool next_number(struct slice *rest, uint64_t *out)
{
    struct slice word;

    return slice_next(rest, ' ', &word) && slice_to_u64(word, out);
}

static bool next_free(struct slice *rest, uint64_t *free_ms)
{
    struct slice word;

    if (!slice_next(rest, ' ', &word))
        return false;
    if (!slice_equal(word, SLICE("-1")))
        return slice_to_u64(word, free_ms);
    *free_ms = UINT64_MAX;
    return true;
}

static bool parse_uses(struct slice rest, struct store_charge *charge)
{
    for (size_t i = 0; i < charge->use_count; i++) {
        struct limit_use *use = &charge->uses[i];
        if (!next_number(&rest, &use->used) || !next_free(&rest, &use->free_ms) ||
            !next_number(&rest, &use->bucket))
            return false;
    }
    return rest.len == 0;
}

/* The letter before the text of a charge; 0: none. It is taken off. */
static char letter_before(struct slice *text)
{
    if (text->len == 0 || strchr("RWCN", text->ptr[0]) == NULL || text->ptr[0] == '\0')
        return 0;
    char letter = text->ptr[0];
    *text = slice_skip(*text, 1);
    return letter;
}

bool answer_is_admitted(struct slice text)
{
    (void)letter_before(&text);
    return slice_starts_with(text, SLICE("A"));
}

static enum answer parse_charge(struct slice text, struct store_charge *charge, uint64_t *redis_ms,
                                bool *is_cut)
{
    struct slice word;
    uint64_t over = 0, now;
    char letter = letter_before(&text);
    bool repeated = letter == 'R';

    if (!slice_next(&text, ' ', &word))
        return ANSWER_BAD;
    bool admitted = slice_equal(word, SLICE("A"));
    if (!admitted && (!slice_equal(word, SLICE("O")) || !next_number(&text, &over)))
        return ANSWER_BAD;
    if (!next_number(&text, &now) || (!admitted && over >= charge->use_count) ||
        !parse_uses(text, charge))
        return ANSWER_BAD;
    charge->admitted = admitted;
    charge->over = (size_t)over;
    charge->repeated = repeated;
    charge->is_recorded = letter == 'W' || letter == 'C';
    *is_cut = letter == 'C';
    if (!repeated)
        *redis_ms = now;
    return ANSWER_OK;
}

enum answer answer_charge(const struct redisReply *reply, struct store_charge *charge,
                          uint64_t *redis_ms, bool *is_cut)
{
    struct slice text;
    uint64_t now;
    size_t count;

    if (redis_text(reply, &text))
        return parse_charge(text, charge, redis_ms, is_cut);
    if (!redis_list(reply, &count) || count != charge->use_count + 1 ||
        !redis_text(redis_item(reply, 0), &text) || !slice_to_u64(text, &now))
        return ANSWER_BAD;
    for (size_t i = 0; i < charge->use_count; i++) {
        if (!redis_list(redis_item(reply, i + 1), &count) || count != charge->uses[i].field_count)
            return ANSWER_BAD;
    }
    *redis_ms = now;
    return ANSWER_DIFFERS;
}

enum answer answer_recorded(const struct redisReply *reply, bool *is_cut)
{
    struct slice text;

    if (!redis_text(reply, &text) ||
        (!slice_equal(text, SLICE("W")) && !slice_equal(text, SLICE("C"))))
        return ANSWER_BAD;
    *is_cut = text.ptr[0] == 'C';
    return ANSWER_OK;
}

enum answer answer_told(const struct redisReply *reply, struct answer_told *out)
{
    struct slice text, word;
    uint64_t repeated, uses;

    *out = (struct answer_told){ .state = TX_NONE };
    if (!redis_text(reply, &text))
        return ANSWER_BAD;
    if (slice_equal(text, SLICE("N")))
        return ANSWER_OK;
    if (!slice_next(&text, ' ', &word) || !slice_equal(word, SLICE("F")) ||
        !next_number(&text, &repeated) || !next_number(&text, &uses) || repeated > 1 ||
        text.len > 0)
        return ANSWER_BAD;
    *out = (struct answer_told){ TX_FOUND, repeated == 1, uses };
    return ANSWER_OK;
}

enum answer answer_transaction(const struct redisReply *reply, struct arena *arena,
                               enum tx_state *state, struct transaction *out)
{
    struct transaction_field *fields;
    size_t count;

    if (!redis_list(reply, &count) || count % 2 != 0 || count > 4 * TRANSACTION_FIELDS_MAX)
        return ANSWER_BAD;
    *state = count > 0 ? TX_FOUND : TX_NONE;
    *out = (struct transaction){ 0 };
    fields = arena_alloc_array(arena, count / 2 + 1, sizeof *fields);
    if (fields == NULL)
        return ANSWER_BAD;
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        if (!redis_text(redis_item(reply, i), &text))
            return ANSWER_BAD;
        text = arena_copy(arena, slice_part(text, 0, TRANSACTION_TEXT_MAX + 1));
        if (text.ptr == NULL)
            return ANSWER_BAD;
        *(i % 2 == 0 ? &fields[i / 2].name : &fields[i / 2].text) = text;
    }
    return transaction_decode(fields, count / 2, arena, out) ? ANSWER_OK : ANSWER_BAD;
}

enum answer answer_leases(const struct redisReply *reply, uint64_t *totals, size_t count)
{
    struct slice text;

    if (!redis_text(reply, &text))
        return ANSWER_BAD;
    for (size_t i = 0; i < count; i++)
        if (!next_number(&text, &totals[i]))
            return ANSWER_BAD;
    return text.len == 0 ? ANSWER_OK : ANSWER_BAD;
}

enum answer answer_greylist(const struct redisReply *reply, struct store_greylist *greylist)
{
    static const char *const states[] = { [GREYLIST_NEW] = "new",
                                          [GREYLIST_EARLY] = "early",
                                          [GREYLIST_PASSED] = "passed",
                                          [GREYLIST_KNOWN] = "known" };
    struct slice text, word;
    uint64_t left, crowded;

    if (!redis_text(reply, &text) || !slice_next(&text, ' ', &word) || !next_number(&text, &left) ||
        !next_number(&text, &crowded) || crowded > 1 || text.len > 0)
        return ANSWER_BAD;
    for (size_t i = 0; i < COUNT(states); i++) {
        if (!slice_equal(word, slice_of(states[i])))
            continue;
        greylist->state = (enum greylist_state)i;
        greylist->left_ms = left;
        greylist->is_crowded = crowded == 1;
        return ANSWER_OK;
    }
    return ANSWER_BAD;
}

struct slice answer_override(const struct redisReply *reply, size_t use, size_t field)
{
    struct slice text;

    return redis_text(redis_item(redis_item(reply, use + 1), field), &text) ? text : absent;
}

enum answer answer_texts(const struct redisReply *reply, struct slice *texts, size_t count,
                         struct arena *arena)
{
    size_t found;

    if (!redis_list(reply, &found) || found != count)
        return ANSWER_BAD;
    for (size_t i = 0; i < count; i++) {
        const struct redisReply *item = redis_item(reply, i);
        struct slice text;
        texts[i] = absent;
        if (redis_is_nil(item))
            continue;
        if (!redis_text(item, &text))
            return ANSWER_BAD;
        texts[i] = arena_copy(arena, text);
        if (texts[i].ptr == NULL)
            return ANSWER_BAD;
    }
    return ANSWER_OK;
}

enum answer answer_poll(const struct redisReply *reply, struct store_poll *poll)
{
    size_t count;
    struct slice text;

    if (!redis_list(reply, &count) || count != poll->count)
        return ANSWER_BAD;
    for (size_t i = 0; i < count; i++) {
        if (!redis_text(redis_item(reply, i), &text) || text.len >= sizeof(poll->versions[i]) ||
            memchr(text.ptr, '\0', text.len) != NULL)
            return ANSWER_BAD;
    }
    for (size_t i = 0; i < count; i++) {
        if (!redis_text(redis_item(reply, i), &text))
            return ANSWER_BAD;
        poll->changed[i] = !slice_equal(text, slice_of(poll->versions[i]));
        memcpy(poll->versions[i], text.ptr, text.len);
        poll->versions[i][text.len] = '\0';
    }
    return ANSWER_OK;
}

enum answer answer_scan(const struct redisReply *reply, char cursor[24],
                        const struct redisReply **items, size_t *count)
{
    struct slice text;
    uint64_t number;
    size_t parts;

    if (!redis_list(reply, &parts) || parts != 2 || !redis_text(redis_item(reply, 0), &text) ||
        !slice_to_u64(text, &number) || !redis_list(redis_item(reply, 1), count))
        return ANSWER_BAD;
    snprintf(cursor, 24, "%" PRIu64, number);
    *items = redis_item(reply, 1);
    return ANSWER_OK;
}

enum answer answer_log_line(const struct redisReply *entry, struct store_field *line)
{
    const struct redisReply *pairs = redis_item(entry, 1);
    struct slice id, name, text;
    size_t count;

    if (!redis_text(redis_item(entry, 0), &id) || !redis_list(pairs, &count))
        return ANSWER_BAD;
    struct slice found = absent;
    for (size_t i = 0; found.ptr == NULL && i + 1 < count; i += 2) {
        if (!redis_text(redis_item(pairs, i), &name) ||
            !redis_text(redis_item(pairs, i + 1), &text))
            return ANSWER_BAD;
        if (slice_equal(name, SLICE("line")))
            found = text;
    }
    *line = (struct store_field){ id, found };
    return ANSWER_OK;
}

static bool log_id_parse(struct slice id, uint64_t *ms, uint64_t *sequence)
{
    struct slice head;

    return slice_cut(&id, '-', &head) && slice_to_u64(head, ms) && slice_to_u64(id, sequence);
}

static void log_id_print(char id[48], uint64_t ms, uint64_t sequence)
{
    snprintf(id, 48, "%" PRIu64 "-%" PRIu64, ms, sequence);
}

bool log_id_next(struct slice id, char next[48])
{
    uint64_t ms, sequence;

    if (!log_id_parse(id, &ms, &sequence) || (ms == UINT64_MAX && sequence == UINT64_MAX))
        return false;
    if (sequence == UINT64_MAX)
        log_id_print(next, ms + 1, 0);
    else
        log_id_print(next, ms, sequence + 1);
    return true;
}

bool log_id_before(struct slice id, char before[48])
{
    uint64_t ms, sequence;

    if (!log_id_parse(id, &ms, &sequence) || (ms == 0 && sequence == 0))
        return false;
    if (sequence == 0)
        log_id_print(before, ms - 1, UINT64_MAX);
    else
        log_id_print(before, ms, sequence - 1);
    return true;
}
