/* tests/programs/sign_file.c - signs and verifies messages with signd's own code, without a milter around it: for tests that
 * compare it with other implementations.
 *
 * A request is a line of JSON, and so is its answer; `message` is base64.
 *   {"do": "sign", "message": M, "keys": [{"domain": D, "selector": S, "pem": P}], "header": "relaxed", "body": "relaxed",
 *    "names": [..], "oversigned": [..], "line_max": 0, "now": T}
 *     -> {"message": M} as it leaves: the fields at the top, every line end CRLF; or {"refused": why}
 *   {"do": "verify", "message": M, "records": {"S._domainkey.D": text}, "max": 20, "now": T}
 *     -> {"claims": [{"result", "comment", "domain", "selector", "key_bits"}], "over": 0} */
#include <jansson.h>

#include "signd/seal.h"
#include "signd/verify.h"
#include "tests/fakes/raw_message.h"

enum { MESSAGE_MAX = 256 << 20, ARENA_MAX = 64 << 20, READ_SIZE = 64 << 10 };

static void check(bool is_ok, const char *what)
{
    if (is_ok)
        return;
    fprintf(stderr, "sign_file: %s\n", what);
    exit(2);
}

/* ---- JSON ---- */

static struct slice text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    check(json_is_string(value), name);
    return (struct slice){ json_string_value(value), json_string_length(value) };
}

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static size_t list_of(const json_t *object, const char *name, struct slice *items, size_t room)
{
    const json_t *list = json_object_get(object, name), *item;
    size_t i;

    json_array_foreach (list, i, item) {
        check(i < room && json_is_string(item), name);
        items[i] = (struct slice){ json_string_value(item), json_string_length(item) };
    }
    return json_array_size(list);
}

static struct message *message_of(const json_t *request)
{
    struct buf text = BUF_INIT(MESSAGE_MAX);
    struct message *message;

    check(base64_parse(&text, text_of(request, "message")), "message: not base64");
    message = raw_message(buf_slice(&text));
    check(message != NULL, "out of memory, or the message is too large");
    buf_free(&text);
    return message;
}

/* ---- the message as it leaves ---- */

/* A part of one, its line ends (LF or CRLF) made CRLF. */
static void put_lines(struct buf *out, struct slice text)
{
    for (struct slice line; slice_cut(&text, '\n', &line);) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        check(buf_add(out, line) == 0 && buf_put(out, "\r\n") == 0, "out of memory");
    }
    check(buf_add(out, text) == 0, "out of memory");
}

static void put_field(struct buf *out, struct slice name, const char *blank, struct slice value)
{
    check(buf_add(out, name) == 0 && buf_put(out, ":") == 0 && buf_put(out, blank) == 0,
          "out of memory");
    put_lines(out, value);
    check(buf_put(out, "\r\n") == 0, "out of memory");
}

/* All of it as one: pieces of the spool may cut a line end. */
static void put_body(struct buf *out, const struct message *message)
{
    static char space[READ_SIZE];
    AUTO_BUF whole = BUF_INIT(MESSAGE_MAX);
    struct slice piece;

    for (uint64_t at = 0; at < spool_size(message->body); at += piece.len)
        check(spool_read(message->body, at, READ_SIZE, space, &piece) == 0 &&
                  buf_add(&whole, piece) == 0,
              "the body cannot be read");
    put_lines(out, buf_slice(&whole));
    if (whole.len > 0 && whole.data[whole.len - 1] != '\n')
        check(buf_put(out, "\r\n") == 0, "out of memory");
}

/* Fields inserted at the top go in one above the other. */
static void put_inserted(struct buf *out, const struct edit *edit)
{
    if (edit == NULL)
        return;
    put_inserted(out, edit->next);
    check(edit->kind == EDIT_INSERT_HEADER && edit->index == 0, "not an edit of a signer");
    put_field(out, edit->name, " ", edit->text);
}

static json_t *as_sent(const struct message *message, const struct edits *edits)
{
    AUTO_BUF text = BUF_INIT(MESSAGE_MAX);
    AUTO_BUF encoded = BUF_INIT(MESSAGE_MAX * 2u);

    put_inserted(&text, edits->first);
    for (size_t i = 0; i < message->header_count; i++)
        put_field(&text, message_header_label(&message->headers[i]), "", message->headers[i].value);
    check(buf_put(&text, "\r\n") == 0, "out of memory");
    put_body(&text, message);
    check(base64_print(&encoded, text.data, text.len) == 0, "out of memory");
    return json_pack("{s:s#}", "message", encoded.data, encoded.len);
}

/* ---- sign ---- */

/* The keys of one request. */
struct signers {
    struct key_file files[KEYS_OF_A_MESSAGE_MAX];
    struct chosen_keys chosen;
};

