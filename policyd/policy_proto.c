/* policyd/policy_proto.c - see policy_proto.h. */
#include "policyd/policy_proto.h"

#include "common/base/hash.h"

static const struct slice attribute_names[POLICY_ATTRIBUTES] = {
    [ATTR_REQUEST] = SLICE_INIT("request"),
    [ATTR_PROTOCOL_STATE] = SLICE_INIT("protocol_state"),
    [ATTR_PROTOCOL_NAME] = SLICE_INIT("protocol_name"),
    [ATTR_CLIENT_ADDRESS] = SLICE_INIT("client_address"),
    [ATTR_CLIENT_NAME] = SLICE_INIT("client_name"),
    [ATTR_CLIENT_PORT] = SLICE_INIT("client_port"),
    [ATTR_REVERSE_CLIENT_NAME] = SLICE_INIT("reverse_client_name"),
    [ATTR_SERVER_ADDRESS] = SLICE_INIT("server_address"),
    [ATTR_SERVER_PORT] = SLICE_INIT("server_port"),
    [ATTR_HELO_NAME] = SLICE_INIT("helo_name"),
    [ATTR_SENDER] = SLICE_INIT("sender"),
    [ATTR_RECIPIENT] = SLICE_INIT("recipient"),
    [ATTR_RECIPIENT_COUNT] = SLICE_INIT("recipient_count"),
    [ATTR_QUEUE_ID] = SLICE_INIT("queue_id"),
    [ATTR_INSTANCE] = SLICE_INIT("instance"),
    [ATTR_SIZE] = SLICE_INIT("size"),
    [ATTR_ETRN_DOMAIN] = SLICE_INIT("etrn_domain"),
    [ATTR_STRESS] = SLICE_INIT("stress"),
    [ATTR_SASL_METHOD] = SLICE_INIT("sasl_method"),
    [ATTR_SASL_USERNAME] = SLICE_INIT("sasl_username"),
    [ATTR_SASL_SENDER] = SLICE_INIT("sasl_sender"),
    [ATTR_CCERT_SUBJECT] = SLICE_INIT("ccert_subject"),
    [ATTR_CCERT_ISSUER] = SLICE_INIT("ccert_issuer"),
    [ATTR_CCERT_FINGERPRINT] = SLICE_INIT("ccert_fingerprint"),
    [ATTR_CCERT_PUBKEY_FINGERPRINT] = SLICE_INIT("ccert_pubkey_fingerprint"),
    [ATTR_ENCRYPTION_PROTOCOL] = SLICE_INIT("encryption_protocol"),
    [ATTR_ENCRYPTION_CIPHER] = SLICE_INIT("encryption_cipher"),
    [ATTR_ENCRYPTION_KEYSIZE] = SLICE_INIT("encryption_keysize"),
    [ATTR_POLICY_CONTEXT] = SLICE_INIT("policy_context"),
    [ATTR_COMPATIBILITY_LEVEL] = SLICE_INIT("compatibility_level"),
    [ATTR_MAIL_VERSION] = SLICE_INIT("mail_version"),
};

/* Attributes that must be decimal numbers when they are sent and not empty. */
static const enum policy_attribute numeric[] = { ATTR_RECIPIENT_COUNT, ATTR_SIZE,
                                                 ATTR_ENCRYPTION_KEYSIZE };

static const struct {
    struct slice state;
    enum stage stage;
} stages[] = {
    { SLICE_INIT("RCPT"), STAGE_RCPT },          { SLICE_INIT("DATA"), STAGE_DATA },
    { SLICE_INIT("END-OF-MESSAGE"), STAGE_END }, { SLICE_INIT("MAIL"), STAGE_MAIL },
    { SLICE_INIT("CONNECT"), STAGE_CONNECT },    { SLICE_INIT("EHLO"), STAGE_HELO },
    { SLICE_INIT("HELO"), STAGE_HELO },
};

const char *policy_attribute_name(enum policy_attribute attr)
{
    return attribute_names[attr].ptr;
}

bool policy_attribute_find(struct slice name, enum policy_attribute *out)
{
    for (size_t i = 0; i < POLICY_ATTRIBUTES; i++) {
        if (slice_equal(attribute_names[i], name)) {
            *out = (enum policy_attribute)i;
            return true;
        }
    }
    return false;
}

/* Cuts a line into name and value. `expected` is the number of the attribute that is probably next: Postfix sends them in
 * the order of the enum, so the one after the last found nearly always is. *attr is POLICY_ATTRIBUTES if nobody knows it. */
static bool line_cut(struct slice line, size_t expected, enum policy_attribute *attr,
                     struct slice *value)
{
    struct slice name;

    if (expected < POLICY_ATTRIBUTES) {
        name = attribute_names[expected];
        if (line.len > name.len && line.ptr[name.len] == '=' &&
            memcmp(line.ptr, name.ptr, name.len) == 0) {
            *attr = (enum policy_attribute)expected;
            *value = (struct slice){ line.ptr + name.len + 1, line.len - name.len - 1 };
            return true;
        }
    }
    *value = line;
    if (!slice_cut(value, '=', &name) || name.len == 0)
        return false;
    if (!policy_attribute_find(name, attr))
        *attr = POLICY_ATTRIBUTES;
    return true;
}

static bool has_nul(struct slice text)
{
    return text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL;
}

