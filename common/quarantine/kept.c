/* common/quarantine/kept.c - see kept.h. */
#include "common/quarantine/kept.h"

#include <unistr.h>

#include "common/base/hash.h"
#include "common/control/control.h"

bool kept_text(struct arena *arena, struct slice text, struct slice *out)
{
    text = slice_part(text, 0, KEPT_TEXT_MAX);
    *out = arena_copy(arena, text);
    return text.ptr == NULL || out->ptr != NULL;
}

/* ---- ids: five bits a letter, none that looks like another; in the order of ASCII ---- */

static const char id_letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
enum { ID_TIME_LEN = 10 };

void kept_id_make(uint64_t wall_ms, char out[KEPT_ID_LEN + 1])
{
    unsigned char chance[KEPT_ID_LEN - ID_TIME_LEN];

    for (size_t i = ID_TIME_LEN; i-- > 0; wall_ms >>= 5)
        out[i] = id_letters[wall_ms & 31];
    random_bytes(chance, sizeof chance);
    for (size_t i = 0; i < sizeof chance; i++)
        out[ID_TIME_LEN + i] = id_letters[chance[i] & 31];
    out[KEPT_ID_LEN] = '\0';
}

bool kept_id_is_valid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] == '\0' || strchr(id_letters, id.ptr[i]) == NULL)
            return false;
    return id.len == KEPT_ID_LEN;
}

uint64_t kept_id_time_ms(struct slice id)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < ID_TIME_LEN && i < id.len; i++) {
        const char *letter = memchr(id_letters, id.ptr[i], sizeof id_letters - 1);
        ms = ms << 5 | (letter == NULL ? 0 : (uint64_t)(letter - id_letters));
    }
    return ms;
}

/* ---- JSON ---- */

/* Every byte comes back: what is no UTF-8 is written as {"hex": ...}. */
static json_t *exact_text(struct slice text)
{
    AUTO_BUF hex = BUF_INIT(KEPT_JSON_MAX);

    if (text.len == 0)
        return json_string("");
    if (u8_check((const uint8_t *)text.ptr, text.len) == NULL)
        return json_stringn_nocheck(text.ptr, text.len);
    for (size_t i = 0; i < text.len; i++)
        if (buf_printf(&hex, "%02x", (unsigned char)text.ptr[i]))
            return NULL;
    return json_pack("{s:s#}", "hex", hex.data, hex.len);
}

static json_t *recipients_json(const struct kept *kept)
{
    json_t *list = json_array();

    for (size_t i = 0; i < kept->recipient_count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o}", "address",
                                              exact_text(kept->recipients[i].address), "arguments",
                                              exact_text(kept->recipients[i].arguments)));
    return list;
}

static json_t *findings_json(const struct kept *kept)
{
    json_t *list = json_array();

    for (size_t i = 0; i < kept->finding_count; i++) {
        const struct kept_finding *finding = &kept->findings[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o}", "scanner", control_text(finding->scanner), "result",
                            control_text(finding->result), "text", control_text(finding->text)));
    }
    return list;
}

/* The members that are plain texts, in the order they are written. */
static const struct member {
    const char *name;
    size_t at;
    bool is_exact;
} members[] = {
    { "queue_id", offsetof(struct kept, queue_id), false },
    { "client_address", offsetof(struct kept, client_address), false },
    { "client_name", offsetof(struct kept, client_name), false },
    { "helo_name", offsetof(struct kept, helo_name), false },
    { "sasl_username", offsetof(struct kept, sasl_username), false },
    { "sender", offsetof(struct kept, sender), true },
    { "sender_arguments", offsetof(struct kept, sender_arguments), true },
    { "reason", offsetof(struct kept, reason), false },
    { "reference", offsetof(struct kept, reference), false },
    { "subject", offsetof(struct kept, subject), false },
    { "from", offsetof(struct kept, from), false },
    { "message_id", offsetof(struct kept, message_id), false },
};

static struct slice *member_of(struct kept *kept, const struct member *member)
{
    return (struct slice *)(void *)((char *)kept + member->at);
}

json_t *kept_to_json(const struct kept *kept)
{
    struct kept copy = *kept;
    json_t *json = json_pack("{s:s, s:I, s:I}", "id", kept->id, "time_ms",
                             (json_int_t)kept->time_ms, "size", (json_int_t)kept->size);
    bool ok = json != NULL;

    for (size_t i = 0; ok && i < COUNT(members); i++) {
        struct slice text = *member_of(&copy, &members[i]);
        ok = json_object_set_new(json, members[i].name,
                                 members[i].is_exact ? exact_text(text) : control_text(text)) == 0;
    }
    ok = ok && json_object_set_new(json, "smtputf8", json_boolean(kept->is_smtputf8)) == 0 &&
         json_object_set_new(json, "recipients", recipients_json(kept)) == 0 &&
         json_object_set_new(json, "findings", findings_json(kept)) == 0 &&
         json_array_size(json_object_get(json, "recipients")) == kept->recipient_count &&
         json_array_size(json_object_get(json, "findings")) == kept->finding_count;
    if (kept->damage.len > 0)
        ok = ok && json_object_set_new(json, "damaged", control_text(kept->damage)) == 0;
    if (ok)
        return json;
    json_decref(json);
    return NULL;
}