static void take_keys(const json_t *list, struct signers *signers)
{
    char error[DKIM_KEY_ERROR_MAX];
    const json_t *item;
    size_t i;

    signers->chosen.count = 0;
    json_array_foreach (list, i, item) {
        check(i < COUNT(signers->files), "too many keys");
        signers->files[i] = (struct key_file){
            .domain = text_of(item, "domain"),
            .selector = text_of(item, "selector"),
            .key = dkim_key_parse(text_of(item, "pem"), error),
        };
        check(signers->files[i].key != NULL, error);
        signers->chosen.domain = signers->files[i].domain;
        signers->chosen.keys[signers->chosen.count++] = &signers->files[i];
    }
}

static void drop_keys(struct signers *signers)
{
    for (size_t i = 0; i < signers->chosen.count; i++) {
        struct dkim_key *key = (struct dkim_key *)(uintptr_t)signers->files[i].key;
        dkim_key_free(&key);
    }
}

static enum canonicalization mode_of(const json_t *request, const char *name)
{
    return slice_equal(text_of(request, name), SLICE("simple")) ? CANONICAL_SIMPLE
                                                                : CANONICAL_RELAXED;
}

static json_t *sign(const json_t *request)
{
    struct slice names[SIGN_NAMES_MAX], oversigned[SIGN_NAMES_MAX];
    const struct sign_settings settings = {
        .header = mode_of(request, "header"),
        .body = mode_of(request, "body"),
        .names = names,
        .name_count = list_of(request, "names", names, COUNT(names)),
        .oversigned = oversigned,
        .oversigned_count = list_of(request, "oversigned", oversigned, COUNT(oversigned)),
        .expire_s = number_of(request, "expire"),
        .line_max = number_of(request, "line_max"),
    };
    struct message *message = message_of(request);
    struct arena *arena = arena_new(ARENA_MAX);
    struct signers signers;
    struct edits edits;
    const char *error;
    json_t *answer;

    check(arena != NULL, "out of memory");
    take_keys(json_object_get(request, "keys"), &signers);
    edits_init(&edits);
    if (seal(message, &signers.chosen, &settings, number_of(request, "now"), arena, &edits,
             &error) == SEAL_DONE)
        answer = as_sent(message, &edits);
    else
        answer = json_pack("{s:s}", "refused", error);
    drop_keys(&signers);
    arena_free(&arena);
    message_unref(&message);
    return answer;
}

/* ---- verify ---- */

static void find_key(struct dkim_claim *claim, const json_t *records)
{
    char name[CLAIM_NAME_MAX + 1];

    claim_key_name(claim, name);
    const json_t *record = json_object_get(records, name);
    claim->key_state = record == NULL ? CLAIM_KEY_NONE : CLAIM_KEY_FOUND;
    if (record != NULL)
        claim->key = (struct slice){ json_string_value(record), json_string_length(record) };
}

static json_t *told(const struct dkim_claim *claim)
{
    return json_pack("{s:s, s:s, s:s#, s:s#, s:i}", "result", dkim_result_words[claim->result],
                     "comment", claim->comment == NULL ? "" : claim->comment, "domain",
                     claim->domain.ptr == NULL ? "" : claim->domain.ptr, claim->domain.len,
                     "selector", claim->selector.ptr == NULL ? "" : claim->selector.ptr,
                     claim->selector.len, "key_bits", (int)claim->key_bits);
}

static json_t *verify(const struct verifier *verifier, const json_t *request)
{
    struct message *message = message_of(request);
    struct arena *arena = arena_new(ARENA_MAX);
    struct dkim_claim *claims;
    size_t count = 0, over = 0;
    json_t *list = json_array();

    check(arena != NULL &&
              claims_read(message, number_of(request, "max"), number_of(request, "now"), arena,
                          &claims, &count, &over) == 0,
          "out of memory");
    for (size_t i = 0; i < count; i++)
        if (claims[i].is_ready)
            find_key(&claims[i], json_object_get(request, "records"));
    check(verify_claims(verifier, message, claims, count) == 0, "the body cannot be read");
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, told(&claims[i]));
    arena_free(&arena);
    message_unref(&message);
    return json_pack("{s:o, s:I}", "claims", list, "over", (json_int_t)over);
}

int main(void)
{
    struct verifier *verifier = verifier_new();
    json_error_t error;
    json_t *request;

    check(verifier != NULL, "out of memory");
    while ((request = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &error)) != NULL) {
        json_t *answer = slice_equal(text_of(request, "do"), SLICE("sign"))
                             ? sign(request)
                             : verify(verifier, request);
        check(answer != NULL && json_dumpf(answer, stdout, JSON_COMPACT) == 0, "no answer");
        check(putchar('\n') != EOF && fflush(stdout) == 0, "cannot write");
        json_decref(answer);
        json_decref(request);
    }
    verifier_free(&verifier);
    return 0;
}