static enum stage stage_of(const struct policy_request *req)
{
    for (size_t i = 0; i < COUNT(stages); i++) {
        if (!slice_equal(stages[i].state, req->attr[ATTR_PROTOCOL_STATE]))
            continue;
        /* From DATA on Postfix names the recipient only when there is just one. */
        if (stages[i].stage == STAGE_DATA && req->attr[ATTR_RECIPIENT].len == 0)
            return STAGE_DATA_MANY;
        if (stages[i].stage == STAGE_END && req->attr[ATTR_RECIPIENT].len == 0)
            return STAGE_END_MANY;
        return stages[i].stage;
    }
    return STAGE_OTHER;
}

static bool numbers_are_numbers(const struct policy_request *req)
{
    uint64_t number;

    for (size_t i = 0; i < COUNT(numeric); i++) {
        struct slice text = req->attr[numeric[i]];
        if (text.len > 0 && !slice_to_u64(text, &number))
            return false;
    }
    return true;
}

/* The lines up to the empty one, into *req; *end is where the empty line ends. */
static enum proto_result lines_parse(struct slice in, struct policy_request *req, size_t *end)
{
    size_t expected = 0, count = 0, at = 0, len;

    for (;; at += len + 1) {
        struct slice rest = slice_skip(in, at), value;
        enum policy_attribute attr;
        len = slice_find(rest, '\n');
        *end = at;
        if (len == SIZE_MAX)
            return PROTO_MORE;
        struct slice line = { rest.ptr, len };
        if (len > 0 && line.ptr[len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            break;
        if (!line_cut(line, expected, &attr, &value) || ++count > POLICY_ATTRIBUTES_MAX)
            return PROTO_BAD;
        if (attr == POLICY_ATTRIBUTES)
            continue;
        expected = (size_t)attr + 1;
        if (req->attr[attr].ptr != NULL)
            continue;
        req->attr[attr] = value;
        if (attr == ATTR_POLICY_CONTEXT)
            req->context = (struct slice){ rest.ptr, len + 1 };
    }
    *end = at + len + 1;
    return PROTO_DONE;
}

enum proto_result policy_parse(struct slice in, struct policy_request *req, size_t *used)
{
    struct policy_request parsed = { .raw = { NULL, 0 } };
    size_t end;
    enum proto_result got = lines_parse(in, &parsed, &end);

    parsed.raw = slice_part(in, 0, end);
    if (got == PROTO_BAD || has_nul(parsed.raw))
        return PROTO_BAD;
    if (got == PROTO_MORE)
        return in.len < POLICY_REQUEST_MAX ? PROTO_MORE : PROTO_BAD;
    if (parsed.raw.len > POLICY_REQUEST_MAX || !numbers_are_numbers(&parsed) ||
        !slice_equal(parsed.attr[ATTR_REQUEST], SLICE("smtpd_access_policy")))
        return PROTO_BAD;
    parsed.stage = stage_of(&parsed);
    *used = parsed.raw.len;
    *req = parsed;
    return PROTO_DONE;
}

/* What of the request is hashed: the bytes before and after the line of policy_context. */
static void hashed_parts(const struct policy_request *req, bool with_context, struct slice parts[2])
{
    parts[0] = req->raw;
    parts[1] = (struct slice){ NULL, 0 };
    if (with_context || req->context.ptr == NULL)
        return;
    size_t before = (size_t)(req->context.ptr - req->raw.ptr);
    parts[0] = slice_part(req->raw, 0, before);
    parts[1] = slice_skip(req->raw, before + req->context.len);
}

uint64_t policy_request_hash(const struct policy_request *req, bool with_context)
{
    struct slice parts[2];

    hashed_parts(req, with_context, parts);
    uint64_t hash = hash_keyed(parts[0]);
    if (parts[1].ptr == NULL)
        return hash;
    uint64_t both[2] = { hash, hash_keyed(parts[1]) };
    return hash_keyed((struct slice){ (const char *)both, sizeof both });
}

void policy_request_digest(const struct policy_request *req, bool with_context, char out[33])
{
    struct slice parts[2];

    hashed_parts(req, with_context, parts);
    if (parts[1].ptr == NULL) {
        hash_hex128(parts[0], out);
        return;
    }
    char both[2 * HASH_HEX_LEN + 1];
    hash_hex128(parts[0], both);
    hash_hex128(parts[1], both + HASH_HEX_LEN);
    hash_hex128((struct slice){ both, 2 * HASH_HEX_LEN }, out);
}

static bool is_sendable(struct slice action)
{
    bool only_digits = true;

    for (size_t i = 0; i < action.len; i++) {
        if (!ascii_is_print(action.ptr[i]))
            return false;
        only_digits = only_digits && (ascii_is_digit(action.ptr[i]) || action.ptr[i] == ' ');
    }
    struct slice rest = action, word;
    if (!slice_cut(&rest, ' ', &word))
        word = action;
    return !only_digits && action.len <= POLICY_REPLY_MAX - 16 &&
           !slice_equal_nocase(word, SLICE("OK"));
}

int policy_reply(struct buf *out, struct slice action)
{
    action = slice_trim(action);
    if (action.len == 0 || !is_sendable(action))
        action = SLICE("DUNNO");
    size_t before = out->len;
    if (buf_put(out, "action=") || buf_add(out, action) || buf_put(out, "\n\n")) {
        out->len = before;
        return -1;
    }
    return 0;
}