/* ---- and back ---- */

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c == '\0' ? NULL : strchr(digits, c);

    return digit == NULL ? -1 : (int)(digit - digits);
}

/* False: it is no text. */
static bool read_hex(struct arena *arena, struct slice hex, struct slice *out)
{
    char *bytes = arena_alloc(arena, hex.len / 2 + 1);

    if (bytes == NULL || hex.ptr == NULL || hex.len % 2 != 0)
        return false;
    for (size_t i = 0; i < hex.len; i += 2) {
        int high = hex_digit(hex.ptr[i]), low = hex_digit(hex.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(unsigned char)(high << 4 | low);
    }
    *out = (struct slice){ bytes, hex.len / 2 };
    return true;
}

static bool read_text(struct arena *arena, const json_t *object, const char *name,
                      struct slice *out)
{
    const json_t *value = json_object_get(object, name);
    struct slice text = { json_string_value(value), json_string_length(value) };

    if (json_is_object(value)) {
        value = json_object_get(value, "hex");
        return read_hex(arena,
                        (struct slice){ json_string_value(value), json_string_length(value) }, out);
    }
    *out = arena_copy(arena, text);
    return out->ptr != NULL;
}

static bool read_number(const json_t *object, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

/* What cannot be read is left out. False: something was. */
static bool read_recipients(struct arena *arena, const json_t *json, struct kept *out)
{
    const json_t *list = json_object_get(json, "recipients"), *one;
    size_t count = json_array_size(list), i;

    if (count > KEPT_RECIPIENTS_MAX)
        return false;
    out->recipients = arena_alloc_array(arena, count + 1, sizeof *out->recipients);
    if (out->recipients == NULL)
        return false;
    json_array_foreach (list, i, one) {
        struct kept_recipient *to = &out->recipients[out->recipient_count];
        out->recipient_count += read_text(arena, one, "address", &to->address) &&
                                read_text(arena, one, "arguments", &to->arguments);
    }
    return json_is_array(list) && out->recipient_count == count;
}

static bool read_findings(struct arena *arena, const json_t *json, struct kept *out)
{
    const json_t *list = json_object_get(json, "findings"), *one;
    size_t count = json_array_size(list), i;

    out->findings = arena_alloc_array(arena, count + 1, sizeof *out->findings);
    if (out->findings == NULL)
        return false;
    json_array_foreach (list, i, one) {
        struct kept_finding *to = &out->findings[out->finding_count];
        out->finding_count += read_text(arena, one, "scanner", &to->scanner) &&
                              read_text(arena, one, "result", &to->result) &&
                              read_text(arena, one, "text", &to->text);
    }
    return json_is_array(list) && out->finding_count == count;
}

/* Everything that can be read. False: something cannot. */
static bool read_all(struct arena *arena, const json_t *json, struct kept *out)
{
    struct slice id = { NULL, 0 };
    bool ok = read_text(arena, json, "id", &id) && kept_id_is_valid(id);

    *out = (struct kept){ .is_smtputf8 = json_is_true(json_object_get(json, "smtputf8")) };
    if (ok)
        memcpy(out->id, id.ptr, KEPT_ID_LEN);
    ok = read_number(json, "time_ms", &out->time_ms) && ok;
    ok = read_number(json, "size", &out->size) && ok;
    for (size_t i = 0; i < COUNT(members); i++)
        ok = read_text(arena, json, members[i].name, member_of(out, &members[i])) && ok;
    ok = read_recipients(arena, json, out) && ok;
    return read_findings(arena, json, out) && ok;
}

bool kept_from_json(struct arena *arena, const json_t *json, struct kept *out, const char **error)
{
    struct kept kept;

    *error = "it is not what was written";
    if (!read_all(arena, json, &kept))
        return false;
    *out = kept;
    return true;
}

void kept_salvage(struct arena *arena, const json_t *json, struct kept *out)
{
    read_all(arena, json, out);
}

bool kept_parse(struct arena *arena, struct slice text, struct kept *out, const char **error)
{
    json_error_t wrong;
    json_t *json = json_loadb(text.ptr == NULL ? "" : text.ptr, text.len, JSON_ALLOW_NUL, &wrong);
    bool ok = false;

    *error = "it is no JSON object";
    if (json_is_object(json))
        ok = kept_from_json(arena, json, out, error);
    json_decref(json);
    return ok;
}
